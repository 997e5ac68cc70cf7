"""A response as servers may send it, in pieces as networks do, and whether its connection is used again."""

import socket
import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute, SocketStream

from handoffs.gate.relay.http_connections import Connections, Headers

OK = b"HTTP/1.1 200 OK\r\n"
TWO = OK + b"Content-Length: 2\r\n\r\nhi"
LONG = b"x" * 300_000


@dataclass
class Server:
    """Answers the nth request of all connections with the nth of these; each is sent piece by piece."""

    answers: Sequence[Sequence[bytes] | bytes]
    port: int = 0
    got: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0

    async def serve(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            while (request := await self._request(stream)) is not None:
                answer = self.answers[len(self.got)]
                self.got.append(request)
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    await stream.send(piece)
                    await anyio.sleep(0.002)
                if b"close" in b"".join([answer] if isinstance(answer, bytes) else answer).lower():
                    return

    async def _request(self, stream: SocketStream) -> bytes | None:
        got = b""
        try:
            while b"\r\n\r\n" not in got or not got.endswith(b"}"):
                got += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return None
        return got


@asynccontextmanager
async def server(*answers: Sequence[bytes] | bytes) -> AsyncGenerator[tuple[Server, Connections]]:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        with anyio.fail_after(120):
            made = Server(answers, port=listener.extra(anyio.abc.SocketAttribute.local_port))
            tasks.start_soon(listener.serve, made.serve)
            connections = Connections(f"http://127.0.0.1:{made.port}/mcp?a=b", _no_cookie)
            yield made, connections
            connections.close()
            tasks.cancel_scope.cancel()


def _no_cookie(headers: Headers) -> None:
    raise AssertionError(headers)


async def posted(connections: Connections, headers: Sequence[tuple[str, str]] = ()) -> tuple[int, bytes]:
    async with connections.send("POST", [("host", connections.host), *headers], b"{}") as response:
        return response.status_code, await response.aread()


@pytest.mark.parametrize(
    ("answer", "body", "kept"),
    [
        (TWO, b"hi", True),
        ([bytes([each]) for each in TWO], b"hi", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi", True),
        ([OK + b"transfer-encoding: Chunked\r\n\r\n", b"1\r\nh", b"\r\n1\r\ni\r\n0\r", b"\n\r\n"], b"hi", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Later: 1\r\n\r\n", b"hi", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + TWO, b"hi", True),
        (OK + b"Content-Length: 0\r\n\r\n", b"", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\nX:\n\nhi", b"hi", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2  \r\nhi\r\n0\r\n\r\n", b"hi", True),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 5_000 + TWO, b"hi", True),
        (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi", b"hi", False),
        (b"HTTP/1.0 200 OK\r\nX: close\r\n\r\nto the end", b"to the end", False),
        (OK + b"Connection: close\r\n\r\nto the end", b"to the end", False),
        (TWO + b"HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n", b"hi", False),
        ([OK + b"Content-Length: 300000\r\n\r\n" + LONG[:9], LONG[9:]], LONG, True),
        (OK + b"Content-Length: 300000\r\n\r\n" + LONG, LONG, True),
    ],
)
async def test_a_response_is_read_to_its_end(answer: Sequence[bytes] | bytes, body: bytes, kept: bool) -> None:
    async with server(answer, TWO) as (made, connections):
        assert await posted(connections) == (200, body)
        assert await posted(connections) == (200, b"hi")
        assert made.connections == (1 if kept else 2)
    assert made.got[0] == b"POST /mcp?a=b HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-length: 2\r\n\r\n{}" % made.port


async def test_a_status_without_a_body_has_an_end() -> None:
    async with server(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n", TWO) as (
        made,
        connections,
    ):
        assert [await posted(connections) for _ in range(3)] == [(202, b""), (204, b""), (200, b"hi")]
        assert made.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"close",
        b"\x16\x03\x01\x02\x00\x01close",
        b"HTTP/1.1 abc\r\n\r\nclose",
        OK + b"Content-Length: 9\r\n\r\nclose",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nclose",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nclose",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nclose\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nclose",
        OK + b"X : close\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade, close\r\n\r\n",
        [OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", *[b"close" * 20_000] * 3],
        [OK, *[b"X-%d: %b\r\n" % (number, b"y" * 1_000) for number in range(200)], b"X: close\r\n\r\n"],
    ],
)
async def test_what_is_no_response_raises_what_the_relay_tells_of(answer: Sequence[bytes] | bytes) -> None:
    async with server(answer, TWO) as (made, connections):
        with pytest.raises(httpx2.HTTPError):
            await posted(connections)
        assert await posted(connections) == (200, b"hi")
        assert made.connections == 2


async def test_headers_are_told_by_their_names_in_lower_case_and_joined() -> None:
    answer = OK + b"Content-Length: 0\r\nWWW-Authenticate: a\r\nwww-authenticate: \xe4 b \r\nX-Empty:\r\n\r\n"
    async with server(answer) as (_, connections):
        async with connections.send("POST", [("host", "x")], b"{}") as response:
            assert response.headers == {"content-length": "0", "www-authenticate": "a, ä b", "x-empty": ""}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nhost: evil"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x", " a"),
        ("x", "a "),
        ("x y", "a"),
        ("", "a"),
        ("x:", "a"),
    ],
)
async def test_a_header_that_would_be_read_as_another_is_not_sent(name: str, value: str) -> None:
    async with server(TWO) as (made, connections):
        with pytest.raises(httpx2.LocalProtocolError) as told:
            await posted(connections, [(name, value)])
        assert "evil" not in str(told.value)
        assert await posted(connections, [("x", ""), ("y", "a\tb ü")]) == (200, b"hi")
    assert len(made.got) == 1


