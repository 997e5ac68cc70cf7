"""MCP on standard input and output without a thread, where these are pipes or sockets, as every host makes them.

The SDK reads and writes them as files, in worker threads: three hops from thread to thread for a message each way, half
a millisecond of each handoff. Everything else of its transport is used as it is.
"""

import contextlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any, cast

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

_CHUNK = 65_536


class StdioServer(MCPServer[Any]):
    """The SDK's server, with standard input and output read and written as they become ready."""

    async def run_stdio_async(self) -> None:
        """Serve one client until it closes its end."""
        with _pipes() as pipes:
            if pipes is None:
                await super().run_stdio_async()
                return
            # All that the transport does with its files is to iterate over lines, to write and to flush.
            stdin, stdout = cast("tuple[anyio.AsyncFile[str], anyio.AsyncFile[str]]", pipes)
            async with stdio_server(stdin, stdout) as (received, sent):
                options = self._lowlevel_server.create_initialization_options()
                await self._lowlevel_server.run(received, sent, options)


class _Lines:
    """What comes in, line by line, until the other end is closed."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def __aiter__(self) -> AsyncIterator[str]:
        unfinished = bytearray()
        while chunk := await self._read():
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                unfinished += line
                # As the SDK has it: what is no UTF-8 may still be JSON.
                text = unfinished.decode("utf-8", "replace")
                unfinished.clear()
                yield text
            unfinished += rest
        if unfinished:
            yield unfinished.decode("utf-8", "replace")

    async def _read(self) -> bytes:
        while True:
            await anyio.wait_readable(self._fd)
            with contextlib.suppress(BlockingIOError):
                try:
                    return os.read(self._fd, _CHUNK)
                except ConnectionError:
                    return b""  # a socket whose other end was killed


class _Out:
    """What goes out; a client that does not read holds up what is written to it, and nothing else."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def write(self, text: str) -> None:
        left = memoryview(text.encode())
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                await anyio.wait_writable(self._fd)
            except ConnectionError:
                # Nobody reads any more. The transport takes this for its end; what was asked is in the store.
                raise anyio.ClosedResourceError from None

    async def flush(self) -> None:
        """Nothing is held back."""


@contextmanager
def _pipes() -> Generator[tuple[_Lines, _Out] | None]:
    """Give the wire, while descriptors 0 and 1 lead nowhere and to the log; None where it is no pair of pipes.

    So what a library prints, or a child reads, does not reach the client or take what it sent.
    """
    if sys.platform == "win32" or not (_is_pipe(0) and _is_pipe(1)) or _same(1, 2):
        yield None  # a terminal, a file; or what is written to the log must not find the descriptor not ready
        return
    import fcntl

    stdin, stdout = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (0, 1))
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    blocking = os.get_blocking(stdout)
    try:
        os.dup2(nowhere, 0)
        try:
            os.dup2(2, 1)
        except OSError:  # the host gave us no standard error
            os.dup2(nowhere, 1)
        os.set_blocking(stdout, False)
        yield _Lines(stdin), _Out(stdout)
    finally:
        if sys.stdout is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()  # what was printed and held back goes to the log, too
        os.set_blocking(stdout, blocking)
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        for fd in (stdin, stdout, nowhere):
            os.close(fd)


def _is_pipe(fd: int) -> bool:
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _same(fd: int, other: int) -> bool:
    try:
        one, two = os.fstat(fd), os.fstat(other)
    except OSError:
        return False
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)
