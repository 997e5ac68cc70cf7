"""Whether a permission for later counts where a rule says who decides, or a proof is demanded.

The store's row is believed only as far as the answer that gave it: the question is read, its votes and signatures are
checked as those of a call are, with the keys that count now, and the permission is computed anew from what was signed.
A row that allows more, or something else, allows nothing. How often it was used, and that it was revoked or suspended,
is signed by nobody: a count that this process has seen before is found, and no more.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from handoffs.core.action_form import ALLOW, ARGUMENTS
from handoffs.core.decision import LONGEST, Assertion
from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound
from handoffs.core.form import DECISION
from handoffs.core.grant import Grant
from handoffs.core.model import Handoff, State
from handoffs.core.remembering import CHOICES
from handoffs.gate.edits import checked
from handoffs.gate.granted import choice_of, granted
from handoffs.gate.policy_model import Terms
from handoffs.gate.seats import People, Seats

if TYPE_CHECKING:
    from handoffs.core.action import Action


class GrantProofs:
    """Compares the permissions of one session's subject with the answers that gave them."""

    def __init__(self, desk: Desk, directory: People | None, *, subject: str, project: str, session: str) -> None:
        """Take the desk that knows the answers, and what knows the people. `session` is the one of this process."""
        self._desk, self._subject, self._project, self._session = desk, subject, project, session
        self._seats = Seats(directory, subject=subject, proving=desk.proving)
        self._used: dict[str, set[int]] = {}  # which uses of each this process has had
        self._recounted: set[str] = set()  # those whose count was edited
        self._own: set[str] = set()  # those for this session that this process has kept

    async def counts(self, grant: Grant, terms: Terms) -> bool:
        """Say whether the answer that gave a permission has given it, and would be enough for this call."""
        if grant.id in self._recounted:
            return False
        try:
            handoff = await self._desk.get(grant.handoff_id)
        except NotFound:  # it was deleted: nobody can say what was signed
            return False
        action, values = handoff.question.action, handoff.values or {}
        if handoff.state is not State.ANSWERED or action is None or values.get(DECISION) != ALLOW:
            return False
        now, signed = self._desk.clock.now(), self._takes_proof(handoff, terms)
        if not await self._seats.decided(handoff, action, terms, used_at=now):
            return False
        asked = handoff.caller
        if (asked.subject, asked.project) != (self._subject, self._project):
            return False
        if signed:  # a vote beside them says nothing of the time
            handoff = await self._desk.proving.proved(handoff, used_at=now)
        try:
            return self._is_of(grant, handoff, action, signed=signed)
        except ValueError:
            return False

    def keeping(self, grant: Grant, handoff: Handoff, terms: Terms) -> Grant:
        """Hear of a permission that this process keeps, and return it as it can count."""
        if grant.session:
            self._own.add(grant.id)
        end = latest_end(handoff) if self._takes_proof(handoff, terms) else None
        if end is None or grant.expires_at is None or grant.expires_at <= end:
            return grant
        return replace(grant, expires_at=end)  # it was decided a while ago

    def is_next_use(self, before: Grant, used: Grant) -> bool:
        """Say whether one more use of a permission, as the store has counted it, is one that there is."""
        if before.uses_left is None:
            return True
        seen = self._used.setdefault(before.id, set())
        counted = used.uses > 0 and used.uses not in seen and _uses_in_all(used) == _uses_in_all(before)
        seen.add(used.uses)
        if not counted:
            self._recounted.add(before.id)
        return counted

    def _takes_proof(self, handoff: Handoff, terms: Terms) -> bool:
        rules = (terms.deciders, handoff.question.deciders)
        return self._desk.proof_demanded or any(each is not None and bool(each.proof) for each in rules)

    def _is_of(self, grant: Grant, handoff: Handoff, action: "Action", *, signed: bool) -> bool:
        edited = checked(str((handoff.values or {}).get(ARGUMENTS) or ""), action) is not None
        given = granted(
            handoff,
            action,
            subject=self._subject,
            project=self._project,
            session=self._session,
            now=grant.created_at,
            edited=edited,
        )
        if given is None or _scope(given) != _scope(grant):
            return False
        if given.session and grant.id not in self._own:
            return False
        return _uses_in_all(grant) == given.uses_left and _in_time(
            grant, latest_end(handoff) if signed else given.expires_at
        )


def latest_end(handoff: Handoff) -> datetime | None:
    """Return when a permission ends at the latest that a signed answer gives; None where it has no end.

    Of a moment, nothing is signed but until when the challenge was good: at that time it was decided at the latest.
    """
    meant = CHOICES.get(choice_of(handoff))
    if meant is None or meant.seconds is None:
        return None
    signed = [Assertion.loads(vote.proof).ticket.expires_at for vote in handoff.votes if vote.proof]
    return max(signed, default=handoff.created_at + LONGEST) + timedelta(seconds=meant.seconds)


def _scope(grant: Grant) -> tuple[object, ...]:
    conditions = [(each.name, each.kind, type(each.value), each.value) for each in grant.conditions]
    return (
        *(grant.id, grant.subject, grant.project, grant.server, grant.tool, grant.definition),
        *(grant.reach, grant.arguments_digest, conditions, grant.session, grant.by, grant.channel),
    )


def _uses_in_all(grant: Grant) -> int | None:
    return None if grant.uses_left is None else grant.uses + grant.uses_left


def _in_time(grant: Grant, end: datetime | None) -> bool:
    """Say whether a permission ends no later than it may."""
    return end is None or (grant.expires_at is not None and grant.expires_at <= end)