async def test_a_body_that_is_not_read_ends_the_connection() -> None:
    pieces = [OK + b"Content-Length: 64000000\r\n\r\n", *[LONG] * 4]
    async with server(pieces, TWO) as (made, connections):
        async with connections.send("POST", [("host", "x")], b"{}") as response:
            parts = response.aiter_bytes()
            assert await anext(parts)
        assert await posted(connections) == (200, b"hi")
        assert made.connections == 2


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        connections = Connections(f"http://127.0.0.1:{listener.getsockname()[1]}/", _no_cookie)

        def serve() -> None:
            for _ in range(2):
                found, _ = listener.accept()
                with found:
                    while not found.recv(65_536).endswith(b"{}"):
                        pass
                    found.sendall(TWO)

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, serve)
                for _ in range(2):
                    assert await posted(connections) == (200, b"hi")
                    await anyio.sleep(0.05)
        connections.close()


async def test_a_body_that_breaks_off_is_not_taken_for_whole() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:

        async def breaks(stream: SocketStream) -> None:
            await stream.receive()
            await stream.send(OK + b"Connection: close\r\n\r\nhalf")
            await anyio.sleep(0.1)
            stream.extra(SocketAttribute.raw_socket).setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            await stream.aclose()

        with anyio.fail_after(120):
            tasks.start_soon(listener.serve, breaks)
            port = listener.extra(SocketAttribute.local_port)
            with pytest.raises(httpx2.ReadError):
                await posted(Connections(f"http://127.0.0.1:{port}/", _no_cookie))
            tasks.cancel_scope.cancel()


async def test_what_follows_a_body_without_end_is_given_up() -> None:
    """Whoever sends it goes on until the gate leaves, or the test has no more time."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        sent = 0

        async def goes_on(stream: SocketStream) -> None:
            nonlocal sent
            await stream.receive()
            await stream.send(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: ")
            with suppress(anyio.BrokenResourceError):
                while sent < 50_000_000:
                    await stream.send(b"x" * 50_000)
                    sent += 50_000

        with anyio.fail_after(120):
            tasks.start_soon(listener.serve, goes_on)
            port = listener.extra(SocketAttribute.local_port)
            with pytest.raises(httpx2.RemoteProtocolError):
                await posted(Connections(f"http://127.0.0.1:{port}/", _no_cookie))
            tasks.cancel_scope.cancel()
        assert sent < 20_000_000
