"""The HTTP interface for programs, on a real server: what it does, and what it refuses."""

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import BaseModel, field_validator

import handoffs
from handoffs.api.openapi import document
from handoffs.client import Declined, Pending, Status
from handoffs.client.remote import ServerRefused, ServerUnavailable, handoff_of, open_remote
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, NotFound, QuestionRefused
from handoffs.core.model import Handoff, State
from handoffs.core.question import Limits
from tests.acceptance.processes import Home, HttpServer
from tests.client.people import YES_NO, answer, desk_of, opened, with_a_person
from tests.waiting import until


class Even(BaseModel):
    """A form whose answer must fit more than its schema says."""

    port: int

    @field_validator("port")
    @classmethod
    def _is_even(cls, port: int) -> int:
        if port % 2:
            raise ValueError("must be even")
        return port


QUESTION = {"message": "Deploy 1.4?", "options": ["yes", "no"]}
OPENAPI = Path(__file__).parents[2] / "docs/reference/openapi.json"


@asynccontextmanager
async def served(folder: Path) -> AsyncGenerator["tuple[Home, HttpServer, httpx2.AsyncClient]"]:
    """A server, and a client with the local user's token."""
    home = Home(folder, {"HANDOFFS_MIN_TIMEOUT_SECONDS": "1"})
    async with home.http() as server:
        base = server.url.removesuffix("/mcp")
        async with httpx2.AsyncClient(base_url=base, headers=server.bearer, timeout=120) as http:
            yield home, server, http


async def stored(home: Home) -> list[Handoff]:
    async with desk_of(home.folder) as desk:
        return list(await desk.newest(open_only=False))


async def added_token(home: Home, name: str) -> str:
    done = await home.command("token", "add", name, "--json")
    if done.returncode:
        done = await home.command("token", "add", name)
    found = [word.strip('",') for word in done.stdout.decode().split() if word.strip('",').startswith("ho_")]
    return found[0]


async def test_a_question_is_asked_waited_for_and_answered(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, _, http), desk_of(tmp_path) as desk:
        asked = await http.post("/v1/handoffs", json=QUESTION)
        assert (asked.status_code, asked.json()["state"]) == (201, "open")
        place = asked.headers["location"]
        assert (await http.get(place)).json()["answer"] is None
        got = await with_a_person(partial(http.get, f"{place}?wait=20"), desk, partial(answer, response="yes"))
        assert (got.json()["state"], got.json()["answer"]["values"]) == ("answered", {"response": "yes"})

        async def is_handed_over() -> bool:
            return (await desk.get(asked.json()["id"])).collected_at is not None

        assert await until(is_handed_over)
        again = await http.post(f"{place}/cancel")
        assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")


async def test_a_question_is_asked_and_answered_in_one_request(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, _, http), desk_of(tmp_path) as desk:
        keyed = partial(http.post, "/v1/handoffs?wait=20", json=QUESTION, headers={"idempotency-key": "release 1.4"})
        soon = await http.post("/v1/handoffs?wait=0.1", json=QUESTION, headers={"idempotency-key": "release 1.4"})
        assert (soon.status_code, soon.json()["state"]) == (201, "open")
        got = await with_a_person(keyed, desk, partial(answer, response="yes"))
        assert (got.status_code, got.json()["id"]) == (200, soon.json()["id"])
        assert (got.json()["state"], got.json()["answer"]["values"]) == ("answered", {"response": "yes"})
        assert got.headers["location"] == f"/v1/handoffs/{got.json()['id']}"
        again = await keyed()
        assert (again.json()["id"], again.json()["answer"]) == (got.json()["id"], got.json()["answer"])
        other = partial(http.post, "/v1/handoffs?wait=20", json={"message": "And this?"})
        declined = await with_a_person(other, desk, _declined)
        assert (declined.status_code, declined.json()["state"], declined.json()["answer"]) == (201, "declined", None)


