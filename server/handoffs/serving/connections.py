"""Limits on a server's connections: as many as the system allows, and no silent ones.

Each connection costs an open file, and a thousand idle ones would leave none for the store. So a silent connection is
closed, and when all are taken the one that has been silent longest is evicted. A connection with an open response (a
page with live updates, or a waiting call) is never evicted.
"""

import asyncio
import logging
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any, ClassVar, TypedDict, cast

import httptools
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

FILES = 65_536
"""The limit of open files to ask for; most systems give a process 1,024 by default."""

OWN_FILES = 512
"""Files reserved for the store, its watchers, the log, and for connections that are accepted but not served yet."""

SILENT_SECONDS = 15.0
"""How long a connection may be silent before or within a request."""

BACKLOG = 64
"""How many new connections are accepted at once. asyncio opens up to five times as many before the first is served."""

MAX_HEAD = 65_536
"""The most bytes of a request before its body: the parser would keep any number."""

_PIECE = 16_384
"""Bytes that are read at once: as many requests as fit are kept until the one before them is answered."""

_AT_ONCE = 65_536
"""Bytes of a response that wait for the end of a turn: a response in many parts, none of which waits, has no other."""

_MACOS = 10_240
"""The limit on macOS, which refuses a higher one."""
_DROPPED = ("uvicorn.error", "mcp.server.streamable_http")


