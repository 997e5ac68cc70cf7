"""The faults of other gates, by kind: none of them is here. Real gates, and a server by hand that hides nothing.

1. Cancellation: here while a person is asked, before the call is sent, and after it. Passed calls: `relay/test_eras`.
2. Progress and `_meta`: here for held calls. Passed calls: `relay/test_eras`.
3. Requests of the server: `relay/test_eras` (elicitation, sampling and roots), `test_holding` (one approval); here:
   none of them is taken for the gate's own, and none waits for a call that is held.
4. Lists: here with cursors, and without end. Changes of the list: `relay/test_eras`.
5. Re-encoding: `relay/test_bytes`; here for a call that was held, and its result.
6. Capabilities and versions: here, and `relay/test_eras`.
7. Headers: not on stdio.
8. Sessions: here, two gates on one store.
9. Processes: `relay/test_ends`; `acceptance/test_gate_killed` with calls.
10. A server that dies or is slow: `relay/test_ends`, `test_holding`; here while a call is held, and while it lists.
11. Time-outs: here, progress while a person thinks.
12. Framing: `relay/test_lines`, `relay/test_bytes`; here the gate's own lines to a server that reads frames.
13. Names: here, two tools of one name.
14. Ways around: `relay/test_message` (batch, escapes, keys, frames, carriage returns); here against a server that reads
    as the SDK does.
15. Binding and replay: `test_rounds`, `test_holding`; here a round of another gate.
16. Auth: not on stdio.
"""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.gate.calls import ROUND
from handoffs.gate.relay.lines import frame
from tests.acceptance.processes import Home
from tests.gate.behind import ALLOW, READ_SECONDS, Shop, waiting
from tests.gate.wires import STUB, Wire, call, modern, wire

ANY: dict[str, Any] = {"type": "object"}
DIALOG = "elicitation/create"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def cancel(number: int | str) -> dict[str, Any]:
    return {"method": "notifications/cancelled", "params": {"requestId": number, "reason": "enough"}}


async def dialog(client: Wire) -> dict[str, Any]:
    return await client.next(lambda each: each.get("method") == DIALOG)


async def allow(client: Wire, asked: dict[str, Any], **more: object) -> None:
    """Have a person read the gate's dialog, and allow the call."""
    await anyio.sleep(READ_SECONDS)
    await client.send({"id": asked["id"], "result": {"action": "accept", "content": {"decision": "allow", **more}}})


async def silent(client: Wire) -> None:
    """Return once the gate has handled all that was sent before."""
    await client.send({"id": "ping", "method": "ping"})
    await client.reply("ping")


def said(message: dict[str, Any]) -> str:
    return "\n".join(each["text"] for each in message["result"]["content"])


# 1


async def test_a_call_cancelled_while_a_person_is_asked_never_runs(home: Home) -> None:
    async with wire(home) as client:
        await client.begin(elicitation={})
        await client.send(call(1), call("one"))
        first = await dialog(client)
        await client.send(cancel(1))
        gone = await client.next(lambda each: each.get("method") == "notifications/cancelled")
        assert gone["params"]["requestId"] == first["id"]
        await allow(client, first)  # the host was too late
        await silent(client)
        assert client.ran == []
        assert not [each for each in client.read if each.get("id") == 1]


@pytest.mark.parametrize("number", [7, "7", "ä"])
async def test_the_cancellation_of_a_running_call_reaches_the_server(number: int | str, home: Home) -> None:
    async with wire(home) as client:
        await client.begin(elicitation={})
        await client.send(call(number, "slow"))
        await allow(client, await dialog(client))
        while client.ran != ["slow"]:
            await anyio.sleep(0.01)
        await client.send(cancel("other"), cancel(number))
        await silent(client)
        got = [each for each in client.got if each.get("method") == "notifications/cancelled"]
        await client.send(call("again", "slow"))  # nobody knows what became of the first
        assert "it may have run" in (await dialog(client))["params"]["message"]
    assert got == [{"jsonrpc": "2.0", **cancel("other")}, {"jsonrpc": "2.0", **cancel(number)}]


