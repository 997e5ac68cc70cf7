"""Connections to one server over HTTP/1.1, each of which has one request at a time and is used again.

A request goes out in one write, and the loop itself takes in what comes. A client for all servers costs several times
as much for each request: most of what the gate adds to a call. What only such a client does is left to it
(`http_session`): proxies, cookies, a user's name in the URL, bodies that come encoded.
"""

import asyncio
import re
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Final, TypeAlias, cast

import anyio
import httptools
import httpx2
from anyio.abc import SocketAttribute

from handoffs.gate.relay.http_replies import CONNECT_SECONDS, Response

KEPT_SECONDS: Final = 3.0
"""How long a connection waits to be used again. Servers close one after five: a call that meets that would be lost."""

WRITE_SECONDS: Final = 60.0
"""How long a server may leave a request unread."""

MAX_KEPT: Final = 32
"""Connections that wait to be used again."""

_UNREAD = 262_144  # bytes that come before their reader takes them
_HEADERS = 102_400  # bytes of a response's headers, and of what else the parser keeps
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
"""RFC 9110, 5.5: no line ends, which would begin another header."""

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


class Connections:
    """The connections to where a URL leads."""

    def __init__(self, url: str, cookies: Callable[[Headers], None]) -> None:
        """Take the URL, and what gets the headers of a response that sets a cookie. Nothing is connected yet."""
        self.cookies = cookies
        where = httpx2.URL(url)
        self.target = where.raw_path
        """What a request asks for."""
        self.host = where.netloc.decode("ascii")
        """What the header of this name says."""
        self._tls = where.scheme == "https"
        self._host, self._port = where.raw_host.decode("ascii"), where.port or (443 if self._tls else 80)
        self._context: ssl.SSLContext | None = None
        self._idle = list[_Connection]()

    def send(self, method: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> "Exchange":
        """Return the block in which a request is sent and its response is read."""
        return Exchange(self, method, headers, body)

    async def taken(self) -> "_Connection":
        """Return a connection that nobody uses. Raises what httpx2 does where there can't be one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_good():
                return connection
            connection.close()
        return await self._connected()

    def give_back(self, connection: "_Connection") -> None:
        """Keep a connection whose response was read to its end; close it otherwise."""
        if len(self._idle) < MAX_KEPT and connection.next():
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what waits to be used again."""
        while self._idle:
            self._idle.pop().close()

    async def _connected(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        if self._tls and self._context is None:
            self._context = httpx2.create_ssl_context()
            self._context.set_alpn_protocols(["http/1.1"])
        try:
            with anyio.move_on_after(CONNECT_SECONDS):
                async with await anyio.connect_tcp(self._host, self._port) as found:  # whichever address answers first
                    bare = found.extra(SocketAttribute.raw_socket).dup()  # noqa: S610 - anyio's, not Django's
                try:
                    bare.setblocking(False)
                    for option in alive():
                        bare.setsockopt(*option)
                    _, made = await loop.create_connection(
                        lambda: _Connection(bare),
                        sock=bare,
                        ssl=self._context,
                        server_hostname=self._host if self._tls else None,
                    )
                except BaseException:
                    bare.close()
                    raise
                return made
        except OSError as error:
            raise httpx2.ConnectError("no connection") from error
        raise httpx2.ConnectTimeout("no connection in time")


class Exchange:
    """A block that has one request and its response."""

    def __init__(self, of: Connections, method: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Take the request."""
        self._of, self._body = of, body
        self._method, self._headers = method, headers
        self._connection: _Connection | None = None

    async def __aenter__(self) -> Response:
        """Send it; return once the response begins. Raises what httpx2 does."""
        self._connection = connection = await self._of.taken()
        try:
            named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers]
            if self._body or self._method == "POST":
                named.append((b"content-length", b"%d" % len(self._body)))
            await connection.send(_head_of(self._method, self._of.target, named) + self._body)
            status, headers = await connection.head()
        except BaseException:
            connection.close()
            raise
        answer = Answer(connection, status, headers)
        if "set-cookie" in answer.headers:
            self._of.cookies(headers)
        if answer.headers.get("content-encoding", "identity") != "identity":
            return httpx2.Response(answer.status_code, headers=answer.headers, stream=answer)
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._of.give_back(self._connection)


class Answer(httpx2.AsyncByteStream):
    """A response whose body comes as it is meant."""

    def __init__(self, connection: "_Connection", status: int, headers: Headers) -> None:
        """Take how it begins."""
        self._connection = connection
        self.status_code = status
        self.headers = dict[str, str]()
        for name, value in headers:
            text, known = value.decode("latin-1"), name.decode("ascii")
            self.headers[known] = f"{self.headers[known]}, {text}" if known in self.headers else text

    async def aread(self) -> bytes:
        """See `Response`."""
        parts = list[bytes]()
        while part := await self._connection.part():
            parts.append(part)
        return b"".join(parts)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """See `Response`."""
        while part := await self._connection.part():
            yield part

    def __aiter__(self) -> AsyncIterator[bytes]:
        """See `httpx2.AsyncByteStream`."""
        return self.aiter_bytes()


class _Connection(asyncio.Protocol):
    """The parser calls its methods as it reads; what they say is kept until a reader takes it."""

    def __init__(self, bare: socket.socket) -> None:
        self._bare = bare
        self._parser = httptools.HttpResponseParser(self)
        # Servers made by hand end lines without CR, and pad a chunk's size.
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True)
        self._transport: asyncio.Transport | None = None
        self._came, self._size = deque[bytes](), 0  # of the body
        self._ended, self._error = False, cast("Exception | None", None)
        self._reader: asyncio.Future[None] | None = None
        self._writable = anyio.Event()
        self._writable.set()
        self._paused = False
        self._until = 0.0
        self._begin()

    def _begin(self) -> None:
        self._headers = list[tuple[bytes, bytes]]()
        self._status = 0  # until the head of the response is whole
        self._whole = self._kept = False
        self._unasked = False
        self._held = 0  # bytes that the parser may have kept: none of them has led to anything

    # What the loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._held += len(data)
        try:
            self._parser.feed_data(data)
            if self._held > _HEADERS:
                raise httpx2.RemoteProtocolError("the headers are too long")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, httpx2.RemoteProtocolError) as error:
            self._error = self._error or httpx2.RemoteProtocolError(str(error.__context__ or error))
            self._ended = True
            self.close()
        if self._size > _UNREAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._error is None:
            self._error = httpx2.ReadError("the connection has broken")
            self._error.__cause__ = exc
        self._writable.set()
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._error is None:  # of a connection that has broken, more may have been on its way
            named = dict(self._headers)
            chunked = named.get(b"transfer-encoding", b"").lower().endswith(b"chunked")
            # Such a body has no other end.
            self._whole = self._whole or bool(self._status and b"content-length" not in named and not chunked)
        self._wake()

    def pause_writing(self) -> None:
        self._writable = anyio.Event()

    def resume_writing(self) -> None:
        self._writable.set()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # What the parser says

    def on_message_begin(self) -> None:
        self._unasked = self._unasked or self._whole

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._status:  # what follows a body counts for nothing
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self._held = 0
        if sum(len(name) + len(value) for name, value in self._headers) > _HEADERS:
            raise httpx2.RemoteProtocolError("the headers are too long")
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()  # of a word in between
        elif not self._unasked:
            self._status = status

    def on_body(self, body: bytes) -> None:
        self._held = 0
        self._came.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        self._held = 0
        if self._status:
            self._whole, self._kept = True, self._parser.should_keep_alive()

    # What is sent and read

    async def send(self, request: bytes) -> None:
        assert self._transport is not None
        # One write: two would wake the server twice. What can't be written is told by what is read.
        self._transport.write(request)
        if not self._writable.is_set():
            with anyio.move_on_after(WRITE_SECONDS):
                await self._writable.wait()
                return
            raise httpx2.WriteTimeout("the request is not read")

    async def head(self) -> tuple[int, Headers]:
        """Return the status and the headers, by their names in lower case."""
        while not self._status:
            await self._more("no response")
        return self._status, self._headers

    async def part(self) -> bytes:
        """Return what comes next of a body; nothing at its end."""
        while not self._came:
            if self._whole:
                return b""
            await self._more("the response has no end")
        data = self._came[0] if len(self._came) == 1 else b"".join(self._came)
        self._came.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def _more(self, missing: str) -> None:
        """Return once more has come. Raises what httpx2 does where nothing more will."""
        if self._ended:
            raise self._error or httpx2.RemoteProtocolError(missing)
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    # What becomes of it

    def next(self) -> bool:
        """Make ready for the next request; say whether it can have one."""
        if self._ended or self._came or self._unasked or not (self._whole and self._kept):
            return False
        self._until = asyncio.get_running_loop().time() + KEPT_SECONDS
        return True

    def is_good(self) -> bool:
        """Say whether it can be used: not for too long without a request, and open as far as anybody knows."""
        if self._ended or self._unasked or asyncio.get_running_loop().time() > self._until:
            return False
        try:
            self._bare.recv(1, socket.MSG_PEEK)  # the loop may not know it yet
        except BlockingIOError:
            self._begin()
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _head_of(method: str, target: bytes, headers: Headers) -> bytes:
    """Return a request up to its body. Raises httpx2.LocalProtocolError: a header would be read as another."""
    lines = [b"%s %s HTTP/1.1" % (method.encode("ascii"), target)]
    for name, value in headers:
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise httpx2.LocalProtocolError(f"the header {name!r} can't be sent")
        lines.append(b"%s: %s" % (name, value))
    return b"\r\n".join([*lines, b"", b""])


def alive() -> list[tuple[int, int, int]]:
    """Return the options of a socket that has TCP notice a peer that has vanished: a call may take hours."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if (option := cast("int | None", getattr(socket, name, None))) is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options
