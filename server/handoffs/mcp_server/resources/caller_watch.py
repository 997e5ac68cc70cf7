"""One watch over the store for each caller, shared by all that listens for them, while anything does.

A hundred listeners of one caller are told of a change by one look at what the caller has open. What is seen is the
subject's, whichever request came first: callers share none.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeAlias

import anyio
from anyio.abc import TaskGroup
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.model import Handoff
from handoffs.core.ports import Watch
from handoffs.mcp_server.resources.resources import OPEN_URI, uri_of

logger = logging.getLogger(__name__)

Tell: TypeAlias = Callable[[list[ServerEvent]], Awaitable[None]]

BUSY = 0.1
"""The most of the time that is spent looking for one caller: who has much open is told a little later."""

RETRY_SECONDS = 5
"""How long a store that can't be read is left alone."""


class SharedWatch:
    """Tells who listens for a caller what changes of that caller's."""

    def __init__(self, desk: Desk, tasks: TaskGroup) -> None:
        """Take what is watched, and where the watches run."""
        self._desk, self._tasks = desk, tasks
        self._of: dict[str, _Watched] = {}

    async def begin(self, subject: str, tell: Tell) -> Callable[[], None]:
        """Have `tell` told of what changes from now on; return what ends that.

        Raises:
            StoreError: Nothing can be watched; whoever else came in the same moment is told that, too.
        """
        watched = self._of.get(subject)
        if watched is None:
            watched = self._of[subject] = _Watched()
            self._tasks.start_soon(self._run, subject, watched)
        listener = object()
        watched.listeners[listener] = tell

        def end() -> None:
            watched.listeners.pop(listener, None)
            if not watched.listeners:
                self._drop(subject, watched)
                watched.scope.cancel()

        try:
            await watched.begun.wait()
            if watched.failed is not None:
                raise watched.failed
        except BaseException:
            end()
            raise
        return end

    @asynccontextmanager
    async def telling(self, subject: str, tell: Tell) -> AsyncGenerator[None]:
        """The same, for as long as the block lasts."""
        end = await self.begin(subject, tell)
        try:
            yield
        finally:
            end()

    async def _run(self, subject: str, watched: "_Watched") -> None:
        with watched.scope:
            try:
                async with self._desk.watch() as watch:
                    seen = await self._open_ones(subject)
                    watched.begun.set()
                    await self._follow(subject, watched, watch, seen)
            except Exception as broken:  # noqa: BLE001 - it could not begin: who listens is told; the server goes on
                watched.failed = broken
            finally:
                self._drop(subject, watched)
                watched.begun.set()

    async def _follow(self, subject: str, watched: "_Watched", watch: Watch, seen: Mapping[str, Handoff]) -> None:
        clock = self._desk.clock
        while True:
            try:
                with clock.limit(_seconds_to_next_deadline(seen, clock.now())):
                    await watch.changed()
                begun = clock.monotonic()
                now = await self._open_ones(subject)
                took = clock.monotonic() - begun
            except Exception as broken:  # noqa: BLE001 - to tell of changes is a courtesy; it must not end the server
                if not isinstance(broken, HandoffError):
                    logger.error("watching for subscribers failed: %s", type(broken).__name__)
                await clock.sleep(RETRY_SECONDS)
                continue
            if events := _differences(seen, now):
                # At once: one that takes its time keeps no other waiting.
                async with anyio.create_task_group() as telling:
                    for tell in list(watched.listeners.values()):
                        telling.start_soon(_tell, tell, events)
            seen = now
            await clock.sleep(min(took / BUSY - took, RETRY_SECONDS))

    async def _open_ones(self, subject: str) -> dict[str, Handoff]:
        return {handoff.id: handoff for handoff in await self._desk.newest_of(subject, open_only=True)}

    def _drop(self, subject: str, watched: "_Watched") -> None:
        if self._of.get(subject) is watched:
            del self._of[subject]


class _Watched:
    def __init__(self) -> None:
        self.listeners: dict[object, Tell] = {}
        self.scope = anyio.CancelScope()
        self.begun = anyio.Event()
        self.failed: Exception | None = None


async def _tell(tell: Tell, events: list[ServerEvent]) -> None:
    try:
        await tell(events)
    except Exception as broken:  # noqa: BLE001 - one that can't be told must not take the others down
        logger.error("telling a subscriber failed: %s", type(broken).__name__)


def _differences(before: Mapping[str, Handoff], now: Mapping[str, Handoff]) -> list[ServerEvent]:
    """What to announce: what is open, and each handoff that came, went or was changed."""
    came_or_went = before.keys() ^ now.keys()
    changed = {each for each in before.keys() & now.keys() if before[each].version != now[each].version}
    events: list[ServerEvent] = [ResourceUpdated(uri=uri_of(each)) for each in sorted(came_or_went | changed)]
    if came_or_went:
        events += [ResourceUpdated(uri=OPEN_URI), ResourcesListChanged()]
    return events


def _seconds_to_next_deadline(handoffs: Mapping[str, Handoff], now: datetime) -> float | None:
    """Silence ends a question without anybody writing it down: somebody has to look."""
    left = [(handoff.question.deadline - now).total_seconds() for handoff in handoffs.values()]
    return max(min(left), 0) if left else None
