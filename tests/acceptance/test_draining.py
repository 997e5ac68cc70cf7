"""What `handoffs serve --http` says of its health, and how it stops: no call is cut, nothing is lost."""

import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.mcp_server.server import build_server
from handoffs.serving.stack import mcp_app
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import ERAS, HANDOFFS, Home, HttpServer, ask
from tests.waiting import until

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test-host", "version": "1"},
    },
}
LEGACY = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


def at(server: HttpServer, path: str) -> str:
    return server.url.removesuffix("/mcp") + path


async def probe(server: HttpServer, http: httpx.AsyncClient) -> tuple[int, dict[str, Any]]:
    got = await http.get(at(server, "/readyz"), headers={"host": "10.1.2.3:80"})
    return got.status_code, got.json()


async def until_ready(server: HttpServer, http: httpx.AsyncClient) -> None:
    await until(lambda: probe(server, http), lambda found: found == (200, {"ready": True}))


async def rest_of(server: HttpServer) -> str:
    """What the server says on standard error from now to its end."""
    assert server.process.stderr is not None
    return b"".join([piece async for piece in server.process.stderr]).decode()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("how", ["with a dialog", "without one"])
async def test_a_stopped_server_has_its_calls_return_pending_and_loses_nothing(
    how: str, era: str, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    shown, withdrawn = anyio.Event(), anyio.Event()

    async def person(context: object, params: object) -> None:
        shown.set()
        try:
            await anyio.sleep_forever()
        finally:
            withdrawn.set()

    dialog = person if (how, era) == ("with a dialog", "legacy") else None
    async with home.http() as server, server.client(era, dialog) as client:
        got: dict[str, Any] = {}

        async def call() -> None:
            got.update(await ask(client))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            async with SqliteStore(home.store) as store:
                desk = Desk(store=store, clock=SystemClock())
                async with desk.watch() as watch:
                    while not await desk.newest(open_only=True):
                        await watch.changed()
            if dialog is not None:
                await shown.wait()
            server.process.send_signal(signal.SIGTERM)
        assert (got["status"], "check_handoff" in got["guidance"]) == ("PENDING", True)
        if dialog is not None:
            await withdrawn.wait()
        with anyio.fail_after(30):
            assert (await rest_of(server)).strip() == ""
            assert await server.process.wait() == 0
    shown_now = json.loads(home.run("show", got["handoffId"], "--json").stdout)
    assert shown_now["state"] == "open"
    assert "left" not in home.run("log", "--json").stdout


async def test_a_stopping_server_says_it_is_not_ready_and_finishes_its_calls(tmp_path: Path) -> None:
    async with Home(tmp_path).http() as server, httpx.AsyncClient(headers=server.bearer) as http:
        assert (await http.get(at(server, "/healthz"))).text == "ok\n"
        await until_ready(server, http)
        assert (await http.post(at(server, "/readyz"))).status_code == 405
        sending, finish = anyio.Event(), anyio.Event()

        async def slowly() -> AsyncGenerator[bytes]:
            body = json.dumps(INITIALIZE).encode()
            yield body[:10]
            sending.set()
            await finish.wait()
            yield body[10:]

        answered: list[httpx.Response] = []

        async def call() -> None:
            headers = LEGACY | {"content-type": "application/json"}
            answered.append(await http.post(server.url, content=slowly(), headers=headers))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await sending.wait()
            await probe(server, http)  # whose answer comes after the beginning of the other
            server.process.send_signal(signal.SIGTERM)
            found = await until(lambda: probe(server, http), lambda found: found != (200, {"ready": True}), seconds=1.5)
            assert found == (503, {"ready": False, "reason": "draining"})
            assert (await http.get(at(server, "/healthz"))).status_code == 200
            finish.set()
        assert (answered[0].status_code, "serverInfo" in answered[0].text) == (200, True)
        with anyio.fail_after(30):
            assert await server.process.wait() == 0


async def test_a_stream_of_news_ends_in_order_when_the_server_stops(tmp_path: Path) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test-host", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    wanted = {"notifications": {"resourcesListChanged": True}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": wanted}
    headers = {**LEGACY, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
    async with Home(tmp_path).http() as server, httpx.AsyncClient(headers=server.bearer) as http:
        with anyio.fail_after(120):
            async with http.stream("POST", server.url, json=body, headers=headers) as response:
                lines = response.aiter_lines()
                while "acknowledged" not in await anext(lines):
                    pass
                server.process.terminate()
                said = [json.loads(line[6:]) async for line in lines if line.startswith("data: ")]
            assert said[-1]["result"]["resultType"] == "complete"
            assert (await rest_of(server)).strip() == ""
            assert await server.process.wait() == 0


@pytest.mark.parametrize("tokens", ["auto", "off"])
async def test_a_server_without_its_store_says_so_once_and_goes_on_when_it_is_up(tokens: str, tmp_path: Path) -> None:
    """Where only the store says who may call nobody is let in before; else a call is told what is wrong."""
    prepared = Home(tmp_path, {"HANDOFFS_STORE": str(tmp_path / "prepared" / "handoffs.db")})
    token = prepared.run("token", "add", "ci").stdout.split()[-1]
    address = "0.0.0.0:0" if tokens == "auto" else "127.0.0.1:0"
    folder = tmp_path / "later"
    folder.write_text("in the way")
    beyond = {"HANDOFFS_URL": "https://handoffs.example.com"} if tokens == "auto" else {}
    home = Home(tmp_path, {"HANDOFFS_STORE": str(folder / "handoffs.db"), "HANDOFFS_TOKENS": tokens, **beyond})
    async with home.http(address) as server, httpx.AsyncClient(timeout=120) as http:
        code, said = await probe(server, http)
        assert (code, said["ready"]) == (503, False)
        with anyio.fail_after(120):
            while said["reason"] != ("starting" if tokens == "auto" else "store"):
                code, said = await probe(server, http)
        assert (await http.get(at(server, "/healthz"))).status_code == 200
        if tokens == "auto":
            refused = await http.post(server.url, json=INITIALIZE, headers=LEGACY)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert "store" in refused.json()["error"]["message"]
        else:
            async with server.client() as client:
                got = await ask(client)
            assert got["status"] == "ERROR"
            assert str(folder) in got["guidance"]
        folder.unlink()
        (tmp_path / "prepared").rename(folder)
        await until_ready(server, http)
        known = LEGACY | {"authorization": f"Bearer {token}"}
        assert (await http.post(server.url, json=INITIALIZE, headers=known)).status_code == 200
        server.process.terminate()
        heard = server.heard + await rest_of(server)
    assert heard.count("Trying again until" if tokens == "auto" else "Not ready:") == 1
    assert "Traceback" not in heard


async def test_the_inbox_answers_probes_and_tells_them_nothing_else(tmp_path: Path) -> None:
    home = Home(tmp_path)
    process = await anyio.open_process([*HANDOFFS, "inbox", "--no-browser"], env=home.env, cwd=tmp_path)
    try:
        assert process.stdout is not None
        said = ""
        with anyio.fail_after(120):
            while "Ctrl-C" not in said:
                said += (await process.stdout.receive()).decode()
        url = said.split("The inbox is at ")[1].split()[0]
        async with httpx.AsyncClient() as http:
            headers = {"host": "10.1.2.3"}
            assert (await http.get(f"{url}healthz", headers=headers)).text == "ok\n"
            assert (await http.get(f"{url}readyz", headers=headers)).json() == {"ready": True}
            assert (await http.get(url, headers=headers)).status_code == 403
    finally:
        process.terminate()
        await process.aclose()


@asynccontextmanager
async def served(store: Path, idle_seconds: float) -> AsyncGenerator[tuple[str, dict[str, object]]]:
    """A server in this process, whose sessions are over sooner; its URL, and the SDK's own list of them."""
    async with SqliteStore(store) as opened, anyio.create_task_group() as tasks:
        server = build_server(
            Desk(store=opened, clock=SystemClock()), subject="ada", project="", keys=["k" * 32], state_seconds=60
        )
        app, sessions, _ = mcp_app(server, idle_seconds=idle_seconds)
        assert sessions is not None, "the SDK ends idle sessions by itself: see http_sessions"
        config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        async with server.session_manager.run():
            tasks.start_soon(sessions.sweep)
            tasks.start_soon(running.serve)
            await until(lambda: running.started)
            port = running.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}/mcp", server.session_manager._server_instances  # type: ignore[misc]
            running.should_exit = True
        tasks.cancel_scope.cancel()


