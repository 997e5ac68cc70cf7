"""Bytes from and to the other end of a pair of pipes, sockets or files.

Pipes and sockets are read and written as they become ready, without a thread, on asyncio; files, terminals, and all
that Windows has, in worker threads.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

import anyio
import anyio.to_thread

_CHUNK = 262_144

Data: TypeAlias = bytes | memoryview
"""What is left of a long line is a view of it: it is not copied for each part."""

Sink: TypeAlias = Callable[[bytes], Coroutine[Any, Any, None] | None]
"""Takes what has come; what it returns is awaited before more is read."""


class ByteStream(Protocol):
    """Bytes from and to the client."""

    async def read(self) -> bytes:
        """Return what has come, a piece of any length; nothing once the other end is closed."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all of it. Raises ClosedResourceError: nobody reads any more."""
        ...


class Wire(ByteStream, Protocol):
    """A stream that is read without a task of its own, and written without waiting where that is possible."""

    async def feed(self, sink: Sink) -> None:
        """Give what comes to the sink, until the other end is closed."""
        ...

    def write_now(self, data: bytes) -> bytes:
        """Write what can be written without waiting; return the rest."""
        ...

    async def write_some(self, data: Data) -> Data:
        """Write a part once that is possible, and return the rest. When it is cancelled, nothing was written.

        Raises ClosedResourceError: nobody reads any more.
        """
        ...


class PipeWire:
    """A pair of pipes or sockets; a client that does not read holds up what is written to it, and nothing else."""

    def __init__(self, stdin: int, stdout: int) -> None:
        """Take the descriptors; the second must not block."""
        self._stdin, self._stdout = stdin, stdout
        self._waiter: asyncio.Future[Coroutine[Any, Any, None] | None] | None = None

    @property
    def idle(self) -> bool:
        """Whether `feed` waits for bytes: nothing is lost when it is cancelled."""
        return self._waiter is not None and not self._waiter.done()

    async def read(self) -> bytes:
        """See `Wire`."""
        while True:
            await anyio.wait_readable(self._stdin)
            with contextlib.suppress(BlockingIOError):
                try:
                    return os.read(self._stdin, _CHUNK)
                except OSError:
                    return b""  # a socket whose other end was killed, a terminal that is gone

    async def feed(self, sink: Sink) -> None:
        """See `Wire`."""
        # The sink is called by the loop itself: to wake a task for each chunk takes longer than to relay it.
        loop = asyncio.get_running_loop()
        while True:
            self._waiter = waiter = loop.create_future()
            loop.add_reader(self._stdin, self._take, sink, waiter)
            try:
                rest = await waiter
            finally:
                loop.remove_reader(self._stdin)
            if rest is None:
                return
            await rest

    def _take(self, sink: Sink, waiter: "asyncio.Future[Coroutine[Any, Any, None] | None]") -> None:
        if waiter.done():
            return
        try:
            data = os.read(self._stdin, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            rest = sink(data) if data else None
        except Exception as error:  # noqa: BLE001 - it is the task's
            waiter.set_exception(error)
            return
        if rest is not None or not data:
            waiter.set_result(rest)
            asyncio.get_running_loop().remove_reader(self._stdin)

    def write_now(self, data: bytes) -> bytes:
        """See `Wire`."""
        try:
            written = os.write(self._stdout, data)
        except (BlockingIOError, ConnectionError):
            return data
        return data[written:]

    async def write(self, data: bytes) -> None:
        """See `Wire`."""
        left = memoryview(data)
        while left:
            left = left[await self._write_some(left) :]

    async def write_some(self, data: Data) -> Data:
        """See `Wire`."""
        return memoryview(data)[await self._write_some(data) :]

    async def _write_some(self, data: Data) -> int:
        while True:
            try:
                return os.write(self._stdout, data)
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
        self.idle = False
        """See `PipeWire`."""

    async def read(self) -> bytes:
        """See `Wire`."""
        with contextlib.suppress(OSError):
            return await anyio.to_thread.run_sync(os.read, self._stdin, _CHUNK, abandon_on_cancel=True)
        return b""

    async def feed(self, sink: Sink) -> None:
        """See `Wire`."""
        while True:
            self.idle = True
            chunk = await self.read()
            self.idle = False
            if not chunk:
                return
            if (rest := sink(chunk)) is not None:
                await rest

    def write_now(self, data: bytes) -> bytes:
        """See `Wire`."""
        return data

    async def write(self, data: bytes) -> None:
        """See `Wire`."""
        left = memoryview(data)
        while left:
            left = left[await self._write_some(left) :]

    async def write_some(self, data: Data) -> Data:
        """See `Wire`. Once the thread writes, it is not cancelled."""
        return memoryview(data)[await self._write_some(data) :]

    async def _write_some(self, data: Data) -> int:
        try:
            return await anyio.to_thread.run_sync(os.write, self._stdout, data)
        except OSError:
            raise anyio.ClosedResourceError from None
