"""The connections of a server that we run: as many as the system allows, and none that only takes up room.

A connection on which a request is waited for costs an open file, and a thousand of them would leave none for the
store. So one that is silent is closed, and where all are taken the one that has been waited for longest makes room.
What is being answered, a page that hears of news or a call that waits, is never closed for another.
"""

import asyncio
import logging
import sys
from contextlib import suppress
from typing import ClassVar, TypedDict, cast

from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

FILES = 65_536
"""How many files may be open, where the system allows as many; most give a process 1,024 unless it asks."""

OWN_FILES = 512
"""Of them for the store, its watchers and the log, and for connections that are accepted and not looked at yet."""

SILENT_SECONDS = 15.0
"""How long a request may stand still while it is being sent, or not begin."""

BACKLOG = 64
"""How many new connections are accepted at once. Five times as many are open before asyncio shows the first to us."""

_MACOS = 10_240
"""What macOS allows where it counts more as wrong."""
_DROPPED = ("uvicorn.error", "mcp.server.streamable_http")


def allow_many_files() -> int:
    """Raise the limit of open files, and return how many connections it leaves room for."""
    if sys.platform == "win32":
        return OWN_FILES
    import resource  # not there on Windows

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


def leave_no_core() -> None:
    """Have a crash of this process write no image of its memory, in which secrets are that people type."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Serving(TypedDict):
    """Arguments of `uvicorn.Config`."""

    http: type[asyncio.Protocol]
    backlog: int


def bounded(most: int, *, silent_seconds: float = SILENT_SECONDS) -> Serving:
    """Return what makes uvicorn keep at most so many connections. Requests that break off are no errors in its log."""
    for name in _DROPPED:
        logging.getLogger(name).addFilter(_is_no_broken_off_request)
    kind = type("_BoundedConnection", (_Connection,), {"most": most, "silent_seconds": silent_seconds})
    return {"http": cast("type[asyncio.Protocol]", kind), "backlog": BACKLOG}


def _is_no_broken_off_request(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], ClientDisconnect)


class _Connection(H11Protocol):
    most: ClassVar[int]
    silent_seconds: ClassVar[float]
    heard = 0.0
    """When the last byte came, by the loop's clock."""
    _look: asyncio.TimerHandle | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether a request is yet to come, or the rest of one."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body  # pyright: ignore[reportUnnecessaryComparison]

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self.heard = self.loop.time()
        self._look_later()
        if len(self.connections) > self.most:
            there = cast("set[object]", self.connections)
            waited_for = [each for each in there if isinstance(each, _Connection) and each.is_waited_for]
            min(waited_for, key=_heard, default=self).make_room()

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        super().data_received(data)
        if self.is_waited_for and self._look is None:
            self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def make_room(self) -> None:
        """Close it now; what it had been sent is not waited for."""
        self.connections.discard(self)
        self.transport.abort()

    def _look_later(self) -> None:
        self._look = self.loop.call_at(self.heard + self.silent_seconds, self._close_if_silent)

    def _close_if_silent(self) -> None:
        self._look = None
        if not self.is_waited_for:
            return
        if self.loop.time() - self.heard >= self.silent_seconds:
            self.transport.abort()
        else:
            self._look_later()


def _heard(connection: _Connection) -> float:
    return connection.heard
