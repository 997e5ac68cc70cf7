"""`handoffs serve --http`: starts without its store, tells whether it is ready, and drains calls before it stops.

Imported only for that command. On a signal the server reports that it is not ready, ends the waiting calls with
PENDING, and closes when they have returned. Their questions are in the store, for the next server process.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from types import FrameType

import anyio
import uvicorn

from handoffs.access.challenges import Challenges
from handoffs.access.local import LocalToken
from handoffs.assembly import open_desk, store_at
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreCorrupt, StoreError, StoreTooNew
from handoffs.core.retry import growing_pauses
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.token_expiry import TokenExpiry
from handoffs.serving.admission import admitted, announcement, checked, local_token, reachable_as, way_in
from handoffs.serving.binding import bound, in_url, parsed
from handoffs.serving.connections import bounded, raise_file_limit
from handoffs.serving.desk import serving_desk
from handoffs.serving.health import Probes, Readiness
from handoffs.serving.mcp import build
from handoffs.serving.stack import mcp_app
from handoffs.serving.startup import StartupGate
from handoffs.settings import Settings, data_folder

DRAIN_SECONDS = 2
"""How long calls get to return when the server is stopped."""

CLOSE_SECONDS = 1
"""How long open streams get to end after that."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts to use a store that is not available yet."""


def serve_http(settings: Settings, address: str) -> None:
    """Serve any number of clients on `HOST:PORT` until a signal; port 0 takes a free one, and says which.

    Raises:
        CannotServe: The address is invalid or taken, or callers on other machines would not be authenticated.
        StoreError: The store has a newer layout, or is damaged: waiting would not help.
    """
    host, port = parsed(address)
    known = False
    with suppress(StoreError):  # a store that comes up later is checked then
        anyio.run(checked, settings, host)
        known = True
    with bound(host, port) as listener:
        anyio.run(partial(serve_until_signalled, settings, listener, host, checked_before=known))


async def serve_until_signalled(
    settings: Settings, listener: socket.socket, host: str, *, checked_before: bool = False
) -> None:
    """Serve any number of clients on a socket that listens, until SIGTERM or Ctrl-C.

    The admission at `host` is checked first, unless `checked_before`.

    Raises:
        CannotServe: The server can't be started like this.
        StoreError: The store has a newer layout, or is damaged: waiting would not help.
        KeyboardInterrupt: It was Ctrl-C.
    """
    connections = bounded(raise_file_limit())
    local = local_token(settings, host, data_folder())
    base = f"http://{in_url(host)}:{listener.getsockname()[1]}"
    asked = announcement(settings, local, f"{base}/mcp")
    gate, readiness, draining = StartupGate(), Readiness(), Shutdown()
    config = uvicorn.Config(
        Probes(gate, readiness.problem),
        log_config=None,
        lifespan="off",
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
        draining.begin()
        with anyio.move_on_after(DRAIN_SECONDS):
            await gate.quiet()
        server.end()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        tasks.start_soon(stop_gently)
        _say(f"Handoffs serves MCP at {base}/mcp (Ctrl-C stops it).\n{asked}")
        async with AsyncExitStack() as stack:
            if await _can_authenticate(settings, gate, server.signalled, local=local is not None):
                if not checked_before:
                    await checked(settings, host)
                await _open(stack, settings, gate, readiness, draining, base, local)
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


async def _open(
    stack: AsyncExitStack,
    settings: Settings,
    gate: StartupGate,
    readiness: Readiness,
    draining: Shutdown,
    base: str,
    local: LocalToken | None,
) -> None:
    """Build the server in the stack, and open the gate for calls."""
    at_console = settings.terminal != "off" and sys.stdin.isatty() and sys.stderr.isatty()
    clock = SystemClock()
    store = await stack.enter_async_context(store_at(settings.store, clock))
    admission = admitted(settings, store.tokens, base=settings.url or base, local=local)
    desk = await stack.enter_async_context(
        serving_desk(settings, terminal=at_console, device=False, store=store, clock=clock)
    )
    expiry = None if admission is None else TokenExpiry(admission.verifier, desk.clock)
    server = build(settings, desk, admission, expiry=expiry, draining=draining)
    if server.deliveries is not None:
        stack.push_async_callback(server.deliveries.finish)
    name, _, port = base.removeprefix("http://").rpartition(":")
    challenges = partial(Challenges, scopes=settings.oauth_scopes, way_in=way_in(settings, local))
    app, sessions, _ = mcp_app(
        server,
        security=reachable_as(name, int(port), settings.url),
        challenges=None if admission is None else challenges,
        expiry=expiry,
    )
    await stack.enter_async_context(server.session_manager.run())
    tasks = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(tasks.cancel_scope.cancel)
    if sessions is not None:
        tasks.start_soon(sessions.sweep)
    if expiry is not None:
        tasks.start_soon(expiry.watch)
    gate.open(app)
    readiness.desk = desk
    tasks.start_soon(_log_until_ready, readiness)


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
