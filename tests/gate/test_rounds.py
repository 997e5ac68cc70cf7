"""The state of a round, which a client brings back: forged, changed, replayed or of another call, it runs nothing."""

import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from handoffs.gate.calls import ROUND
from handoffs.gate.rounds import Round, Rounds
from tests.acceptance.processes import HANDOFFS, Home
from tests.days import at
from tests.gate.behind import READ_SECONDS, SHOP, Shop

OURS = Round(handoff_id="h_1", digest="d" * 64, asked=at(12), number=2)
KEYS = ["k" * 32]


def test_a_round_comes_back_as_it_went_out() -> None:
    rounds = Rounds(KEYS)
    found = rounds.open(rounds.make(OURS, "ada"), "ada")
    assert found is not None
    assert replace(found, nonce="") == OURS


def test_a_state_that_was_changed_or_is_of_others_opens_nothing() -> None:
    rounds = Rounds(KEYS)
    state = rounds.make(OURS, "ada")
    assert rounds.open(state, "bob") is None
    assert Rounds(["x" * 32]).open(state, "ada") is None
    assert rounds.open(state.replace("h_1", "h_2"), "ada") is None
    assert rounds.open(state[:-1] + ("0" if state[-1] != "0" else "1"), "ada") is None
    assert rounds.open("", "ada") is None


def test_a_round_of_the_server_comes_back_once_and_to_its_own_process() -> None:
    rounds, theirs = Rounds(KEYS), replace(OURS, call="c_1", theirs="their state")
    state = rounds.make(theirs, "ada")
    assert Rounds(KEYS).open(state, "ada") is None
    found = rounds.open(state, "ada")
    assert found is not None
    rounds.use(found)
    assert rounds.open(state, "ada") is None


class Raw:
    """A client of the newer era that sends what it likes."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self.process, self.lines = process, BufferedByteReceiveStream(process.stdout)
        self.sent = 0

    async def call(self, arguments: Mapping[str, object], **more: object) -> dict[str, Any]:
        self.sent += 1
        prefix = "io.modelcontextprotocol"
        meta = {
            f"{prefix}/protocolVersion": "2026-07-28",
            f"{prefix}/clientInfo": {"name": "raw", "version": "1"},
            f"{prefix}/clientCapabilities": {"elicitation": {}},
        }
        params = {"name": "delete_order", "arguments": arguments, "_meta": meta, **more}
        line = json.dumps({"jsonrpc": "2.0", "id": self.sent, "method": "tools/call", "params": params})
        assert self.process.stdin is not None
        await self.process.stdin.send(line.encode() + b"\n")
        while True:
            message = json.loads(await self.lines.receive_until(b"\n", 1_000_000))
            if message.get("id") == self.sent:
                return message["result"]


@asynccontextmanager
async def raw(shop: Shop) -> AsyncGenerator[Raw]:
    command = [*HANDOFFS, "gate", "--name", "shop", "--", sys.executable, str(SHOP), str(shop.journal)]
    with anyio.fail_after(60):
        async with await anyio.open_process(command, env=shop.home.env, cwd=shop.home.folder, stderr=None) as process:
            try:
                yield Raw(process)
            finally:
                process.terminate()


def allowing(state: str) -> dict[str, object]:
    reply = {"action": "accept", "content": {"decision": "allow"}}
    return {"requestState": state, "inputResponses": {ROUND: reply}}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(Home(tmp_path))


async def test_arguments_that_change_between_the_rounds_are_asked_about_anew(shop: Shop) -> None:
    async with raw(shop) as client:
        first = await client.call({"number": 7})
        await anyio.sleep(READ_SECONDS)
        second = await client.call({"number": 8}, **allowing(first["requestState"]))
        assert second["resultType"] == "input_required"
        assert '"number": 8' in second["inputRequests"][ROUND]["params"]["message"]
        assert shop.done == []
        third = await client.call({"number": 7}, **allowing(first["requestState"]))  # the mismatch used nothing up
        assert third["content"][0]["text"] == "deleted 7"
    assert shop.done == ["delete 7"]


async def test_a_replayed_state_runs_nothing_again(shop: Shop) -> None:
    async with raw(shop) as client:
        first = await client.call({"number": 7})
        await anyio.sleep(READ_SECONDS)
        await client.call({"number": 7}, **allowing(first["requestState"]))
        again = await client.call({"number": 7}, **allowing(first["requestState"]))
        assert again["resultType"] == "input_required"
    assert shop.done == ["delete 7"]


async def test_a_reply_that_nobody_asked_for_permits_nothing(shop: Shop) -> None:
    async with raw(shop) as client:
        unasked = allowing("")
        for state in ({}, {"requestState": "handoffs-gate:[].00"}, {"requestState": "handoffs-gate:"}):
            result = await client.call({"number": 7}, **{**unasked, **state})
            assert result["resultType"] == "input_required"
    assert shop.done == []
