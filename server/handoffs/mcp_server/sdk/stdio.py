"""MCP on standard input and output, behind the front of the pipe (`front`).

Pipes and sockets, as every host makes them, are read and written when they are ready, without threads. The SDK reads
and writes them as files in worker threads: three thread hops for a message each way, half a millisecond of each
handoff. The rest of its transport is used unchanged.
"""

import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

from handoffs.first_stage.front import Begin, Front, Pass, Reply, Step
from handoffs.first_stage.pipe import FirstStage, is_pipe
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.sdk.middleware import Stage
from handoffs.mcp_server.sdk.unread import unread
from handoffs.wire import ByteStream, FileWire, PipeWire, Wire

if TYPE_CHECKING:
    from handoffs.mcp_server.sdk.first_answers import FirstAnswers  # not for HTTP

logger = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
"""How long an older session waits for the answers to the probes before it; they take a few milliseconds."""

SHARED = (
    "A second client has sent `initialize` on this pipe, so a gateway connects several to one server: from now on no "
    "dialog is shown and no questions are joined, as nothing tells whose agent asks. Give each client a server of its "
    "own, or serve them over HTTP with a token for each person."
)


class StdioServer(MCPServer[Any]):
    """The SDK's server behind one front on standard input and output; it reports written messages to `deliveries`."""

    deliveries: Deliveries | None = None
    """Records delivered outcomes; None when the server has none."""

    stages: Sequence[Stage] = ()
    """The middlewares that a request passes, outermost first."""

    first_stage: FirstStage | None = None
    """The first stage, which read the pipe, answered, and has stopped; None if there was none."""

    first_answers: "FirstAnswers | None" = None
    """Compares the first stage's answers, and saves them for later starts; None when none are saved."""

    @cached_property
    def front(self) -> Front:
        """The front, which reads the messages of the pipe."""
        return Front()

    async def run_stdio_async(self) -> None:
        """Serve one client until it closes its end; it may fall back to an older session after probing."""
        if self.deliveries is not None:
            self.deliveries.use_pipe()
        with _wire() as wire:
            await self.serve(wire)

    async def serve(self, wire: ByteStream) -> None:
        """Serve one client on a wire."""
        sessions = _Sessions(self.front, wire, self.deliveries, self.first_stage, self.first_answers)
        try:
            async with anyio.create_task_group() as tasks:
                if self.first_answers is not None:
                    tasks.start_soon(self.first_answers.keep)
                tasks.start_soon(sessions.catch_up)
                while sessions.begin():
                    # All that the transport does with its files is to iterate over lines, to write and to flush.
                    files = cast("tuple[anyio.AsyncFile[str], anyio.AsyncFile[str]]", (sessions, sessions))
                    async with stdio_server(*files) as (received, sent):
                        options = self._lowlevel_server.create_initialization_options()
                        await self._lowlevel_server.run(received, sent, options)
                await sessions.catch_up()
                tasks.cancel_scope.cancel()
        finally:
            if self.deliveries is not None:
                await self.deliveries.finish()


