"""Writes to one end in order, from several tasks and from the loop itself."""

from collections.abc import Coroutine
from typing import Any, Protocol

import anyio

from handoffs.wire import Data


class Writer(Protocol):
    """What a wire and a server behind have in common."""

    async def write_some(self, data: Data) -> Data:
        """Write a part once that is possible, and return the rest. When it is cancelled, nothing was written."""
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
        self._left: Data = b""  # the end of what was written in part: goes before all else
        self._ended: anyio.Event | None = None  # while a line is written in parts
        self._unended = False  # whether what was written last has no newline
        self._broken = False  # whether it is a part of a line whose rest never comes

    async def write(self, data: bytes, *, on_new_line: bool = False) -> None:
        """Write whole lines, `on_new_line` also behind what has no end of its own.

        Nothing at all ends a line that was broken off. When it is cancelled, what is not written yet goes before what
        is written next: no line is cut.

        Raises:
            ClosedResourceError: Nobody reads any more.
        """
        async with self._lock:
            if self._ended is not None:
                await self._ended.wait()
            data = self._started(data, on_new_line)
            self._left = b"".join((self._left, data)) if self._left else data
            while self._left:
                self._left = await self._writer.write_some(self._left)

    def now(self, data: bytes, *, on_new_line: bool = False) -> Coroutine[Any, Any, None] | None:
        """Write whole lines without waiting; return what must be awaited for the rest."""
        if self._left or self._ended is not None or self._lock.locked():
            return self.write(data, on_new_line=on_new_line)
        self._left = self._writer.write_now(self._started(data, on_new_line))
        return self.write(b"") if self._left else None

    def begin(self) -> bool:
        """Begin a line that is written in parts: all others wait for its end. Say whether it can be, just now."""
        if self._left or self._ended is not None or self._lock.locked():
            return False
        self._ended = anyio.Event()
        return True

    def part(self, data: bytes, *, last: bool) -> Coroutine[Any, Any, None] | None:
        """Write a part of that line without waiting; return what must be awaited for the rest."""
        if left := self._writer.write_now(data):
            return self._part(left, last=last)
        if last:
            self._end()
        return None

    def break_off(self) -> None:
        """Let others write, as the rest of a line that is written in parts never comes: they begin a new one."""
        self._broken = self._broken or self._ended is not None
        self._end()

    def _started(self, data: bytes, on_new_line: bool) -> bytes:
        """Return data behind the newline that it needs. Only who writes next knows what was written last."""
        if self._broken or (data and on_new_line and self._unended):
            data = b"\n" + data
        if data:
            self._broken, self._unended = False, not data.endswith(b"\n")
        return data

    def _end(self) -> None:
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    async def _part(self, data: bytes, *, last: bool) -> None:
        left: Data = data
        try:
            while left:
                left = await self._writer.write_some(left)
        except BaseException:
            self.break_off()
            raise
        if last:
            self._end()
