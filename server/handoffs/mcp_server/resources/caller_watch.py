"""One watch of the store for each caller, shared by all its listeners, while it has any.

A change costs one read of the caller's open handoffs, also for a hundred listeners. A watch sees only its subject's
handoffs, whichever request began it: callers share no watch.
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

Notify: TypeAlias = Callable[[list[ServerEvent]], Awaitable[None]]

BUSY = 0.1
"""The largest share of the time that is spent reading for one caller: a caller with many handoffs is told later."""

RETRY_SECONDS = 5
"""How long to wait before an unreadable store is read again."""


class SharedWatch:
    """Tells the listeners of each caller which of its handoffs have changed."""

    def __init__(self, desk: Desk, tasks: TaskGroup) -> None:
        """Take the desk, and the task group that the watches run in."""
        self._desk, self._tasks = desk, tasks
        self._watches: dict[str, _Watched] = {}

    async def begin(self, subject: str, tell: Notify) -> Callable[[], None]:
        """Call `tell` with each change from now on; return the function that ends this.

        Raises:
            StoreError: The store can't be watched; it is raised for every listener that began at the same moment.
        """
        watched = self._watches.get(subject)
        if watched is None:
            watched = self._watches[subject] = _Watched()
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
    async def telling(self, subject: str, tell: Notify) -> AsyncGenerator[None]:
        """Call `tell` with each change while the block lasts."""
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
            except Exception as broken:  # noqa: BLE001 - it could not begin: its listeners get the error
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
            except Exception as broken:  # noqa: BLE001 - a failed notification must not end the server
                if not isinstance(broken, HandoffError):
                    logger.error("watching for subscribers failed: %s", type(broken).__name__)
                await clock.sleep(RETRY_SECONDS)
                continue
            if events := _differences(seen, now):
                # Concurrently: a slow listener does not delay the others.
                async with anyio.create_task_group() as telling:
                    for tell in list(watched.listeners.values()):
                        telling.start_soon(_tell, tell, events)
            seen = now
            await clock.sleep(min(took / BUSY - took, RETRY_SECONDS))

    async def _open_ones(self, subject: str) -> dict[str, Handoff]:
        return {handoff.id: handoff for handoff in await self._desk.newest_of(subject, open_only=True)}

    def _drop(self, subject: str, watched: "_Watched") -> None:
        if self._watches.get(subject) is watched:
            del self._watches[subject]


class _Watched:
    def __init__(self) -> None:
        self.listeners: dict[object, Notify] = {}
        self.scope = anyio.CancelScope()
        self.begun = anyio.Event()
        self.failed: Exception | None = None


async def _tell(tell: Notify, events: list[ServerEvent]) -> None:
    try:
        await tell(events)
    except Exception as broken:  # noqa: BLE001 - one failed listener must not stop the others
        logger.error("telling a subscriber failed: %s", type(broken).__name__)


def _differences(before: Mapping[str, Handoff], now: Mapping[str, Handoff]) -> list[ServerEvent]:
    """Return the events: the open list, and each handoff that was opened, ended or changed."""
    came_or_went = before.keys() ^ now.keys()
    changed = {each for each in before.keys() & now.keys() if before[each].version != now[each].version}
    events: list[ServerEvent] = [ResourceUpdated(uri=uri_of(each)) for each in sorted(came_or_went | changed)]
    if came_or_went:
        events += [ResourceUpdated(uri=OPEN_URI), ResourcesListChanged()]
    return events


def _seconds_to_next_deadline(handoffs: Mapping[str, Handoff], now: datetime) -> float | None:
    """Return the time to the next deadline. An expiry writes nothing to the store, so a watch does not see it."""
    left = [(handoff.question.deadline - now).total_seconds() for handoff in handoffs.values()]
    return max(min(left), 0) if left else None