# 2, 5 and 11


async def test_a_held_call_passes_byte_for_byte_however_long_a_person_thinks(
    home: Home,
) -> None:
    line = (
        b'{ "id":5, "jsonrpc":"2.0","method":"tools/call", "unknown" : [1.10], "params":'
        b'{"_meta":{"progressToken":"t-1","a.b/c":{"n":1.0}},"name":"pay","arguments":{"n":1.50,"b":12345678901234567890,"t":"\\u00e4\\/"}}}\n'
    )
    async with wire(home) as client:
        await client.begin(elicitation={})
        await client.send(line)
        asked = await dialog(client)
        alive = await client.next(lambda each: each.get("method") == "notifications/progress")
        assert alive["params"]["progressToken"] == "t-1"
        await allow(client, asked)
        result = await client.reply(5)
        assert line in client.journal.read_bytes()
    progress = [each["params"] for each in client.read if "x" in each.get("params", {})]
    assert [each["progress"] for each in progress] == [0.5, 1]
    assert result["result"]["_meta"] == {"progressToken": "t-1", "a.b/c": {"n": 1.0}}
    assert result["result"]["unknown"] == [1.0]


# 3


async def test_an_answer_to_the_servers_question_is_none_to_the_gates(home: Home) -> None:
    async with wire(home, "--allow", "impostor", "--ask", "pay") as client:
        await client.begin(elicitation={})
        await client.send(call(1))
        await dialog(client)
        await client.send(call(2, "impostor"))
        for _ in range(4):
            asked = await dialog(client)
            assert asked["params"]["message"] == "A prize for you?"
            await allow(client, asked)
        await silent(client)
        assert client.ran == ["impostor"]


async def test_no_client_can_answer_what_the_gate_asks_the_server(home: Home) -> None:
    home.extra |= {"STUB_LIST_SECONDS": "1", "HANDOFFS_HOLD_SECONDS": "1"}
    harmless = {"name": "pay", "inputSchema": ANY, "annotations": {"readOnlyHint": True}}
    async with wire(home, "--trust-hints") as client:
        await client.begin()
        await client.send(call(1))
        await anyio.sleep(0.5)
        await client.send({"id": "handoffs-gate:list 1", "result": {"tools": [harmless]}})
        await client.reply(1)
        assert client.ran == []


async def test_while_a_call_is_held_everything_else_goes_on(home: Home) -> None:
    async with wire(home, "--ask", "pay", "--allow", "read_*") as client:
        await client.begin(elicitation={})
        await client.send(call(1))
        await dialog(client)
        await client.send(*(call(number, "read_it") for number in range(2, 20)), {"id": 20, "method": "later/method"})
        assert {(await client.next())["id"] for _ in range(2, 21)} == set(range(2, 21))


# 4, 10 and 13


async def test_a_list_of_many_pages_is_read_to_its_end_if_it_has_one(home: Home) -> None:
    hidden = {"name": "pay", "inputSchema": ANY, "annotations": {"readOnlyHint": True}}
    async with wire(home, "--trust-hints", tools=[[], [], [hidden]]) as client:
        await client.begin()
        await client.send(call(1))
        assert said(await client.reply(1)) == "pay"
    home.extra["HANDOFFS_HOLD_SECONDS"] = "1"
    endless = str(STUB.read_text()).replace('"nextCursor": str(page + 1)', '"nextCursor": "0"').replace(
        "page + 1 < len(PAGES)", "True"
    )  # fmt: skip
    assert endless.count('"nextCursor": "0"} if True') == 1
    (home.folder / "endless.py").write_text(endless)
    server = [sys.executable, str(home.folder / "endless.py"), str(home.folder / "journal2")]
    async with wire(home, server=server) as client:
        await client.begin()
        await client.send(call(1))
        assert "has not decided yet" in said(await client.reply(1))


