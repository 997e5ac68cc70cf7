"""The desk: the whole application. It opens a handoff, has it shown, waits for the outcome and hands it over.

The desk does no I/O of its own: a Store keeps handoffs, Channels reach people, a Clock tells the time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from handoffs.core.action import Action
from handoffs.core.action_form import with_titles
from handoffs.core.errors import (
    AlreadyEnded,
    AlreadyReminded,
    AnswerRefused,
    NotTheirDecision,
    QuestionRefused,
    StoreUnavailable,
)  # fmt: skip
from handoffs.core.events import (
    Answered,
    Cancelled,
    Collected,
    Declined,
    DeniedAgain,
    Dismissed,
    Edited,
    Joined,
    Left,
    NotShown,
    Reached,
    Reminded,
    Result,
    Sent,
    Unknown,
    Used,
    Voted,
    opened_by,
)  # fmt: skip
from handoffs.core.form import Value
from handoffs.core.model import (
    Caller,
    Declared,
    Handoff,
    Question,
    State,
    fingerprint_of,
    new_id,
)  # fmt: skip
from handoffs.core.ports import Channel, Clock, Sealer, Store, Watch
from handoffs.core.presenter import MAX_PUT_OFF, Presenter
from handoffs.core.question import MAX_MESSAGE, Limits, checked_other, form_of
from handoffs.core.reading import Reader
from handoffs.core.secrets_vault import SecretsVault

if TYPE_CHECKING:  # only a question with a rule needs them
    from handoffs.core.deciders import Deciders
    from handoffs.core.decision import Assertion, Decision
    from handoffs.core.person import Directory
    from handoffs.core.proving import Proofs, Proving

MAX_NOTED = 5_000
"""After this many changes of a handoff, the log no longer notes what its channels report, only its outcome."""


class Desk(Reader):
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
    ) -> None:
        """Take the parts. Nothing is opened or shown yet.

        `local` is the user of this machine, whose programs can read secrets from the store: only this subject can ask
        for a secret. Without `local` or `sealer`, no caller can. By the `directory`, people who were removed have no
        vote. `proofs` checks the signatures of decisions that demand one; with `proof_demanded`, every answer does.
        """
        super().__init__(store=store, clock=clock)
        self._limits = limits or Limits()
        self._max_noted = max_noted
        self._directory = directory
        self._proofs, self._proof_demanded = proofs, proof_demanded
        self._proving: Proving | None = None
        self._make_id = make_id
        self._vault = SecretsVault(store=store, clock=clock, sealer=sealer, local=local)
        self._presenter = Presenter(self, channels, max_put_off=max_put_off)
        self._unsure: dict[tuple[str, str], list[datetime]] = {}  # claims whose commit is in doubt, and their times

    @property
    def directory(self) -> "Callable[[], Awaitable[Directory]] | None":
        """What returns all people as they are now; None where no people are known."""
        return self._directory

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
    ) -> Handoff:
        """Open a handoff, or join the one that the same question opened before, and have it shown.

        The handoff is stored when this returns. If its state is not OPEN, it ended earlier and its outcome was not
        collected. The log of a new handoff keeps what the host `declared`. With a `session`, handoffs of other sessions
        are not joined; a call that is sent again finds its own handoff by `tool_use`. `Handoff.earlier` of a new
        handoff names the same question if it was decided a short while ago. An `action` is what runs if it is allowed.
        `timeout_seconds` is what the agent asks for, within the limits; `deadline_seconds` is a person's own setting,
        and is taken as it stands. `deciders` alone decide a new handoff.

        Raises:
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
            if deciders is not None and len(deciders.each) + deciders.votes > 1:
                raise QuestionRefused("A secret can't be voted on: the rule wants more than one vote.")
        handoff = Handoff(
            id=self._make_id(),
            caller=caller,
            question=Question(
                message=message,
                form=asked_form,
                deadline=(
                    self._limits.deadline(asked, timeout_seconds)
                    if deadline_seconds is None
                    else asked + timedelta(seconds=deadline_seconds)
                ),
                breakout_of_loop=breakout_of_loop,
                action=action,
                deciders=deciders,
            ),
            created_at=asked,
            fingerprint=fingerprint_of(
                caller, message=message, form=asked_form, breakout_of_loop=breakout_of_loop, action=action
            ),
            session=session,
            tool_use=tool_use,
        )
        collect_after = asked - timedelta(seconds=self._limits.join_seconds)
        kept = await self._store.open(
            handoff, collect_after=collect_after, opened=opened_by(declared, asked), quota=self._limits.quota
        )
        self.present(kept, again=True)
        return kept

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

    async def collect(self, handoff: Handoff, *, tool_use: str = "") -> Handoff:
        """Record that the agent received the outcome. From now on, an identical question opens a new handoff.

        Only the call with this `tool_use`, sent again, still finds it.
        """
        if handoff.state is State.OPEN or handoff.collected_at is not None:
            return handoff
        event = Collected(at=self._clock.now(), tool_use=tool_use)
        # If a power cut loses this event, the outcome is given again, with its age: the agent lost it, too.
        return await self._store.record(handoff.id, event, known=handoff, durable=False)

    async def use(self, handoff: Handoff, *, tool_use: str, edited: bool = False) -> Handoff:
        """Use an approval up for one use of a tool, as it is or as the person `edited` it. No other use may run.

        The same use may run when its call was cut off and is sent again.

        Raises:
            AlreadyUsed: Another use has the approval.
        """
        if handoff.collected_at is not None and handoff.handed_to == tool_use:
            return handoff
        now, by = self._clock.now(), handoff.end.by if handoff.end is not None else ""
        events = [Used(at=now, tool_use=tool_use), *([Edited(at=now, by=by)] if edited else [])]
        return await self._store.record(handoff.id, *events, known=handoff)

    async def send(self, handoff: Handoff, *, call: str, edited: bool = False) -> Handoff:
        """Use an approval up for this one call, which is sent to its server from now on.

        Raises:
            AlreadyUsed: Another call has it.
            Stopped: Everything is stopped. Nothing was recorded.
        """
        if handoff.collected_at is not None and handoff.handed_to == call:
            return handoff
        now, by = self._clock.now(), handoff.end.by if handoff.end is not None else ""
        changed = [Edited(at=now, by=by)] if edited else []
        events = [Used(at=now, tool_use=call), *changed, Sent(at=now, call=call)]
        return await self._store.record(handoff.id, *events, known=handoff, unless_stopped=True)

    async def note_result(self, handoff: Handoff, *, call: str, outcome: str) -> Handoff:
        """Note that the server has answered the call: `done`, or `error` where it says so.

        After a power cut the note may be missing, and the call counts as one that may have run: that is safe.
        """
        event = Result(at=self._clock.now(), call=call, outcome=outcome)
        return await self._store.record(handoff.id, event, known=handoff, durable=False)

    async def note_unknown(self, handoff: Handoff, *, call: str, reason: str) -> Handoff:
        """Note that the call may have run or not: its server was cut off in between."""
        event = Unknown(at=self._clock.now(), call=call, reason=reason)
        return await self._store.record(handoff.id, event, known=handoff)

    async def denied_again(self, handoff: Handoff) -> None:
        """Note that the call that a person has denied came again, and was denied without a question."""
        if handoff.version < self._max_noted:  # an agent can send it without limit
            await self._store.record(handoff.id, DeniedAgain(at=self._clock.now()), known=handoff, durable=False)

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
    ) -> Handoff:
        """Answer. `values` are checked against the form for every channel.

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
        answered = await self._answered(
            handoff, values, by=by, channel=channel, note=note, other=other, private=private
        )
        return await self._decide(handoff, answered, proof)

    async def to_sign(
        self, handoff: Handoff, values: Mapping[str, object], *, by: str, channel: str, note: str = "", other: str = ""
    ) -> "Decision | None":
        """Return what a person signs to give this answer; None where it demands no proof.

        Raises:
            AnswerRefused, NotTheirDecision, NotProved: As `answer`.
        """
        from handoffs.core.decision import Ticket

        deciders = handoff.question.deciders
        answered = await self._answered(handoff, values, by=by, channel=channel, note=note, other=other, private=True)
        if deciders is None or not deciders.proof:
            return None
        voted = await self._vote(handoff, answered)
        return (
            self.proving.decision(handoff, voted, answered, Ticket.issue(answered.at, note=note))
            if voted.digest
            else None
        )

    async def _answered(
        self,
        handoff: Handoff,
        values: Mapping[str, object],
        *,
        by: str,
        channel: str,
        note: str,
        other: str,
        private: bool,
    ) -> Answered:
        form = handoff.question.form
        if form.secret and not private:
            raise AnswerRefused({"": "a secret can only be typed into the inbox: `handoffs inbox` opens it"})
        if other:
            public, sealed = dict[str, Value](), dict[str, str]()
            other = checked_other(other, values=values, allowed=handoff.question.takes_other)
        else:
            public, sealed = await self._vault.seal(handoff, form.check(values))
        return Answered(
            at=self._clock.now(), by=by, channel=channel, values=public, sealed=sealed, note=note, other=other
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
        self, handoff: Handoff, outcome: Answered | Declined, proof: "Assertion | None" = None
    ) -> Handoff:
        deciders = handoff.question.deciders
        if deciders is None:
            return await self._store.record(handoff.id, outcome, known=handoff)
        voted = await self._vote(handoff, outcome)
        if isinstance(outcome, Answered) and deciders.proof and voted.digest and handoff.state is State.OPEN:
            if proof is None:
                from handoffs.core.voting import no_proof

                raise no_proof(deciders)
            voted = await self.proving.use(handoff, voted, outcome, proof)
        # The store leaves the outcome out where the votes that it finds are not enough.
        return await self._store.record(handoff.id, voted, outcome, known=handoff)

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

    # What a channel reports about a question, apart from decisions

    async def joined(self, handoff: Handoff, *, calls: int) -> None:
        """Record how many calls of the agent wait for the handoff, if that is or was more than one."""
        await self._note(handoff, Joined(at=self._clock.now(), calls=calls))

    async def reached(self, handoff: Handoff, *, channel: str) -> None:
        """Record that a person has the question before them. Does nothing if the handoff has ended."""
        await self._note(handoff, Reached(at=self._clock.now(), channel=channel))

    async def not_shown(self, handoff: Handoff, *, channel: str, reason: str) -> None:
        """Record that a channel could not show the question to a person. The question stays open elsewhere."""
        await self._note(handoff, NotShown(at=self._clock.now(), channel=channel, reason=reason))

    async def dismissed(self, handoff: Handoff, *, channel: str) -> None:
        """Record that a person said *not now*. The question stays open elsewhere."""
        await self._note(handoff, Dismissed(at=self._clock.now(), channel=channel))

    async def left(self, handoff: Handoff, *, seconds: float) -> None:
        """Record that the host ended its call after `seconds`, before the person decided. The question stays open."""
        await self._note(handoff, Left(at=self._clock.now(), seconds=f"{seconds:.1f}"))

    async def claim(self, key: str, *, seconds: float) -> bool:
        """Claim a key that may be used once. True for the first of all processes that try within `seconds`."""
        now = self._clock.now()
        return await self._store.claim(key, now=now, until=now + timedelta(seconds=seconds))

    async def remind(self, handoff: Handoff, *, channel: str, stage: str) -> bool:
        """Claim the reminder of this stage, for this process to send.

        True for one process only: the first that claims it. False also if the handoff has ended.
        """
        event, place = Reminded(at=self._clock.now(), channel=channel, stage=stage), (handoff.id, stage)
        try:
            await self._store.record(handoff.id, event, known=handoff)
        except StoreUnavailable:
            # Whether the commit took place shows later; if it did, other processes do not claim it.
            self._unsure.setdefault(place, []).append(event.at)
            raise
        except AlreadyReminded:
            tried = self._unsure.pop(place, None)
            if tried is None:
                return False
            entries = await self.history(handoff.id)
            return any(e.name == "reminded" and e.details.get("stage") == stage and e.at in tried for e in entries)
        except AlreadyEnded:
            self._unsure.pop(place, None)
            return False
        self._unsure.pop(place, None)
        return True

    async def was_dismissed(self, handoff: Handoff, *, channel: str) -> bool:
        """Return whether a person has closed the question in this channel."""
        entries = await self.history(handoff.id)
        return any(e.name == "dismissed" and e.details.get("channel") == channel for e in entries)

    # Reading: see `Reader`

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
        self._presenter.present(handoff, again=again)

    async def _note(self, handoff: Handoff, event: Joined | Reached | NotShown | Dismissed | Left) -> None:
        if handoff.version >= self._max_noted:
            return  # a caller can cause these events without limit, and its log is read on each of its calls
        try:
            await self._store.record(handoff.id, event, known=handoff)
        except AlreadyEnded:
            return  # the outcome stands; how one channel fared no longer matters
