"""Records what happens besides decisions: how a question reached people, its delivery, and the use of an approval."""

from datetime import datetime, timedelta

from handoffs.core.errors import AlreadyEnded, AlreadyReminded, StoreUnavailable
from handoffs.core.events import (
    Collected,
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
)  # fmt: skip
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Clock, Store
from handoffs.core.reading import Reader

MAX_NOTED = 5_000
"""After this many changes of a handoff, the log no longer notes what its channels report, only its outcome."""


class Recorder(Reader):
    """The part of the desk that records what happens besides decisions."""

    def __init__(self, *, store: Store, clock: Clock, max_noted: int = MAX_NOTED) -> None:
        """Take the store, the clock, and the version of a handoff from which on nothing that is repeated is noted."""
        super().__init__(store=store, clock=clock)
        self._max_noted = max_noted
        self._unsure: dict[tuple[str, str], list[datetime]] = {}  # claims whose commit is in doubt, and their times

    # The agent's side

    async def collect(self, handoff: Handoff, *, tool_use: str = "") -> Handoff:
        """Record that the agent received the outcome. From now on, an identical question opens a new handoff.

        Only the call with this `tool_use`, sent again, still finds it.
        """
        if handoff.state is State.OPEN or handoff.collected_at is not None:
            return handoff
        event = Collected(at=self._clock.now(), tool_use=tool_use)
        # If a power cut loses this event, the outcome is given again, with its age: the agent lost it, too.
        return await self._store.record(handoff.id, event, known=handoff, durable=False)

    async def use(
        self, handoff: Handoff, *, tool_use: str, edited: bool = False, unless_stopped: bool = False
    ) -> Handoff:
        """Use an approval up for one use of a tool, as it is or as the person `edited` it. No other use may run.

        The same use may run when its call was cut off and is sent again.

        Raises:
            AlreadyUsed: Another use has the approval.
            Stopped: Everything is stopped, and with `unless_stopped` nothing was recorded.
        """
        if handoff.collected_at is not None and handoff.handed_to == tool_use:
            return handoff
        now, by = self._clock.now(), handoff.end.by if handoff.end is not None else ""
        events = [Used(at=now, tool_use=tool_use), *([Edited(at=now, by=by)] if edited else [])]
        return await self._store.record(handoff.id, *events, known=handoff, unless_stopped=unless_stopped)

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

    async def claimed(self, key: str) -> bool:
        """Return whether a claim of this key stands."""
        now = self._clock.now()
        return not await self._store.claim(key, now=now, until=now)  # this one ends at once

    async def lease(self, key: str, *, seconds: float) -> datetime | None:
        """Claim a key for this long, and return when that ends; None where it is claimed."""
        now = self._clock.now()
        until = now + timedelta(seconds=seconds)
        return until if await self._store.claim(key, now=now, until=until) else None

    async def extend(self, key: str, *, held: datetime, seconds: float) -> datetime | None:
        """Let the lease that ends at `held` end in `seconds`, and return when; None where it was lost. 0 returns it."""
        until = self._clock.now() + timedelta(seconds=seconds)
        return until if await self._store.extend_claim(key, held=held, until=until) else None

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

    async def _note(self, handoff: Handoff, event: Joined | Reached | NotShown | Dismissed | Left) -> None:
        if handoff.version >= self._max_noted:
            return  # a caller can cause these events without limit, and its log is read on each of its calls
        try:
            await self._store.record(handoff.id, event, known=handoff)
        except AlreadyEnded:
            return  # the outcome stands; how one channel fared no longer matters
