"""Streams through `handoffs gate --http` that are cut: an answer is not lost, and nothing is sent a second time."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest
from starlette.responses import Response

from handoffs.gate.relay.front_log import MAX_IDS, EventLog, Track
from tests.acceptance.processes import Home, HttpServer
from tests.gate.behind import ALLOW, SHOP, Shop, text_of, waiting
from tests.gate.relay.cutting import cutting
from tests.gate.relay.http_servers import Got, http_recorder, result_of, started, stream
from tests.gate.relay.test_front import BOTH, INITIALIZE, Plain, Teller, shop_gate
from tests.gate.relay.test_front import teller as teller
from tests.gate.relay.test_http_wire import session

SINCE = {"mcp-protocol-version": "2025-11-25"}


class Event(dict[str, str]):
    """The fields of an event."""

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self["data"])
        return found


async def events(response: httpx2.Response) -> AsyncGenerator[Event]:
    """The events of a stream, as they come."""
    found = Event()
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if not line and found:
            yield found
            found = Event()
        elif name:
            found[name] = value


@asynccontextmanager
async def asked(caller: Plain, method: str, number: int = 1, **params: object) -> AsyncGenerator[httpx2.Response]:
    """A request whose stream the test reads, and cuts by leaving the block."""
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    headers = BOTH | caller.headers | caller.session | SINCE
    async with caller.http.stream("POST", caller.url, content=body, headers=headers) as response:
        assert response.status_code == 200
        yield response


@asynccontextmanager
async def resumed(caller: Plain, after: str) -> AsyncGenerator[httpx2.Response]:
    """What comes after an event."""
    headers = caller.headers | caller.session | SINCE | {"accept": "text/event-stream", "last-event-id": after}
    async with caller.http.stream("GET", caller.url, headers=headers) as response:
        yield response


async def answered(caller: Plain, after: str) -> list[dict[str, Any]]:
    async with resumed(caller, after) as response:
        assert response.status_code == 200
        return [each.message async for each in events(response) if each["data"]]


# The SDK's client


@pytest.mark.parametrize("behind", ["stdio", "http"])
async def test_the_answer_of_a_held_call_reaches_a_client_that_was_cut_off(tmp_path: Path, behind: str) -> None:
    shop = Shop(Home(tmp_path))

    async def call(gate: HttpServer) -> None:
        async with cutting(urlsplit(gate.url).port or 0) as proxy, shop.desk() as desk:
            there = replace(gate, url=f"http://127.0.0.1:{proxy.port}/mcp")
            async with there.client("legacy") as client, anyio.create_task_group() as tasks:

                async def cut_and_decide() -> None:
                    await waiting(desk)
                    await anyio.sleep(0.5)  # the client has read where its stream can be resumed
                    await proxy.cut()
                    await shop.answered(desk, ALLOW)

                tasks.start_soon(cut_and_decide)
                assert text_of(await client.call_tool("delete_order", {"number": 7})) == "deleted 7"

    if behind == "stdio":
        async with shop_gate(shop) as gate:
            await call(gate)
    else:
        with started(str(SHOP), str(shop.journal)) as url:
            async with shop_gate(shop, "--url", url) as gate:
                await call(gate)
    assert shop.done == ["delete 7"]


# A command behind


async def test_a_cut_stream_goes_on_after_the_event_that_its_client_names(teller: Teller) -> None:
    caller = teller.caller()
    await caller.begin()
    async with asked(caller, "slow", 7, _meta={"progressToken": "p"}) as response:
        coming = events(response)
        place = await anext(coming)
        first = await anext(coming)
    assert (place["data"], place["retry"], first.message["params"]["progress"]) == ("", "1000", 1)
    assert response.headers["content-type"] == "text/event-stream"
    await caller.ask("release", 8)
    said = await answered(caller, first["id"])
    assert [each.get("id") or each["params"]["progress"] for each in said] == [2, 7]
    # One that lost more gets more.
    said = await answered(caller, place["id"])
    assert [each.get("id") or each["params"]["progress"] for each in said] == [1, 2, 7]
    assert len([each for each in teller.journal if b'"slow"' in each]) == 1


async def test_a_stream_is_one_connections_at_a_time_and_the_last_one_has_it(teller: Teller) -> None:
    caller = teller.caller()
    await caller.begin()
    async with asked(caller, "slow", 7) as response:
        coming = events(response)
        place = await anext(coming)
        async with resumed(caller, place["id"]) as second:
            assert [each async for each in coming] == []  # the first has ended
            await caller.ask("release", 8)
            assert [each.message["id"] async for each in events(second)] == [7]


async def test_a_stream_is_its_sessions_alone(teller: Teller) -> None:
    mine, other, stranger = teller.caller(), teller.caller(), teller.caller(teller.token("ada"))
    await mine.begin()
    await other.begin()
    async with asked(mine, "slow", 7) as response:
        place = (await anext(events(response)))["id"]
    stranger.session = mine.session
    for caller, status in ((other, 400), (stranger, 404)):
        async with resumed(caller, place) as refused:
            assert refused.status_code == status
    await mine.ask("release", 8)
    assert [each["id"] for each in await answered(mine, place)] == [7]
    await mine.http.delete(mine.url, headers=mine.headers | mine.session)
    async with resumed(mine, place) as refused:
        assert refused.status_code == 404


async def test_a_resumed_call_that_is_held_ends_with_its_token(tmp_path: Path) -> None:
    shop = Shop(Home(tmp_path))
    added = next(word for word in shop.home.run("token", "add", "ada").stdout.split() if word.startswith("ho_"))
    async with shop_gate(shop) as gate, shop.desk() as desk, httpx2.AsyncClient(timeout=120) as http:
        caller = Plain(http, gate.url, {"authorization": f"Bearer {added}"})
        response = await caller.post({"id": 0, **INITIALIZE})
        caller.session = {"mcp-session-id": response.headers["mcp-session-id"]}
        async with asked(caller, "tools/call", name="delete_order", arguments={"number": 7}) as response:
            place = (await anext(events(response)))["id"]
        async with anyio.create_task_group() as tasks:

            async def revoke() -> None:
                await waiting(desk)
                await anyio.sleep(0.5)
                assert (await shop.home.command("token", "revoke", "ada")).returncode == 0

            tasks.start_soon(revoke)
            [broken] = await answered(caller, place)
        assert "no longer good" in broken["error"]["message"]
        await shop.answered(desk, ALLOW)
        await anyio.sleep(0.5)
    assert shop.done == []


async def test_a_client_of_an_earlier_version_gets_no_event_without_data(teller: Teller) -> None:
    caller = teller.caller()
    await caller.begin()
    body = {"id": 3, "method": "x"}
    answer = await caller.post(body, **{"mcp-protocol-version": "2025-06-18"})
    [only] = [line for line in answer.text.splitlines() if line.startswith("data:")]
    assert json.loads(only[6:])["id"] == 3


async def test_what_was_said_unasked_while_the_stream_was_cut_is_not_lost(teller: Teller) -> None:
    caller = teller.caller()
    await caller.begin()
    headers = caller.headers | caller.session | {"accept": "text/event-stream"}
    async with asked(caller, "slow", 7, _meta={"progressToken": "p"}):
        pass
    for _ in range(2):  # it is not given to the stream of what belongs to no request
        async with caller.http.stream("GET", caller.url, headers=headers) as stream_of_session:
            assert stream_of_session.status_code == 200
    await caller.ask("unasked", 8)
    async with caller.http.stream("GET", caller.url, headers=headers) as stream_of_session:
        said = await anext(events(stream_of_session))
        assert said.message["method"] == "notifications/message"
    async with resumed(caller, said["id"]) as again:
        assert again.status_code == 200


# A URL behind


@asynccontextmanager
async def before(folder: Path, url: str) -> AsyncGenerator[Plain]:
    """A caller of a gate before a URL, in a session."""
    async with Home(folder).http(args=("gate", "--allow", "*", "--url", url)) as gate:
        async with httpx2.AsyncClient(timeout=120) as http:
            caller = Plain(http, gate.url, gate.bearer)
            begun = await caller.post({"id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}})
            assert begun.headers["content-type"] == "application/json"
            caller.session = {"mcp-session-id": begun.headers["mcp-session-id"]}
            await caller.post({"method": "notifications/initialized"})
            yield caller


async def test_json_passes_as_json_and_events_with_the_servers_own_ids(tmp_path: Path) -> None:
    def then(got: Got) -> Response:
        if got.message["params"]["name"] == "json":
            return result_of(got)
        answer = json.dumps({"jsonrpc": "2.0", "id": got.message["id"], "result": {}}).encode()
        return stream(b"id: its-1\nretry: 70\ndata:\n\n", b"data: " + answer + b"\nid: its-2\n\n")

    with http_recorder(partial(session, then=then)) as server:
        async with before(tmp_path, server.url) as caller:
            plain = await caller.post({"id": 1, "method": "tools/call", "params": {"name": "json"}}, **SINCE)
            assert (plain.headers["content-type"], plain.json()["id"]) == ("application/json", 1)
            async with asked(caller, "tools/call", 2, name="events") as response:
                place, answer = [each async for each in events(response)]
    assert (place["id"], place["retry"], place["data"]) == ("its-1", "70", "")
    assert (answer["id"], answer.message["id"]) == ("its-2", 2)


async def test_the_servers_replay_passes_back(tmp_path: Path) -> None:
    """The server ends its stream to be polled; so does the gate, and each client names an event of the server's."""
    number = 0

    def answer(got: Got) -> Response:
        nonlocal number
        if got.method == "GET" and "last-event-id" in got.headers:
            said = json.dumps({"jsonrpc": "2.0", "id": number, "result": {"after": got.headers["last-event-id"]}})
            return stream(b"id: its-2\ndata: " + said.encode() + b"\n\n")
        return session(got, then)

    def then(got: Got) -> Response:
        nonlocal number
        number = got.message["id"]
        return stream(b"id: its-1\nretry: 50\ndata:\n\n")

    with http_recorder(answer) as server:
        async with before(tmp_path, server.url) as caller:
            async with asked(caller, "tools/call", 5, name="t") as response:
                [place] = [each async for each in events(response)]
            assert place == {"id": "its-1", "retry": "50", "event": "message", "data": ""}
            async with resumed(caller, "its-1") as response:
                [said] = [each async for each in events(response)]
        assert (said["id"], said.message["result"]) == ("its-2", {"after": "its-1"})
        assert len(server.of("tools/call")) == 1


