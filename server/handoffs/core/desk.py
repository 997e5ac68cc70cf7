"""The desk: the whole application. It opens a handoff, has it shown, waits for the outcome and hands it over.

It does no I/O of its own: handoffs are kept by a Store, people are reached by Channels, the time comes from a Clock.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from handoffs.core.action import Action
from handoffs.core.errors import (
    AlreadyEnded,
    AlreadyReminded,
    AnswerRefused,
    StoreUnavailable,
)  # fmt: skip
from handoffs.core.events import (
    Answered,
    Cancelled,
    Collected,
    Declined,
    Dismissed,
    Edited,
    Joined,
    Left,
    NotShown,
    Opened,
    Reached,
    Reminded,
    Used,
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
from handoffs.core.presenter import MAX_PUT_OFF, Showing
from handoffs.core.question import MAX_MESSAGE, Limits, checked_other, form_of
from handoffs.core.reading import Reader
from handoffs.core.secrets_vault import Safe

MAX_NOTED = 5_000
"""After how many changes of a handoff it is noted no more how its channels fare: only what becomes of it."""


class Desk(Reader):
    """Every use of a handoff, for the agent's side and for the person's."""

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
    ) -> None:
        """Take the parts; nothing is opened or shown yet.

        `local` is the user of this machine whose programs have what the store keeps: no other subject can ask for a
        secret. Without it, or without a `sealer`, nobody can.
        """
        super().__init__(store=store, clock=clock)
        self._limits = limits or Limits()
        self._max_noted = max_noted
        self._make_id = make_id
        self._safe = Safe(store=store, clock=clock, sealer=sealer, local=local)
        self._showing = Showing(self, channels, max_put_off=max_put_off)
        self._unsure: dict[tuple[str, str], list[datetime]] = {}  # reminders that may have been kept, and their times

    @property
    def clock(self) -> Clock:
        """The clock by which deadlines are kept."""
        return self._clock

    @property
    def has_channels(self) -> bool:
        """Whether this desk can show a question to somebody by itself."""
        return bool(self._showing.channels)

    @asynccontextmanager
    async def presenting(self) -> AsyncGenerator[None]:
        """Show questions through the channels for as long as this block lasts; what is still open then stays open."""
        async with self._showing.presenting():
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
        declared: Declared | None = None,
        session: str = "",
        tool_use: str = "",
        max_message: int = MAX_MESSAGE,
        action: Action | None = None,
    ) -> Handoff:
        """Open a handoff, or join the one that the same question opened before; then have it shown.

        It has been stored when this returns. One that is not open was answered (or ended) while nobody waited.
        What the host `declared` is kept in the log of a new one. With a `session`, what another session asked or was
        told is not joined; the `tool_use` of a call that is sent again always finds what it asked. A new one that was
        decided a short while ago says so: see `Handoff.earlier`. An `action` is what runs if it is allowed.

        Raises:
            QuestionRefused: It can't be asked like this; nothing was stored.
            QuotaUsedUp: Its subject has asked as much as it may for now; nothing was stored.
        """
        await self._store.ready()
        asked = self._clock.now()
        asked_form = form_of(message, options, form, max_message=max_message)
        if asked_form.secret:
            await self._safe.check(caller)
        handoff = Handoff(
            id=self._make_id(),
            caller=caller,
            question=Question(
                message=message,
                form=asked_form,
                deadline=self._limits.deadline(asked, timeout_seconds),
                breakout_of_loop=breakout_of_loop,
                action=action,
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
            handoff, collect_after=collect_after, opened=_opened(asked, declared), quota=self._limits.quota
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
        # The time was up: what happened in its last moment still counts.
        return await self.get(handoff_id)

    async def collect(self, handoff: Handoff, *, tool_use: str = "") -> Handoff:
        """Note that the agent was handed the outcome: an identical question from now on is a new one.

        The call with this `tool_use` alone, sent again, still finds it.
        """
        if handoff.state is State.OPEN or handoff.collected_at is not None:
            return handoff
        event = Collected(at=self._clock.now(), tool_use=tool_use)
        # Lost in a power cut, the outcome is given again, with its age: the agent that had it has lost it as well.
        return await self._store.record(handoff.id, event, known=handoff, durable=False)

    async def use(self, handoff: Handoff, *, tool_use: str, edited: bool = False) -> Handoff:
        """Use an approval up, as it is or as the person `edited` it: this use of the tool may run, and no other ever.

        The same use, sent again because its call was cut off, may still run.

        Raises:
            AlreadyUsed: It is another use's.
        """
        if handoff.collected_at is not None and handoff.handed_to == tool_use:
            return handoff
        now, by = self._clock.now(), handoff.end.by if handoff.end is not None else ""
        events = [Used(at=now, tool_use=tool_use), *([Edited(at=now, by=by)] if edited else [])]
        return await self._store.record(handoff.id, *events, known=handoff)

    # The person's side. Each of these is the whole of a decision, and the first one stands.

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
    ) -> Handoff:
        """Answer. `values` are checked against the form, whoever brings them.

        `other` is what a person says instead of picking an option: then there are no values, see
        `Question.takes_other`.

        `private` says that they came from the person's hands past every host and model, unseen: a form that asks for a
        secret takes them from nowhere else.

        Raises:
            AnswerRefused: They do not fit, or a secret can't be taken from there; nothing was recorded.
            AlreadyEnded: Somebody was first.
        """
        form = handoff.question.form
        if form.secret and not private:
            raise AnswerRefused({"": "a secret is typed into the inbox and nowhere else: `handoffs inbox` opens it"})
        if other:
            public, sealed = dict[str, Value](), dict[str, str]()
            other = checked_other(other, values=values, allowed=handoff.question.takes_other)
        else:
            public, sealed = await self._safe.seal(handoff, form.check(values))
        event = Answered(
            at=self._clock.now(), by=by, channel=channel, values=public, sealed=sealed, note=note, other=other
        )
        return await self._store.record(handoff.id, event, known=handoff)

    async def decline(self, handoff: Handoff, *, by: str, channel: str, note: str = "") -> Handoff:
        """Refuse to answer. Raises AlreadyEnded."""
        event = Declined(at=self._clock.now(), by=by, channel=channel, note=note)
        return await self._store.record(handoff.id, event, known=handoff)

    async def cancel(self, handoff: Handoff, *, by: str, channel: str, note: str = "") -> Handoff:
        """Withdraw the question for good. Raises AlreadyEnded."""
        event = Cancelled(at=self._clock.now(), by=by, channel=channel, note=note)
        return await self._store.record(handoff.id, event, known=handoff)

    async def reveal(self, name: str, *, by: str, keep: bool = True) -> str:
        """Return the secret of this name to the user who was asked; see `core.safe`. Raises SecretRefused."""
        return await self._safe.reveal(name, by=by, keep=keep)

    # What a channel says of a question that it could not have decided

    async def joined(self, handoff: Handoff, *, calls: int) -> None:
        """Note how many calls of the agent wait for it now, where that is more than one or was."""
        await self._note(handoff, Joined(at=self._clock.now(), calls=calls))

    async def reached(self, handoff: Handoff, *, channel: str) -> None:
        """Note that somebody has the question before them. A handoff that has ended meanwhile is left alone."""
        await self._note(handoff, Reached(at=self._clock.now(), channel=channel))

    async def not_shown(self, handoff: Handoff, *, channel: str, reason: str) -> None:
        """Note that a channel answered without a person; the question stays open elsewhere."""
        await self._note(handoff, NotShown(at=self._clock.now(), channel=channel, reason=reason))

    async def dismissed(self, handoff: Handoff, *, channel: str) -> None:
        """Note that a person said *not now*; the question stays open elsewhere."""
        await self._note(handoff, Dismissed(at=self._clock.now(), channel=channel))

    async def left(self, handoff: Handoff, *, seconds: float) -> None:
        """Note that the host ended its call after `seconds`, before the person decided; the question stays open."""
        await self._note(handoff, Left(at=self._clock.now(), seconds=f"{seconds:.1f}"))

    async def claim(self, key: str, *, seconds: float) -> bool:
        """Use up a key that may be used once: True for one of all who try within `seconds`, in whatever process."""
        now = self._clock.now()
        return await self._store.claim(key, now=now, until=now + timedelta(seconds=seconds))

    async def remind(self, handoff: Handoff, *, channel: str, stage: str) -> bool:
        """Take it on to tell a person, at this stage, that the question waits.

        True says go on: of all who ever try, in whatever process, it says so to one. False also when it has ended.
        """
        event, place = Reminded(at=self._clock.now(), channel=channel, stage=stage), (handoff.id, stage)
        try:
            await self._store.record(handoff.id, event, known=handoff)
        except StoreUnavailable:
            # Whether it was kept shows later; if it was, nobody else goes on.
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
        """Say whether a person has closed the question in this channel."""
        entries = await self.history(handoff.id)
        return any(e.name == "dismissed" and e.details.get("channel") == channel for e in entries)

    # Looking: see `Reader`

    @asynccontextmanager
    async def watch(self, handoff_id: str | None = None) -> AsyncGenerator[Watch]:
        """Give a watch on one handoff, or on all of them."""
        async with self._store.watch(handoff_id) as watch:
            yield watch

    # Showing

    def present(self, handoff: Handoff, *, again: bool) -> None:
        """Have the channels show an open question that they are not showing; does not wait for them.

        What a person put off is shown again only with `again`: when the agent asks once more, not when it checks.
        """
        self._showing.present(handoff, again=again)

    async def _note(self, handoff: Handoff, event: Joined | Reached | NotShown | Dismissed | Left) -> None:
        if handoff.version >= self._max_noted:
            return  # a caller can do this over and over, and its log is read for its calls
        try:
            await self._store.record(handoff.id, event, known=handoff)
        except AlreadyEnded:
            return  # an outcome stands; how one channel fared no longer matters


def _opened(at: datetime, declared: Declared | None) -> Opened:
    if declared is None:
        return Opened(at=at)
    return Opened(
        at=at,
        version=declared.version,
        protocol=declared.protocol,
        transport=declared.transport,
        declares=" ".join(declared.abilities),
    )
