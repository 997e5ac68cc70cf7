"""Looking after the open calls of a server: one task and one watch for however many there are.

A call that waits is a dialog of its host, or nothing at all, inside of a `Wait`; it has no task, no watch and no other
block beside it, so that a thousand of them are cheap. The registry ends the wait when the handoff ended elsewhere, the
host's patience did, or the server is about to stop; and meanwhile it notes that the dialog was on a screen, and has the
host told that the call is alive.

It goes on watching for a moment after the last call: the next one often follows at once, and then finds it listening.
What was read from the store since it listens has not changed unheard, and is not read again.
"""

import asyncio
import contextvars
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType

import anyio
from anyio.abc import TaskGroup

from handoffs.asking.judge import READING_SECONDS
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreUnavailable
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Alarm
from handoffs.mcp_server.asking.progress import Progress
from handoffs.mcp_server.asking.shutdown import Shutdown

PROGRESS_SECONDS = 10.0
"""How often a waiting call says that it is alive: some hosts give up on one that is silent for a minute."""

MAX_AT_ONCE = 8
"""How many reads and writes of the store are under way at once for all calls together; the others are a line each."""

LINGER_SECONDS = 1.0
"""How long the registry goes on watching after the last call that waited."""

MAX_HEARD = 1_000
"""Of how many handoffs for which nothing waits yet it is remembered that they changed."""

_SLACK_SECONDS = 0.001
"""An alarm may ring this much too early."""


class Wait:
    """A block in which one call waits; left, without an error, when the registry ends it. May be entered again."""

    __slots__ = (
        "_alarm",
        "_failure",
        "_new",
        "_next",
        "_registry",
        "_scope",
        "_sending",
        "_until",
        "channel",
        "ended",
        "report",
        "was_ended",
    )

    def __init__(
        self, registry: "WaitRegistry", report: Progress, *, seconds: float | None, channel: str | None
    ) -> None:
        """Take how long the host's patience is from now; and the channel of its dialog, where that is to be noted."""
        self.report = report
        self.channel = channel
        """What is still to be noted as having reached somebody."""
        self.ended: Handoff | None = None
        """The handoff, once it has ended elsewhere."""
        self.was_ended = False
        """Whether the registry ended it, for whatever reason."""
        self._registry = registry
        self._until = None if seconds is None else registry.clock.monotonic() + seconds
        self._next = 0.0
        self._new = False  # whether its dialog may not have been read yet
        self._scope: anyio.CancelScope | None = None
        self._alarm: Alarm | None = None
        self._sending: anyio.CancelScope | None = None
        self._failure: Exception | None = None

    @property
    def handoff_id(self) -> str:
        """What is waited for."""
        return self.report.handoff.id

    @property
    def waits(self) -> bool:
        """Whether anything is waiting inside."""
        return self._scope is not None and not self.was_ended

    def __enter__(self) -> None:
        """Begin to wait; where no patience is left, what would wait inside does not even begin."""
        now = self._registry.clock.monotonic()
        self._scope = anyio.CancelScope()
        if self._is_over(now):
            self.end()
        self._scope.__enter__()
        self._new = self.channel is not None
        self._next = now + (READING_SECONDS if self._new else PROGRESS_SECONDS)
        self._set_alarm(now)
        self._registry.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Wait no longer. Raises what kept the registry from looking, where that has ended it."""
        assert self._scope is not None
        self._registry.finish(self)
        if self._alarm is not None:
            self._alarm.cancel()
        if self._sending is not None:
            self._sending.cancel()
        scope, self._scope, self._alarm = self._scope, None, None
        left = bool(scope.__exit__(kind, error, trace))
        if left and self._failure is not None:
            raise self._failure
        return left

    def end(self, ended: Handoff | None = None, *, failure: Exception | None = None) -> None:
        """Have the block left: the handoff has ended, or it can't be looked at, or else there is no time any more."""
        if self._scope is not None and not self.was_ended:
            self.was_ended, self.ended, self._failure = True, ended, failure
            self._scope.cancel()

    async def say(self) -> None:
        """Say that the call is alive; a host that has not taken the last such word is not sent another."""
        if self._sending is None and self.waits:
            try:
                with anyio.CancelScope() as self._sending:
                    await self.report.send()
            finally:
                self._sending = None

    def _ring(self) -> None:
        now = self._registry.clock.monotonic()
        if self._is_over(now):
            self.end()
            return
        if now >= self._next - _SLACK_SECONDS:
            self._next = now + PROGRESS_SECONDS
            self._registry.tick(self, alive=not self._new)
            self._new = False
        else:
            self._registry.look_at(self.handoff_id)  # its deadline has passed
        self._set_alarm(now)

    def _is_over(self, now: float) -> bool:
        return self._until is not None and now >= self._until - _SLACK_SECONDS

    def _set_alarm(self, now: float) -> None:
        clock = self._registry.clock
        seconds = self._next - now
        if self._until is not None:
            seconds = min(seconds, self._until - now)
        deadline = (self.report.handoff.question.deadline - clock.now()).total_seconds()
        if 0 < deadline < seconds:
            seconds = deadline
        self._alarm = clock.alarm(seconds, self._ring)