@pytest.mark.parametrize("wait", ["-1", "301", "soon", "", "1_0"])
async def test_a_wait_that_is_no_time_asks_nothing(tmp_path: Path, wait: str) -> None:
    async with served(tmp_path) as (home, _, http):
        got = await http.post("/v1/handoffs", params={"wait": wait}, json=QUESTION)
        assert (got.status_code, got.json()["errors"][0]["field"]) == (422, "wait")
        assert await stored(home) == []


async def _declined(desk: Desk) -> None:
    await desk.decline(await opened(desk), by="ada", channel="inbox")


async def test_a_key_names_a_question_for_good(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, _, http), desk_of(tmp_path) as desk:
        key = {"idempotency-key": "release 1.4"}
        found = list[httpx2.Response]()

        async def ask() -> None:
            found.append(await http.post("/v1/handoffs", json=QUESTION, headers=key))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
        assert len({each.json()["id"] for each in found}) == 1
        await answer(desk, response="no")
        for _ in range(2):
            again = await http.post("/v1/handoffs", json=QUESTION, headers=key)
            assert (again.status_code, again.json()["answer"]["values"]) == (200, {"response": "no"})
        other = await http.post("/v1/handoffs", json={"message": "Something else?"}, headers=key)
        assert (other.status_code, other.json()["errors"][0]["field"]) == (409, "Idempotency-Key")
        theirs = {"authorization": f"Bearer {await added_token(home, 'ci')}"}
        of_another = await http.post("/v1/handoffs", json=QUESTION, headers=key | theirs)
        assert (of_another.status_code, of_another.json()["state"]) == (201, "open")
        assert len(await stored(home)) == 2


async def test_without_a_key_only_callers_who_say_who_they_are_join(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, _, http):
        named = QUESTION | {"client": "deploy.py", "project": "web-1:/srv"}
        for body, ids in ((QUESTION, 2), (named, 1)):
            got = [(await http.post("/v1/handoffs", json=body)).json()["id"] for _ in range(2)]
            assert len(set(got)) == ids


async def test_nobody_finds_what_another_caller_has_asked(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, _, http):
        place = (await http.post("/v1/handoffs", json=QUESTION)).headers["location"]
        theirs = {"authorization": f"Bearer {await added_token(home, 'ci')}"}
        nowhere = await http.get("/v1/handoffs/h_nothing", headers=theirs)
        for got in (await http.get(place, headers=theirs), await http.post(f"{place}/cancel", headers=theirs)):
            assert (got.status_code, got.json()) == (404, nowhere.json())
        assert [each.state for each in await stored(home)] == [State.OPEN]


