"""How long a connection may be silent: uvicorn on a real port."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from handoffs.serving.connections import bounded
from tests.waiting import until

SILENT = 0.4


async def _said(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def _slow(request: Request) -> Response:
    async def parts() -> AsyncGenerator[bytes]:
        for _ in range(3):
            await anyio.sleep(SILENT)
            yield b"x"

    return StreamingResponse(parts())


@asynccontextmanager
async def served(most: int = 8) -> AsyncGenerator[int]:
    app = Starlette(routes=[Route("/said", _said, methods=["GET", "POST"]), Route("/slow", _slow)])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off", **bounded(most, silent_seconds=SILENT))
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            await until(lambda: server.started)
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True


async def answer(port: int, sent: bytes) -> bytes:
    """Whatever comes until the server closes."""
    with anyio.fail_after(120):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            if sent:
                await stream.send(sent)
            got = b""
            while True:
                try:
                    got += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return got


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /said HTTP/1.1\r\nHo",
        b"POST /said HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_that_stands_still_is_closed(sent: bytes) -> None:
    async with served() as port:
        assert await answer(port, sent) == b""
        whole = b"GET /said HTTP/1.1\r\nHost: x\r\n\r\n"
        assert (await answer(port, whole + b"GET /said HTTP/1.1\r\nHo")).count(b"200 OK") == 1


async def test_an_answer_may_take_its_time_and_makes_room_for_nobody() -> None:
    async with served(most=2) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        got: list[str] = []

        async def listen() -> None:
            got.append((await client.get("/slow")).text)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.sleep(SILENT / 2)
            for _ in range(5):
                async with await anyio.connect_tcp("127.0.0.1", port):
                    async with httpx.AsyncClient(timeout=10) as another:
                        assert (await another.get(f"http://127.0.0.1:{port}/said")).status_code == 200
        assert got == ["xxx"]


async def test_a_body_that_comes_slowly_but_comes_is_taken() -> None:
    async with served() as port, httpx.AsyncClient(timeout=10) as client:

        async def parts() -> AsyncGenerator[bytes]:
            for _ in range(4):
                await anyio.sleep(SILENT / 2)
                yield b"x"

        assert (await client.post(f"http://127.0.0.1:{port}/said", content=parts())).text == "xxxx"
