"""`handoffs codex` between a program and `codex app-server`, with a Codex that the test plays."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import Home
from tests.agent_wire.wires import ALLOW, DENY, between

THREAD: dict[str, Any] = {"threadId": "t", "turnId": "u", "itemId": "i", "startedAtMs": 1}
RUN: dict[str, Any] = {"kind": "command", "command": "rm -rf build", "cwd": "/srv/shop", "reason": "space"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def command(id: int = 0, **more: Any) -> bytes:  # noqa: A002 - JSON-RPC's word
    return line(method="item/commandExecution/requestApproval", id=id, params={**THREAD, **RUN, **more})


@pytest.mark.parametrize(("given", "decision"), [(ALLOW, "accept"), (DENY, "decline")])
async def test_a_command_is_decided_at_the_desk(home: Home, given: tuple[str, ...], decision: str) -> None:
    async with between(home, "--name", "codex", wire="codex") as wire:
        await wire.agent.send(command())
        assert await wire.editor.raw() == command()
        (asked,) = await wire.asked()
        assert "of `codex` with exactly this input?" in asked["message"]
        assert '"command": "rm -rf build"' in asked["message"]
        assert asked["caller"]["project"] == "/srv/shop"
        await wire.answer(*given)
        assert await wire.agent.reads() == {"id": 0, "result": {"decision": decision}}
        resolved = line(method="serverRequest/resolved", params={"threadId": "t", "requestId": 0})
        await wire.agent.send(resolved)
        assert await wire.editor.raw() == resolved
        await wire.editor.send(line(id=0, result={"decision": "acceptForSession"}) + line(method="after"))
        assert await wire.agent.reads() == {"method": "after"}  # too late


async def test_a_file_change_shows_what_its_item_would_change(home: Home) -> None:
    changes = [{"path": "/srv/shop/a", "kind": {"type": "add"}, "diff": "hello\n"}]
    async with between(home, wire="codex") as wire:
        item = {"type": "fileChange", "id": "i", "changes": changes, "status": "inProgress"}
        await wire.agent.send(line(method="item/started", params={**THREAD, "item": item}))
        await wire.agent.send(line(method="item/fileChange/requestApproval", id=1, params=THREAD))
        (asked,) = await wire.asked()
        assert "hello" in asked["message"]
        await wire.answer(*ALLOW)
        assert await wire.agent.reads() == {"id": 1, "result": {"decision": "accept"}}


async def test_an_interrupted_turn_withdraws_the_question(home: Home) -> None:
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(command())
        await wire.asked()
        await wire.editor.send(line(method="turn/interrupt", id=9, params={"threadId": "t", "turnId": "u"}))
        assert (await wire.agent.reads())["method"] == "turn/interrupt"
        assert await wire.agent.reads() == {"id": 0, "result": {"decision": "cancel"}}
        await wire.asked(0)


async def test_what_codex_has_resolved_is_withdrawn(home: Home) -> None:
    async with between(home, wire="codex") as wire:
        await wire.agent.send(command())
        await wire.asked()
        await wire.agent.send(line(method="serverRequest/resolved", params={"threadId": "t", "requestId": 0}))
        await wire.asked(0)


async def test_a_form_of_an_mcp_server_is_answered_at_the_desk(home: Home) -> None:
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
    params = {**THREAD, "serverName": "shop", "mode": "form", "message": "How many?", "requestedSchema": schema}
    async with between(home, "--name", "codex", wire="codex") as wire:
        await wire.agent.send(line(method="mcpServer/elicitation/request", id=2, params=params))
        (asked,) = await wire.asked()
        assert "The MCP server shop asks you, through `codex`" in asked["message"]
        await wire.answer("--set", "count=3")
        assert await wire.agent.reads() == {"id": 2, "result": {"action": "accept", "content": {"count": 3}}}


@pytest.mark.parametrize(
    "asks",
    [
        command(kind="writeStdin"),
        command(command=None),
        command(availableDecisions=["acceptForSession", "cancel"]),
        line(method="item/fileChange/requestApproval", id=0, params=THREAD),
        line(method="item/permissions/requestApproval", id=0, params={**THREAD, "cwd": "/", "permissions": {}}),
        line(method="item/tool/requestUserInput", id=0, params={**THREAD, "isBlocking": True, "questions": []}),
    ],
)
async def test_what_is_no_plain_yes_or_no_is_left_to_the_program(home: Home, asks: bytes) -> None:
    async with between(home, wire="codex") as wire:
        await wire.agent.send(asks)
        assert await wire.editor.raw() == asks
        assert await wire.listed() == []