async def test_two_tools_of_one_name_are_asked_about_and_shown_as_neither(home: Home) -> None:
    twice = [
        {"name": "pay", "inputSchema": ANY, "description": each, "annotations": {"readOnlyHint": True}} for each in "ab"
    ]
    async with wire(home, "--trust-hints", tools=[twice]) as client:
        await client.begin(elicitation={})
        await client.send(call(1))
        asked = await dialog(client)
        assert "What its server says of it" not in asked["params"]["message"]
        await allow(client, asked)
        assert said(await client.reply(1)) == "pay"


async def test_a_definition_that_is_odd_costs_no_other_tool_its_place(home: Home) -> None:
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(400):
        inner["a"] = inner = {}
    tools = [
        {"name": "half", "description": "\ud800", "inputSchema": ANY},
        {"name": "wide", "inputSchema": {**ANY, "properties": {"n": {"maximum": 2**63 - 1}}}},
        {"name": "deep", "inputSchema": deep},
        {"name": "pay", "inputSchema": ANY},
    ]
    async with wire(home, tools=[tools]) as client:
        await client.begin(elicitation={})
        for each in tools:
            await client.send(call(each["name"], each["name"]))
            await allow(client, await dialog(client))
            assert said(await client.reply(each["name"])) == each["name"]


async def test_a_server_that_dies_while_a_person_is_asked_has_run_nothing(home: Home) -> None:
    async with wire(home, "--allow", "die", "--ask", "pay") as client:
        await client.begin(elicitation={})
        await client.send(call(1))
        await dialog(client)
        await client.send(call(2, "die"))
        assert "Not run" in json.dumps(await client.reply(1))


async def test_what_the_gate_asks_the_server_is_never_answered_to_the_client(home: Home) -> None:
    home.extra["STUB_LIST_SECONDS"] = "1"
    async with wire(home) as client:
        await client.begin()
        await client.send(call(1))
        await anyio.sleep(0.5)
        await client.send(cancel(1))
        await silent(client)
        assert [each for each in client.read if each["id"] not in {"begin", "ping"}] == []


# 6


async def test_capabilities_and_versions_are_the_servers_own(home: Home) -> None:
    async with wire(home) as client:
        found = await client.begin()
    assert found == {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {"listChanged": True}, "experimental": {"x": {}}, "extensions": {"a/b": {"n": 1}}},
        "serverInfo": {"name": "stub", "version": "1"},
    }
    assert client.got[0]["params"]["capabilities"] == {}


# 8 and 15


async def test_two_gates_on_one_store_stay_apart(tmp_path: Path) -> None:
    homes = [Home(tmp_path / each, {"HANDOFFS_STORE": str(tmp_path / "handoffs.db")}) for each in "ab"]
    for each in homes:
        each.folder.mkdir()
    async with wire(homes[0]) as one, wire(homes[1]) as other:
        await one.begin(elicitation={})
        await other.begin(elicitation={})
        await one.send(call(1, "pay", {"of": "one"}))
        await other.send(call(1, "pay", {"of": "other"}))
        asked = await dialog(one)
        assert '"of": "other"' in (await dialog(other))["params"]["message"]
        await other.send(cancel(1))
        await silent(other)
        await allow(one, asked)
        assert said(await one.reply(1)) == "pay"
        assert (one.ran, other.ran) == (["pay"], [])


async def test_a_state_of_one_gate_opens_no_other_gate_for_another_call(tmp_path: Path) -> None:
    homes = [Home(tmp_path / each, {"HANDOFFS_STORE": str(tmp_path / "handoffs.db")}) for each in "ab"]
    for each in homes:
        each.folder.mkdir()
    given = {"_meta": modern(elicitation={})}
    async with wire(homes[0]) as one, wire(homes[1]) as other:
        await one.send(call(1, "pay", {"n": 1}, **given))
        state = (await one.reply(1))["result"]["requestState"]
        await anyio.sleep(READ_SECONDS)
        reply = {ROUND: {"action": "accept", "content": {"decision": "allow"}}}
        back = {"requestState": state, "inputResponses": reply, **given}
        await other.send(call(1, "pay", {"n": 2}, **back))
        assert (await other.reply(1))["result"]["resultType"] == "input_required"
        await one.send(call(2, "pay", {"n": 1}, **back))
        assert said(await one.reply(2)) == "pay"
        await other.send(call(2, "pay", {"n": 1}, **back))
        assert (await other.reply(2))["result"]["resultType"] == "input_required"
        assert (one.ran, other.ran) == (["pay"], [])