async def test_ended_sessions_are_forgotten_and_a_waiting_call_keeps_its_own(tmp_path: Path) -> None:
    async with served(tmp_path / "handoffs.db", 0.5) as (url, known), httpx.AsyncClient(headers=LEGACY) as http:

        async def begin() -> dict[str, str]:
            begun = await http.post(url, json=INITIALIZE)
            session = {"mcp-session-id": begun.headers["mcp-session-id"]}
            await http.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session)
            return session

        waits, idle, ended = [await begin() for _ in range(3)]
        assert len(known) == 3
        assert (await http.delete(url, headers=ended)).status_code == 200
        assert ended["mcp-session-id"] not in known
        call = {"name": "handoff_to_user", "arguments": {"message": "Deploy?"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        async with http.stream("POST", url, json=body, headers=waits) as response:
            with anyio.fail_after(120):
                await until(lambda: idle["mcp-session-id"] not in known)
                await anyio.sleep(1)  # twice as long as an idle one is kept
            assert list(known) == [waits["mcp-session-id"]]
            async with SqliteStore(tmp_path / "handoffs.db") as store:
                desk = Desk(store=store, clock=SystemClock())
                [handoff] = await desk.newest(open_only=True)
                await desk.answer(handoff, {"response": "go"}, by="ada", channel="test")
            text = (await response.aread()).decode()
        assert '"SUCCESS"' in text
        assert (await http.post(url, json=body, headers=idle)).status_code == 404
        await until(lambda: not known)
