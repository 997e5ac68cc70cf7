"""Decisions that are proved: where a rule or a setting demands a passkey, no answer counts without a signature.

The signature is checked before a vote is recorded. Whoever waits for the answer checks it again, with the question and
the values as they are then: what the store says of state, votes and seats is believed only as far as it was signed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from handoffs.core.attachment import Attachment
from handoffs.core.deciders import Deciders, Seat, Vote
from handoffs.core.decision import Assertion, Decision, Ticket
from handoffs.core.errors import NotProved, QuestionRefused
from handoffs.core.events import Answered, Voted
from handoffs.core.form import Value
from handoffs.core.model import Handoff, State
from handoffs.core.person import Directory
from handoffs.core.sentences import say
from handoffs.core.voting import content_of, was_decided

SETTING = "HANDOFFS_PROOF"
"""Stands in place of a rule where the setting demands the proof."""


class Proofs(Protocol):
    """Checks assertions with the enrolled keys of people."""

    @property
    def server_id(self) -> str:
        """The inbox that decisions are made at, by its address."""
        ...

    async def use(self, assertion: Assertion, decision: Decision, *, at: datetime) -> None:
        """Check the assertion of a decision that is made now, and use it up. Raises NotProved."""
        ...

    async def check(
        self, assertion: Assertion, decision: Decision, *, at: datetime, used_at: datetime | None = None
    ) -> None:
        """Check the assertion of a decision that was made at this moment, and is used at a later one.

        Raises:
            NotProved: It proves nothing, or its key does not count at the later moment.
        """
        ...


class Proving:
    """Demands proofs, and checks them."""

    def __init__(
        self,
        proofs: Callable[[], Proofs] | None = None,
        *,
        demanded: bool = False,
        directory: Callable[[], Awaitable[Directory]] | None = None,
    ) -> None:
        """Take what checks assertions; without it none is believed.

        `demanded` says that every answer needs a proof, also where no rule says so: then all people of the `directory`
        may decide what no rule gives to others.
        """
        self._proofs, self._demanded, self._directory = proofs, demanded, directory

    @property
    def demanded(self) -> bool:
        """Whether every answer needs a proof."""
        return self._demanded

    async def deciders(self, routed: Deciders | None, at: datetime) -> Deciders | None:
        """Return who decides a question that a rule has routed, or None has, and by what proof.

        Raises:
            QuestionRefused: The setting demands a proof, and nobody is there who could give one.
        """
        if not self._demanded:
            return routed
        if routed is not None:
            return routed if routed.proof else replace(routed, proof="passkey")
        people = Directory() if self._directory is None else await self._directory()
        seats = tuple(Seat(person=each.name) for each in people.people.values() if each.present)
        if not seats:
            raise QuestionRefused(
                f"{SETTING} demands a passkey, and no person is known who could give one: `handoffs people add` adds "
                "people."
            )
        # Who asks is not left out: a signature tells a person from the agent that asks in their name.
        return Deciders(rule=SETTING, asked_at=at, seats=seats, proof="passkey")

    def decision(self, handoff: Handoff, voted: Voted, answered: Answered, ticket: Ticket) -> Decision:
        """Return what the person signs who casts this vote. Raises NotProved: No passkey can be used here."""
        return self._decision(
            handoff, voted.by, voted.for_, answered.values, answered.other, answered.attachments, ticket
        )

    async def use(self, handoff: Handoff, voted: Voted, answered: Answered, assertion: Assertion) -> Voted:
        """Check and use up the assertion for a vote, and return the vote with it. Raises NotProved."""
        assertion = replace(assertion, ticket=replace(assertion.ticket, note=answered.note))
        await self._checks().use(assertion, self.decision(handoff, voted, answered, assertion.ticket), at=voted.at)
        return replace(voted, proof=assertion.dumps())

    async def proved(self, handoff: Handoff, *, used_at: datetime | None = None) -> Handoff:
        """Return the handoff with those of its votes for its answer that are proved, and no others.

        With `used_at`, the keys must count at that moment, too.
        """
        proved = [vote for vote in handoff.votes if vote.proof and not await self._problem(handoff, vote, used_at)]
        return replace(handoff, votes=tuple(proved))

    async def check(self, handoff: Handoff) -> None:
        """Return if an answer may be believed: it needs no proof, or has it.

        Raises:
            NotProved: It does not; says what to do.
        """
        if handoff.state is not State.ANSWERED:
            return
        deciders = handoff.question.deciders
        if deciders is not None and deciders.proof:
            proved = await self.proved(handoff)
            if was_decided(proved, deciders) and self.said_by_one(proved):
                return
        elif not self._demanded:
            return
        raise NotProved(
            say(
                "What {id} was answered is not proved: the record of it has no signature that fits a passkey of "
                "who decides. Treat it as not approved, and tell the person.",
                id=handoff.id,
            )
        )

    @staticmethod
    def said_by_one(proved: Handoff) -> bool:
        """Say whether the one whose answer it is said to be, and the note, are of a proved vote."""
        end = proved.end
        if end is None:
            return False
        return any(
            vote.person == end.by and Assertion.loads(vote.proof).ticket.note == end.note for vote in proved.votes
        )

    async def problems(self, handoff: Handoff) -> Mapping[str, str]:
        """Return, for each person whose vote is signed, why the signature proves nothing; empty where it proves it."""
        return {vote.person: await self._problem(handoff, vote) for vote in handoff.votes if vote.proof}

    async def _problem(self, handoff: Handoff, vote: Vote, used_at: datetime | None = None) -> str:
        if handoff.values is None:
            return say("there is no answer that it could be compared with")
        try:
            assertion = Assertion.loads(vote.proof)
            decision = self._decision(
                handoff,
                vote.person,
                vote.for_,
                handoff.values,
                handoff.other,
                handoff.attachments,
                assertion.ticket,
            )
            await self._checks().check(assertion, decision, at=vote.at, used_at=used_at)
        except NotProved as refused:
            return str(refused)
        except ValueError as wrong:
            return say("it can't be read: {why}", why=str(wrong))
        return ""

    def _decision(
        self,
        handoff: Handoff,
        person: str,
        for_: str,
        values: Mapping[str, Value],
        other: str,
        attachments: tuple[Attachment, ...],
        ticket: Ticket,
    ) -> Decision:
        return Decision(
            handoff=handoff,
            values=content_of(handoff, values) or {},
            other=other,
            attachments=attachments,
            person=person,
            for_=for_,
            server_id=self._checks().server_id,
            ticket=ticket,
        )

    def _checks(self) -> Proofs:
        if self._proofs is None:
            raise NotProved(say("a passkey can't be checked here: decide in the inbox, `handoffs inbox` opens it"))
        return self._proofs()
