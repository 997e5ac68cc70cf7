"""Limits on a server's connections: as many as the system allows, and no silent ones.

Each connection costs an open file, and a thousand idle ones would leave none for the store. So a silent connection is
closed, and when all are taken the one that has been silent longest is evicted. A connection with an open response (a
page with live updates, or a waiting call) is never evicted.
"""

import asyncio
import logging
import sys
from contextlib import suppress
from typing import Any, ClassVar, TypedDict, cast

import httptools
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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
                    self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
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
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body  # pyright: ignore[reportUnnecessaryComparison]

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(cast("asyncio.Transport", _Together(transport, self.loop)))
        self.heard = self.loop.time()
        self._look_later()
        if len(self.connections) > self.most:
            there = cast("set[object]", self.connections)
            waited_for = [each for each in there if isinstance(each, _Connection) and each.awaits_request]
            min(waited_for, key=_heard, default=self).evict()

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        self._held += len(data)
        super().data_received(data)
        if self._held > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        if not self.awaits_request:
            # Its answer may take hours. Afterwards the connection is uvicorn's to close, after its keep-alive time.
            self._look_no_longer()
        elif self._look is None:
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
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self._reading.get_http_version() == "1.1"):
            raise ValueError("a request has one host")
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
        super().connection_lost(exc)

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


class _Together:
    """A transport that writes at once what is written in one turn of the loop.

    uvicorn writes the headers of a response, and then its body: for each, the client would wake.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts = list[bytes]()

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

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
            parts, self._parts = self._parts, []
            self._transport.write(b"".join(parts))


def _heard(connection: _Connection) -> float:
    return connection.heard
