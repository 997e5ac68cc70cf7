"""Whether a call of a tool may run, for a program that holds it: a bridge to an agent framework, or the user's own.

A person sees the call as the gate shows it. They allow it, as it is or with other arguments, deny it with a reason, or
have it remembered. An approval is for one call: who asks with a `key` gets the decision of this key, also after a
restart; without one, of several that wait for the same decision one has it, and each other asks anew.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from handoffs.channels import may_permit
from handoffs.client.asking import Asking
from handoffs.client.outcome import STATUS_OF, Status
from handoffs.client.questions import Tell
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import ALLOW, ARGUMENTS, MAX_EDITED, MAX_EDITS, REASON, REMEMBER, SCOPE, action_form
from handoffs.core.action_shown import MAX_REASON, MAX_SHOWN, message_of
from handoffs.core.asked import digest_of_key
from handoffs.core.denial import is_denial
from handoffs.core.display import stamp
from handoffs.core.errors import AlreadyUsed, NotProved, QuestionRefused
from handoffs.core.form import DECISION
from handoffs.core.model import Handoff, State
from handoffs.core.remembering import conditions_of, offered, takes_conditions
from handoffs.gate import earlier_calls, words
from handoffs.gate.edits import checked
from handoffs.gate.policy_model import Remember, Terms
from handoffs.gate.remembered import Remembered, comparing
from handoffs.gate.seats import Seats

if TYPE_CHECKING:
    from handoffs.core.deciders import Deciders

__all__ = ["ONCE", "Opened", "Permission", "Permitting", "Remember", "Terms"]

Opened: TypeAlias = Callable[[Handoff], object]
"""Is given a question once it is in the store."""

ONCE = Terms(remember=Remember(reaches=frozenset()))
"""The terms of a call that is asked about each time."""


@dataclass(frozen=True, kw_only=True)
class Permission:
    """What became of one call. It is true only where a person allowed it."""

    allowed: bool
    status: Status
    """How the question stands; ANSWERED where a remembered permission allows the call."""
    arguments: str = field(default="", repr=False)
    """The JSON object to run with, of an allowed call: as it was, or as the person changed it."""
    edited: bool = False
    """Whether the person changed the arguments."""
    told: str = field(default="", repr=False)
    """What the agent is told of a call that is not allowed; it holds the person's reason."""
    reason: str = field(default="", repr=False)
    """The person's own reason for a denial."""
    remembered: str = ""
    """What the person had remembered, `exact-hour`; or the id of the permission that was used, `g_…`."""
    scope: str = ""
    """For how long the person granted it, of a call that is `scoped`; empty where they picked nothing."""
    by: str = ""
    at: datetime | None = None
    channel: str = ""
    handoff_id: str = ""
    """The question; empty where nobody was asked."""

    def __bool__(self) -> bool:
        """Say whether the call may run."""
        return self.allowed


