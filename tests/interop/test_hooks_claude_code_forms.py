"""The real Claude Code with a scripted model: the forms of MCP servers come to the desk, and each question once."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.permission_hooks import hook_file, with_hooks
from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.test_hooks_claude_code import running

ORDERS = """
from typing import Annotated

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Elicit, MCPServer, Resolve
from pydantic import BaseModel, Field

class Copies(BaseModel):
    copies: int = Field(ge=1, le=5)

def copies() -> Elicit[Copies]:
    return Elicit("How many copies?", Copies)

server = MCPServer("orders")

@server.tool()
async def order(said: Annotated[ElicitationResult[Copies], Resolve(copies)]) -> str:
    return f"{said.action} {said.data.copies}" if isinstance(said, AcceptedElicitation) else said.action

server.run()
"""


def settings() -> dict[str, Any]:
    """Our hooks, as they are installed."""
    launch = Launch(HANDOFFS[0], tuple(HANDOFFS[1:]))
    return json.loads(with_hooks(hook_file("claude-code"), "", launch))["hooks"]


def told(folder: Path, servers: Mapping[str, Sequence[str]], tool: str) -> list[str]:
    """Options that have Claude Code start these servers, and run this tool without asking."""
    entries = {name: {"command": command[0], "args": [*command[1:]]} for name, command in servers.items()}
    file = folder / "servers.json"
    file.write_text(json.dumps({"mcpServers": entries}))
    return ["--mcp-config", str(file), "--allowedTools", tool]


def orders(folder: Path) -> list[str]:
    script = folder / "orders.py"
    script.write_text(ORDERS)
    return [HANDOFFS[0], str(script)]


def asked_once(home: Home) -> bool:
    return len(json.loads(home.run("list", "--all", "--json").stdout)) == 1


@pytest.mark.parametrize(("given", "result"), [(("--set", "copies=3"), "accept 3"), ((), "decline")])
async def test_a_form_of_a_server_is_filled_in_at_the_desk(
    claude_code: str, tmp_path: Path, given: Sequence[str], result: str
) -> None:
    more = told(tmp_path, {"orders": orders(tmp_path)}, "mcp__orders__order")
    turn = [("mcp__orders__order", dict[str, Any]())]
    async with running(claude_code, tmp_path, settings(), turn, "done", more=more) as session:
        asked = await session.asked()
        assert "The MCP server orders asks you, through Claude Code:\n\nHow many copies?" in asked["message"]
        if given:
            await session.answer(*given)
        else:
            await session.home.command("decline", asked["id"])
    assert result in session.stub.tool_results()[0]
    assert asked_once(session.home)


@pytest.mark.parametrize("name", ["handoffs", "people"])
async def test_a_question_of_ours_is_asked_once_whatever_our_server_is_called(
    claude_code: str, tmp_path: Path, name: str
) -> None:
    tool = f"mcp__{name}__handoff_to_user"
    more = told(tmp_path, {name: [*HANDOFFS, "serve"]}, tool)
    turn = [(tool, {"message": "Which colour?", "options": ["Blue", "Red"]})]
    async with running(claude_code, tmp_path, settings(), turn, "done", more=more) as session:
        asked = await session.asked()
        assert asked["message"] == "Which colour?"
        await session.answer("--set", "response=Red")
    if name == "handoffs":  # else it cancels so late, after the hook, that a person may have done it
        assert "Red" in session.stub.tool_results()[0]
    assert asked_once(session.home)


async def test_a_call_that_a_gate_holds_is_asked_about_once(claude_code: str, tmp_path: Path) -> None:
    gated = [*HANDOFFS, "gate", "--name", "shop", "--", *orders(tmp_path)]
    more = told(tmp_path, {"shop": gated}, "mcp__shop__order")
    turn = [("mcp__shop__order", dict[str, Any]())]
    async with running(claude_code, tmp_path, settings(), turn, "done", more=more) as session:
        asked = await session.asked()
        assert "Allow `order`" in asked["message"]
        await session.answer("--set", "decision=deny")
    assert asked_once(session.home)


def test_the_hook_is_the_one_that_is_installed() -> None:
    (entry,) = settings()["Elicitation"]
    (hook,) = entry["hooks"]
    assert shlex.split(hook["command"])[-4:] == ["hook", "claude-code", "--timeout", "86400"]
