"""Readers of lines from a pipe, a file or a terminal, which block neither the loop nor cancellation nor exit.

They read no further than the end of each line: the rest is for the next reader.
"""

import asyncio
import os
import select
import stat
import threading
from concurrent.futures import Future
from typing import ClassVar

import anyio
import anyio.lowlevel

from handoffs.core.form import MAX_TEXT

LONGEST = 4 * MAX_TEXT + 16
"""The most bytes of a line that can be a valid answer. Further bytes are read and dropped."""

_PAUSE = 4096  # bytes of a file between two checkpoints of the loop


class Watched:
    """Reads lines from a descriptor that can be polled, or that never blocks. POSIX."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._begun = bytearray()

    def drop_begun(self) -> None:
        """Drop the part of a line that was read before a cancellation."""
        self._begun.clear()

    async def next(self) -> bytes | None:
        """Return the next line without its end; None at the end of the input."""
        try:
            while True:
                await self._readable()
                byte = os.read(self.fd, 1)
                if byte in {b"", b"\n"}:
                    line = bytes(self._begun)
                    self._begun.clear()
                    return line if byte or line else None
                if len(self._begun) <= LONGEST:
                    self._begun += byte
        except OSError:
            return None  # closed, or hung up

    async def _readable(self) -> None:
        if len(self._begun) % _PAUSE == 0:
            await anyio.lowlevel.checkpoint()
        mode = os.fstat(self.fd).st_mode
        # A file never blocks, and can't be watched.
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(self.fd)):
            return
        if not select.select([self.fd], [], [], 0)[0]:
            await anyio.wait_readable(self.fd)


class Threaded:
    """Reads lines from a descriptor that can't be polled (Windows), in a daemon thread."""

    # Shared by the process: an abandoned thread still takes the next line, which the next call here then returns.
    _pending: ClassVar[dict[int, "Future[bytes | None]"]] = {}

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def drop_begun(self) -> None:
        """Do nothing: the thread has the partial line."""

    async def next(self) -> bytes | None:
        """Return the next line without its end; None at the end of the input."""
        pending = self._pending.get(self.fd)
        if pending is None:
            pending = self._pending[self.fd] = Future()
            threading.Thread(target=self._read, args=(pending,), daemon=True, name="handoffs lines").start()
        line = await asyncio.shield(asyncio.wrap_future(pending))
        del self._pending[self.fd]
        return line

    def _read(self, pending: "Future[bytes | None]") -> None:
        line = bytearray()
        try:
            while (byte := os.read(self.fd, 1)) not in {b"", b"\n"}:
                if len(line) <= LONGEST:
                    line += byte
            pending.set_result(bytes(line) if byte or line else None)
        except OSError:
            pending.set_result(None)