class Permitting:
    """Asks about the calls of one server's tools."""

    def __init__(
        self, asking: Asking, *, server: str, session: str = "", terms: Terms = ONCE, asker: Asker = Asker.GATE
    ) -> None:
        """Take what asks, and the name of the server, or of what else has the tools.

        `terms` say what a person may do: edit, remember, and whose decision it is. What is remembered for a session
        counts for those with the same `session`. The `asker` is a HOST where the tools are its own.
        """
        self._asking, self._desk, self._server, self._terms = asking, asking.desk, server, terms
        self._asker = asker
        caller, session = asking.caller, session or secrets.token_hex(16)
        self._remembered = Remembered(
            self._desk.permissions,
            self._desk.clock,
            server=server,
            subject=caller.subject,
            project=caller.project,
            session=session,
            proofs=comparing(
                self._desk,
                self._desk.directory,
                subject=caller.subject,
                project=caller.project,
                session=session,
            ),
        )
        self._seats = Seats(self._desk.directory, subject=caller.subject, proving=self._desk.proving)

    async def permit(
        self,
        tool: str,
        arguments: Mapping[str, object] | str,
        *,
        definition: Mapping[str, object] | str = "",
        terms: Terms | None = None,
        timeout: float | timedelta | None = None,
        wait: float | None = None,
        key: str = "",
        tell: Tell | None = None,
        may_have_run: bool = False,
        origin: str = "",
        opened: "Opened | None" = None,
        scoped: bool = False,
    ) -> Permission:
        """Return whether this call may run, once a person has decided, or as it stands after `wait` seconds.

        `arguments` and `definition` (a tool's as MCP lists it, with its `inputSchema`) are JSON, or values. The person
        is told where the same call `may_have_run` before, and its `origin`, in Markdown of ours. `opened` is given each
        question as soon as it is in the store: who stops waiting can withdraw it. A call that is `scoped` asks for
        something that lasts: the person may let it last for the session.

        Raises:
            QuestionRefused: The arguments are no JSON object, or nobody can be asked.
        """
        terms = terms or self._terms
        action = Action(
            asker=self._asker,
            server=self._server,
            tool=tool,
            arguments=_written(arguments),
            definition=_written(definition) if definition else "",
            masked=terms.mask,
        )
        try:
            shown = message_of(action, again="x" * MAX_REASON, origin=origin or words.MAY_HAVE_RUN)
            _ = action.digest
        except (ValueError, RecursionError) as wrong:
            raise QuestionRefused(f"The call of {tool} can't be shown to a person: {wrong}.") from None
        if len(shown) > MAX_SHOWN:
            return _denied(words.TOO_LONG)
        if (known := await self._known(action, terms)) is not None:
            return known
        origin = "\n\n".join(filter(None, (origin, words.MAY_HAVE_RUN if may_have_run else "")))
        form = _form(action, terms, scoped=scoped)
        return await self._asked(
            action, terms, origin, form=form, timeout=timeout, wait=wait, key=key, tell=tell, opened=opened
        )

    async def _known(self, action: Action, terms: Terms) -> Permission | None:
        """Return what is known without asking; None where a person must be asked."""
        if await self._remembered.stopped() is not None:
            return _denied(words.STOPPED)
        grant = await self._remembered.allows(action, terms)
        if grant is not None:
            return Permission(
                allowed=True, status=Status.ANSWERED, arguments=action.arguments, remembered=grant.id, by=grant.by,
                at=grant.created_at, channel=grant.channel,
            )  # fmt: skip
        ended = await earlier_calls.earlier(self._desk, self._asking.caller.subject, action.digest)
        denial = earlier_calls.last_of_many_denials(ended, self._desk.clock.now())
        if denial is None:
            return None
        await self._desk.denied_again(denial)
        return _denied(words.denied_again(stamp(earlier_calls.ends_at(denial))))

    async def _asked(
        self,
        action: Action,
        terms: Terms,
        origin: str,
        *,
        form: Mapping[str, object],
        timeout: float | timedelta | None,
        wait: float | None,
        key: str,
        tell: Tell | None,
        opened: "Opened | None",
    ) -> Permission:
        name = key or f"call {secrets.token_hex(8)}"
        asked: list[Handoff] = []
        again, edits, round_ = "", 0, 0
        while True:
            deciders = await self._deciders(terms)
            handoff = await self._asking.open(
                message_of(action, again=again, origin=origin),
                form=form,
                timeout=timeout if terms.deadline_seconds is None else terms.deadline_seconds,
                # A call that lost its approval to another one must not join the same question again.
                key=f"{key}{'~' * round_}" if key else "",
                action=action,
                deciders=deciders,
                max_message=MAX_SHOWN,
            )
            if opened is not None:
                opened(handoff)
            handoff = await self._asking.decided(handoff, wait=wait, tell=tell)
            asked.append(handoff)
            if handoff.state is State.OPEN:
                return _denied(words.WAITING, handoff)
            if (why := await self._refusal(handoff, action, terms)) is not None:
                if is_denial(handoff):
                    await self._remembered.suspend(action)
                await self._asking.hand_over(*asked, key=key)
                return _denied(why, handoff)
            try:
                changed = checked(str((handoff.values or {}).get(ARGUMENTS) or ""), action)
            except ValueError as wrong:
                edits += 1
                if edits > MAX_EDITS:
                    await self._asking.hand_over(*asked, key=key)
                    return _denied(words.MANY_EDITS, handoff)
                # Not used: the same call, sent again, comes here again. The number keeps two alike apart.
                again = f"change {edits} was not used, and nothing has run: {wrong}"
                continue
            if await self._remembered.stopped() is not None:
                return _denied(words.STOPPED, handoff)
            if handoff.collected_at is None:
                await self._remembered.keep(action, handoff, terms, edited=changed is not None)
            try:
                await self._desk.use(handoff, tool_use=digest_of_key(key) or name, edited=changed is not None)
            except AlreadyUsed:
                asked, again, round_ = [], "", round_ + 1
                continue  # another call has this approval: this one asks for its own
            await self._asking.hand_over(*asked[:-1], key=key)
            return _allowed(handoff, action, changed)

    async def _deciders(self, terms: Terms) -> "Deciders | None":
        if terms.deciders is None and not self._desk.proof_demanded:
            return None
        return await self._seats.routed(terms, self._desk.clock.now())

    async def _refusal(self, handoff: Handoff, action: Action, terms: Terms) -> str | None:
        """Return why a question that has ended permits nothing; None where those who decide have allowed the call."""
        end = handoff.end
        if handoff.state is not State.ANSWERED or end is None or (handoff.values or {}).get(DECISION) != ALLOW:
            return words.refusal(handoff)
        if not may_permit(end.channel):
            return words.BY_SCRIPT
        try:
            await self._desk.check_proof(handoff)
        except NotProved as unproved:
            return f"Not run: {unproved}"
        asked = handoff.question.deciders
        if asked is None and terms.deciders is None and not self._desk.proof_demanded:
            return None
        return None if await self._seats.decided(handoff, action, terms) else words.NOT_THEIRS


