"""`handoffs gate --http`: real gates on HTTP before real servers, with the SDK's client and with plain requests."""

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client
from starlette.types import Scope

from handoffs.gate.relay.front import Front
from handoffs.gate.relay.front_reply import Reply
from handoffs.gate.relay.front_wire import HttpFront
from handoffs.gate.relay.message import Message, read_one
from handoffs.gate.relay.process import Behind
from handoffs.gate.relay.stdio import StdioRelay
from handoffs.os_user import current_user
from handoffs.wire import Wire
from tests.acceptance.processes import ERAS, Home, HttpServer
from tests.access.issuing import local_issuer
from tests.gate.behind import ALLOW, DENY, RULES, SHOP, Person, Shop, text_of, waiting
from tests.gate.relay.http_servers import started
from tests.gate.relay.test_eras import EVERYTHING, seen
from tests.waiting import until

eras = pytest.mark.parametrize("era", ERAS)
TELLER = str(Path(__file__).with_name("teller.py"))
BOTH = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
NEWER = "2026-07-28"
CLIENT = {"clientInfo": {"name": "test-host", "version": "1"}}
INITIALIZE = {"method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, **CLIENT}}


@asynccontextmanager
async def shop_gate(shop: Shop, *behind: str) -> AsyncGenerator[HttpServer]:
    """A gate on HTTP before a shop, which is a process for each client, or what is at a URL."""
    args = ("gate", "--name", "shop", *RULES, *(behind or ("--", sys.executable, str(SHOP), str(shop.journal))))
    async with shop.home.http(args=args) as server:
        yield server


def events_of(response: httpx2.Response) -> list[dict[str, Any]]:
    """The messages of a stream."""
    assert response.headers["content-type"] == "text/event-stream"
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]


def answer_of(response: httpx2.Response) -> dict[str, Any]:
    """The answer, in either form."""
    if response.headers["content-type"] == "text/event-stream":
        return events_of(response)[-1]
    found: dict[str, Any] = response.json()
    return found


@dataclass
class Plain:
    """Plain requests of one caller."""

    http: httpx2.AsyncClient
    url: str
    headers: dict[str, str]
    session: dict[str, str] = field(default_factory=dict)

    async def post(self, body: dict[str, Any] | bytes, **headers: str) -> httpx2.Response:
        data = body if isinstance(body, bytes) else json.dumps({"jsonrpc": "2.0", **body}).encode()
        return await self.http.post(self.url, content=data, headers=BOTH | self.headers | self.session | headers)

    async def begin(self) -> int:
        """Begin a session; return the process that serves it."""
        response = await self.post({"id": "begin", **INITIALIZE})
        self.session = {"mcp-session-id": response.headers["mcp-session-id"]}
        assert (await self.post({"method": "notifications/initialized"})).status_code == 202
        found: int = answer_of(response)["result"]["pid"]
        return found

    async def ask(self, method: str, number: object = 1, **params: object) -> dict[str, Any]:
        """Return the result of a request."""
        found: dict[str, Any] = answer_of(await self.post({"id": number, "method": method, "params": params}))["result"]
        return found

    def other(self) -> "Plain":
        """The same caller, from somewhere else."""
        return Plain(self.http, self.url, self.headers)


