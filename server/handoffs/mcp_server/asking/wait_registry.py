"""The registry of waiting calls: one task and one watch of the store for all calls of a server.

A waiting call runs its host's dialog, or only sleeps, inside of a `Wait`. It has no task and no watch of its own, so
that a thousand waiting calls are cheap. The registry ends the wait when the handoff has ended elsewhere, when the
host's patience ends, or when the server is about to stop. Meanwhile it records that the dialog was on a screen, and
sends the host progress.

It goes on watching for a moment after the last call, since the next call often follows at once. While it watches it
hears of every change, so a handoff that was read since then is not read again.
"""

import asyncio
import contextvars
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType

import anyio
from anyio.abc import TaskGroup

from handoffs.core.desk import Desk
from handoffs.core.errors import StoreUnavailable
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Alarm
from handoffs.mcp_server.asking.pace import PACE, Pace
from handoffs.mcp_server.asking.progress import Progress
from handoffs.mcp_server.asking.shutdown import Shutdown

MAX_AT_ONCE = 8
"""How many reads and writes of the store run at once for all calls; the others are queued, an entry each."""

LINGER_SECONDS = 1.0
"""How long the registry goes on watching after the last waiting call."""

MAX_HEARD = 1_000
"""How many changed handoffs without a wait are remembered."""

_SLACK_SECONDS = 0.001
"""An alarm may ring this much too early."""


