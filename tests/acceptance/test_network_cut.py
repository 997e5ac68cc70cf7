"""The network cut between a server and its database: calls that wait wait on, and get what was answered meanwhile."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest

from tests.acceptance.processes import HttpServer, ask, nobody
from tests.acceptance.proxy import Caller
from tests.acceptance.test_draining import probe, rest_of, until_ready
from tests.acceptance.test_many_servers import desk_over, machine
from tests.store.postgres_server import PASSWORD, cluster, new_store
from tests.store.relay import Relay, relay
from tests.waiting import until


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The address of a store that nobody has used."""
    return new_store(tmp_path)


@pytest.fixture
async def network(store: str) -> AsyncGenerator[Relay]:
    async with relay(cluster().port) as made:
        yield made


@pytest.fixture
def through(store: str, network: Relay) -> str:
    """The same store, by way of the network."""
    return store.replace(f":{cluster().port}/", f":{network.port}/")


async def until_not_ready(server: HttpServer, http: httpx.AsyncClient) -> None:
    found = await until(lambda: probe(server, http), lambda found: found != (200, {"ready": True}))
    assert found == (503, {"ready": False, "reason": "store"})


@asynccontextmanager
async def waiting_calls(server: HttpServer, http: httpx.AsyncClient, got: dict[str, Any]) -> AsyncGenerator[None]:
    """Three calls that wait on this server, one with a dialog open; what they come to is in `got` after the block."""

    async def newer(message: str) -> None:
        caller = Caller(http)
        called = await caller.call(server.url, "handoff_to_user", {"message": message})
        got[message] = called["result"]["structuredContent"]
        assert caller.broken == 0

    async def older(message: str) -> None:
        async with server.client("legacy", nobody) as client:
            got[message] = await ask(client, message)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(newer, "One?")
        tasks.start_soon(newer, "Two?")
        tasks.start_soon(older, "Three?")
        yield


async def test_calls_on_a_server_that_is_cut_off_get_what_was_answered_elsewhere(
    tmp_path: Path, store: str, through: str, network: Relay
) -> None:
    cut_off, other = machine(tmp_path / "a", through, HANDOFFS_HOLD_SECONDS="50"), machine(tmp_path / "b", store)
    got: dict[str, Any] = {}
    with anyio.fail_after(60):
        async with (
            cut_off.http() as server,
            httpx.AsyncClient(timeout=60, headers=server.bearer) as http,
            desk_over(store) as desk,
        ):
            await until_ready(server, http)
            async with waiting_calls(server, http, got), desk.watch() as watch:
                while len(asked := await desk.newest(open_only=True)) < 3:
                    await watch.changed()
                await network.cut()
                # It lives and its port is there; nobody is to be sent to it.
                await until_not_ready(server, http)
                first, *others = asked
                done = await other.command("answer", first.id, f"to {first.question.message}")
                assert done.returncode == 0, done.stderr
                for each in others:
                    values = {"response": f"to {each.question.message}"}
                    await desk.answer(each, values, by="bob", channel="inbox")
                assert got == {}
                network.up = True
            await until_ready(server, http)
            # That it was delivered is written after the answer is on its way.
            async with desk.watch() as watch:
                while not all(each.collected_at for each in await desk.newest(open_only=False)):
                    await watch.changed()
    expected = {f"{number}?": {"response": f"to {number}?"} for number in ("One", "Two", "Three")}
    assert {message: each["values"] for message, each in got.items()} == expected


async def test_servers_started_without_their_database_say_so_and_use_it_later(tmp_path: Path, network: Relay) -> None:
    """On stdio the call is told what is wrong; over HTTP nobody is sent there. Neither says the password."""
    await network.cut()
    store = cluster().url(secret=True, port=network.port)
    homes = [machine(tmp_path / name, store, HANDOFFS_HOLD_SECONDS="0") for name in ("stdio", "http")]
    said: list[str] = []
    probed = anyio.Event()

    async def on_stdio() -> None:
        async with homes[0].stdio() as client:
            with anyio.fail_after(120):
                refused = await ask(client)
            said.append(refused["guidance"])
            assert (refused["status"], "handoffId" in refused) == ("ERROR", False)
            await probed.wait()
            network.up = True
            with anyio.fail_after(120):
                assert (await ask(client))["status"] == "PENDING"

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks, httpx.AsyncClient(timeout=120) as http:
            tasks.start_soon(on_stdio)
            async with homes[1].http() as server:
                code, ready = await probe(server, http)
                assert (code, ready["ready"]) == (503, False)
                probed.set()
                await until_ready(server, http)
                http.headers.update(server.bearer)
                got = await Caller(http).hand_off(server.url, "Deploy?")
                assert got["status"] == "PENDING"
                server.process.terminate()
                said.append(await rest_of(server))
    assert f"The store postgresql://127.0.0.1:{network.port}/postgres can't be reached" in said[0]
    said += [(home.folder / "stderr.txt").read_text() for home in homes]
    for words in said:
        assert not any(secret in words for secret in (PASSWORD, quote(PASSWORD, safe=""), "Traceback"))
