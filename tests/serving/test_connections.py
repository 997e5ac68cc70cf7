"""Which requests are taken, and how long a connection may be silent: uvicorn on a real port."""

import gc
import socket
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import cast

import anyio
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from handoffs.serving.connections import bounded
from tests.waiting import until

SILENT = 0.4


async def _said(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def _headers(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("".join(f"{name}={value};" for name, value in request.headers.items()))


async def _slow(request: Request) -> Response:
    async def parts() -> AsyncGenerator[bytes]:
        for _ in range(3):
            await anyio.sleep(SILENT)
            yield b"x"

    return StreamingResponse(parts())


class _Waits:
    """Answers once it may, and knows who has left."""

    def __init__(self, *, pings: bool = False) -> None:
        self.may, self.begun, self.left, self.pings = anyio.Event(), 0, 0, pings

    async def waits(self, request: Request) -> Response:
        self.begun += 1

        async def parts() -> AsyncGenerator[bytes]:
            try:
                yield b"begins"
                while self.pings and not self.may.is_set():
                    yield b":"
                    await anyio.sleep(0.02)
                await self.may.wait()
                yield b"ends"
            finally:
                self.left += not self.may.is_set()

        return StreamingResponse(parts())


@asynccontextmanager
async def served(most: int = 8, *, silent: float = SILENT, waits: _Waits | None = None) -> AsyncGenerator[int]:
    app = Starlette(
        routes=[
            Route("/said", _said, methods=["GET", "POST"]),
            Route("/slow", _slow),
            Route("/headers", _headers, methods=["POST"]),
            Route("/waits", (waits or _Waits()).waits),
        ]
    )
    async with served_app(app, most, silent=silent) as port:
        yield port


@asynccontextmanager
async def served_app(
    app: ASGIApp, most: int = 8, *, silent: float = SILENT, servers: list[uvicorn.Server] | None = None
) -> AsyncGenerator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off", **bounded(most, silent_seconds=silent))
        server = uvicorn.Server(config)
        if servers is not None:
            servers.append(server)
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


POST = b"POST /headers HTTP/1.1\r\nHost: x\r\n"
CLOSE = b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /said HTTP/1.1\r\n" + CLOSE,
        b"GET /said HTTP/1.1\r\nHost: x\r\nHost: x\r\n" + CLOSE,
        b"GET /said HTTP/1.1\r\nHost: x\r\nHost : x\r\n" + CLOSE,
        b"GET /said HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n" + CLOSE,
        b"GET /said HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n" + CLOSE,
        b"GET /sa id HTTP/1.1\r\nHost: x\r\n" + CLOSE,
        b"GET /\xfc HTTP/1.1\r\nHost: x\r\n" + CLOSE,
        b"GET http://x HTTP/1.1\r\nHost: x\r\n" + CLOSE,
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n" + CLOSE,
        b"GET /said\r\n\r\n",
        b"GET /said HTTP/2.0\r\nHost: x\r\n" + CLOSE,
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        POST + b"Content-Length: -2\r\n\r\nab",
        POST + b"X: " + b"x" * 70_000 + b"\r\n" + CLOSE,
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n" + CLOSE,
        POST + b"".join(b"X-%d: %b\r\n" % (number, b"x" * 90) for number in range(700)) + CLOSE,
    ],
)
async def test_what_two_readers_may_take_for_two_requests_is_refused(sent: bytes) -> None:
    async with served() as port:
        said = await answer(port, sent)
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("begins", [b"", POST + b"X: ", POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"G"])
async def test_a_head_that_has_no_end_is_refused(begins: bytes) -> None:
    """Whoever sends it goes on until the server refuses it, or the test has no more time."""
    async with served() as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(120):
            await stream.send(begins)
            sent = 0
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                while sent < 50_000_000:
                    await stream.send((b"x" if begins else b"\r\n") * 50_000)
                    sent += 50_000
                    await anyio.lowlevel.checkpoint()
        assert sent < 20_000_000


async def test_what_follows_a_body_is_no_header() -> None:
    async with served() as port:
        late = b"Transfer-Encoding: chunked\r\nX-Early: 1 \t\r\n" + CLOSE + b"1\r\na\r\n0\r\nX-Late: 2\r\n\r\n"
        said = await answer(port, POST + late)
        assert b"x-early=1;" in said
        assert b"x-late" not in said


OFFER = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
OFFERED = [
    b"POST /said HTTP/1.1\r\n" + OFFER + b"Content-Length: 3\r\n\r\none",
    b"GET /said HTTP/1.1\r\n" + OFFER + b"\r\n",
    b"POST /said HTTP/1.1\r\n" + OFFER + b"Transfer-Encoding: chunked\r\n\r\n2\r\nth\r\n3\r\nree\r\n0\r\n\r\n",
    b"POST /said HTTP/1.1\r\n" + OFFER + b"Content-Length: 0\r\n\r\n",
    b"POST /said HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour",
]


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_client_that_would_speak_http_2_gets_its_answers(size: int) -> None:
    """Java's HTTP client offers it."""
    async with served(silent=60) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(120):
            for sent, body in zip(OFFERED, [b"one", b"", b"three", b"", b"four"], strict=True):
                for start in range(0, len(sent), size):
                    await stream.send(sent[start : start + size])
                    await anyio.sleep(0.001)
                got = b""
                while not got.endswith(b"\r\n\r\n" + body):
                    got += await stream.receive()
                assert got.startswith(b"HTTP/1.1 200 ")
                assert got.count(b"HTTP/1.1") == 1