async def test_nothing_is_done_without_a_good_token(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, _, http):
        place = (await http.post("/v1/handoffs", json=QUESTION)).headers["location"]
        for token in ("", "Bearer x", "Bearer ho_nonsense", "Basic YTpi"):
            headers = {"authorization": token}
            for got in (
                await http.post("/v1/handoffs", json=QUESTION, headers=headers),
                await http.get(place, headers=headers),
                await http.post(f"{place}/cancel", headers=headers),
                await http.get("/v1/handoffs/events", headers=headers),
                await http.get("/v1/openapi.json", headers=headers),
            ):
                assert got.status_code == 401
        foreign = await http.post("/v1/handoffs", json=QUESTION, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert [each.state for each in await stored(home)] == [State.OPEN]


async def test_no_route_answers_or_declines(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, _, http):
        place = (await http.post("/v1/handoffs", json=QUESTION)).headers["location"]
        for method, path in (
            ("POST", f"{place}/answer"),
            ("POST", f"{place}/decline"),
            ("POST", place),
            ("PUT", place),
            ("PATCH", place),
            ("DELETE", place),
        ):
            got = await http.request(method, path, json={"values": {"response": "yes"}})
            assert got.status_code in {404, 405}
        assert not [word for word in ('/answer"', '/decline"') if word in json.dumps(document())]
        assert [each.state for each in await stored(home)] == [State.OPEN]


async def test_another_method_is_refused_in_words_and_hands_nothing_over(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, _, http), desk_of(tmp_path) as desk:
        place = (await http.post("/v1/handoffs", json=QUESTION)).headers["location"]
        ended = await answer(desk, response="yes")
        for method, path, allowed in (
            ("HEAD", place, "GET"),
            ("HEAD", "/v1/handoffs/events", "GET"),
            ("DELETE", place, "GET"),
            ("PUT", f"{place}/cancel", "POST"),
            ("GET", "/v1/handoffs", "POST"),
            ("OPTIONS", "/v1/access-requests", "POST"),
        ):
            got = await http.request(method, path)
            assert (got.status_code, got.headers["allow"]) == (405, allowed)
            assert got.headers["content-type"] == "application/problem+json"
        assert (await desk.get(ended.id)).collected_at is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": 1}, "message"),
        ({"message": " "}, "message"),
        ({"message": "x" * 20_001}, "message"),
        ({"message": "Deploy?", "options": "yes"}, "options"),
        ({"message": "Deploy?", "options": ["yes"]}, "options"),
        ({"message": "Deploy?", "options": ["yes", 1]}, "options"),
        ({"message": "Deploy?", "options": ["a", "b"], "form": {"type": "object"}}, "options"),
        ({"message": "Deploy?", "options": ["a", "\ud800"]}, "options"),
        ({"message": "Deploy?", "options": ["a", "\0"]}, "options"),
        ({"message": "Deploy?", "options": ["a", "x" * 300_000]}, "options"),
        ({"message": "Deploy?", "form": []}, "form"),
        ({"message": "Deploy?", "form": {"type": "array"}}, "form"),
        ({"message": "Deploy?", "timeoutSeconds": "1"}, "timeoutSeconds"),
        ({"message": "Deploy?", "timeoutSeconds": True}, "timeoutSeconds"),
        ({"message": "Deploy?", "timeoutSeconds": 0}, "timeoutSeconds"),
        ({"message": "Deploy?", "timeoutSeconds": 1e300}, "timeoutSeconds"),
        ({"message": "Deploy?", "timeoutSeconds": 10**400}, "timeoutSeconds"),
        ({"message": "Deploy?", "client": "x" * 1_001}, "client"),
        ({"message": "Deploy?", "values": {"response": "yes"}}, "values"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_its_field(api: "Shared", body: object, field: str) -> None:
    got = await api.http.post("/v1/handoffs", content=json.dumps(body), headers={"content-type": "application/json"})
    assert (got.status_code, got.headers["content-type"]) == (422, "application/problem+json")
    assert got.json()["errors"][0]["field"] == field
    assert await stored(api.home) == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"[]", {}, 422),
        (b'{"message": "\\ud800"}', {}, 422),
        (b'{"message": "D?", "client": "\\ud800"}', {}, 422),
        (b"message=D", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b'{"message": "D?"}', {"idempotency-key": ""}, 422),
        (b'{"message": "D?"}', {"idempotency-key": "x" * 256}, 422),
        (b'{"message": "' + b"x" * 10_000_000 + b'"}', {}, 413),
    ],
)
async def test_a_body_that_cant_be_read_is_refused(
    api: "Shared", content: bytes, headers: dict[str, str], status: int
) -> None:
    got = await api.http.post("/v1/handoffs", content=content, headers={"content-type": "application/json"} | headers)
    assert (got.status_code, got.json()["status"]) == (status, status)
    assert await stored(api.home) == []


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/handoffs/a%0Ab", "/v1/%0A", "/v1/handoffs/%00", "/v1/a%2Fb"])
async def test_an_address_with_nothing_at_it_is_told_so(api: "Shared", path: str) -> None:
    got = await api.http.get(path)
    assert (got.status_code, got.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("key", [b"\xe9", b"\xa0one", "one\u2028".encode()])
async def test_a_key_beyond_ascii_is_refused(api: "Shared", key: bytes) -> None:
    headers = {b"idempotency-key": key, b"content-type": b"application/json"}
    got = await api.http.post("/v1/handoffs", content=b'{"message": "D?"}', headers=headers)
    assert (got.status_code, got.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert await stored(api.home) == []


@pytest.mark.parametrize("wait", ["-1", "301", "soon", "nan", "inf", "", "1_0", "%201", "%D9%A1"])
async def test_a_wait_that_is_none_is_refused(api: "Shared", wait: str) -> None:
    got = await api.http.get(f"/v1/handoffs/h_nothing?wait={wait}")
    assert (got.status_code, got.json()["errors"][0]["field"]) == (422, "wait")


class Shared:
    """A server that no question reaches."""

    def __init__(self, home: Home, http: httpx2.AsyncClient) -> None:
        self.home, self.http = home, http


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Shared]:
    async with served(tmp_path_factory.mktemp("api")) as (home, _, http):
        yield Shared(home, http)


async def test_events_tell_of_ones_own_questions_and_go_on_where_they_were(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, _, http), desk_of(tmp_path) as desk:
        theirs = {"authorization": f"Bearer {await added_token(home, 'ci')}"}
        await http.post("/v1/handoffs", json={"message": "Not yours"}, headers=theirs)
        seen: list[tuple[str, str]] = []

        async def follow(count: int, headers: dict[str, str]) -> str:
            number = ""
            async with http.stream("GET", "/v1/handoffs/events", headers=headers) as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                async for line in stream.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "id":
                        number = value
                    elif name == "data":
                        told = json.loads(value)
                        assert {*told} == {"handoffId", "event", "at"}
                        seen.append((told["handoffId"], told["event"]))
                        if len(seen) == count:
                            break
            return number

        asked = (await http.post("/v1/handoffs", json=QUESTION)).json()["id"]
        with anyio.fail_after(120):
            last = await follow(1, {"last-event-id": "0"})
            for words in (["add", "eve"], ["set", "eve", "--group", "dba"], ["erase", "eve", "--yes"]):
                assert (await home.command("people", *words)).returncode == 0  # their lines are told nobody
            await desk.answer(await desk.get(asked), {"response": "yes"}, by="ada", channel="inbox")
            await follow(2, {"last-event-id": last})
        assert seen == [(asked, "opened"), (asked, "answered")]
        wrong = await http.get("/v1/handoffs/events", headers={"last-event-id": "x"})
        assert wrong.status_code == 422


async def test_a_token_that_is_withdrawn_ends_what_waits_with_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, _, http):
        theirs = {"authorization": f"Bearer {await added_token(home, 'ci')}"}
        place = (await http.post("/v1/handoffs", json=QUESTION, headers=theirs)).headers["location"]
        got = list[httpx2.Response]()

        async def wait() -> None:
            got.append(await http.get(f"{place}?wait=60", headers=theirs, timeout=60))

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.sleep(0.5)
                assert (await home.command("token", "revoke", "ci")).returncode == 0
        assert got[0].status_code == 401
        assert [each.state for each in await stored(home)] == [State.OPEN]


