"""A server on this machine that asks nobody, and the first token that is added while it runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from handoffs.assembly import open_desk, open_tokens, store_at
from handoffs.cli import unasked
from handoffs.cli.admitting import until_tokens
from handoffs.cli.health import Probes, Readiness
from handoffs.core.token import Token
from handoffs.settings import Settings
from tests.acceptance.processes import Home

PARAMS = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test-host", "version": "1"}}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": PARAMS}
ACCEPT = {"accept": "application/json, text/event-stream"}


async def added(settings: Settings, *, revoked: bool = False) -> None:
    now = datetime.now(UTC)
    async with open_tokens(settings) as tokens:
        assert await tokens.add(Token(name="ada", digest="0" * 64, created_at=now))
        if revoked:
            assert await tokens.revoke("ada", at=now)


@asynccontextmanager
async def served(settings: Settings) -> AsyncGenerator[httpx2.AsyncClient]:
    """Something that asks nobody, on a real port, behind what `serve --http` puts before it."""

    async def greet(_: object) -> PlainTextResponse:
        return PlainTextResponse("served")

    app = Starlette(routes=[Route("/mcp", greet, methods=["GET", "POST"])])
    async with store_at(settings.store) as store, open_desk(settings, store=store) as desk:
        layer = until_tokens(settings, store.tokens, app)
        readiness = Readiness(desk)
        readiness.shut = None if layer is None else layer.shut
        probed = Probes(layer or app, readiness.problem)
        server = uvicorn.Server(uvicorn.Config(probed, port=0, log_config=None, lifespan="off"))
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(server.serve)
                while not server.started:
                    await anyio.sleep(0.01)
                port = server.servers[0].sockets[0].getsockname()[1]
                async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                    yield http
                server.should_exit = True


async def test_a_server_that_asks_nobody_serves_nobody_once_a_token_is_added_and_everybody_once_started_again(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    async with home.http() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        assert (await http.post(server.url, json=INITIALIZE)).status_code == 200
        done = await home.command("token", "add", "ci")
        token, told = done.stdout.decode().strip(), done.stderr.decode()
        assert "serves nobody any more" in told
        since = anyio.current_time()
        with anyio.fail_after(unasked.LOOK_SECONDS + 5):
            while (got := await http.post(server.url, json=INITIALIZE)).status_code == 200:
                await anyio.sleep(0.1)
        assert anyio.current_time() - since < 5
        assert (got.status_code, got.text) == (503, f"{unasked.ADDED}\n")
        # Its bearer is not served either: this server can't tell one token from another.
        shown = {"authorization": f"Bearer {token}"}
        assert (await http.post(server.url, json=INITIALIZE, headers=shown)).status_code == 503
        ready = await http.get(server.url.replace("/mcp", "/readyz"))
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "reason": "tokens"})
        assert (await http.get(server.url.replace("/mcp", "/healthz"))).text == "ok\n"
        server.process.terminate()
        await server.process.wait()
        assert server.process.stderr is not None
        said = b"".join([piece async for piece in server.process.stderr]).decode()
    assert said.count(unasked.ADDED) == 1
    async with home.http() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        assert (await http.post(server.url, json=INITIALIZE)).status_code == 401
        assert (await http.post(server.url, json=INITIALIZE, headers=shown)).status_code == 200


@pytest.mark.parametrize("revoked", [False, True])
async def test_it_looks_again_when_a_request_comes_later_and_says_so_once(
    revoked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(store=tmp_path / "handoffs.db")
    async with served(settings) as http:
        assert (await http.post("/mcp")).text == "served"
        await added(settings, revoked=revoked)
        # What was just looked at is believed for a moment.
        assert (await http.post("/mcp")).text == "served"
        assert (await http.get("/readyz")).json() == {"ready": True}
        monkeypatch.setattr(unasked, "LOOK_SECONDS", 0.0)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(http.post, "/mcp")
        for got in (await http.post("/mcp"), await http.get("/mcp")):
            assert (got.status_code, got.text) == (503, f"{unasked.ADDED}\n")
            assert "jsonrpc" not in got.text
        assert (await http.get("/readyz")).json() == {"ready": False, "reason": "tokens"}
        assert (await http.get("/healthz")).status_code == 200
    assert [record.getMessage() for record in caplog.records].count(unasked.ADDED) == 1


async def test_while_nobody_can_say_whether_there_are_tokens_nobody_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "handoffs.db").mkdir()  # a folder is no store
    async with served(Settings(store=tmp_path / "handoffs.db")) as http:
        got = await http.post("/mcp")
        assert (got.status_code, got.headers["retry-after"]) == (503, "5")
        assert "Call again in a moment" in got.json()["error"]["message"]
        assert (await http.get("/readyz")).json() == {"ready": False, "reason": "store"}
        (tmp_path / "handoffs.db").rmdir()
        assert (await http.post("/mcp")).status_code == 503  # it is left alone for a moment
        monkeypatch.setattr(unasked, "RETRY_SECONDS", 0.0)
        assert (await http.post("/mcp")).text == "served"


async def test_where_nobody_is_to_be_asked_tokens_change_nothing(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "handoffs.db", tokens="off")
    await added(settings)
    async with served(settings) as http:
        assert (await http.post("/mcp")).text == "served"
        assert (await http.get("/readyz")).json() == {"ready": True}
