"""A server on HTTP as a process: starts without its store, tells whether it is ready, and drains before it stops.

On a signal the server reports that it is not ready, has what waits answered, and closes when that has returned. What is
served is opened once callers can be authenticated.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TypeAlias

import anyio
import uvicorn
from starlette.types import ASGIApp

from handoffs.access.local import LocalToken
from handoffs.assembly import open_desk
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreCorrupt, StoreError, StoreTooNew
from handoffs.core.retry import growing_pauses
from handoffs.serving.admission import checked, local_token
from handoffs.serving.binding import in_url
from handoffs.serving.connections import bounded, raise_file_limit
from handoffs.serving.health import ASGI, Probes, Readiness
from handoffs.serving.startup import StartupGate
from handoffs.settings import Settings, data_folder

DRAIN_SECONDS = 2
"""How long calls get to return when the server is stopped."""

CLOSE_SECONDS = 1
"""How long open streams get to end after that."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts to use a store that is not available yet."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What is served."""

    app: ASGIApp
    desk: Desk
    """Tells whether the store can be used."""


Open: TypeAlias = Callable[[AsyncExitStack, str, LocalToken | None], Awaitable[Opened]]
"""Opens what is served at an address, such as `http://127.0.0.1:8765`, in a stack; with the local user's token."""

Announce: TypeAlias = Callable[[LocalToken | None, str], str]
"""Returns what is said at the start, for the server at an address. Raises CannotServe."""


async def serve_until_signalled(
    settings: Settings,
    listener: socket.socket,
    host: str,
    *,
    announce: Announce,
    open: Open,  # noqa: A002 - what it does
    drain: Callable[[], Awaitable[None] | None],
    checked_before: bool = False,
) -> None:
    """Serve any number of clients on a socket that listens, until SIGTERM or Ctrl-C; then `drain` has them answered.

    The admission at `host` is checked first, unless `checked_before`.

    Raises:
        CannotServe: The server can't be started like this.
        StoreError: The store has a newer layout, or is damaged: waiting would not help.
        KeyboardInterrupt: It was Ctrl-C.
    """
    connections = bounded(raise_file_limit())
    local = local_token(settings, host, data_folder())
    base = f"http://{in_url(host)}:{listener.getsockname()[1]}"
    asked = announce(local, base)
    gate, readiness = StartupGate(), Readiness()
    config = uvicorn.Config(
        Probes(gate, readiness.problem),
        log_config=None,
        lifespan="off",
        interface=ASGI,
        ws="none",  # else it imports whatever is installed for them
        timeout_graceful_shutdown=CLOSE_SECONDS,
        **connections,
    )
    server = _Server(config)
    over = anyio.Event()

    async def serve() -> None:
        try:
            await server.serve(sockets=[listener])
        finally:
            over.set()

    async def stop_gently() -> None:
        await server.signalled.wait()
        readiness.draining = True
        with anyio.move_on_after(DRAIN_SECONDS):
            if (draining := drain()) is not None:
                await draining
            await gate.quiet()
        server.end()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        tasks.start_soon(stop_gently)
        _say(asked)
        async with AsyncExitStack() as stack:
            if await _can_authenticate(settings, gate, server.signalled, local=local is not None):
                if not checked_before:
                    await checked(settings, host)
                found = await open(stack, base, local)
                gate.open(found.app)
                readiness.desk = found.desk
                watching = await stack.enter_async_context(anyio.create_task_group())
                stack.callback(watching.cancel_scope.cancel)
                watching.start_soon(_log_until_ready, readiness)
            await over.wait()
        tasks.cancel_scope.cancel()
    if server.interrupted:
        raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


async def _can_authenticate(settings: Settings, gate: StartupGate, stopped: anyio.Event, *, local: bool) -> bool:
    """Wait until callers can be authenticated: at once without the store, else when it is up. False when `stopped`.

    Remote callers need a token of the store, so nothing is served to them before the store can be read.
    """
    if local or settings.oauth_issuer is not None or settings.tokens != "auto":
        return True
    there = False
    async with open_desk(settings) as desk, anyio.create_task_group() as tasks:

        async def leave() -> None:
            await stopped.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(leave)
        await _until_store_available(desk, gate)
        there = True
        tasks.cancel_scope.cancel()
    return there


async def _until_store_available(desk: Desk, gate: StartupGate) -> None:
    for pause in growing_pauses(FIRST_PAUSE, LONGEST_PAUSE):
        try:
            await desk.newest(open_only=True, limit=1)
        except (StoreTooNew, StoreCorrupt):
            raise
        except StoreError as wrong:
            if gate.waits:
                _say(f"{wrong} Trying again until it can be used.")
            gate.waits = False
        else:
            return
        await anyio.sleep(pause)


async def _log_until_ready(readiness: Readiness) -> None:
    """Log the store's problem, and when it is available, also without probes."""
    for pause in growing_pauses(FIRST_PAUSE, LONGEST_PAUSE):
        if await readiness.problem() is None:
            return
        await anyio.sleep(pause)


class _Server(uvicorn.Server):
    """Reports a signal, and serves until `end`; uvicorn's own handler would cut every stream at once.

    A second signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.signalled = anyio.Event()
        self.interrupted = False
        """Whether Ctrl-C ended it."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()

        def caught(number: int, frame: FrameType | None) -> None:
            self.interrupted = number == signal.SIGINT
            if self.signalled.is_set():
                self.handle_exit(number, frame)
            loop.call_soon_threadsafe(self.signalled.set)

        before = {number: signal.signal(number, caught) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def end(self) -> None:
        self.handle_exit(signal.SIGTERM, None)  # sse-starlette listens for this, and ends its endless streams