async def test_the_description_that_is_served_is_the_one_that_is_kept(tmp_path: Path) -> None:
    kept = json.loads(OPENAPI.read_text())
    assert kept == document()
    key, _ = kept["paths"]["/v1/handoffs"]["post"]["parameters"]
    for written, fits in [("release 1.4", True), ("\t a ", True), ("x" * 255, True), ("x" * 256, False), (" ", False)]:
        assert bool(re.fullmatch(key["schema"]["pattern"], written)) == fits
    async with served(tmp_path) as (_, _, http):
        found = (await http.get("/v1/openapi.json")).json()
        assert found == document(Limits(min_seconds=1))  # as its settings say


# The client


async def test_a_program_asks_at_a_server(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, server, _), desk_of(tmp_path) as desk:
        ask = partial(
            handoffs.ask, "Deploy 1.4?", options=YES_NO, server=server.url, token=server.token, client="x.py", tell=None
        )
        outcome = await with_a_person(ask, desk, partial(answer, response="yes"))
        assert (outcome.status, outcome.picked, outcome.by) == (Status.ANSWERED, "yes", "ada")
        with pytest.raises(Pending) as raised:  # asked anew
            await handoffs.ask("Deploy 1.4?", options=YES_NO, server=server.url, token=server.token, wait=0, tell=None)
        it = raised.value.outcome.handoff_id
        assert it != outcome.handoff_id
        async with open_remote(server.url, server.token) as asking:
            assert (await asking.wait(it, wait=0)).status is Status.PENDING
            await desk.decline(await desk.get(it), by="ada", channel="inbox")
            with pytest.raises(Declined):
                await asking.ask("Deploy 1.4?", options=YES_NO, tell=None)
            with pytest.raises(AlreadyEnded):
                await asking.cancel(it)
            with pytest.raises(NotFound):
                await asking.get("h_nothing")
            with pytest.raises(QuestionRefused, match="options"):
                await asking.open("Deploy?", options=["yes"])
        for token in (None, "ho_nonsense"):
            with pytest.raises(ServerRefused, match="token"):
                await handoffs.ask("Deploy?", server=server.url, token=token)


