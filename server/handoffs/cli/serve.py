"""`handoffs serve`: the MCP server on stdio or HTTP. Imported without the rest of the command line, to start fast."""

import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from handoffs.assembly import current_user, notifying, open_desk, seal_keys
from handoffs.cli.binding import CannotServe, bound, in_url, is_loopback
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.core.ports import Channel
from handoffs.mcp_server.calls import Inbox
from handoffs.mcp_server.server import build_server
from handoffs.settings import Settings, data_folder

DRAIN_SECONDS = 2
"""How long HTTP calls that are waiting get to end when the server is stopped."""


def serve_stdio(settings: Settings) -> None:
    """Serve one client on standard input and output until it closes them."""
    # Ctrl-C ends the process like SIGTERM does: what reads standard input can't be interrupted, so an exception would
    # wait for a line that nobody sends. Nothing is lost, what matters is in the store.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stdin is not None and sys.stdin.isatty():
        print("Handoffs speaks MCP here, for the host that starts it. Ctrl-C stops it.", file=sys.stderr)  # noqa: T201
    anyio.run(_serve_stdio, settings)


def serve_http(settings: Settings, address: str) -> None:
    """Serve any number of clients on `HOST:PORT` until a signal; port 0 takes a free one, and says which.

    Raises:
        CannotServe: The address is none, is taken, or can be reached from other machines.
    """
    host, port = _parsed(address)
    with bound(host, port) as listener:
        anyio.run(_serve_http, settings, listener, host)


async def _serve_stdio(settings: Settings) -> None:
    # On stdio the terminal belongs to the host: only a person who says so lends it to us.
    async with _desk(settings, terminal=settings.terminal == "on", device=True) as desk:
        await _server(settings, desk).run_stdio_async()


async def _serve_http(settings: Settings, listener: socket.socket, host: str) -> None:
    import uvicorn  # not for stdio

    at_console = settings.terminal != "off" and sys.stdin.isatty() and sys.stderr.isatty()
    async with _desk(settings, terminal=at_console, device=False) as desk:
        name = in_url(host)
        port = listener.getsockname()[1]
        app = _server(settings, desk).streamable_http_app(transport_security=_same_machine(name, port))
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=DRAIN_SECONDS)
        print(f"Handoffs serves MCP at http://{name}:{port}/mcp (Ctrl-C stops it).", file=sys.stderr, flush=True)  # noqa: T201
        await uvicorn.Server(config).serve(sockets=[listener])


def _same_machine(name: str, port: int) -> TransportSecuritySettings:
    """Only names of this machine, against DNS rebinding; and no page but our own: browsers have no business here.

    Any port in the Host, since a tunnel may end on another.
    """
    return TransportSecuritySettings(
        allowed_hosts=[f"{host}:*" for host in {name, "127.0.0.1", "localhost", "[::1]"}],
        allowed_origins=[f"http://{host}:{port}" for host in {name, "localhost"}],
    )


def _server(settings: Settings, desk: Desk) -> MCPServer:
    return build_server(
        desk,
        subject=current_user(),
        project=str(Path.cwd()),
        keys=seal_keys(settings),
        state_seconds=settings.max_timeout_seconds,
        hold_seconds=settings.hold_seconds,
        inbox=None if settings.inbox == "off" else _InboxWhenNeeded(settings.store),
    )


class _InboxWhenNeeded:
    """The inbox of a store. What starts it is imported when somebody must be reached, which most servers never do."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._inbox: Inbox | None = None

    async def invite(self, handoff: Handoff) -> str | None:
        if self._inbox is None:
            from handoffs.channels.inbox import BackgroundInbox

            self._inbox = BackgroundInbox(store=self._store, data=data_folder())
        return await self._inbox.invite(handoff)


@asynccontextmanager
async def _desk(settings: Settings, *, terminal: bool, device: bool) -> AsyncGenerator[Desk]:
    """The desk, asking on the terminal if it may (the console, or the controlling device itself), and notifying."""
    async with AsyncExitStack() as stack:
        channels = [await _terminal_channel(stack, device=device)] if terminal else []
        desk = await stack.enter_async_context(open_desk(settings, channels=channels))
        await stack.enter_async_context(notifying(settings, desk, partial(_page, settings)))
        yield desk


async def _terminal_channel(stack: AsyncExitStack, *, device: bool) -> Channel:
    # Only who asks on a terminal pays for importing it.
    from handoffs.channels.terminal import TerminalChannel
    from handoffs.terminal import NoTerminal, open_terminal, prints_above

    if not device:
        stack.enter_context(prints_above())  # the log of the server, too
    try:
        screen = await stack.enter_async_context(open_terminal(device=device, output=sys.stderr))
    except NoTerminal as error:
        raise CannotServe(str(error)) from None
    return TerminalChannel(screen, by=current_user())


def _page(settings: Settings, handoff_id: str) -> str | None:
    """The page of a handoff, where an inbox runs; it signs nobody in."""
    from handoffs.channels.running import Place  # only where somebody is told

    running = Place(store=settings.store, data=data_folder()).running()
    return running.address(handoff_id) if running is not None else None


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or int(port) > 65_535:
        raise CannotServe(f"{address!r} is no address: write HOST:PORT, such as 127.0.0.1:8765.")
    if not is_loopback(host):
        raise CannotServe(
            f"{host} can be reached from other machines, and nothing asks them who they are yet: use 127.0.0.1, "
            "and put a proxy that authenticates in front of it for others."
        )
    return ("127.0.0.1" if host == "localhost" else host), int(port)
