"""Any number of `handoffs serve --http` over one store: every handoff is found on each, also when one is killed."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.shared.exceptions import MCPError

from handoffs.assembly import store_at
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.setting_values import store_address
from tests.acceptance.processes import SCRIPT, Home, HttpServer, ask, nobody
from tests.acceptance.proxy import Caller, RoundRobin, round_robin
from tests.store.postgres_server import Cluster, new_store
from tests.waiting import until

KEYS = [secrets.token_hex(32) for _ in range(2)]
LOCAL_TOKEN = "ho_local_" + secrets.token_urlsafe(32)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of the store that the servers share."""
    return str(tmp_path / "handoffs.db") if request.param == "sqlite" else new_store(tmp_path)


def machine(folder: Path, store: str, keys: str = KEYS[0], **more: str) -> Home:
    """A machine of its own: it shares the store, the keys and its user's token with others, and nothing else."""
    folder.mkdir()
    home = Home(folder, {"HANDOFFS_STORE": store, "HANDOFFS_KEYS": keys, **more})
    home.local_token.parent.mkdir(parents=True)
    home.local_token.write_text(LOCAL_TOKEN)
    return home


@asynccontextmanager
async def desk_over(store: str) -> AsyncGenerator[Desk]:
    """The desk of a person, over the store that the servers share."""
    async with store_at(store_address(store)) as opened:
        yield Desk(store=opened, clock=SystemClock())