async def test_a_key_at_a_server_joins_as_at_ones_own_store(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, server, _), desk_of(tmp_path) as desk:
        ask = partial(handoffs.ask, "Deploy?", options=YES_NO, server=server.url, token=server.token, tell=None)
        long = "発布 " * 400
        first = await with_a_person(partial(ask, key=f"{long}1"), desk, partial(answer, response="yes"))
        assert (await ask(key=f"{long}1")).handoff_id == first.handoff_id
        for other in (f"{long}2", f"{long}1 ", "\ud800", " "):
            with pytest.raises(Pending) as raised:
                await ask(key=other, wait=0)
            assert raised.value.outcome.handoff_id != first.handoff_id


async def test_a_key_at_a_server_gives_its_answer_for_a_time_only(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_MIN_TIMEOUT_SECONDS": "1", "HANDOFFS_JOIN_SECONDS": "1"})
    async with home.http() as server, desk_of(tmp_path) as desk:
        ask = partial(
            handoffs.ask, "Deploy?", options=YES_NO, server=server.url, token=server.token, key="1", tell=None
        )
        first = await with_a_person(ask, desk, partial(answer, response="yes"))

        async def is_given_again() -> bool:
            return (await ask(wait=0)).handoff_id == first.handoff_id

        with pytest.raises(Pending):  # it is a new question
            await until(is_given_again, lambda given: not given)


async def test_a_model_refuses_an_answer_also_with_a_key_at_a_server(tmp_path: Path) -> None:
    async def twice(desk: Desk) -> None:
        first = await answer(desk, port=81)
        await desk.answer(await opened(desk, but=[first.id]), {"port": 82}, by="ada", channel="inbox")

    async with served(tmp_path) as (_, server, _), desk_of(tmp_path) as desk:
        ask: Any = partial(handoffs.ask, "Which?", form=Even, key="1.4", server=server.url, token=server.token)
        assert (await with_a_person(ask, desk, twice)).instance == Even(port=82)


@pytest.mark.parametrize(
    ("server", "token"),
    [("http://[::1", "t"),
     ("http://a:b", "t"), ("http://a:99999", "t"), ("http://exa mple", "t"), ("http://a\x01", "t"),
     ("http://127.0.0.1:9", "é"), ("http://127.0.0.1:9", "a b"), ("http://127.0.0.1:9", "a\nb")],
)  # fmt: skip
async def test_an_address_or_token_that_is_none_is_refused(server: str, token: str) -> None:
    with pytest.raises(QuestionRefused, match="server"):
        await handoffs.ask("Deploy?", server=server, token=token)


async def test_what_is_no_id_is_not_asked_for_at_a_server(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, server, _), open_remote(server.url, server.token) as asking:
        for word in ("events", "..", "", "h_1/attachments"):
            with anyio.fail_after(120), pytest.raises(NotFound):
                await asking.wait(word)
    async with served(tmp_path) as (_, server, _):
        with pytest.raises(ServerRefused, match="serve --http"):
            await handoffs.ask("Deploy?", server=f"{server.url}/elsewhere", token=server.token)


async def test_a_question_goes_on_while_its_server_is_restarted(tmp_path: Path) -> None:
    home, found = Home(tmp_path), list[str | None]()
    async with home.http() as server:
        address = server.url.removeprefix("http://").removesuffix("/mcp")
        token = server.token
        async with desk_of(tmp_path) as desk, anyio.create_task_group() as tasks:

            async def ask() -> None:
                outcome = await handoffs.ask("Deploy?", options=YES_NO, server=server.url, token=token, tell=None)
                found.append(outcome.picked)

            tasks.start_soon(ask)
            handoff = await opened(desk)
            server.process.kill()
            await server.process.wait()
            async with home.http(address):
                await desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox")
                await until(lambda: found, bool)
    assert found == ["yes"]


async def test_a_server_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handoffs.client.remote.GIVE_UP_SECONDS", 0.1)
    with pytest.raises(ServerUnavailable):
        await handoffs.ask("Deploy?", server="http://127.0.0.1:9", token="t")
    with pytest.raises(QuestionRefused, match="server"):
        await handoffs.ask("Deploy?", server="127.0.0.1:9", token="t")


async def test_a_server_that_is_away_is_told_of_once_while_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handoffs.client.remote.GIVE_UP_SECONDS", 2.0)
    said: list[str] = []
    with pytest.raises(ServerUnavailable):
        await handoffs.ask("Deploy?", server="http://127.0.0.1:9", token="t", tell=said.append)
    assert said == ["The server http://127.0.0.1:9 can't be reached (ConnectError). It is tried again."]


async def test_the_command_asks_at_a_server(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, server, _), desk_of(tmp_path) as desk:
        there = Home(tmp_path / "there", {"HANDOFFS_SERVER_TOKEN": str(server.token)})
        there.folder.mkdir()
        command = ("ask", "Deploy?", "--options", "yes,no", "--server", server.url)
        done = await with_a_person(partial(there.command, *command), desk, partial(answer, response="yes"))
        assert (done.returncode, done.stdout) == (0, b"yes\n")
        assert not there.store.exists()
        there.extra["HANDOFFS_SERVER"] = server.url
        left = await there.command("ask", "Deploy again?", "--options", "yes,no", "--wait", "1s")
        assert left.returncode == 9
        (handoff,) = await desk.newest(open_only=True)
        await desk.cancel(handoff, by="ada", channel="inbox")
        assert (await there.command("wait", handoff.id)).returncode == 7
        assert (await there.command("wait", "h_nothing")).returncode == 3


SAID: dict[str, Any] = {
    "id": "h_1",
    "state": "answered",
    "message": "Deploy?",
    "form": {"type": "object", "properties": {"response": {"enum": ["yes", "no"]}}, "required": ["response"]},
    "createdAt": "2026-11-30T00:00:00Z",
    "deadline": "2026-12-01T00:00:00Z",
    "caller": {"subject": "ada", "client": "", "project": ""},
    "answer": {"values": {"response": "yes"}, "by": "ada", "at": "2026-11-30T00:00:00Z", "channel": "", "note": ""},
    "end": {"by": "ada", "at": "2026-11-30T00:00:00Z", "channel": "inbox", "note": ""},
}


def test_a_state_that_is_not_known_is_no_approval() -> None:
    assert handoff_of(SAID).answer is not None
    assert handoff_of(SAID | {"state": "approved", "answer": None}).state is State.OPEN
    for wrong in (
        {"state": "approved"},
        {"state": "open"},
        {"answer": None},
        {"answer": {"values": {"response": "x"}}},
    ):
        with pytest.raises((ValueError, KeyError, QuestionRefused, Exception)):
            handoff_of(SAID | wrong)


async def test_a_server_is_given_in_place_of_a_store(tmp_path: Path) -> None:
    with pytest.raises(QuestionRefused):
        await handoffs.ask("Deploy?", server="http://localhost", store=tmp_path / "x.db")
