"""`handoffs serve`: the MCP server on stdio or HTTP. Imported without the rest of the command line, to start fast."""

import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from handoffs.assembly import current_user, open_desk, seal_keys
from handoffs.cli.ending import UsageError
from handoffs.core.desk import Desk
from handoffs.mcp_server.server import build_server
from handoffs.settings import Settings

DRAIN_SECONDS = 2
"""How long HTTP calls that are waiting get to end when the server is stopped."""


class CannotServe(UsageError):
    """The server can't be started like this; the message is for the person who tried."""


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
    with _bound(host, port) as listener:
        anyio.run(_serve_http, settings, listener, host)


async def _serve_stdio(settings: Settings) -> None:
    # On stdio the terminal belongs to the host: only a person who says so lends it to us.
    async with _desk(settings, terminal=settings.terminal == "on", device=True) as desk:
        await _server(settings, desk).run_stdio_async()


async def _serve_http(settings: Settings, listener: socket.socket, host: str) -> None:
    import uvicorn  # not for stdio

    at_console = settings.terminal != "off" and sys.stdin.isatty() and sys.stderr.isatty()
    async with _desk(settings, terminal=at_console, device=False) as desk:
        name = f"[{host}]" if ":" in host else host
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
    )


@asynccontextmanager
async def _desk(settings: Settings, *, terminal: bool, device: bool) -> AsyncGenerator[Desk]:
    """The desk, showing its questions on the terminal if it may: the console, or the controlling device itself."""
    if not terminal:
        async with open_desk(settings) as desk:
            yield desk
        return
    # Only who asks on a terminal pays for importing it.
    from handoffs.channels.terminal import TerminalChannel
    from handoffs.terminal import NoTerminal, open_terminal, prints_above

    async with AsyncExitStack() as stack:
        if not device:
            stack.enter_context(prints_above())  # the log of the server, too
        try:
            screen = await stack.enter_async_context(open_terminal(device=device, output=sys.stderr))
        except NoTerminal as error:
            raise CannotServe(str(error)) from None
        channel = TerminalChannel(screen, by=current_user())
        yield await stack.enter_async_context(open_desk(settings, channels=[channel]))


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or int(port) > 65_535:
        raise CannotServe(f"{address!r} is no address: write HOST:PORT, such as 127.0.0.1:8765.")
    if host != "localhost" and not _is_loopback(host):
        raise CannotServe(
            f"{host} can be reached from other machines, and nothing asks them who they are yet: use 127.0.0.1, "
            "and put a proxy that authenticates in front of it for others."
        )
    return ("127.0.0.1" if host == "localhost" else host), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name != "nt":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # from here on a client can call; it is answered once the server is up
    except OSError as error:
        listener.close()
        raise CannotServe(f"{host}:{port} can't be used: {error.strerror or error}.") from None
    return listener
