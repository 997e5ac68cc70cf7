"""What decides about calls: which messages it is shown, and what it can do with them."""

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from handoffs.gate.relay.message import OURS, Message
from handoffs.gate.relay.process import Behind
from handoffs.gate.relay.stdio import StdioRelay
from handoffs.wire import PipeWire
from tests.gate.relay.gates import RECORDER


class Keeper:
    """Takes every call of the tool `held`, and watches the replies to it."""

    def __init__(self) -> None:
        self.watching: set[str] = set()
        self.seen: list[str] = []
        self.held: list[Message] = []
        self.ended = ""
        self.outstanding: frozenset[str] = frozenset()
        self.relay: StdioRelay | None = None

    def from_client(self, message: Message) -> bool:
        """Take what is held, and answers to the gate."""
        self.seen.append(message.method or f"answer {message.id.value if message.id else None}")
        if message.method == "tools/call" and message.params["name"] == "held":
            self.held.append(message)
            assert message.id is not None
            self.watching.add(message.id.text)
            return True
        return message.method is None

    def from_server(self, message: Message) -> bytes | None:
        """Change one result, and drop another."""
        assert message.id is not None
        self.watching.discard(message.id.text)
        self.seen.append(f"result {message.id.text} {sorted(message.body)}")
        return None if message.id.text == "3" else b'{"changed":true}\n'

    def tools_changed(self) -> None:
        pass

    def listed(self, asked: Message, answer: Message) -> None:
        pass

    async def lost(self, id: str, reason: str) -> None:  # noqa: A002 - JSON-RPC's word
        """The process behind is lost at its end alone."""

    async def behind_ended(self, reason: str) -> None:
        """Answer what is watched."""
        assert self.relay is not None
        self.ended, self.outstanding = reason, self.relay.outstanding
        for each in sorted(self.watching):
            await self.relay.to_client(b'{"id":%b,"result":"it may have run"}\n' % each.encode())


class Client:
    """The other end of a relay's wire."""

    def __init__(self, sent: int, said: int) -> None:
        self.wire = PipeWire(said, sent)
        self._unread = b""

    async def send(self, *lines: bytes) -> None:
        """Write lines."""
        await self.wire.write(b"".join(lines))

    async def read(self) -> Any:
        """Return the next message."""
        while b"\n" not in self._unread:
            self._unread += await self.wire.read()
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)


@asynccontextmanager
async def relayed(*command: str) -> AsyncGenerator[tuple[Client, Keeper, StdioRelay]]:
    """A relay in this process before a real server."""
    up, down = os.pipe(), os.pipe()
    for fd in (*up, *down):
        os.set_blocking(fd, False)
    keeper = Keeper()
    behind = Behind(command)
    relay = keeper.relay = StdioRelay(PipeWire(up[0], down[1]), behind, keeper)
    try:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(relay.run)
                yield Client(up[1], down[0]), keeper, relay
                os.close(up[1])
    finally:
        behind.close()
        for fd in (up[0], *down):
            os.close(fd)


def call(number: int, name: str = "held") -> bytes:
    params = {"name": name, "arguments": {}}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode() + b"\n"


async def test_a_call_that_is_taken_runs_only_when_the_holder_sends_it(tmp_path: Path) -> None:
    got = tmp_path / "got"
    async with relayed(*RECORDER, str(got)) as (client, keeper, relay):
        await client.send(call(1), call(2, "free"))
        assert (await client.read())["id"] == 2
        assert got.read_bytes() == call(2, "free")
        await relay.to_server(keeper.held[0].raw)
        assert await client.read() == {"changed": True}
        assert got.read_bytes() == call(2, "free") + call(1)
        await client.send(call(3), call(4, "free"))
        assert (await client.read())["id"] == 4
        await relay.to_server(keeper.held[1].raw)
        await relay.to_server(call(5, "free"))
        assert (await client.read())["id"] == 5  # the reply to 3 was dropped
    assert [each for each in keeper.seen if each.startswith("result")] == [
        "result 1 ['id', 'jsonrpc', 'result']",
        "result 3 ['id', 'jsonrpc', 'result']",
    ]


async def test_the_holder_sees_what_concerns_it_and_nothing_else(tmp_path: Path) -> None:
    got = tmp_path / "got"
    lines = [
        {"id": 0, "method": "initialize", "params": {}},
        {"id": 1, "method": "tools/list"},
        {"id": f"{OURS}1", "result": {}},
        {"id": "other", "result": {"text": "tools/call"}},
        {"method": "notifications/cancelled", "params": {"requestId": 9}},
        {"id": 2, "method": "prompts/get", "params": {"requestState": f"{OURS}x"}},
        {"id": 3, "method": "prompts/get", "params": {"requestState": "other", "text": f"{OURS}"}},
    ]
    async with relayed(*RECORDER, str(got)) as (client, keeper, _):
        await client.send(*(json.dumps({"jsonrpc": "2.0", **each}).encode() + b"\n" for each in lines))
        assert [(await client.read())["id"] for _ in range(4)] == [0, 1, 2, 3]
    assert keeper.seen == ["initialize", f"answer {OURS}1", "notifications/cancelled", "prompts/get"]
    assert len(got.read_bytes().splitlines()) == len(lines) - 1


async def test_the_gates_lines_and_the_servers_never_mix(tmp_path: Path) -> None:
    async with relayed(*RECORDER, str(tmp_path / "got")) as (client, _, relay):

        async def say(number: int) -> None:
            for each in range(20):
                await relay.to_client(b'{"ours":%d,"text":"%b"}\n' % (number * 100 + each, b"x" * 40_000))

        async def ask() -> None:
            for each in range(200):
                await client.send(call(each, "free"))

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(say, number)
            tasks.start_soon(ask)
            found = [await client.read() for _ in range(300)]
    assert [each["id"] for each in found if "id" in each] == list(range(200))
    assert sorted(each["ours"] for each in found if "ours" in each) == sorted(
        number * 100 + each for number in range(5) for each in range(20)
    )


async def test_a_long_response_and_the_gates_lines_never_mix(tmp_path: Path) -> None:
    long = json.dumps({"jsonrpc": "2.0", "id": "long", "result": "y" * 400_000}) + "\n"
    asked = {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {"noise": [long]}}
    async with relayed(*RECORDER, str(tmp_path / "got")) as (client, _, relay):

        async def say() -> None:
            for each in range(200):
                await relay.to_client(b'{"ours":%d}\n' % each)

        async def ask() -> None:
            for _ in range(10):
                await client.send(json.dumps(asked).encode() + b"\n")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say)
            tasks.start_soon(ask)
            found = [await client.read() for _ in range(220)]
    assert [each["ours"] for each in found if "ours" in each] == list(range(200))
    assert sum(each.get("result") == "y" * 400_000 for each in found) == 10


async def test_the_holder_answers_what_it_watches_when_the_server_dies() -> None:
    code = "import sys; [sys.stdin.readline() for _ in range(3)]; sys.exit(4)"
    async with relayed(sys.executable, "-c", code) as (client, keeper, relay):
        await client.send(call(1), call(2, "free"))
        while not keeper.held:
            await anyio.sleep(0.01)
        await relay.to_server(keeper.held[0].raw)
        await client.send(b"\n")
        assert (await client.read())["error"]["message"].endswith("exit code 4.")
        assert await client.read() == {"id": 1, "result": "it may have run"}
    assert keeper.ended == "the server behind has ended with exit code 4"
    assert keeper.outstanding == {"1"}