class WaitRegistry:
    """Ends the holds of one server."""

    def __init__(self, desk: Desk, draining: Shutdown) -> None:
        """Take where the handoffs are, and what ends every hold; nothing runs until there is one."""
        self.clock = desk.clock
        self._desk = desk
        self._draining = draining
        self._of: dict[str, list[Wait]] = {}
        self._looks: dict[str, None] = {}  # what is to be looked at, in order
        self._ticks: dict[Wait, None] = {}  # and which are due, each once, however long the store is away
        self._at_work = 0
        self._keeping: asyncio.Task[None] | None = None
        self._tasks: TaskGroup | None = None
        self._unsaid: dict[Wait, None] = {}  # whose hosts are to be told that the call is alive
        self._something = anyio.Event()
        self._pause = anyio.CancelScope()
        self._listens_since: datetime | None = None
        self._heard: dict[str, int] = {}  # versions of what changed since then, and nothing waited for
        self._resting: Alarm | None = None
        self._rest = False  # whether it has lingered for long enough

    def hold(self, report: Progress, *, seconds: float | None, channel: str | None = None) -> Wait:
        """Return a block in which a call waits for as many `seconds`, of None for ever.

        With a `channel` it is a dialog that waits inside, and whoever has it before them is noted as reached by it.
        """
        return Wait(self, report, seconds=seconds, channel=channel)

    def begin(self, hold: Wait) -> None:
        """Look after a hold."""
        self._of.setdefault(hold.handoff_id, []).append(hold)
        self._rest = False
        if self._may_have_changed(hold.report.handoff):
            self.look_at(hold.handoff_id)
        if self._keeping is None:
            # In nobody's task group, as it outlives the call that was first; nor in its context, which says whose.
            loop, context = asyncio.get_running_loop(), contextvars.Context()
            self._keeping = loop.create_task(self._keep(), name="handoffs: look after calls", context=context)

    def finish(self, hold: Wait) -> None:
        """Look after it no longer."""
        holds = self._of[hold.handoff_id]
        holds.remove(hold)
        self._ticks.pop(hold, None)
        self._unsaid.pop(hold, None)
        if not holds:
            del self._of[hold.handoff_id]
            self._looks.pop(hold.handoff_id, None)
        if not self._of and self._resting is None:
            self._resting = self.clock.alarm(LINGER_SECONDS, self._go_to_rest)

    def look_at(self, handoff_id: str) -> None:
        """Look at what may have ended, soon, and end its holds if so."""
        self._looks[handoff_id] = None
        self._work()

    def tick(self, hold: Wait, *, alive: bool) -> None:
        """Look at it, or note that its dialog is on a screen; and have the host told that the call is `alive`.

        The host hears that at once: the store may be away, and the calls ahead of this one wait for it.
        """
        self._ticks[hold] = None
        self._work()
        if alive:
            self._unsaid[hold] = None
            self._something.set()

    def _work(self) -> None:
        self._something.set()

    def _may_have_changed(self, handoff: Handoff) -> bool:
        """Say whether a handoff may have changed since it was read, before anything waited for it."""
        # One from before this listened may have, too. A wrong clock costs one look, or leaves it to the next tick.
        fresh = self._listens_since is not None and handoff.created_at > self._listens_since
        return not fresh or self._heard.pop(handoff.id, 0) > handoff.version

    def _hear(self, changed: Mapping[str, int] | None) -> None:
        """Look at what has changed so that a call that waits for it has not seen it."""
        if changed is None:
            for handoff_id in self._of:
                self.look_at(handoff_id)
            return
        for handoff_id, version in changed.items():
            holds = self._of.get(handoff_id)
            if holds is None:
                self._heard.pop(handoff_id, None)
                self._heard[handoff_id] = version
                if len(self._heard) > MAX_HEARD:
                    # Whichever is forgotten: what was read before this moment is looked at again.
                    self._heard.clear()
                    self._listens_since = self.clock.now()
            elif any(hold.report.handoff.version < version for hold in holds):
                self.look_at(handoff_id)

    def _go_to_rest(self) -> None:
        self._resting = None
        if not self._of:
            self._rest = True
            self._pause.cancel()

    async def _begin_all(self, tasks: TaskGroup) -> None:
        """Begin what is due; here, as whoever finds that it is has a context that says whose call it looks after."""
        while True:
            await self._something.wait()
            self._something = anyio.Event()
            for hold in self._unsaid:
                tasks.start_soon(_say, hold)  # which takes as long as its host
            self._unsaid.clear()
            while self._tasks is not None and self._at_work < min(MAX_AT_ONCE, len(self._looks) + len(self._ticks)):
                self._at_work += 1
                self._tasks.start_soon(self._work_off)

    async def _keep(self) -> None:
        """Look whenever something has changed, until nobody waits."""
        failure: Exception | None = None
        with self._draining.wait():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._begin_all, tasks)
                try:
                    while self._of:
                        with suppress(StoreUnavailable):  # said after ten seconds of trying
                            await self._watch()
                            return
                    self._keeping = None
                    return
                except Exception as broken:  # noqa: BLE001 - whatever it is, no call may wait for ever for nobody
                    failure = broken
                finally:
                    tasks.cancel_scope.cancel()
        self._tasks = self._keeping = None
        self._looks.clear()
        self._ticks.clear()
        self._unsaid.clear()
        for holds in self._of.values():
            for hold in holds:
                hold.end(failure=failure)

    async def _watch(self) -> None:
        async with self._desk.watch() as watch, anyio.create_task_group() as self._tasks:
            self._listens_since = self.clock.now()
            self._heard.clear()
            self._work()  # what came before anybody listened
            try:
                while self._of or not self._rest:
                    with anyio.CancelScope() as self._pause:
                        changed = await watch.changed()
                        self._rest = changed is None  # the store may have been closed: nobody lingers for that
                        self._hear(changed)
            finally:
                self._listens_since = None
            # Before anything else can run: the next hold begins anew.
            self._tasks = self._keeping = None

    async def _work_off(self) -> None:
        try:
            while self._looks or self._ticks:
                if self._looks:
                    handoff_id = next(iter(self._looks))
                    del self._looks[handoff_id]
                    await self._look(handoff_id)
                else:
                    hold = next(iter(self._ticks))
                    del self._ticks[hold]
                    await self._tick(hold)
        finally:
            self._at_work -= 1

    async def _look(self, handoff_id: str) -> None:
        try:
            handoff = await self._desk.get(handoff_id)
        except StoreUnavailable:
            return  # who waits, waits for the store, too: the next tick looks again
        except Exception as broken:  # noqa: BLE001 - its calls are told; it is not the others' trouble
            for hold in self._of.get(handoff_id, ()):
                hold.end(failure=broken)
            return
        if handoff.state is not State.OPEN:
            for hold in self._of.get(handoff_id, ()):
                hold.end(handoff)

    async def _tick(self, hold: Wait) -> None:
        if not hold.waits:
            return
        channel, hold.channel = hold.channel, None
        if channel is None:
            await self._look(hold.handoff_id)
            return
        try:
            # A dialog that is still there after this long is on a screen.
            await self._desk.reached(hold.report.handoff, channel=channel)
        except StoreUnavailable:
            hold.channel = channel  # for the next tick
        except Exception as broken:  # noqa: BLE001 - as above
            hold.end(failure=broken)


async def _say(hold: Wait) -> None:
    try:
        await hold.say()
    except Exception as broken:  # noqa: BLE001 - a host that can't be told ends its own call
        hold.end(failure=broken)
