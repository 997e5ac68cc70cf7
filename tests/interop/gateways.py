"""Other people's gateways, each in front of a server of ours, as their own instructions start them."""

import json
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Implementation

from tests.acceptance.processes import HANDOFFS, Home, HttpServer
from tests.waiting import until

PACKAGES = Path(__file__).parent / "node_modules"
SUPERGATEWAY = PACKAGES / "supergateway" / "dist" / "index.js"
MCP_REMOTE = PACKAGES / "mcp-remote" / "dist" / "proxy.js"

NEEDS = {
    "mcp-proxy": "mcp1",
    "FastMCP": "fastmcp",
    "supergateway": "node",
    "supergateway, stateful": "node",
    "mcp-remote": "node",
}
"""Each gateway, and the fixture that says where the program is which runs it."""

PATIENCE = 60
"""Seconds for what takes one or two on a machine that does nothing else."""


@dataclass
class Gateway:
    """A gateway that is ready, with what its clients connect to."""

    home: Home
    log: Path
    """What the gateway has said, and with it what a server on its pipe has."""
    connect: Callable[[], AbstractAsyncContextManager[Any]]
    server: HttpServer | None = None
    """The server behind it, where that is reached without it, too."""

    @asynccontextmanager
    async def client(self, *, name: str = "mcp", era: str = "legacy", dialog: Any = None) -> AsyncGenerator[Client]:
        """A client of the gateway: with the name that most programs have."""
        info = Implementation(name=name, version="1")
        with anyio.fail_after(2 * PATIENCE):
            async with Client(self.connect(), mode=era, elicitation_callback=dialog, client_info=info) as client:
                yield client


@asynccontextmanager
async def gateway_of(name: str, program: str, home: Home) -> AsyncGenerator[Gateway]:
    """Start one of `NEEDS` with the program that it needs, and end it, with all that it has started."""
    log = home.folder / "gateway.txt"
    if name == "mcp-remote":
        async with home.http() as server:
            args = [str(MCP_REMOTE), server.url, "--header", f"Authorization: Bearer {server.token}"]
            params = StdioServerParameters(command=program, args=args, env=home.env, cwd=home.folder)
            with log.open("a") as said:
                yield Gateway(home, log, lambda: stdio_client(params, errlog=said), server)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with _running(_command(name, program, home, port), home, log, port):
        url = f"http://127.0.0.1:{port}/"
        yield Gateway(
            home,
            log,
            (lambda: sse_client(f"{url}sse"))
            if name == "supergateway"
            else lambda: streamable_http_client(f"{url}mcp"),
        )


def _command(name: str, program: str, home: Home, port: int) -> list[str]:
    serve = [*HANDOFFS, "serve"]
    match name:
        case "mcp-proxy":
            beside = Path(program).with_name("mcp-proxy")
            return [str(beside), "--pass-environment", "--port", str(port), "--", *serve]
        case "FastMCP":
            config = home.folder / "gateway.json"
            one = {"command": serve[0], "args": serve[1:], "env": home.env, "cwd": str(home.folder)}
            config.write_text(json.dumps({"mcpServers": {"handoffs": one}}))
            options = ["--transport", "http", "--port", str(port), "--no-banner"]
            return [str(Path(program).with_name("fastmcp")), "run", str(config), *options]
        case _:
            options = ["--outputTransport", "streamableHttp", "--stateful"] if name.endswith("stateful") else []
            return [program, str(SUPERGATEWAY), "--stdio", shlex.join(serve), "--port", str(port), *options]


@asynccontextmanager
async def _running(command: list[str], home: Home, log: Path, port: int) -> AsyncGenerator[None]:
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=home.env, cwd=home.folder,
            start_new_session=True,
        )  # fmt: skip
    try:

        async def accepts_or_ended() -> bool:
            return process.poll() is not None or await _accepts(port)

        await until(accepts_or_ended, seconds=PATIENCE)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _accepts(port: int) -> bool:
    try:
        stream = await anyio.connect_tcp("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True