def raise_file_limit() -> int:
    """Raise the limit of open files, and return how many connections it leaves room for."""
    if sys.platform == "win32":
        return OWN_FILES
    import resource  # not on Windows

    soft, hard = (
        FILES if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    for most in (min(FILES, hard), min(_MACOS, hard)):
        if soft < most:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
                soft = most
    files = min(soft, FILES)
    return files - min(OWN_FILES, files // 2)


def disable_core_dumps() -> None:
    """Disable core dumps, since the memory of this process contains secrets that people type."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Serving(TypedDict):
    """Arguments of `uvicorn.Config`."""

    http: type[asyncio.Protocol]
    backlog: int


def bounded(most: int, *, silent_seconds: float = SILENT_SECONDS) -> Serving:
    """Return arguments that limit uvicorn to `most` connections; and keep aborted requests out of its error log."""
    for name in _DROPPED:
        logging.getLogger(name).addFilter(_is_no_broken_off_request)
    kind = type("_BoundedConnection", (_Connection,), {"most": most, "silent_seconds": silent_seconds})
    return {"http": cast("type[asyncio.Protocol]", kind), "backlog": BACKLOG}


def _is_no_broken_off_request(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], ClientDisconnect)


class _Parser:
    """Reads requests of HTTP/1.1, whatever other protocol they offer: Java's client offers HTTP/2 with its requests.

    The parser underneath ends there, and takes the request's body for the other protocol. So another one goes on, which
    is told again how the body is framed.
    """

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpRequestParser(self._connection)
        # As uvicorn has it: what follows a request that closes the connection is no error, and is left.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.get_method, self.get_http_version = self._parser.get_method, self._parser.get_http_version
        self.should_keep_alive = self._parser.should_keep_alive

    def feed_data(self, data: bytes) -> None:
        """Read data, calling the connection. Raises httptools.HttpParserError."""
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[cast("int", offer.args[0]) :]
                self._begin()
                if framing := self._connection.framing():
                    self._connection.resumes = True
                    try:
                        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
                    finally:
                        self._connection.resumes = False
            else:
                return

    def is_left(self) -> bool:
        """Say whether the parser underneath ends with this request's head."""
        return self._parser.should_upgrade()

    def should_upgrade(self) -> bool:
        """Say that nothing is: no other protocol is spoken here."""
        return False


class _Connection(HttpToolsProtocol):
    """Answers one request at a time. What follows it waits, is not lost with it, and is refused after it.

    uvicorn knows the last request that was read (`cycle`). Another one may be running, and requests may be between them
    (`pipeline`).
    """

    most: ClassVar[int]
    silent_seconds: ClassVar[float]
    heard = 0.0
    """When the last byte arrived, by the loop's clock."""
    _look: asyncio.TimerHandle | None = None
    _headed = False
    """Whether the head of the last request is whole."""
    _held = 0
    """Bytes that the parser may have kept: none of them has led to anything."""
    resumes = False
    """Whether the parser reads again how a body is framed."""
    _running: RequestResponseCycle | None = None
    """The request that is answered, or was the last to be."""
    _rest = b""
    """What has come and is not read before another request is answered."""
    _refusal: str | None = None
    """Why what follows the requests so far can't be read."""

    def __init__(self, *args: Any, **more: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*args, **more)
        self._reading = _Parser(self)
        self.parser = cast("Any", self._reading)

    def framing(self) -> bytes:
        """Return the headers that say where the body ends; empty where there is none."""
        named = ((name, value) for name, value in self.headers if name in (b"content-length", b"transfer-encoding"))
        return b"".join(b"%b: %b\r\n" % each for each in named)

    @property
    def awaits_request(self) -> bool:
        """Whether the next request, or the rest of one, has not arrived."""
        running = self._running
        return running is None or running.response_complete or running.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(cast("asyncio.Transport", _Together(transport, self.loop)))
        self.flow = _Flow(self.transport, self.pipeline)
        self.heard = self.loop.time()
        self._look_later()
        if len(self.connections) > self.most:
            there = cast("set[object]", self.connections)
            waited_for = [each for each in there if isinstance(each, _Connection) and each.awaits_request]
            min(waited_for, key=_heard, default=self).evict()

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        self._rest += data
        self._read()
        if not self.awaits_request:
            # Its answer may take hours. Afterwards the connection is uvicorn's to close, after its keep-alive time.
            self._look_no_longer()
        elif self._look is None:
            self._look_later()

    def _read(self) -> None:
        data, self._rest = self._rest, b""
        begin = 0
        while begin < len(data) and not (self.pipeline or self._refusal or self.transport.is_closing()):
            piece = data[begin : begin + _PIECE]
            begin += len(piece)
            self._held += len(piece)
            super().data_received(piece)
            if self._held > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")
        if not self._refusal:
            self._rest = data[begin:]

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read, once each request before it has its own response. Nothing more is read."""
        if self._refusal:
            return
        self._refusal = msg
        last = self.cycle
        if last is not None and last.more_body and not last.response_complete:  # pyright: ignore[reportUnnecessaryComparison]
            _disconnect(last)  # the rest of its body can't be read
            if last is self._running:
                if last.response_started:
                    self.transport.close()
                    return
                self._running = None
            else:
                self.pipeline.popleft()
        self._refuse_in_turn()

    def _refuse_in_turn(self) -> None:
        running = self._running
        if self._refusal and not self.pipeline and (running is None or running.response_complete):
            super().send_400_response(self._refusal)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self.heard = self.loop.time()  # the rest of its body was not read before
        until_end = cycle.scope["http_version"] == "1.0"
        super()._start_asgi_task(cycle, cast("Any", _to_the_end(app, cycle)) if until_end else app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            return
        self._read()
        self._refuse_in_turn()
        running = self._running
        if running is not None and running.more_body and not running.response_complete and self._look is None:
            self._look_later()

    def on_message_begin(self) -> None:
        self._held = 0
        if not self.resumes:
            self._headed = False
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self.resumes:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # what follows a body would be a header of the request
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Go on with a request that every reader takes for the same one. Raises ValueError: it gets a 400."""
        self._held = 0
        if self._headed:
            return
        self._headed = True
        version = self._reading.get_http_version()
        if version not in ("1.0", "1.1"):
            raise ValueError("another version of HTTP")
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and version == "1.1"):
            raise ValueError("a request has one host")
        if [value.lower() for name, value in self.headers if name == b"transfer-encoding"] not in ([], [b"chunked"]):
            raise ValueError("an encoding that is not read")
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MAX_HEAD:
            raise ValueError("the head is too large")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._held = 0
        if self.resumes or not (self._reading.is_left() and self.framing()):
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_longer()
        self._rest = b""
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            _disconnect(self._running)
        super().connection_lost(exc)
        del self._reading  # each has the other

    def evict(self) -> None:
        """Close the connection now, without flushing."""
        self.connections.discard(self)
        self.transport.abort()

    def _look_no_longer(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_later(self) -> None:
        self._look = self.loop.call_at(self.heard + self.silent_seconds, self._close_if_silent)

    def _close_if_silent(self) -> None:
        self._look = None
        if not self.awaits_request:
            return
        if self.loop.time() - self.heard >= self.silent_seconds:
            self.transport.abort()
        else:
            self._look_later()


class _Flow(FlowControl):
    """Reads on only where no request waits: those that one connection sends would be kept in any number."""

    def __init__(self, transport: asyncio.Transport, waiting: Collection[object]) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


def _disconnect(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True
    cycle.message_event.set()


def _to_the_end(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    """Return an app whose responses have no chunks: HTTP/1.0 knows none, and reads to the end of the connection."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        told = True  # the length

        async def unchunked(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start":
                told = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
                if not told:
                    cycle.chunked_encoding = False
            elif not told and message["type"] == "http.response.body":
                cycle.expected_content_length += len(message.get("body", b""))
            await send(message)

        await app(scope, receive, unchunked)

    return answer


class _Together:
    """A transport that writes at once what is written in one turn of the loop.

    uvicorn writes the headers of a response, and then its body: for each, the client would wake.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts, self._size = list[bytes](), 0

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._flush()
        self._transport.set_protocol(protocol)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts, self._size = self._parts, [], 0
            self._transport.write(b"".join(parts))


def _heard(connection: _Connection) -> float:
    return connection.heard
