"""Idle sessions of the older era: one caller's make no room among another's."""

from pathlib import Path

import httpx2
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from tests.mcp_server.host import table
from tests.mcp_server.signed_in import served
from tests.waiting import until

PARAMS = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test-host", "version": "1"}}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": PARAMS}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


async def test_a_caller_with_too_many_sessions_loses_only_its_own_oldest(tmp_path: Path) -> None:
    managers: list[StreamableHTTPSessionManager] = []

    def limit(server: MCPServer) -> None:
        managers.append(server.session_manager)

    async with (
        table(tmp_path) as here,
        served(here, before=limit, most_idle=8) as server,
        httpx2.AsyncClient(headers=HEADERS) as http,
    ):

        async def begin(name: str) -> dict[str, str]:
            bearer = {"authorization": f"Bearer {name}"}
            begun = await http.post(server.url, json=INITIALIZE, headers=bearer)
            return bearer | {"mcp-session-id": begun.headers["mcp-session-id"]}

        async def lives(session: dict[str, str]) -> bool:
            return (await http.post(server.url, json=PING, headers=session)).status_code == 200

        bobs = await begin("bob")
        adas = [await begin("ada") for _ in range(3)]
        known: dict[str, object] = managers[0]._server_instances  # type: ignore[assignment]
        await until(lambda: len(known) <= 3)  # until the last one's first request is over
        assert [await lives(each) for each in (*adas, bobs)] == [False, True, True, True]
