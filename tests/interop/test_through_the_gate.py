"""Other people's clients on stdio, before a server with everything, and before the gate before it: the same."""

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from mcp import StdioServerParameters, stdio_client
from strands.tools.mcp import MCPClient

from tests.acceptance.processes import HANDOFFS, Home
from tests.gate.wires import STUB
from tests.interop.conftest import HERE, output

EVERYTHING = [sys.executable, str(HERE.parent / "gate" / "everything.py")]
GATE = [*HANDOFFS, "gate", "--allow", "*", "--"]

NEEDS = {
    "TypeScript 1": "node",
    "TypeScript 2, older era": "node",
    "TypeScript 2, newer era": "node",
    "@ai-sdk/mcp": "node",
    "FastMCP": "fastmcp",
}
"""Each client, and the fixture that says where the program is which runs it."""

ALL = {"tools", "resource", "prompt", "add", "echo", "fail", "elicitation", "sampling", "ask", "count"}


@pytest.mark.parametrize("client", NEEDS)
async def test_a_client_sees_the_same_through_the_gate(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    program = request.getfixturevalue(NEEDS[client])
    what = [HERE / "everything.mjs", client] if NEEDS[client] == "node" else [HERE / "everything_fastmcp.py"]
    home = Home(tmp_path)
    server = EVERYTHING
    if client == "@ai-sdk/mcp":  # its probe waits for a second, and a server that answers later is lost to it
        server = [sys.executable, str(STUB), str(tmp_path / "journal")]
    found: list[Any] = []
    for command in (server, [*GATE, *server]):
        code, said, complaint = await output(program, *what, json.dumps(command), cwd=tmp_path, env=home.env)
        assert code == 0, complaint
        found.append(json.loads(said))
    direct, gated = found
    assert {name for name, _ in direct} >= (ALL if server is EVERYTHING else {"server", "tools", "call"})
    assert gated == direct


def test_strands_sees_the_same_through_the_gate(tmp_path: Path) -> None:
    home = Home(tmp_path)

    def seen(command: list[str]) -> list[Any]:
        server = StdioServerParameters(command=command[0], args=command[1:], env=home.env, cwd=tmp_path)
        with MCPClient(cast("Any", lambda: stdio_client(server))) as client:
            tools = [each.tool_spec for each in client.list_tools_sync()]
            calls: list[tuple[str, dict[str, Any]]] = [
                ("add", {"a": 1, "b": 2}),
                ("echo", {"words": "\\/ \u2028 😀\n", "times": 3}),
                ("fail", {}),
                ("count", {"to": 3}),
            ]
            results = [client.call_tool_sync("1", name, arguments) for name, arguments in calls]
            return [tools, results, [each.uri for each in client.list_resources_sync().resources]]

    assert seen([*GATE, *EVERYTHING]) == seen(EVERYTHING)
