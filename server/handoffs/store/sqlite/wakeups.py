"""How a waiter hears of a change: of this process at once, of another by its datagram, or else by a poll.

One poll serves every watch, and runs only while there is one. Only those whose handoff has changed are woken: lines of
the log are numbered, so a poll asks for what came after the last line that was heard of.
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
"""Time between two polls. Windows has no datagrams between processes, so there the poll is all there is."""


class Wakeups:
    """The watches of one store, and how they hear."""

    def __init__(
        self,
        *,
        last: Callable[[], Awaitable[int]],
        news: Callable[[], Awaitable[Sequence[Line]]],
        datagrams: Datagrams | None,
    ) -> None:
        """Take how to poll: `last` gives the number of the newest line, `news` the lines after `heard_to`."""
        self._last = last
        self._news = news
        self._datagrams = datagrams
        self._watches = Watches()
        self.heard_to = 0
        """The number of the last line of the log up to which nothing has gone unheard."""
        self._starting = anyio.Lock()
        self._polling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, handoff_id: str | None) -> AsyncGenerator[Watch]:
        """Return a watch on one handoff or on all, which has been listening since before it is returned."""
        with self._watches.watch(handoff_id) as watch:
            await self._listen()
            yield watch

    def told(self, lines: Sequence[Line]) -> None:
        """Wake whoever watches the handoffs of these lines, which are in the log now."""
        for number, handoff_id, version in lines:
            # Lines in between that nobody told of yet are left for the poll to find.
            if number == self.heard_to + 1:
                self.heard_to = number
            self._watches.wake(handoff_id, version)

    def tell(self, lines: Sequence[Line]) -> None:
        """Tell the other processes. May be called from another thread."""
        if self._datagrams is not None:
            for number, handoff_id, _ in lines:
                self._datagrams.send(b"%d %s" % (number, handoff_id.encode()))

    def restart(self) -> None:
        """Take it that the log begins anew, and wake everybody to see what is left."""
        self.heard_to = 0
        self._watches.wake_all()

    async def aclose(self) -> None:
        """Stop listening, and wake everybody: whoever then reads hears that the store is closed."""
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
        # The second watch waits for the first one's start: what it reads next must not be older than `heard_to`.
        async with self._starting:
            if self._polling is None:
                self.heard_to = await self._last()
                if self._datagrams is not None:
                    self._datagrams.listen(self._received)
                # Not in the caller's task group: the poll outlives the watch that was first.
                self._polling = asyncio.create_task(self._poll(), name="handoffs: poll the store")

    async def _poll(self) -> None:
        while True:
            await anyio.sleep(POLL_SECONDS)
            if not self._watches:
                break  # not as soon as the last watch ends: the next one often follows at once
            try:
                news = await self._news()
            except StoreError:
                # Each waiter reads, and so hears what is wrong in its own place.
                self._watches.wake_all()
                continue
            for number, handoff_id, version in news:
                self.heard_to = max(self.heard_to, number)
                self._watches.wake(handoff_id, version)
        self._polling = None

    def _received(self, message: bytes) -> None:
        number, _, handoff_id = message.partition(b" ")
        if number.isdigit():
            self.told([(int(number), handoff_id.decode(errors="replace"), UNKNOWN)])
