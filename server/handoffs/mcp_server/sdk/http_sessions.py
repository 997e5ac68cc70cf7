"""Sessions of the older era over HTTP, and how the memory of those that are over comes back.

Up to 2025-11-25 a session lasts until its client ends it, and most clients are just gone one day. From mcp 2.3 on the
SDK ends the idle ones itself. Before, it can be told to, and then cuts a call that waits longer than that; and of those
that were ended by DELETE it keeps what is left for ever. This stands in its place there.
"""

from collections.abc import Mapping, MutableMapping
from typing import cast

import anyio
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.mcp_server.callers.fair_share import Held

IDLE_SECONDS = 1800.0
"""How long a session is kept that has no request open: no call, and no stream on which it could hear of anything."""

MAX_IDLE = 10_000
"""How many of those are kept, of which one caller may have a share.

One that comes back later is told to begin a new session, as clients know how to do.
"""


class Sessions:
    """ASGI middleware that knows which sessions are in use, and ends the others after a while.

    A session with a request open is never ended, however long that takes: a person may take hours.
    """

    def __init__(
        self,
        app: ASGIApp,
        transports: MutableMapping[str, StreamableHTTPServerTransport],
        owners: MutableMapping[str, object],
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Take what serves the sessions, and its own two lists of them, from which those that are over are dropped."""
        self._app = app
        self._transports, self._owners = transports, owners
        self._idle_seconds = idle_seconds
        self._busy: dict[str, int] = {}
        self._idle: dict[str, float] = {}  # since when; the longest idle first
        self._idle_of: Held[str] = Held()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and note whose it was."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        session = Headers(scope=scope).get(MCP_SESSION_ID_HEADER)
        if session is not None:
            self._begin(session)

        async def noting(message: Message) -> None:
            nonlocal session
            if session is None and message["type"] == "http.response.start":
                session = Headers(raw=message["headers"]).get(MCP_SESSION_ID_HEADER)
                if session is not None:
                    self._begin(session)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            if session is not None:
                await self._end(session)

    async def sweep(self) -> None:
        """End what has been idle for too long, until cancelled."""
        while True:
            await anyio.sleep(self._idle_seconds / 10)
            await self._sweep_once()

    def _begin(self, session: str) -> None:
        # Anybody can name any session: what is not one is not remembered.
        if session in self._transports:
            self._busy[session] = self._busy.get(session, 0) + 1
            self._idle.pop(session, None)
            self._idle_of.discard(session)

    async def _end(self, session: str) -> None:
        left = self._busy.pop(session, 1) - 1
        transport = self._transports.get(session)
        if transport is None:
            return
        if transport.is_terminated:
            self._drop(session)
        elif left > 0:
            self._busy[session] = left
        else:
            self._idle[session] = anyio.current_time()
            holder = self._holder_of(session)
            self._idle_of.add(session, holder)
            if (oldest := self._idle_of.one_too_many(holder, most=MAX_IDLE)) is not None:
                await self._terminate(oldest)

    async def _sweep_once(self) -> None:
        until = anyio.current_time() - self._idle_seconds
        while self._idle and self._idle[oldest := next(iter(self._idle))] <= until:
            await self._terminate(oldest)

    async def _terminate(self, session: str) -> None:
        transport = self._transports.get(session)
        self._drop(session)
        if transport is not None:
            with anyio.CancelScope(shield=True):  # it is on no list any more: who else would
                await transport.terminate()

    def _holder_of(self, session: str) -> str:
        """Return whose it is; empty where nobody is asked who they are."""
        owner = self._owners.get(session)
        return str(cast("Mapping[str, object]", owner).get("subject")) if isinstance(owner, Mapping) else ""

    def _drop(self, session: str) -> None:
        self._idle.pop(session, None)
        self._idle_of.discard(session)
        self._busy.pop(session, None)
        self._transports.pop(session, None)
        self._owners.pop(session, None)


def sessions_before(
    app: ASGIApp, manager: StreamableHTTPSessionManager, *, idle_seconds: float = IDLE_SECONDS
) -> Sessions | None:
    """Return what stands before `app`, the sessions of a manager; None where it ends the idle ones by itself.

    Whoever calls runs `Sessions.sweep` while it serves.
    """
    # By these 2.1 and 2.2 know their sessions; there is no public way to one of them that spares its calls.
    transports: object = getattr(manager, "_server_instances", None)
    owners: object = getattr(manager, "_session_owners", None)
    known = isinstance(transports, dict) and isinstance(owners, dict)
    if manager.session_idle_timeout is not None or not known:
        return None
    return Sessions(
        app,
        cast("dict[str, StreamableHTTPServerTransport]", transports),
        cast("dict[str, object]", owners),
        idle_seconds=idle_seconds,
    )
