"""Bytes from and to the other end of a pair of pipes, sockets or files.

Pipes and sockets are read and written as they become ready, without a thread, on asyncio; files, terminals, and all
that Windows has, in worker threads.
"""

import asyncio
import contextlib
import os
from typing import Protocol

import anyio
import anyio.to_thread

_CHUNK = 262_144


class Wire(Protocol):
    """Bytes from and to the client."""

    async def read(self) -> bytes:
        """Return what has come, a piece of any length; nothing once the other end is closed."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises ClosedResourceError: nobody reads any more."""
        ...


class PipeWire:
    """A pair of pipes or sockets; a client that does not read holds up what is written to it, and nothing else."""

    def __init__(self, stdin: int, stdout: int) -> None:
        """Take the descriptors; the second must not block."""
        self._stdin, self._stdout = stdin, stdout
        self._loop: asyncio.AbstractEventLoop | None = None  # while it watches the first
        self._reader: asyncio.Future[bytes] | None = None
        self._unread: bytes | None = None

    async def read(self) -> bytes:
        """See `Wire`."""
        if self._unread is not None:
            data, self._unread = self._unread, None
            return data
        # The loop goes on watching from one read to the next: to begin and to end that costs more than to read.
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._stdin, self._take)
        self._reader = reader = self._loop.create_future()
        try:
            return await reader
        except asyncio.CancelledError:
            if reader.done() and not reader.cancelled():
                self._unread = reader.result()
            raise
        finally:
            self._reader = None

    def close(self) -> None:
        """Stop reading, before the descriptors are closed."""
        if self._loop is not None:
            self._loop.remove_reader(self._stdin)
            self._loop = None

    def _take(self) -> None:
        try:
            data = os.read(self._stdin, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # a socket whose other end was killed, a terminal that is gone
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(data)
            if data:
                return
        else:
            self._unread = data  # nothing more is read before that is
        self.close()

    async def write(self, data: bytes) -> None:
        """See `Wire`."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._stdout, left) :]
            except BlockingIOError:
                await anyio.wait_writable(self._stdout)
            except ConnectionError:
                # Nobody reads any more. The transport takes this for its end; what was asked is in the store.
                raise anyio.ClosedResourceError from None


class FileWire:
    """Files, terminals, and all that Windows has: read and written in threads."""

    def __init__(self, stdin: int, stdout: int) -> None:
        """Take the descriptors."""
        self._stdin, self._stdout = stdin, stdout

    async def read(self) -> bytes:
        """See `Wire`."""
        with contextlib.suppress(OSError):
            return await anyio.to_thread.run_sync(os.read, self._stdin, _CHUNK, abandon_on_cancel=True)
        return b""

    async def write(self, data: bytes) -> None:
        """See `Wire`."""
        left = memoryview(data)
        try:
            while left:
                left = left[await anyio.to_thread.run_sync(os.write, self._stdout, left) :]
        except OSError:
            raise anyio.ClosedResourceError from None

    def close(self) -> None:
        """Do nothing: a thread may still read."""