@asynccontextmanager
async def replicas(*homes: Home) -> AsyncGenerator[list[HttpServer]]:
    """A server on each machine."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(home.http()) for home in homes]


@asynccontextmanager
async def behind_a_proxy(*homes: Home) -> AsyncGenerator[tuple[RoundRobin, list[HttpServer], httpx.AsyncClient]]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    with anyio.fail_after(60):
        async with (
            replicas(*homes) as servers,
            round_robin(*(server.url for server in servers)) as proxy,
            httpx.AsyncClient(timeout=120, limits=limits, headers=servers[0].bearer) as http,
        ):
            yield proxy, servers, http


async def test_rounds_checks_and_tasks_land_on_any_server_and_find_their_handoff(tmp_path: Path, store: str) -> None:
    homes = [machine(tmp_path / name, store, HANDOFFS_HOLD_SECONDS="0") for name in "ab"]
    async with behind_a_proxy(*homes) as (proxy, servers, http):
        caller = Caller(http, dialog=True)
        got = await caller.hand_off(proxy.url, "Deploy?", lambda _: "yes")
        assert got["values"] == {"response": "yes"}
        assert proxy.sent == [0, 1]

        quiet = Caller(http)
        waiting = await quiet.hand_off(servers[0].url, "Which one?")
        assert waiting["status"] == "PENDING"
        done = await homes[1].command("answer", waiting["handoffId"], "b")
        assert done.returncode == 0, done.stderr
        checked = await quiet.call(servers[1].url, "check_handoff", {"handoff_id": waiting["handoffId"]})
        assert checked["result"]["structuredContent"]["values"] == {"response": "b"}

        long = Caller(http, dialog=True, tasks=True)
        task = (await long.call(servers[0].url, "handoff_to_user", {"message": "Ship?"}))["result"]["taskId"]
        for server in servers:
            found = (await long.send(server.url, "tasks/get", task, {"taskId": task}))["result"]
            assert found["status"] == "input_required"
        [key] = found["inputRequests"]
        reply = {key: {"action": "accept", "content": {"response": "ship it"}, "_meta": SCRIPT}}
        await long.send(servers[0].url, "tasks/update", task, {"taskId": task, "inputResponses": reply})
        found = (await long.send(servers[1].url, "tasks/get", task, {"taskId": task}))["result"]
        assert found["status"] == "completed"
        assert found["result"]["structuredContent"]["values"] == {"response": "ship it"}


async def test_servers_with_other_keys_name_the_wrong_setting_and_keep_questions(tmp_path: Path, store: str) -> None:
    homes = [machine(tmp_path / str(number), store, key) for number, key in enumerate(KEYS)]
    async with behind_a_proxy(*homes) as (proxy, servers, http):
        caller = Caller(http, dialog=True)
        first = (await caller.call(proxy.url, "handoff_to_user", {"message": "Deploy?"}))["result"]
        [asked] = first["inputRequests"]
        again = {"inputResponses": {}, "requestState": first["requestState"]}
        error = (await caller.call(proxy.url, "handoff_to_user", {"message": "Deploy?"}, **again))["error"]
        assert error["code"] == -32602
        assert "HANDOFFS_KEYS" in error["message"]
        assert error["data"] == {"reason": "invalid_request_state", "setting": "HANDOFFS_KEYS"}
        # On the server that showed no dialog of it: the one that did would take that dialog for lost, and wait.
        joined = (await caller.call(servers[1].url, "handoff_to_user", {"message": "Deploy?"}))["result"]
        assert list(joined["inputRequests"]) == [asked]
        # A state that somebody made up is no matter of keys, and nobody is sent to look at them.
        made_up = {"inputResponses": {}, "requestState": first["requestState"][:-4] + "AAAA"}
        error = (await caller.call(servers[0].url, "handoff_to_user", {"message": "Deploy?"}, **made_up))["error"]
        assert error["data"] == {"reason": "invalid_request_state"}
        assert servers[1].process.stderr is not None
        said = ""
        while "HANDOFFS_KEYS" not in said:
            said += (await servers[1].process.stderr.receive()).decode()
        assert not any(key in said for key in KEYS)


async def test_while_keys_are_rotated_no_call_fails(tmp_path: Path, store: str) -> None:
    """Every server knows the new key before any seals with it: here one does already, and one does not yet."""
    old, new = KEYS
    homes = [machine(tmp_path / "a", store, f"{new},{old}"), machine(tmp_path / "b", store, f"{old},{new}")]
    async with behind_a_proxy(*homes) as (proxy, _, http):
        for number in range(2):
            got = await Caller(http, dialog=True).hand_off(proxy.url, f"Deploy {number}?", lambda _: "yes")
            assert got["values"] == {"response": "yes"}
            await Caller(http).call(proxy.url, "check_handoff", {"handoff_id": "h_none"})  # the other one's turn
    assert proxy.sent == [0, 1, 0, 1, 0, 1]


async def test_an_older_session_survives_its_server_by_asking_again_or_checking(tmp_path: Path, store: str) -> None:
    homes = [machine(tmp_path / name, store) for name in "ab"]
    shown = anyio.Event()

    async def person(context: object, params: object) -> None:
        shown.set()
        await nobody(context, params)

    async with replicas(*homes) as (first, second):
        async with first.client("legacy", person) as client, anyio.create_task_group() as tasks:

            async def call() -> None:
                with suppress(MCPError):
                    await ask(client, "Deploy?")

            tasks.start_soon(call)
            await shown.wait()
            first.process.kill()
            await first.process.wait()
            tasks.cancel_scope.cancel()
        async with desk_over(store) as desk:
            [kept] = await desk.newest(open_only=True)
            await desk.answer(kept, {"response": "yes"}, by="ada", channel="test")
        async with second.client("legacy") as client:
            got = await ask(client, "Deploy?")
            assert (got["status"], got["handoffId"], got["values"]) == ("SUCCESS", kept.id, {"response": "yes"})
            checked = await client.call_tool("check_handoff", {"handoff_id": kept.id})
            assert (checked.structured_content or {})["values"] == {"response": "yes"}


async def test_a_server_killed_among_200_handoffs_loses_no_answer_and_asks_once(tmp_path: Path, store: str) -> None:
    """Half of them are answered in the agents' dialogs, half by a person elsewhere while their calls wait."""
    homes = [machine(tmp_path / name, store, HANDOFFS_HOLD_SECONDS="10") for name in "ab"]
    dialogs, calls = ([f"{how} {number}?" for number in range(100)] for how in ("In a dialog", "Elsewhere"))
    got: dict[str, list[dict[str, Any]]] = {message: [] for message in (*dialogs, *calls)}
    half, killed = anyio.Event(), anyio.Event()

    async def person(desk: Desk) -> None:
        """Answer half of the calls; the rest only when the server is dead."""
        answered: set[str] = set()
        async with desk.watch() as watch:
            while len(answered) < len(calls):
                for handoff in await desk.newest(open_only=True):
                    message = handoff.question.message
                    if message in calls and (killed.is_set() or len(answered) < len(calls) / 2):
                        await desk.answer(handoff, {"response": _answer(message)}, by="ada", channel="test")
                        answered.add(message)
                with anyio.move_on_after(0.1):
                    await watch.changed()

    async with behind_a_proxy(*homes) as (proxy, servers, http), desk_over(store) as desk:
        few = anyio.Semaphore(8)  # so that some are always at work
        callers = [Caller(http, dialog=message in dialogs) for message in got]

        async def agent(caller: Caller, message: str) -> None:
            if message in dialogs:
                async with few:
                    got[message].append(await caller.hand_off(proxy.url, message, _answer))
            else:
                got[message].append(await caller.hand_off(proxy.url, message, patient=True))
                if sum(bool(got[each]) for each in calls) >= len(calls) / 2:
                    half.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(person, desk)
            for caller, message in zip(callers, got, strict=True):
                tasks.start_soon(agent, caller, message)
            await half.wait()
            servers[0].process.kill()
            killed.set()
        kept = await desk.newest(open_only=False)
    assert {message: [each["values"] for each in results] for message, results in got.items()} == {
        message: [{"response": _answer(message)}] for message in got
    }
    assert sorted(handoff.question.message for handoff in kept) == sorted(got)
    assert sum(caller.broken for caller in callers) > 0


def _answer(message: str) -> str:
    return f"the answer to: {message}"


async def test_a_database_restart_under_waiting_calls_loses_no_answer(tmp_path: Path) -> None:
    new_store(tmp_path)  # skips where there is no PostgreSQL
    database = Cluster()
    store = database.url()
    homes = [machine(tmp_path / name, store, HANDOFFS_HOLD_SECONDS="40") for name in "ab"]
    got: dict[str, Any] = {}
    async with behind_a_proxy(*homes) as (proxy, _, http), desk_over(store) as desk:

        async def call(message: str) -> None:
            called = await Caller(http).call(proxy.url, "handoff_to_user", {"message": message})
            got[message] = called["result"]["structuredContent"]

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(call, f"Question {number}")
            asked = await until(lambda: desk.newest(open_only=True), lambda asked: len(asked) >= 20)
            database.crash()
            database.start()
            database.wait()
            for handoff in asked:
                values = {"response": f"to {handoff.question.message}"}
                await desk.answer(handoff, values, by="bob", channel="inbox")
        assert await desk.newest(open_only=True) == []
    assert {message: each["values"] for message, each in got.items()} == {
        f"Question {number}": {"response": f"to Question {number}"} for number in range(20)
    }
    database.remove()