def modern(method: str, number: object = 1, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A request of the newer era, and its headers."""
    meta = {"io.modelcontextprotocol/protocolVersion": NEWER, **params.pop("_meta", {})}
    headers = {"mcp-protocol-version": NEWER, "mcp-method": method}
    if "name" in params and method == "tools/call":
        headers["mcp-name"] = params["name"]
    return {"id": number, "method": method, "params": {**params, "_meta": meta}}, headers


@dataclass
class Teller:
    """A gate before servers that say which process they are."""

    home: Home
    server: HttpServer
    http: httpx2.AsyncClient

    @property
    def journal(self) -> list[bytes]:
        """The lines that reached a server."""
        return (self.home.folder / "journal").read_bytes().splitlines(keepends=True)

    @property
    def reached(self) -> bytes:
        """All that reached a server; also where none has begun."""
        journal = self.home.folder / "journal"
        return journal.read_bytes() if journal.exists() else b""

    def caller(self, token: str | None = None) -> Plain:
        """The local user, or who has another token."""
        shown = self.server.bearer if token is None else {"authorization": f"Bearer {token}"}
        return Plain(self.http, self.server.url, shown)

    def token(self, name: str) -> str:
        """Add a token."""
        done = self.home.run("token", "add", name)
        return next(word for word in done.stdout.split() if word.startswith("ho_"))


@pytest.fixture
async def teller(tmp_path: Path) -> AsyncGenerator[Teller]:
    home = Home(tmp_path)
    args = ("gate", "--allow", "*", "--", sys.executable, TELLER, str(tmp_path / "journal"))
    with anyio.fail_after(300):
        async with home.http(args=args) as server, httpx2.AsyncClient(timeout=120) as http:
            yield Teller(home, server, http)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until_ended(pid: int) -> None:
    async def ended() -> bool:
        return not runs(pid)

    await until(ended, bool)


# All four pairs


@pytest.mark.parametrize("behind", ["stdio", "http"])
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_host_sees_the_same_directly_and_through_the_gate(tmp_path: Path, mode: str, behind: str) -> None:
    home = Home(tmp_path)

    async def through(*server: str) -> list[str]:
        async with home.http(args=("gate", "--allow", "*", *server)) as gate:
            async with httpx2.AsyncClient(headers=gate.bearer, timeout=60) as http:
                return await seen(streamable_http_client(gate.url, http_client=http), mode, times=100)

    if behind == "stdio":
        direct, found = await seen(EVERYTHING, mode, times=100), await through("--", *EVERYTHING)
    else:
        with started(EVERYTHING[1]) as url:
            direct = await seen(url, mode, times=100)
        with started(EVERYTHING[1]) as url:
            found = await through("--url", url)
    assert len(direct) > 25
    assert sorted(found) == sorted(direct)


@pytest.mark.parametrize("behind", ["stdio", "http"])
@eras
async def test_a_held_call_runs_as_a_person_decides_in_the_dialog(tmp_path: Path, era: str, behind: str) -> None:
    shop = Shop(Home(tmp_path))
    person = Person(ALLOW, DENY, ALLOW, {"why": "broken"})

    async def calls(gate: HttpServer) -> None:
        async with gate.client(era, person) as client:
            assert text_of(await client.call_tool("read_order", {"number": 1})) == "order 1"
            assert text_of(await client.call_tool("delete_order", {"number": 7})) == "deleted 7"
            denied = await client.call_tool("delete_order", {"number": 8})
            assert "not that one" in text_of(denied)
            # The server's own question comes in the same approval.
            assert text_of(await client.call_tool("refund", {"number": 9})) == "paid back 9"

    if behind == "stdio":
        async with shop_gate(shop) as gate:
            await calls(gate)
    else:
        with started(str(SHOP), str(shop.journal)) as url:
            async with shop_gate(shop, "--url", url) as gate:
                await calls(gate)
    assert shop.done == ["read 1", "delete 7", "refund 9: broken"]


@eras
async def test_a_held_call_is_decided_elsewhere_and_is_its_principals(tmp_path: Path, era: str) -> None:
    shop = Shop(Home(tmp_path))
    added = next(word for word in shop.home.run("token", "add", "ada").stdout.split() if word.startswith("ho_"))
    async with shop_gate(shop) as gate, shop.desk() as desk:
        for token, subject in ((None, current_user()), (added, "token:ada")):
            async with gate.client(era, token=token) as client, anyio.create_task_group() as tasks:

                async def decide(subject: str = subject) -> None:
                    asked = await waiting(desk)
                    assert (asked.caller.subject, asked.caller.project) == (subject, "")
                    await shop.answered(desk, ALLOW)

                tasks.start_soon(decide)
                assert text_of(await client.call_tool("delete_order", {"number": 7})) == "deleted 7"
    assert shop.done == ["delete 7", "delete 7"]


@eras
async def test_for_this_session_is_offered_where_there_is_one(tmp_path: Path, era: str) -> None:
    shop = Shop(Home(tmp_path))
    async with shop_gate(shop) as gate, shop.desk() as desk, anyio.create_task_group() as tasks:
        async with gate.client(era) as client:
            tasks.start_soon(client.call_tool, "delete_order", {"number": 7})
            form = (await waiting(desk)).question.form
            offered = {choice.value for field in form.fields if field.name == "remember" for choice in field.choices}
            tasks.cancel_scope.cancel()
    assert "tool-hour" in offered
    assert ("session" in offered) is (era == "legacy")  # else it would be for every client of this caller


# Who is let in


async def test_nobody_is_served_without_a_token(teller: Teller) -> None:
    caller = teller.caller()
    for shown in ({}, {"authorization": "Bearer ho_local_wrong"}):
        for method in ("POST", "GET", "DELETE"):
            refused = await teller.http.request(method, caller.url, headers=BOTH | shown)
            assert refused.status_code == 401
            assert "handoffs token local" in refused.text
    assert teller.reached == b""


async def test_the_names_of_others_are_refused(teller: Teller) -> None:
    caller = teller.caller()
    assert (await caller.post({"id": 1, **INITIALIZE}, host="evil.example")).status_code == 421
    assert (await caller.post({"id": 1, **INITIALIZE}, origin="http://evil.example")).status_code == 403
    assert teller.reached == b""


async def test_with_tokens_off_everybody_here_is_the_local_user_and_it_is_said(tmp_path: Path) -> None:
    shop = Shop(Home(tmp_path, {"HANDOFFS_TOKENS": "off"}))
    async with shop_gate(shop) as gate, shop.desk() as desk, anyio.create_task_group() as tasks:
        assert f"can call its tools as {current_user()}" in gate.heard
        async with gate.client("legacy") as client:

            async def decide() -> None:
                assert (await waiting(desk)).caller.subject == current_user()
                await shop.answered(desk, ALLOW)

            tasks.start_soon(decide)
            assert text_of(await client.call_tool("delete_order", {"number": 7})) == "deleted 7"


def test_other_machines_need_tokens(tmp_path: Path) -> None:
    done = Home(tmp_path).run("gate", "--http", "0.0.0.0:0", "--", "true")
    assert done.returncode == 2
    assert "can be reached from other machines" in done.stderr


async def test_the_users_of_an_issuer_are_let_in_by_its_tokens(tmp_path: Path) -> None:
    with local_issuer() as issuer:
        home = Home(tmp_path, {"HANDOFFS_OAUTH_ISSUER": issuer.url, "HANDOFFS_TOKENS": "off"})
        args = ("gate", "--", sys.executable, TELLER, str(tmp_path / "journal"))
        async with home.http(args=args) as server, httpx2.AsyncClient(timeout=120) as http:
            refused = await Plain(http, server.url, {}).post({"id": 1, **INITIALIZE})
            assert refused.status_code == 401
            metadata = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
            found = (await http.get(metadata)).json()
            assert (found["resource"], found["authorization_servers"]) == (server.url, [issuer.url])
            ada = Plain(http, server.url, {"authorization": f"Bearer {issuer.token(aud=server.url)}"})
            assert await ada.begin()
            async with Shop(home).desk() as desk, anyio.create_task_group() as tasks:
                tasks.start_soon(partial(ada.ask, "tools/call", name="pay", arguments={}))
                asked = await waiting(desk)
                assert asked.caller.subject.startswith("oauth:ada@")
                await desk.answer(asked, DENY, by="bob", channel="inbox")


async def test_a_call_that_is_held_ends_with_its_token_and_is_not_run(tmp_path: Path) -> None:
    shop = Shop(Home(tmp_path))
    added = next(word for word in shop.home.run("token", "add", "ada").stdout.split() if word.startswith("ho_"))
    async with shop_gate(shop) as gate, shop.desk() as desk, gate.client("legacy", token=added) as client:
        async with anyio.create_task_group() as tasks:

            async def revoke() -> None:
                await waiting(desk)
                assert (await shop.home.command("token", "revoke", "ada")).returncode == 0

            tasks.start_soon(revoke)
            with pytest.raises(MCPError, match="token of this request is no longer good"):
                await client.call_tool("delete_order", {"number": 7})
        await shop.answered(desk, ALLOW)
        await anyio.sleep(0.5)
    assert shop.done == []


# Sessions


async def test_each_session_has_a_process_of_its_own_which_delete_ends(teller: Teller) -> None:
    one, two = teller.caller(), teller.caller()
    first, second = await one.begin(), await two.begin()
    assert first != second
    assert (await one.ask("x"))["pid"] == first
    assert (await two.ask("x"))["pid"] == second
    deleted = await one.http.delete(one.url, headers=one.headers | one.session)
    assert deleted.status_code == 200
    await until_ended(first)
    gone = await one.post({"id": 5, "method": "x"})
    assert (gone.status_code, gone.json()["id"]) == (404, 5)
    assert "has ended" in gone.json()["error"]["message"]
    assert (await two.ask("x"))["pid"] == second


async def test_a_thousand_calls_leave_no_process(teller: Teller) -> None:
    behind: list[int] = []
    for _ in range(50):
        caller = teller.caller()
        behind.append(await caller.begin())
        for _ in range(20):
            assert (await caller.ask("x"))["pid"] == behind[-1]
        assert (await caller.http.delete(caller.url, headers=caller.headers | caller.session)).status_code == 200
    assert len(set(behind)) == 50
    for process in behind:
        await until_ended(process)


async def test_no_other_caller_enters_a_session(teller: Teller) -> None:
    mine = teller.caller()
    process = await mine.begin()
    other = teller.caller(teller.token("ada"))
    other.session = mine.session
    assert (await other.post({"id": 1, "method": "x"})).status_code == 404
    assert (await other.http.delete(other.url, headers=other.headers | other.session)).status_code == 404
    assert (await mine.ask("x"))["pid"] == process


async def test_messages_reach_the_server_and_come_back_byte_for_byte(teller: Teller) -> None:
    caller = teller.caller()
    await caller.begin()
    sent = b'{"params" : {"n":1.50e+3, "s":"\\u00e4"},"id":1234567890123456789,\r\n "method":"x", "jsonrpc":"2.0"}'
    response = await caller.post(sent)
    assert answer_of(response)["id"] == 1234567890123456789
    assert teller.journal[-1] == sent.replace(b"\r\n", b"  ") + b"\n"


async def test_what_the_server_says_unasked_comes_on_the_stream(teller: Teller) -> None:
    caller = teller.caller()
    await caller.begin()
    asked = {"id": 7, "method": "slow", "params": {"_meta": {"progressToken": "p"}}}
    accept = {"accept": "text/event-stream"}
    async with caller.http.stream("GET", caller.url, headers=caller.headers | caller.session | accept) as stream:
        assert stream.status_code == 200
        again = await caller.http.get(caller.url, headers=caller.headers | caller.session | accept)
        assert again.status_code == 409
        async with anyio.create_task_group() as tasks:

            async def release() -> None:
                await until(lambda: _lines(teller, b'"slow"'), bool)
                twice = await caller.post(asked)
                assert "has this id" in twice.json()["error"]["message"]
                await caller.ask("release", 8)

            tasks.start_soon(release)
            response = await caller.post(asked)
    events = events_of(response)
    assert [each.get("id") or each["params"]["progress"] for each in events] == [1, 2, 7]


def _lines(teller: Teller, word: bytes) -> list[bytes]:
    path = teller.home.folder / "journal"
    return [each for each in (teller.journal if path.exists() else ()) if word in each]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b'{"jsonrpc": "2.0", "id": 1', "no JSON"),
        (b'{"a": NaN}', "no JSON"),
        (b'{"a": "\xff"}', "no UTF-8"),
        (b"[" * 100_000, "nested"),
        (b'"x"', "must be an object"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', "not as a batch"),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', "`id` twice"),
        (b'{"jsonrpc":"2.0","id":1,"Method":"tools/call","method":"ping"}', "`method` twice"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', "`name` twice"),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', "an id must be"),
        (b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}', "must have an id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"}', "names no session"),
    ],
)
async def test_a_body_that_is_not_one_message_is_refused_in_words(teller: Teller, body: bytes, words: str) -> None:
    refused = await teller.caller().post(body)
    assert refused.status_code == 400
    assert words in refused.json()["error"]["message"]
    assert teller.reached == b""


async def test_a_body_that_is_too_long_is_refused(teller: Teller) -> None:
    refused = await teller.caller().post(b'{"a": "%b"}' % (b"x" * 5_000_000))
    assert refused.status_code == 413


async def test_an_idle_session_ends_and_leaves_no_process(tmp_path: Path) -> None:
    processes: list[Behind] = []

    class Nothing:
        watching: frozenset[str] = frozenset()

        def from_client(self, message: object) -> bool:
            return False

        async def behind_ended(self, reason: str) -> None:
            pass

    async def serve(front: Wire, subject: str) -> None:
        processes.append(Behind([sys.executable, TELLER, str(tmp_path / "journal")]))
        await StdioRelay(front, processes[-1], Nothing(), signals=False).run()  # type: ignore[arg-type]

    def principal(scope: Scope) -> str:
        return "ada"

    front = Front(serve, principal, idle_seconds=0.5)
    async with front.running(), httpx2.AsyncClient(transport=httpx2.ASGITransport(front), timeout=120) as http:
        caller = Plain(http, "http://test/mcp", {})
        first = await caller.begin()
        body, headers = modern("x")
        second = (await caller.other().post(body, **headers)).json()["result"]["pid"]
        assert first != second
        await until_ended(first)
        await until_ended(second)
        assert (await caller.post({"id": 1, "method": "x"})).status_code == 404
        third = (await caller.other().post(body, **headers)).json()["result"]["pid"]
    assert not runs(third)
    assert [each.exit_code for each in processes] == [0, 0, 0]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")
async def test_a_stopped_gate_answers_what_is_held_and_leaves_no_process(tmp_path: Path) -> None:
    home = Home(tmp_path)
    args = ("gate", "--", sys.executable, TELLER, str(tmp_path / "journal"))
    async with home.http(args=args) as server, httpx2.AsyncClient(timeout=120) as http:
        caller = Plain(http, server.url, server.bearer)
        process = await caller.begin()
        async with anyio.create_task_group() as tasks:

            async def stop() -> None:
                async with Shop(home).desk() as desk:
                    await waiting(desk)
                server.process.send_signal(signal.SIGTERM)

            tasks.start_soon(stop)
            held = await caller.ask("tools/call", name="pay", arguments={})
        assert held["isError"]
        assert await server.process.wait() == 0
    assert not runs(process)
    assert b"tools/call" not in (tmp_path / "journal").read_bytes()


async def test_a_server_that_can_not_be_started_is_told(tmp_path: Path) -> None:
    async with Home(tmp_path).http(args=("gate", "--", "no-such-command-here")) as server, httpx2.AsyncClient() as http:
        response = await Plain(http, server.url, server.bearer).post({"id": 1, **INITIALIZE})
    assert "could not be started: no command no-such-command-here" in answer_of(response)["error"]["message"]


async def test_a_client_that_does_not_read_makes_the_server_wait() -> None:
    front, reply = HttpFront(modern=False), Reply()
    asked = read_one(b'{"id":1,"method":"x","params":{"_meta":{"progressToken":"p"}}}')
    assert isinstance(asked, Message)
    await front.ask(asked, reply)
    told = {"method": "notifications/progress", "params": {"progressToken": "p", "message": "x" * 600_000}}
    line = json.dumps(told).encode() + b"\n"
    assert (front.write_now(line), front.write_now(line), front.write_now(line)) == (b"", b"", line)
    written = anyio.Event()

    async def write() -> None:
        await front.write(line)
        written.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await anyio.wait_all_tasks_blocked()
        assert not written.is_set()
        reply.leave()
        with anyio.fail_after(120):
            await written.wait()


# From 2026-07-28 on


async def test_each_caller_has_a_process_and_shares_it_with_nobody(teller: Teller) -> None:
    mine, others = teller.caller(), teller.caller(teller.token("ada"))
    body, headers = modern("x")
    first, again, other = [(await each.post(body, **headers)).json()["result"]["pid"] for each in (mine, mine, others)]
    assert first == again != other


async def test_two_clients_of_one_caller_may_use_the_same_id_at_once(teller: Teller) -> None:
    caller, found = teller.caller(), dict[str, list[dict[str, Any]]]()

    async def ask(name: str) -> None:
        body, headers = modern("slow", 1, name=name, _meta={"progressToken": 1})
        response = await caller.post(body, **headers)
        found[name] = events_of(response)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "a")
        tasks.start_soon(ask, "b")
        await until(lambda: len(_lines(teller, b'"slow"')), lambda count: count == 2)
        body, headers = modern("release", 2)
        await caller.post(body, **headers)
    for name in ("a", "b"):
        one, two, answer = found[name]
        assert [each["params"] for each in (one, two)] == [{"progressToken": 1, "progress": each} for each in (1, 2)]
        assert (answer["id"], answer["result"]["name"]) == (1, name)
    ids = [json.loads(each)["id"] for each in _lines(teller, b'"slow"')]
    assert ids[0] == 1
    assert ids[0] != ids[1]


async def test_to_close_the_stream_is_to_cancel_and_the_id_is_not_used_again(teller: Teller) -> None:
    caller = teller.caller()
    body, headers = modern("slow", 5)
    with anyio.move_on_after(30) as leaving:
        async with anyio.create_task_group() as tasks:

            async def leave() -> None:
                await until(lambda: _lines(teller, b'"slow"'), bool)
                leaving.cancel()

            tasks.start_soon(leave)
            await caller.post(body, **headers)
    [cancelled] = await until(lambda: _lines(teller, b"notifications/cancelled"), bool)
    assert json.loads(cancelled)["params"] == {"requestId": 5}
    body, headers = modern("release", 5)
    response = await caller.post(body, **headers)  # the server answers the first one first
    assert response.json()["id"] == 5
    assert json.loads(_lines(teller, b"release")[0])["id"] != 5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mcp-method": "tools/list"}, "`mcp-method` is not what its body says"),
        ({"mcp-name": "other"}, "`mcp-name` is not what its body says"),
        ({"mcp-name": "=?base64?b3RoZXI=?="}, "`mcp-name` is not what its body says"),
        ({"mcp-protocol-version": "2027-01-01"}, "`mcp-protocol-version` is not what its body says"),
    ],
)
async def test_a_header_that_says_something_else_is_refused(teller: Teller, wrong: dict[str, str], words: str) -> None:
    body, headers = modern("tools/call", name="pay")
    refused = await teller.caller().post(body, **(headers | wrong))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32020)
    assert words in refused.json()["error"]["message"]
    assert teller.reached == b""


async def test_a_header_that_is_there_twice_must_say_the_same_twice(teller: Teller) -> None:
    body, headers = modern("tools/call", name="pay")
    caller = teller.caller()
    both = [*(BOTH | caller.headers | headers).items(), ("mcp-name", "read_it")]
    refused = await caller.http.post(caller.url, json={"jsonrpc": "2.0", **body}, headers=both)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32020)
    assert "`mcp-name` is not what its body says" in refused.json()["error"]["message"]
    assert teller.reached == b""


@pytest.mark.parametrize(
    ("method", "meta", "status", "code"), [("tools/call", {}, 400, -32602), ("initialize", None, 404, -32601)]
)
async def test_what_the_version_does_not_have_is_refused_in_its_words(
    teller: Teller, method: str, meta: dict[str, str] | None, status: int, code: int
) -> None:
    body, headers = modern(method, name="pay")
    if meta is not None:
        body["params"]["_meta"] = meta
    refused = await teller.caller().post(body, **headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert teller.reached == b""


async def test_there_is_no_stream_and_no_session(teller: Teller) -> None:
    caller = teller.caller()
    for method in ("GET", "DELETE"):
        refused = await caller.http.request(
            method, caller.url, headers=caller.headers | {"mcp-protocol-version": NEWER}
        )
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    answer = await caller.post({"id": 1, "result": {}}, **{"mcp-protocol-version": NEWER})
    assert answer.status_code == 400
    told = await caller.post({"method": "notifications/cancelled"}, **{"mcp-protocol-version": NEWER})
    assert told.status_code == 202
