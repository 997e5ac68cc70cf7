"""A server over HTTP, in the test's own process, that takes any text for the token of the caller of that name."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.types import Implementation

from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.sdk.http_sessions import MAX_IDLE
from handoffs.mcp_server.server import build_server
from handoffs.serving.stack import mcp_app
from tests.mcp_server.host import Table
from tests.waiting import until


class NameIsToken:
    async def verify_token(self, token: str) -> AccessToken | None:
        return AccessToken(token="", client_id=token, scopes=[], subject=token)


class Served:
    """Where the server is, and clients of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    @asynccontextmanager
    async def transport(self, name: str) -> AsyncGenerator[Any]:
        """What a client that is signed in as `name` connects with."""
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {name}"}, timeout=20) as http:
            yield streamable_http_client(self.url, http_client=http)

    @asynccontextmanager
    async def client(self, name: str, era: str, *, host: str = "test-host") -> AsyncGenerator[Client]:
        async with self.transport(name) as transport:
            async with Client(
                transport,
                mode=era,
                client_info=Implementation(name=host, version="1"),
            ) as client:
                yield client


@asynccontextmanager
async def served(
    here: Table,
    *,
    before: Callable[[MCPServer], object] = id,
    hold_seconds: float | None = None,
    bounds: Bounds = BOUNDS,
    most_idle: int = MAX_IDLE,
) -> AsyncGenerator[Served]:
    """The server; `before` is called with it when it is about to serve."""
    auth = AuthSettings.model_validate({"issuer_url": "http://server", "resource_server_url": None})
    server = build_server(
        here.desk, subject="", project="", keys=["k" * 32], state_seconds=60, hold_seconds=hold_seconds,
        auth=auth, token_verifier=NameIsToken(), bounds=bounds,
    )  # fmt: skip
    app = mcp_app(server, most_idle=most_idle).app
    before(server)
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.serve)
            await until(lambda: running.started)
            yield Served(f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/mcp")
            tasks.cancel_scope.cancel()
