"""Answers that break off in their middle, as their server dies: real gates, and a server by hand."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.acceptance.processes import Home
from tests.gate.behind import READ_SECONDS, Shop, waiting
from tests.gate.relay.test_front import Plain, answer_of
from tests.gate.relay.test_front import modern as modern_request
from tests.gate.wires import STUB, Wire, call, modern, wire
from tests.waiting import until

DIALOG = "elicitation/create"
SIZES = [1, 3_000, 5_000_000]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def names(home: Home) -> list[str]:
    """What is in the log of the one held call."""
    async with Shop(home).desk() as desk:
        [asked] = await desk.newest(open_only=False)
        return [each.name for each in await desk.history(asked.id)]


async def lines_of(client: Wire) -> list[bytes]:
    """All that is still said, in lines."""
    said = b""
    while True:
        try:
            said += await client.receive()
        except anyio.EndOfStream:
            return said.splitlines(keepends=True)


async def allow(client: Wire) -> None:
    asked = await client.next(lambda each: each.get("method") == DIALOG)
    await anyio.sleep(READ_SECONDS)
    await client.send({"id": asked["id"], "result": {"action": "accept", "content": {"decision": "allow"}}})


@pytest.mark.parametrize("size", SIZES)
async def test_a_held_call_with_half_an_answer_is_unknown(home: Home, size: int) -> None:
    async with wire(home) as client:
        await client.begin(elicitation={})
        await client.send(call(1, "break", {"size": size}))
        await allow(client)
        [line] = await lines_of(client)
    told = json.loads(line)
    assert told["id"] == 1
    assert told["result"]["isError"]
    assert "It may have run" in told["result"]["content"][0]["text"]
    assert (await names(home))[-2:] == ["sent", "unknown"]


@pytest.mark.parametrize("size", SIZES[:2])
async def test_in_the_newer_era_half_an_answer_is_unknown(home: Home, size: int) -> None:
    async with wire(home) as client:
        await client.send(call(1, "break", {"size": size}, _meta=modern()))
        async with Shop(home).desk() as desk:
            await desk.answer(await waiting(desk), {"decision": "allow"}, by="ada", channel="inbox")
        [line] = await lines_of(client)
    assert "It may have run" in line.decode()
    assert json.loads(line)["id"] == 1
    assert (await names(home))[-1] == "unknown"


@pytest.mark.parametrize("size", SIZES[:2])
async def test_a_call_that_passes_with_half_an_answer_gets_an_error(home: Home, size: int) -> None:
    async with wire(home, "--allow", "break") as client:
        await client.begin()
        await client.send(call(1, "break", {"size": size}))
        [line] = await lines_of(client)
    told = json.loads(line)
    assert (told["id"], told["error"]["code"]) == (1, -32000)


async def test_the_line_behind_half_a_long_answer_is_whole(home: Home) -> None:
    async with wire(home, "--allow", "break") as client:
        await client.begin(elicitation={})
        await client.send(call(1, "break", {"size": 5_000_000, "seconds": 4}))
        begun = await client.receive()
        await client.send(call(2))
        async with Shop(home).desk() as desk:
            await waiting(desk)
        fragment, *lines = await lines_of(client)
    assert begun.startswith(b'{"jsonrpc": "2.0", "id": 1, "result"')
    assert (begun + fragment).endswith(b"xxx\n")
    found: list[dict[str, Any]] = [json.loads(each) for each in lines]
    assert [each["method"] for each in found if "method" in each][:1] == [DIALOG]
    assert sorted(each["id"] for each in found if "method" not in each) == [1, 2]
    assert next(each for each in found if each.get("id") == 1)["error"]["code"] == -32000


@pytest.mark.parametrize("rule", ["--allow", "--ask"])
@pytest.mark.parametrize("era", ["older", "newer"])
async def test_over_http_half_an_answer_is_none(home: Home, era: str, rule: str) -> None:
    command = (sys.executable, str(STUB), str(home.folder / "journal"))
    half: dict[str, Any] = {"name": "break", "arguments": {"size": 3_000}}

    async def answer() -> None:
        if rule == "--ask":
            async with Shop(home).desk() as desk:
                await desk.answer(await waiting(desk), {"decision": "allow"}, by="ada", channel="inbox")

    with anyio.fail_after(60):
        async with (
            home.http(args=("gate", rule, "break", "--", *command)) as server,
            anyio.create_task_group() as tasks,
        ):
            async with httpx2.AsyncClient(timeout=120) as http:
                caller = Plain(http, server.url, server.bearer)
                tasks.start_soon(answer)
                if era == "older":
                    await _begin(caller)
                    response = await caller.post({"id": 1, "method": "tools/call", "params": half})
                else:
                    body, headers = modern_request("tools/call", **half)
                    response = await caller.post(body, **headers)
                if rule == "--ask":  # the agent is told first
                    await until(lambda: names(home), lambda found: found[-1] == "unknown")
    told = answer_of(response)
    assert told["id"] == 1
    if rule == "--ask":
        assert "It may have run" in told["result"]["content"][0]["text"]
    else:
        assert told["error"]["code"] == -32000


async def _begin(caller: Plain) -> None:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test-host", "version": "1"}}
    response = await caller.post({"id": "begin", "method": "initialize", "params": params})
    caller.session = {"mcp-session-id": response.headers["mcp-session-id"]}
    await caller.post({"method": "notifications/initialized"})