def _form(action: Action, terms: Terms, *, scoped: bool) -> Mapping[str, object]:
    choices = offered(terms.remember.reaches, terms.remember.longest_seconds)
    return action_form(
        editable=terms.edit and len(action.arguments) <= MAX_EDITED,
        remember=choices,
        conditions=[*conditions_of(action)] if takes_conditions(choices) else (),
        scoped=scoped,
    )


def _allowed(handoff: Handoff, action: Action, changed: str | None) -> Permission:
    end, values = handoff.end, handoff.values or {}
    return Permission(
        allowed=True,
        status=Status.ANSWERED,
        arguments=action.arguments if changed is None else changed,
        edited=changed is not None,
        remembered=str(values.get(REMEMBER) or ""),
        scope=str(values.get(SCOPE) or ""),
        by=end.by if end is not None else "",
        at=end.at if end is not None else None,
        channel=end.channel if end is not None else "",
        handoff_id=handoff.id,
    )


def _denied(told: str, handoff: Handoff | None = None) -> Permission:
    if handoff is None:
        return Permission(allowed=False, status=Status.DECLINED, told=told)
    end = handoff.end
    return Permission(
        allowed=False,
        status=STATUS_OF[handoff.state],
        told=told,
        reason=str((handoff.values or {}).get(REASON) or (end.note if end is not None else "")),
        by=end.by if end is not None else "",
        at=end.at if end is not None else None,
        channel=end.channel if end is not None else "",
        handoff_id=handoff.id,
    )


def _written(given: Mapping[str, object] | str) -> str:
    if isinstance(given, str):
        return given
    try:
        return json.dumps(given, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as wrong:
        raise QuestionRefused(f"The call is no JSON: {wrong}.") from None
