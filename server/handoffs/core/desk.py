"""The desk: the whole application. It opens a handoff, has it shown, waits for the outcome and hands it over.

The desk does no I/O of its own: a Store keeps handoffs, Channels reach people, a Clock tells the time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from handoffs.core.action import Action
from handoffs.core.action_form import with_titles
from handoffs.core.answering import AnswerGiven
from handoffs.core.asked import asked_handoff
from handoffs.core.attachment import GivenFile
from handoffs.core.errors import (
    AlreadyEnded,
    NotTheirDecision,
    QuestionRefused,
    StoreError,
)  # fmt: skip
from handoffs.core.events import (
    Answered,
    Cancelled,
    Declined,
    Sent,
    Used,
    Voted,
    opened_by,
)  # fmt: skip
from handoffs.core.ids import new_id
from handoffs.core.model import Caller, Declared, Handoff, State, fingerprint_of
from handoffs.core.ports import Channel, Clock, Sealer, Store, Watch
from handoffs.core.presenter import MAX_PUT_OFF, Presenter
from handoffs.core.question import MAX_MESSAGE, Limits, form_of
from handoffs.core.recording import MAX_NOTED, Recorder
from handoffs.core.secrets_vault import SecretsVault

if TYPE_CHECKING:  # only a question with a rule needs them
    from handoffs.core.deciders import Deciders
    from handoffs.core.decision import Assertion, Decision
    from handoffs.core.person import Directory
    from handoffs.core.proving import Proofs, Proving


_REPLACED = "A rule says now whose decision it is: it was asked anew."
_MOST_REPLACED = 4  # that were asked before a rule came; each is withdrawn once


class Desk(Recorder):
    """All operations on handoffs: for the agent's side and for the person's."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        limits: Limits | None = None,
        channels: Sequence[Channel] = (),
        make_id: Callable[[], str] = new_id,
        sealer: Sealer | None = None,
        local: str | None = None,
        max_put_off: int = MAX_PUT_OFF,
        max_noted: int = MAX_NOTED,
        directory: "Callable[[], Awaitable[Directory]] | None" = None,
        proofs: "Callable[[], Proofs] | None" = None,
        proof_demanded: bool = False,
        log_head: "Callable[[], Awaitable[str]] | None" = None,
    ) -> None:
        """Take the parts. Nothing is opened or shown yet.

        `local` is the user of this machine, whose programs can read secrets from the store: only this subject can ask
        for a secret. Without `local` or `sealer`, no caller can. By the `directory`, people who were removed have no
        vote. `proofs` checks the signatures of decisions that demand one; with `proof_demanded`, every answer does.
        `log_head` returns the head of the verifiable log as a line.
        """
        super().__init__(store=store, clock=clock, max_noted=max_noted)
        self._limits = limits or Limits()
        self._directory = directory
        self._log_head = log_head
        self._proofs, self._proof_demanded = proofs, proof_demanded
        self._proving: Proving | None = None
        self.used = anyio.Event()
        """Set once a question was asked or looked at here."""
        self._make_id = make_id
        self._vault = SecretsVault(store=store, clock=clock, sealer=sealer, local=local)
        self._presenter = Presenter(self, channels, max_put_off=max_put_off)

    @property
    def directory(self) -> "Callable[[], Awaitable[Directory]] | None":
        """What returns all people as they are now; None where no people are known."""
        return self._directory

    async def log_head(self) -> str:
        """Return the head of the verifiable log as a line; empty where there is none. Raises StoreError."""
        return "" if self._log_head is None else await self._log_head()

    @property
    def proof_demanded(self) -> bool:
        """Whether every answer takes a proof, by the settings."""
        return self._proof_demanded

    @property
    def proving(self) -> "Proving":
        """What demands proofs of decisions, and checks them."""
        if self._proving is None:
            from handoffs.core.proving import Proving  # only where a proof is demanded

            self._proving = Proving(self._proofs, demanded=self._proof_demanded, directory=self._directory)
        return self._proving

    @property
    def clock(self) -> Clock:
        """The clock that deadlines go by."""
        return self._clock

    @property
    def has_channels(self) -> bool:
        """Whether this desk has channels of its own to show a question."""
        return bool(self._presenter.channels)

    @asynccontextmanager
    async def presenting(self) -> AsyncGenerator[None]:
        """Show questions through the channels for the length of this block. Questions open at its end stay open."""
        async with self._presenter.presenting():
            yield

    # The agent's side

    async def ask(
        self,
        *,
        message: str,
        caller: Caller,
        options: Sequence[str] | None = None,
        form: Mapping[str, object] | None = None,
        breakout_of_loop: bool = False,
        timeout_seconds: float | None = None,
        deadline_seconds: float | None = None,
        declared: Declared | None = None,
        session: str = "",
        tool_use: str = "",
        max_message: int = MAX_MESSAGE,
        action: Action | None = None,
        deciders: "Deciders | None" = None,
        handoff_id: str = "",
        files: bool = False,
    ) -> Handoff:
        """Open a handoff, or join the one that the same question opened before, and have it shown.

        The handoff is stored when this returns. If its state is not OPEN, it ended earlier and its outcome was not
        collected. The log of a new handoff keeps what the host `declared`. With a `session`, handoffs of other sessions
        are not joined; a call that is sent again finds its own handoff by `tool_use`. `Handoff.earlier` of a new
        handoff names the same question if it was decided a short while ago. An `action` is what runs if it is allowed.
        `timeout_seconds` is what the agent asks for, within the limits; `deadline_seconds` is a person's own setting,
        and is taken as it stands. `deciders` alone decide a new handoff; one that was asked without any is not joined,
        but withdrawn. A new one gets the `handoff_id`, if there is one. `files` says that the caller
        receives files of an answer.

        Raises:
            ValueError: Another handoff has this id.
            QuestionRefused: The question can't be asked as it is. Nothing was stored.
            QuotaUsedUp: The subject has reached its quota for now. Nothing was stored.
        """
        await self._store.ready()
        asked = self._clock.now()
        if self._proof_demanded:
            deciders = await self.proving.deciders(deciders, asked)
        asked_form = form_of(message, options, form, max_message=max_message)
        if action is not None:
            asked_form = with_titles(asked_form)
        if asked_form.secret:
            await self._vault.check(caller)
            if deciders is not None and deciders.takes_several:
                raise QuestionRefused("A secret can't be voted on: the rule wants more than one vote.")
        handoff = asked_handoff(
            handoff_id or self._make_id(),
            caller=caller,
            message=message,
            form=asked_form,
            asked=asked,
            deadline=(
                self._limits.deadline(asked, timeout_seconds)
                if deadline_seconds is None
                else asked + timedelta(seconds=deadline_seconds)
            ),
            breakout_of_loop=breakout_of_loop,
            action=action,
            deciders=deciders,
            session=session,
            tool_use=tool_use,
            files=files,
        )
        collect_after = asked - timedelta(seconds=self._limits.join_seconds)
        for _ in range(_MOST_REPLACED):
            kept = await self._store.open(
                handoff, collect_after=collect_after, opened=opened_by(declared, asked), quota=self._limits.quota
            )
            if deciders is None or kept.question.deciders is not None:
                self.present(kept, again=True)
                return kept
            # It was asked before a rule said whose decision it is: what others say to it counts no more.
            with suppress(AlreadyEnded):
                await self.cancel(kept, by=caller.subject, channel="", note=_REPLACED)
            await self.collect(await self.get(kept.id))
        raise QuestionRefused("A rule says now whose decision this is, and it was asked before: ask it in other words.")

    def fingerprint(
        self,
        *,
        caller: Caller,
        message: str,
        options: Sequence[str] | None = None,
        form: Mapping[str, object] | None = None,
    ) -> str:
        """Return the `Handoff.fingerprint` of a question as it is asked. Raises QuestionRefused."""
        return fingerprint_of(caller, message=message, form=form_of(message, options, form), breakout_of_loop=False)

    async def wait(self, handoff_id: str, *, seconds: float | None) -> Handoff:
        """Return the handoff once it has ended, or as it is after `seconds`; None waits for the end."""
        async with self._store.watch(handoff_id) as watch:
            handoff = await self.get(handoff_id)
            with self._clock.limit(seconds):
                while handoff.state is State.OPEN:
                    left = handoff.question.deadline - self._clock.now()
                    with self._clock.limit(max(left.total_seconds(), 0)):
                        await watch.changed()
                    handoff = await self.get(handoff_id)
                return handoff
        # Time is up. An event of the last moment still counts.
        return await self.get(handoff_id)

    # The person's side. Each method makes one whole decision, and the first decision stands.

    async def answer(
        self,
        handoff: Handoff,
        values: Mapping[str, object],
        *,
        by: str,
        channel: str,
        note: str = "",
        other: str = "",
        private: bool = False,
        proof: "Assertion | None" = None,
        files: Sequence[GivenFile] = (),
    ) -> Handoff:
        """Answer. `values` are checked against the form for every channel, `files` as `core.attachment` says.

        `other` is what a person says instead of picking an option: then there are no values, see
        `Question.takes_other`.

        `private` says that the values came from the person directly, unseen by host and model: a form that asks for a
        secret accepts only such values.

        `proof` is what the person's passkey made of the challenge of `to_sign`, with the same values.

        Raises:
            AnswerRefused: The values do not fit, or a secret came through a channel that is not private. Nothing was
                recorded.
            AlreadyEnded: The handoff has an outcome already.
            NotTheirDecision: Others decide it. Nothing was recorded.
            NotProved: It demands a proof, which is missing or does not fit. Nothing was recorded.

        Returns the open handoff where the votes are not enough yet: the vote was recorded.
        """
        given = AnswerGiven(values=values, by=by, channel=channel, note=note, other=other, files=files)
        answered, contents = await given.checked(handoff, self._vault, at=self._clock.now(), private=private)
        return await self._decide(handoff, answered, proof, contents)

    async def to_sign(
        self,
        handoff: Handoff,
        values: Mapping[str, object],
        *,
        by: str,
        channel: str,
        note: str = "",
        other: str = "",
        files: Sequence[GivenFile] = (),
    ) -> "Decision | None":
        """Return what a person signs to give this answer; None where it demands no proof.

        Raises:
            AnswerRefused, NotTheirDecision, NotProved: As `answer`.
        """
        from handoffs.core.decision import Ticket

        deciders = handoff.question.deciders
        given = AnswerGiven(values=values, by=by, channel=channel, note=note, other=other, files=files)
        answered, _ = await given.checked(handoff, self._vault, at=self._clock.now(), private=True)
        if deciders is None or not deciders.proof:
            return None
        voted = await self._vote(handoff, answered)
        return (
            self.proving.decision(handoff, voted, answered, Ticket.issue(answered.at, note=note))
            if voted.digest
            else None
        )

    async def allow(
        self, handoff: Handoff, values: Mapping[str, object], *, by: str, channel: str, call: str
    ) -> Handoff:
        """Answer, and use the answer up for this one call, which is sent from now on; all of it is one commit.

        Raises:
            AnswerRefused, AlreadyEnded: As `answer`.
            Stopped: Everything is stopped. Nothing was recorded.
            NotTheirDecision: It takes votes.
        """
        if handoff.question.deciders is not None or self._proof_demanded:
            raise NotTheirDecision(f"{handoff.id} is decided by votes.")
        now = self._clock.now()
        answered = Answered(at=now, by=by, channel=channel, values=handoff.question.form.check(values))
        events = (answered, Used(at=now, tool_use=call), Sent(at=now, call=call))
        return await self._store.record(handoff.id, *events, known=handoff, unless_stopped=True)

    async def decline(self, handoff: Handoff, *, by: str, channel: str, note: str = "") -> Handoff:
        """Refuse to answer. Raises AlreadyEnded and NotTheirDecision."""
        return await self._decide(handoff, Declined(at=self._clock.now(), by=by, channel=channel, note=note))

    async def _decide(
        self,
        handoff: Handoff,
        outcome: Answered | Declined,
        proof: "Assertion | None" = None,
        contents: Sequence[bytes] = (),
    ) -> Handoff:
        deciders = handoff.question.deciders
        if deciders is None:
            return await self._ended(await self._store.record(handoff.id, outcome, known=handoff, contents=contents))
        voted = await self._vote(handoff, outcome)
        if isinstance(outcome, Answered) and deciders.proof and voted.digest and handoff.state is State.OPEN:
            if proof is None:
                from handoffs.core.voting import no_proof

                raise no_proof(deciders)
            voted = await self.proving.use(handoff, voted, outcome, proof)
        # The store leaves the outcome out where the votes that it finds are not enough.
        return await self._ended(await self._store.record(handoff.id, voted, outcome, known=handoff, contents=contents))

    async def _ended(self, handoff: Handoff) -> Handoff:
        # Here, since no call may be waiting that would hear of its denial. The decision is recorded, and stands also
        # where the store can't do this now: then the call that hears of it does.
        if handoff.question.action is not None:
            from handoffs.core.denial import suspend_denied

            with suppress(StoreError):
                await suspend_denied(self._store.permissions, handoff, at=self._clock.now())
        return handoff

    async def _vote(self, handoff: Handoff, outcome: Answered | Declined) -> Voted:
        from handoffs.core.voting import vote_for

        deciders = handoff.question.deciders
        everyone = frozenset[str]() if deciders is None else deciders.everyone
        people = None if self._directory is None else await self._directory()
        gone = [] if people is None else [each for each in everyone if people.present(each) is None]
        return vote_for(handoff, outcome, gone=gone)

    async def check_proof(self, handoff: Handoff) -> None:
        """Return if what a question was answered may be believed. Raises NotProved: It demands a proof, and has none.

        A question that demands none costs nothing here.
        """
        deciders = handoff.question.deciders
        if self._proof_demanded or (deciders is not None and deciders.proof):
            await self.proving.check(handoff)

    async def cancel(self, handoff: Handoff, *, by: str, channel: str, note: str = "") -> Handoff:
        """Withdraw the question for good. Raises AlreadyEnded."""
        event = Cancelled(at=self._clock.now(), by=by, channel=channel, note=note)
        return await self._store.record(handoff.id, event, known=handoff)

    async def reveal(self, name: str, *, by: str, keep: bool = True) -> str:
        """Return the secret of this name to the user who was asked; see `core.secrets_vault`. Raises SecretRefused."""
        return await self._vault.reveal(name, by=by, keep=keep)

    # Reading: see `Reader`; what happens besides decisions: see `Recorder`

    @asynccontextmanager
    async def watch(self, handoff_id: str | None = None) -> AsyncGenerator[Watch]:
        """Yield a watch on one handoff, or on all of them."""
        async with self._store.watch(handoff_id) as watch:
            yield watch

    # Presenting

    def present(self, handoff: Handoff, *, again: bool) -> None:
        """Have the channels show an open question that they do not show yet, without waiting for them.

        A question that a person put off is shown again only with `again`: when the agent asks once more, not when it
        checks.
        """
        self.used.set()
        self._presenter.present(handoff, again=again)