async def test_requests_sent_at_once_are_answered_in_order() -> None:
    async with served() as port:
        asks = [b"POST /said HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(3)]
        last = b"POST /said HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" + CLOSE + b"3"
        said = await answer(port, b"".join([*asks, last]))
        assert [part[-1:] for part in said.split(b"HTTP/1.1 200 OK")[1:]] == [b"0", b"1", b"2", b"3"]


GET = b"GET /said HTTP/1.1\r\nHost: x\r\n\r\n"
WAITS = b"GET /waits HTTP/1.1\r\nHost: x\r\n\r\n"
BROKEN = [
    b"nonsense\r\n\r\n",
    b"GET /said HTTP/1.1\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n",
    b"GET /" + b"x" * 90_000,
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_what_can_not_be_read_is_refused_after_what_came_before(broken: bytes) -> None:
    async with served(silent=60) as port:
        said = await answer(port, GET + GET + broken + GET)
        assert [part[:3] for part in said.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_refusal_does_not_stand_in_a_response(broken: bytes) -> None:
    waits = _Waits()
    async with served(waits=waits) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(120):
            await stream.send(WAITS)
            got = b""
            while b"begins" not in got:
                got += await stream.receive()
            await stream.send(broken)
            await anyio.sleep(SILENT * 2)
            waits.may.set()
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    got += await stream.receive()
        assert b"begins\r\n4\r\nends\r\n0\r\n\r\nHTTP/1.1 400 " in got


async def test_a_response_breaks_off_where_its_request_breaks() -> None:
    waits = _Waits()
    async with served(waits=waits) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(120):
            await stream.send(b"GET /waits HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            got = b""
            while b"begins" not in got:
                got += await stream.receive()
            await stream.send(b"zz\r\n")
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    got += await stream.receive()
            assert got.count(b"HTTP/1.1") == 1
            await until(lambda: waits.left == 1)


async def test_whoever_leaves_ends_each_request_that_they_sent() -> None:
    """The first one waits for hours; the second is read already."""
    waits = _Waits(pings=True)
    async with served(waits=waits) as port:
        with anyio.fail_after(120):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(WAITS + GET)
            await until(lambda: waits.begun == 1)
            client.close()
            await until(lambda: waits.left == 1)


async def test_a_request_behind_a_long_response_has_its_time_afterwards() -> None:
    """Its body is not read while another request is answered: nobody can say that the client is silent."""
    waits = _Waits()
    async with served(waits=waits) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(120):
            await stream.send(WAITS + b"POST /said HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
            await anyio.sleep(SILENT * 3)
            waits.may.set()
            got = b""
            while b"ends" not in got:
                got += await stream.receive()
            await stream.send(b" only")
            while b"half only" not in got:
                got += await stream.receive()
            await stream.send(WAITS + b"POST /said HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    got += await stream.receive()


async def test_requests_without_end_are_read_as_they_are_answered() -> None:
    servers, kept = list[uvicorn.Server](), list[int]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        [connection] = servers[0].server_state.connections
        kept.append(len(cast("HttpToolsProtocol", connection).pipeline))

    async with served_app(app, servers=servers) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:

        async def read() -> None:
            while True:
                await stream.receive()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            with anyio.fail_after(120):
                for _ in range(40):
                    await stream.send(GET * 500)
                await until(lambda: len(kept) > 15_000)
            tasks.cancel_scope.cancel()
    assert 0 < max(kept) < 600


async def test_a_response_of_many_parts_is_made_as_it_is_read() -> None:
    made: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3_000):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
            made.append(number)
        await send({"type": "http.response.body"})

    async with served_app(app) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(GET)
        await anyio.sleep(0.5)
        assert 0 < len(made) < 2_000
        with anyio.fail_after(120):
            got = b""
            while not got.endswith(b"\r\n0\r\n\r\n"):
                got += await stream.receive()
        assert got.count(b"x" * 10_000) == 3_000


@pytest.mark.parametrize(("method", "body"), [(b"GET", b"xxx"), (b"HEAD", b"")])
async def test_http_1_0_has_no_chunks(method: bytes, body: bytes) -> None:
    async with served() as port:
        said = await answer(port, method + b" /slow HTTP/1.0\r\n\r\n")
        head, _, came = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"transfer-encoding" not in head
        assert came == body
        said = await answer(port, b"POST /said HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
        assert b"content-length: 2\r\n" in said
        assert said.endswith(b"\r\n\r\nhi")


async def test_a_connection_that_is_gone_needs_no_collector() -> None:
    servers = list[uvicorn.Server]()
    async with served_app(PlainTextResponse("x"), servers=servers) as port:
        gc.disable()
        try:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(GET)
                await stream.receive()
                [gone] = [weakref.ref(each) for each in servers[0].server_state.connections]
            await until(lambda: gone() is None)
        finally:
            gc.enable()