# 12


async def test_the_gates_own_lines_reach_a_server_that_reads_frames(home: Home) -> None:
    framed = (
        "import sys\n"
        "class Frames:\n"
        "    def __iter__(self):\n"
        "        while header := sys.stdin.buffer.readline():\n"
        "            assert header.startswith(b'Content-Length: '), header\n"
        "            sys.stdin.buffer.readline()\n"
        "            yield sys.stdin.buffer.read(int(header[15:])).decode() + '\\n'\n"
    )
    code = framed + STUB.read_text().replace("for line in sys.stdin:", "for line in Frames():")
    (home.folder / "framed.py").write_text(code)
    journal = home.folder / "journal"
    async with wire(home, server=[sys.executable, str(home.folder / "framed.py"), str(journal)]) as client:
        shop = Shop(home)

        async def send(message: dict[str, Any]) -> None:
            await client.send(frame(json.dumps({"jsonrpc": "2.0", **message}).encode()))

        await send(call(1, "pay", {"n": 1}))
        async with shop.desk() as desk:
            await desk.answer(await waiting(desk), ALLOW | {"arguments": '{"n": 2}'}, by="ada", channel="inbox")
        while client.ran != ["pay"]:
            await anyio.sleep(0.01)
        assert client.got[-1]["params"]["arguments"] == {"n": 2}


async def test_thousands_of_refused_lines_at_once_end_nothing(home: Home) -> None:
    async with wire(home) as client:
        await client.begin(elicitation={})
        await client.send(call(1))
        first = await dialog(client)
        ids = range(10, 3010)
        told = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"tools/call"}\n' % each for each in ids)
        await client.send(b"tools/call\n" * 3000 + told)
        for each in ids:
            assert "Not run" in (await client.reply(each))["error"]["message"]
        assert client.ran == []
        await allow(client, first)
        assert said(await client.reply(1)) == "pay"


# 14


async def test_no_call_gets_past_a_server_that_reads_as_the_sdk_does(home: Home) -> None:
    inner = json.dumps({"jsonrpc": "2.0", **call(2)}).encode()
    whole = json.dumps({"jsonrpc": "2.0", **call(3)})
    ways = [
        b'{"jsonrpc":"2.0","id":4,"method":"later/method","params":\r' + inner + b"\r}\n",
        b'{"jsonrpc":"2.0","id":4,"method":"later/method","params":\r' + inner.replace(b"/", b"\\/") + b"\r}\n",
        b"noise\r" + inner + b"\n",
        b"[" + inner + b"]\n",
        inner.replace(b"tools/call", b"t\\u006fols\\/call") + b"\n",
        inner.replace(b'"method"', b'"method": "ping", "method"') + b"\n",
        inner.replace(b'"method"', b'"METHOD"') + b"\n",
        inner.replace(b'"name": "pay"', b'"name": "read_it", "name": "pay"') + b"\n",
        b"Content-Length: %d\r\n\r\n%b\n" % (len(inner), inner),
        b"Content-Length: 2\r\n\r\n{}" + inner + b"\n",
        b"X: Content-Length: 5\r\n\r\n" + inner + b"\n",
        whole.encode("utf-16"),
        b"\xef\xbb\xbf" + inner + b"\n",
        f"\u2028{whole}\u2028\n".encode(),
        b"\x0c" + inner + b"\x1c\n",
    ]
    home.extra["HANDOFFS_HOLD_SECONDS"] = "0"
    for way in ways:
        async with wire(home, "--ask", "pay", "--allow", "read_*") as client:
            await client.begin()
            await client.send(way, b"\n", {"id": "ping", "method": "ping"})
            with anyio.move_on_after(1):
                while client.got[-1].get("method") != "ping":
                    await anyio.sleep(0.01)
            assert "pay" not in client.ran, way
