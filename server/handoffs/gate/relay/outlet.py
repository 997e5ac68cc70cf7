"""Writes to one end in order, from several tasks and from the loop itself."""

from collections.abc import Coroutine
from typing import Any, Protocol

import anyio


class Writer(Protocol):
    """What a wire and a server behind have in common."""

    async def write(self, data: bytes) -> None:
        """Write all of it."""
        ...

    def write_now(self, data: bytes) -> bytes:
        """Write what can be written without waiting; return the rest."""
        ...


class Outlet:
    """One end."""

    def __init__(self, writer: Writer) -> None:
        """Take what writes."""
        self._writer = writer
        self._lock = anyio.Lock(fast_acquire=True)
        self._left = b""  # the end of what was written in part: goes before all else

    async def write(self, data: bytes) -> None:
        """Write whole lines. Raises ClosedResourceError: nobody reads any more."""
        async with self._lock:
            data, self._left = self._left + data, b""
            await self._writer.write(data)

    def now(self, data: bytes) -> Coroutine[Any, Any, None] | None:
        """Write whole lines without waiting; return what must be awaited for the rest."""
        if self._left or self._lock.locked():
            return self.write(data)
        self._left = self._writer.write_now(data)
        return self.write(b"") if self._left else None