async def test_an_answer_that_came_while_the_client_was_gone_is_kept(tmp_path: Path) -> None:
    released = anyio.Event()

    def then(got: Got) -> Response:
        answer = json.dumps({"jsonrpc": "2.0", "id": got.message["id"], "result": {}}).encode()

        async def parts() -> AsyncGenerator[bytes]:
            yield b": here\n\n"
            while not released.is_set():
                await anyio.sleep(0.01)
            yield b"data: " + answer + b"\n\n"

        response = stream()
        response.body_iterator = parts()
        return response

    with http_recorder(partial(session, then=then)) as server:
        async with before(tmp_path, server.url) as caller:
            async with asked(caller, "tools/call", 5, name="t") as response:
                place = (await anext(events(response)))["id"]
            released.set()
            await anyio.sleep(0.3)
            assert [each["id"] for each in await answered(caller, place)] == [5]
            async with resumed(caller, "never-said") as refused:
                assert refused.status_code == 400
                assert b"nothing is kept" in await refused.aread()
        assert len(server.of("tools/call")) == 1


# What is kept


def test_what_is_kept_is_bounded_in_bytes_and_time() -> None:
    log = EventLog[str](most=10_000, seconds=3600)
    call, other = Track("call"), Track("other")
    place = log.add(call, b"", "", None)
    first = log.add(other, b"x" * 4_000, "", None)
    last = log.add(other, b"x" * 4_000, "", None)
    other.ended = True
    assert [each.id for each in other.after(first.id)] == [last.id]
    answer = log.add(call, b"x" * 9_000, "its", None)
    assert log.find(first.id) is None
    # The place of a call that is not answered is found for as long as it takes.
    assert (log.find(place.id), call.after(place.id)) == (call, [answer])
    short, late = EventLog[str](seconds=-1), Track("late")
    late.ended = True
    gone = short.add(late, b"x", "", None)
    assert (short.find(gone.id), len(late.events)) == (None, 0)


def test_a_client_may_come_back_behind_any_event_that_is_kept() -> None:
    log = EventLog[str]()
    track = Track("long")
    first = log.add(track, b"{}", "", None)
    for _ in range(3 * MAX_IDS):
        log.add(track, b"{}", "", None)
    assert log.find(first.id) is track
    assert len(track.after(first.id)) == 3 * MAX_IDS


def test_an_id_that_a_server_uses_twice_names_one_event() -> None:
    log = EventLog[str]()
    one, two = Track("one"), Track("two")
    first, second = log.add(one, b"1", "1", None), log.add(two, b"2", "1", None)
    assert first.id == "1" != second.id
    assert (log.find("1"), log.find(second.id)) == (one, two)
