"""Bytes from and to the other end of a pair of pipes, sockets or files.

Pipes and sockets are read and written as they become ready, without a thread; files, terminals, and all that Windows
has, in worker threads.
"""

import contextlib
import os
from typing import Protocol

import anyio
import anyio.to_thread

_CHUNK = 65_536


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

    async def read(self) -> bytes:
        """See `Wire`."""
        while True:
            await anyio.wait_readable(self._stdin)
            with contextlib.suppress(BlockingIOError):
                try:
                    return os.read(self._stdin, _CHUNK)
                except ConnectionError:
                    return b""  # a socket whose other end was killed

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
