"""Waking waiters when a SQLite store changes: directly in this process, by datagram or by a poll from another one.

One poll serves all watches, and runs only while there are any. Only watches of changed handoffs are woken: lines of the
log are numbered, so a poll asks for the lines after the last known one.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from handoffs.core.errors import StoreError
from handoffs.store.sqlite.datagrams import Datagrams
from handoffs.store.watches import UNKNOWN, Line, Watch, Watches

POLL_SECONDS = 0.05 if sys.platform == "win32" else 0.25
"""Time between two polls. Windows has no datagrams between processes, so polls are all it has."""


class Wakeups:
    """The watches of one store, and what wakes them."""

    def __init__(
        self,
        last: Callable[[], Awaitable[int]],
        news: Callable[[], Awaitable[Sequence[Line]]],
        *,
        datagrams: Datagrams | None,
        poll_seconds: float,
    ) -> None:
        """Take two readers: `last` returns the number of the newest line, `news` the lines after `heard_to`."""
        self._last = last
        self._news = news
        self._datagrams, self._poll_seconds = datagrams, poll_seconds
        self._watches = Watches()
        self.heard_to = 0
        """The number of the last line up to which no line was missed."""
        self._starting = anyio.Lock()
        self._polling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, handoff_id: str | None) -> AsyncGenerator[Watch]:
        """Yield a watch on one handoff or on all, which already listens."""
        with self._watches.watch(handoff_id) as watch:
            await self._listen()
            yield watch

    def wake(self, lines: Sequence[Line]) -> None:
        """Wake the watches of these lines' handoffs. The lines are in the log now."""
        for number, handoff_id, version in lines:
            # The poll finds lines in between that were not reported yet.
            if number == self.heard_to + 1:
                self.heard_to = number
            self._watches.wake(handoff_id, version)

    def send(self, lines: Sequence[Line]) -> None:
        """Send the lines to the other processes. May be called from other threads."""
        if self._datagrams is not None:
            for number, handoff_id, _ in lines:
                self._datagrams.send(b"%d %s" % (number, handoff_id.encode()))

    def restart(self) -> None:
        """Start over with another log, and wake all watches to read it."""
        self.heard_to = 0
        self._watches.wake_all()

    async def aclose(self) -> None:
        """Stop listening, and wake all watches. When they read, they get the error that the store is closed."""
        async with self._starting:
            if self._datagrams is not None:
                self._datagrams.close()
            self._watches.wake_all()
            if self._polling is not None:
                self._polling.cancel()
                await asyncio.wait({self._polling})
                self._polling = None

    async def _listen(self) -> None:
        if self._polling is not None:
            return
        # A second watch waits for the first one's start: its next read must not be older than `heard_to`.
        async with self._starting:
            if self._polling is None:
                self.heard_to = await self._last()
                if self._datagrams is not None:
                    self._datagrams.listen(self._received)
                # Not in the caller's task group: the poll outlives the first watch.
                self._polling = asyncio.create_task(self._poll(), name="handoffs: poll the store")

    async def _poll(self) -> None:
        while True:
            await anyio.sleep(self._poll_seconds)
            if not self._watches:
                break  # only here, not when the last watch ends: another one often follows at once
            try:
                news = await self._news()
            except StoreError:
                # Each waiter reads for itself, and gets the error.
                self._watches.wake_all()
                continue
            for number, handoff_id, version in news:
                self.heard_to = max(self.heard_to, number)
                self._watches.wake(handoff_id, version)
        self._polling = None

    def _received(self, message: bytes) -> None:
        number, _, handoff_id = message.partition(b" ")
        if number.isdigit():
            self.wake([(int(number), handoff_id.decode(errors="replace"), UNKNOWN)])