class Wait:
    """A block in which one call waits; it is left, without an error, when the registry ends it. Reusable."""

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
        """Take the host's patience from now, in seconds; and its dialog's `channel`, if that is to be recorded."""
        self.report = report
        self.channel = channel
        """The channel that is still to be recorded as having reached a person."""
        self.ended: Handoff | None = None
        """The handoff, once it has ended elsewhere."""
        self.was_ended = False
        """Whether the registry ended it, for any reason."""
        self._registry = registry
        self._until = None if seconds is None else registry.clock.monotonic() + seconds
        self._next = 0.0
        self._new = False  # whether the person may not have read its dialog yet
        self._scope: anyio.CancelScope | None = None
        self._alarm: Alarm | None = None
        self._sending: anyio.CancelScope | None = None
        self._failure: Exception | None = None

    @property
    def handoff_id(self) -> str:
        """The id of the handoff that the call waits for."""
        return self.report.handoff.id

    @property
    def is_waiting(self) -> bool:
        """Whether a call waits inside."""
        return self._scope is not None and not self.was_ended

    def __enter__(self) -> None:
        """Begin to wait; when no patience is left, the block's first await is cancelled."""
        now = self._registry.clock.monotonic()
        self._scope = anyio.CancelScope()
        if self._is_over(now):
            self.end()
        self._scope.__enter__()
        self._new = self.channel is not None
        pace = self._registry.pace
        self._next = now + (pace.reading if self._new else pace.progress)
        self._set_alarm(now)
        self._registry.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Wait no longer. Raises the error, if one in the registry has ended the wait."""
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
        """Leave the block: the handoff has ended, or it can't be read (`failure`), or no time is left."""
        if self._scope is not None and not self.was_ended:
            self.was_ended, self.ended, self._failure = True, ended, failure
            self._scope.cancel()

    async def say(self) -> None:
        """Send progress, unless the host has not accepted the last one yet."""
        if self._sending is None and self.is_waiting:
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
            self._next = now + self._registry.pace.progress
            self._registry.tick(self, alive=not self._new)
            self._new = False
        else:
            self._registry.look_at(self.handoff_id)  # the handoff's deadline has passed
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
    """Watches the store for the waiting calls of one server, and ends their waits."""

    def __init__(self, desk: Desk, draining: Shutdown, pace: Pace = PACE) -> None:
        """Take the desk, and the shutdown that ends every wait; nothing runs until a call waits."""
        self.pace = pace
        self.clock = desk.clock
        self._desk = desk
        self._draining = draining
        self._waits: dict[str, list[Wait]] = {}
        self._looks: dict[str, None] = {}  # ids of handoffs to read, in order
        self._ticks: dict[Wait, None] = {}  # waits whose tick is due, each once, also while the store is unavailable
        self._at_work = 0
        self._runner: asyncio.Task[None] | None = None
        self._tasks: TaskGroup | None = None
        self._progress_due: dict[Wait, None] = {}  # waits whose hosts are to be sent progress
        self._work_due = anyio.Event()
        self._pause = anyio.CancelScope()
        self._listens_since: datetime | None = None
        self._heard: dict[str, int] = {}  # versions of handoffs that changed since then and that no call waited for
        self._resting: Alarm | None = None
        self._rest = False  # whether the registry has lingered for long enough

    def wait(self, report: Progress, *, seconds: float | None, channel: str | None = None) -> Wait:
        """Return a block in which a call waits for `seconds`; None waits for ever.

        With a `channel`, the block runs a dialog, which is recorded as having reached the person.
        """
        return Wait(self, report, seconds=seconds, channel=channel)

    def begin(self, wait: Wait) -> None:
        """Add a wait that was entered."""
        self._waits.setdefault(wait.handoff_id, []).append(wait)
        self._rest = False
        if self._may_have_changed(wait.report.handoff):
            self.look_at(wait.handoff_id)
        if self._runner is None:
            # Outside of every task group, as it outlives the first call; and with an empty context, as the call's names
            # its caller.
            loop, context = asyncio.get_running_loop(), contextvars.Context()
            self._runner = loop.create_task(self._run(), name="handoffs: look after calls", context=context)

    def finish(self, wait: Wait) -> None:
        """Remove a wait that was left."""
        waits = self._waits[wait.handoff_id]
        waits.remove(wait)
        self._ticks.pop(wait, None)
        self._progress_due.pop(wait, None)
        if not waits:
            del self._waits[wait.handoff_id]
            self._looks.pop(wait.handoff_id, None)
        if not self._waits and self._resting is None:
            self._resting = self.clock.alarm(LINGER_SECONDS, self._go_to_rest)

    def look_at(self, handoff_id: str) -> None:
        """Read a handoff soon, and end its waits if it has ended."""
        self._looks[handoff_id] = None
        self._work()

    def tick(self, wait: Wait, *, alive: bool) -> None:
        """Read the handoff, or record that its dialog is on a screen; and send progress if `alive`.

        Progress is sent at once: the store may be unavailable, and the calls ahead of this one wait for it.
        """
        self._ticks[wait] = None
        self._work()
        if alive:
            self._progress_due[wait] = None
            self._work_due.set()

    def _work(self) -> None:
        self._work_due.set()

    def _may_have_changed(self, handoff: Handoff) -> bool:
        """Say whether a handoff may have changed between its last read and the wait."""
        # A handoff older than the watch may have changed, too. A wrong clock costs one read, or a delay until the next
        # tick.
        fresh = self._listens_since is not None and handoff.created_at > self._listens_since
        return not fresh or self._heard.pop(handoff.id, 0) > handoff.version

    def _hear(self, changed: Mapping[str, int] | None) -> None:
        """Read the handoffs that have a newer version than their waits have seen."""
        if changed is None:
            for handoff_id in self._waits:
                self.look_at(handoff_id)
            return
        for handoff_id, version in changed.items():
            waits = self._waits.get(handoff_id)
            if waits is None:
                self._heard.pop(handoff_id, None)
                self._heard[handoff_id] = version
                if len(self._heard) > MAX_HEARD:
                    # All are forgotten, so a handoff that was read before this moment is read again.
                    self._heard.clear()
                    self._listens_since = self.clock.now()
            elif any(wait.report.handoff.version < version for wait in waits):
                self.look_at(handoff_id)

    def _go_to_rest(self) -> None:
        self._resting = None
        if not self._waits:
            self._rest = True
            self._pause.cancel()

    async def _begin_all(self, tasks: TaskGroup) -> None:
        """Start the tasks that are due. They start here because the context of a call names its caller."""
        while True:
            await self._work_due.wait()
            self._work_due = anyio.Event()
            for wait in self._progress_due:
                tasks.start_soon(_say, wait)  # takes as long as the host needs
            self._progress_due.clear()
            while self._tasks is not None and self._at_work < min(MAX_AT_ONCE, len(self._looks) + len(self._ticks)):
                self._at_work += 1
                self._tasks.start_soon(self._work_off)

    async def _run(self) -> None:
        """Watch the store until no call waits."""
        failure: Exception | None = None
        with self._draining.wait():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._begin_all, tasks)
                try:
                    while self._waits:
                        with suppress(StoreUnavailable):  # raised after ten seconds of retries
                            await self._watch()
                            return
                    self._runner = None
                    return
                except Exception as broken:  # noqa: BLE001 - no call may wait for ever without a watch
                    failure = broken
                finally:
                    tasks.cancel_scope.cancel()
        self._tasks = self._runner = None
        self._looks.clear()
        self._ticks.clear()
        self._progress_due.clear()
        for waits in self._waits.values():
            for wait in waits:
                wait.end(failure=failure)

    async def _watch(self) -> None:
        async with self._desk.watch() as watch, anyio.create_task_group() as self._tasks:
            self._listens_since = self.clock.now()
            self._heard.clear()
            self._work()  # what was queued before the watch began
            try:
                while self._waits or not self._rest:
                    with anyio.CancelScope() as self._pause:
                        changed = await watch.changed()
                        self._rest = changed is None  # the store may have been closed: then it does not linger
                        self._hear(changed)
            finally:
                self._listens_since = None
            # Before another task can run: the next wait starts a new watch.
            self._tasks = self._runner = None

    async def _work_off(self) -> None:
        try:
            while self._looks or self._ticks:
                if self._looks:
                    handoff_id = next(iter(self._looks))
                    del self._looks[handoff_id]
                    await self._look(handoff_id)
                else:
                    wait = next(iter(self._ticks))
                    del self._ticks[wait]
                    await self._tick(wait)
        finally:
            self._at_work -= 1

    async def _look(self, handoff_id: str) -> None:
        try:
            handoff = await self._desk.get(handoff_id)
        except StoreUnavailable:
            return  # the next tick reads again
        except Exception as broken:  # noqa: BLE001 - only the calls of this handoff fail
            for wait in self._waits.get(handoff_id, ()):
                wait.end(failure=broken)
            return
        if handoff.state is not State.OPEN:
            for wait in self._waits.get(handoff_id, ()):
                wait.end(handoff)

    async def _tick(self, wait: Wait) -> None:
        if not wait.is_waiting:
            return
        channel, wait.channel = wait.channel, None
        if channel is None:
            await self._look(wait.handoff_id)
            return
        try:
            # A dialog that is still open after this long is on a screen.
            await self._desk.reached(wait.report.handoff, channel=channel)
        except StoreUnavailable:
            wait.channel = channel  # for the next tick
        except Exception as broken:  # noqa: BLE001 - as above
            wait.end(failure=broken)


async def _say(wait: Wait) -> None:
    try:
        await wait.say()
    except Exception as broken:  # noqa: BLE001 - if progress can't be sent, this call ends
        wait.end(failure=broken)