class _Sessions:
    """The sessions on one pipe, one after the other, as the files that the SDK's transport reads and writes."""

    def __init__(
        self,
        front: Front,
        wire: ByteStream,
        deliveries: Deliveries | None,
        before: FirstStage | None = None,
        first_answers: "FirstAnswers | None" = None,
    ) -> None:
        self._front, self._wire, self._deliveries, self._first_answers = front, wire, deliveries, first_answers
        self._steps: Iterator[Step] = iter(())
        self._ended = False
        self._unwritten = b""
        if before is not None:
            self._ended, self._unwritten = before.ended, bytes(before.unwritten)
            self._steps = chain(before.answering.steps, front.end() if before.ended else ())
        self._shared = False  # whether the warning was logged
        self._more = True  # whether there is a session to serve
        self._first: str | None = None
        self._probes = 0  # how many probes are not answered yet
        self._answered = anyio.Event()
        self._writing = anyio.Lock(fast_acquire=True)

    def begin(self) -> bool:
        """Say whether there is a session to serve, and begin it."""
        more, self._more = self._more, False
        return more

    async def __aiter__(self) -> AsyncIterator[str]:
        if self._first is not None:
            first, self._first = self._first, None
            self._ask(first)
            yield first
        while (step := await self._next()) is not None:
            if isinstance(step, Begin):
                self._first, self._more = step.text, True
                with anyio.move_on_after(PROBE_SECONDS):
                    while self._probes > 0:
                        self._answered = anyio.Event()
                        await self._answered.wait()
                return
            self._probes += step.probes
            self._ask(step.text)
            yield step.text

    def _ask(self, text: str) -> None:
        if self._first_answers is not None:
            self._first_answers.asked(text)

    async def write(self, text: str) -> None:
        if self._first_answers is None or self._first_answers.replied(text):
            await self._say(text.removesuffix("\n"))
        if self._probes:
            self._probes -= 1
            self._answered.set()
        if self._deliveries is not None:
            self._deliveries.sent(text)

    async def _say(self, text: str) -> None:
        async with self._writing:
            before, self._unwritten = self._unwritten, b""
            await self._wire.write(before + self._front.wrap(text))

    async def catch_up(self) -> None:
        """Write what the first stage could not write, before any other message."""
        async with self._writing:
            before, self._unwritten = self._unwritten, b""
            if before:
                with contextlib.suppress(anyio.ClosedResourceError):  # the transport finds that out, too
                    await self._wire.write(before)

    async def flush(self) -> None:
        """Do nothing: writes are not buffered."""

    async def _next(self) -> Pass | Begin | None:
        """Return the next message for the server, after writing the front's own replies."""
        while True:
            for step in self._steps:
                if self._front.shared and not self._shared:
                    self._shared = True
                    logger.warning(SHARED)
                said = step.text if isinstance(step, Reply) else unread(step.text)
                if said is None:
                    return cast("Pass | Begin", step)
                await self._say(said)
            if self._ended:
                return None
            chunk = await self._wire.read()
            self._ended = not chunk
            self._steps = self._front.take(chunk) if chunk else self._front.end()


@contextmanager
def _wire() -> Generator[Wire]:
    """Yield the wire, while descriptor 0 is empty and descriptor 1 leads to the log.

    So a library that prints, or a child process that reads, does not disturb the client's messages.
    """
    stdin, stdout = _private(0), _private(1)
    nowhere = os.open(os.devnull, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    # A write to the log must not hit a non-blocking descriptor.
    ready = sys.platform != "win32" and is_pipe(0) and is_pipe(1) and not _same(1, 2)
    blocking = os.get_blocking(stdout) if ready else True
    try:
        _divert(nowhere, 0)
        try:
            _divert(2, 1)
        except OSError:  # the host gave the process no standard error
            _divert(nowhere, 1)
        if ready:
            os.set_blocking(stdout, False)
        yield PipeWire(stdin, stdout) if ready else FileWire(stdin, stdout)
    finally:
        if sys.stdout is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()  # buffered prints go to the log, too
        if ready:
            os.set_blocking(stdout, blocking)
        _divert(stdin, 0)
        _divert(stdout, 1)
        # A thread may still read the input: its descriptor number must not be reused.
        for fd in (*((stdin,) if ready else ()), stdout, nowhere):
            os.close(fd)


def _private(fd: int) -> int:
    """Return another descriptor of the same file, above the standard ones."""
    if sys.platform == "win32":
        return os.dup(fd)
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def _divert(to: int, fd: int) -> None:
    os.dup2(to, fd)
    if sys.platform == "win32":
        from mcp.os.win32.utilities import rebind_std_handle_to_fd

        with contextlib.suppress(OSError):
            rebind_std_handle_to_fd(fd)


def _same(fd: int, other: int) -> bool:
    try:
        one, two = os.fstat(fd), os.fstat(other)
    except OSError:
        return False
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)
