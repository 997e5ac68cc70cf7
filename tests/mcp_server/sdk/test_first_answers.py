"""What is kept of a start is what the next start's server answers: for every host, era and setting."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.core.desk import Desk
from handoffs.first_stage import snapshot
from handoffs.first_stage.front import CLIENT_META, VERSION_META
from handoffs.first_stage.pipe import Answering
from handoffs.hosts import host_named, known_hosts
from handoffs.mcp_server.sdk.first_answers import FirstAnswers
from handoffs.mcp_server.server import build_server
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.card import CardPage
from tests.fakes import FakeClock

CAPABILITIES_META = "io.modelcontextprotocol/clientCapabilities"
UI = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
CAPABILITIES: list[dict[str, Any]] = [{"elicitation": {}}, {"elicitation": {}, "extensions": UI}]
LISTS = ["tools/list", "prompts/list", "resources/templates/list"]
SETTINGS: list[dict[str, Any]] = [{}, {"permission_tool": "on"}, {"permission_tool": "off"}, {"card": None}]
NAMES = (
    "claude-code", "claude-ai", "Visual Studio Code", "github-copilot", "goose", "codex-mcp-client",
    "gemini-cli-mcp-client", "qwen-code", "cursor-vscode", "windsurf", "zed", "opencode",
    "strands-agents", "google-adk", "mcp-inspector",
    "stdio: /usr/bin/handoffs", "mcp", "fastmcp", "mcp-proxy", "mcp-hub", "supergateway", "mcp-remote", "litellm",
    "contextforge", "mcpo", "some-host",
)  # fmt: skip


def lines(name: str, era: str, capabilities: Mapping[str, Any]) -> bytes:
    info = {"name": name, "version": "1"}
    if era == "2026-07-28":
        meta = {"_meta": {VERSION_META: era, CLIENT_META: info, CAPABILITIES_META: capabilities}}
        messages = [
            {"id": number, "method": method, "params": meta}
            for number, method in enumerate(["server/discover", *LISTS])
        ]
    else:
        begin = {"protocolVersion": era, "capabilities": capabilities, "clientInfo": info}
        messages = [
            {"id": 0, "method": "initialize", "params": begin},
            {"method": "notifications/initialized"},
            *({"id": number, "method": method} for number, method in enumerate(LISTS, start=1)),
            {"id": 9, "method": "ping"},
        ]
    return b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in messages)


def answers(lines_out: list[bytes]) -> dict[Any, Any]:
    messages = [json.loads(line) for line in lines_out]
    return {message["id"]: message.get("result", message.get("error")) for message in messages}


class Wire:
    """A client that sends all at once and goes when everything is answered."""

    def __init__(self, sent: bytes, replies: int) -> None:
        self.chunks, self.left, self.written = [sent], replies, list[bytes]()
        self.done = anyio.Event()

    async def read(self) -> bytes:
        if self.chunks:
            return self.chunks.pop()
        await self.done.wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.written.append(data)
        if len(self.written) == self.left:
            self.done.set()


@asynccontextmanager
async def desk(folder: Path) -> AsyncGenerator[Desk]:
    async with SqliteStore(folder / "handoffs.db") as store:
        yield Desk(store=store, clock=FakeClock())


async def served(desk: Desk, sent: bytes, file: snapshot.SnapshotFile, settings: Mapping[str, Any]) -> dict[Any, Any]:
    """What the real server answers; it is kept in the file."""
    options = {"card": lambda: CardPage(desk.clock.now), **settings}
    server = build_server(desk, subject="ada", project="/srv", keys=["k" * 32], state_seconds=60, **options)
    server.first_answers = FirstAnswers(file, [])
    wire = Wire(sent, sent.count(b'"id"'))
    with anyio.fail_after(120):
        await server.serve(wire)
    return answers(wire.written)


def test_there_is_a_name_for_each_row() -> None:
    assert {host_named(name) for name in NAMES} >= set(known_hosts())


@pytest.mark.parametrize(
    ("era", "number"),
    [("2025-06-18", 0), *((era, number) for era in ("2025-11-25", "2026-07-28") for number in range(len(SETTINGS)))],
)
async def test_every_host_is_answered_alike_from_what_was_kept(tmp_path: Path, era: str, number: int) -> None:
    file = snapshot.file_of(str(tmp_path), {})
    assert file is not None
    async with desk(tmp_path) as asked:
        for name in NAMES:
            for capabilities in CAPABILITIES:
                snapshot.remove(file)
                sent = lines(name, era, capabilities)
                real = await served(asked, sent, file, SETTINGS[number])
                first = Answering(snapshot.load(file) or {})
                kept = answers(first.take(sent))
                assert kept == real, (name, capabilities)
                passed = [step.text for step in first.steps]
                # Claude Code's probe is refused before there is a server.
                assert passed == sent.decode().splitlines()[-len(passed) :]
                assert len(passed) >= len(first.answered) > 2


async def test_what_differs_is_dropped_said_and_kept_no_longer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = snapshot.file_of(str(tmp_path), {})
    assert file is not None
    snapshot.save(file, {"x": "{}"}, [])
    answered = FirstAnswers(file, [], {1: '{"tools":[]}', 2: '{"a":1,"b":2}'})
    assert not answered.replied('{"jsonrpc":"2.0","id":2,"result":{"b":2,"a":1}}')
    assert snapshot.load(file) is not None
    assert answered.replied('{"jsonrpc":"2.0","id":1,"method":"elicitation/create"}')
    assert not answered.replied('{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}')
    assert snapshot.load(file) is None
    assert "are not what this server answers now" in caplog.text
    assert answered.replied('{"jsonrpc":"2.0","id":1,"result":{}}')  # the id of a later request


async def test_an_error_is_not_kept(tmp_path: Path) -> None:
    file = snapshot.file_of(str(tmp_path), {})
    assert file is not None
    answered = FirstAnswers(file, [])
    answered.asked('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}')
    assert answered.replied('{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}')
    with anyio.move_on_after(0.01):
        await answered.keep()
    assert snapshot.load(file) is None
