"""Work that one process does, of all that use the store: what goes on with an agent's paused run, say.

A lease is renewed for as long as the work takes. If its process dies, the lease ends by itself, and another process
gets it. What must not happen twice is marked before it begins: a mark outlives the process.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import anyio

from handoffs.core.beside import beside
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreError
from handoffs.core.retry import retry_while_unavailable

LEASE_SECONDS = 30.0
"""How long another process waits for one that has died."""

LOOK_SECONDS = 0.3
"""How often a process that waits looks."""

MARKED = timedelta(days=90)
"""How long a mark stands. An approval is given to its call again for a much shorter time."""

T = TypeVar("T")


class Leases:
    """Leases and marks of one store, by names that programs choose."""

    def __init__(self, desk: Desk, *, seconds: float = LEASE_SECONDS) -> None:
        """Take the desk over the store, and after how many seconds a lease ends that is not renewed."""
        self._desk, self._seconds = desk, seconds

    async def alone(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` returns, which no other process does meanwhile; wait for one that does it.

        The work is not stopped where its lease is lost, because this process or its store stood still for too long: it
        marks what must not happen twice.
        """
        key = _key("lease", name)
        while (held := await self._desk.lease(key, seconds=self._seconds)) is None:
            await self._desk.clock.sleep(LOOK_SECONDS)
        ends = [held]
        try:
            async with beside(partial(self._renew, key, ends)):
                return await work()
        finally:
            with anyio.CancelScope(shield=True), suppress(StoreError):  # it ends by itself
                await self._desk.extend(key, held=ends[-1], seconds=0)

    async def mark(self, name: str) -> bool:
        """Set a mark. False where it was set before, by any process."""
        return await self._desk.claim(_key("mark", name), seconds=MARKED.total_seconds())

    async def marked(self, name: str) -> bool:
        """Return whether a mark is set."""
        return await self._desk.claimed(_key("mark", name))

    async def _renew(self, key: str, ends: list[datetime]) -> None:
        while True:
            await self._desk.clock.sleep(self._seconds / 3)
            extend = partial(self._desk.extend, key, held=ends[-1], seconds=self._seconds)
            end: datetime | None = None
            # A commit that is cut off would leave the end unknown.
            with anyio.CancelScope(shield=True), suppress(StoreError):
                end = await retry_while_unavailable(self._desk.clock, extend, seconds=self._seconds)
            if end is None:
                return
            ends.append(end)


def _key(kind: str, name: str) -> str:
    return f"{kind} {hashlib.sha256(name.encode(errors='backslashreplace')).hexdigest()}"
