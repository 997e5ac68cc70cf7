"""HTTP sessions of the older era: idle and ended sessions are removed, so that their memory is freed.

Up to 2025-11-25 a session lasts until its client ends it, and most clients vanish without notice. From mcp 2.3 on the
SDK ends idle sessions itself. Earlier releases can do so, too, but cut calls that wait longer; and they never free the
rest of a session that was ended by DELETE. This module does both for those releases.
"""

from collections.abc import Mapping, MutableMapping
from typing import cast

import anyio
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.mcp_server.callers.fair_share import EvictionOrder

IDLE_SECONDS = 1800.0
"""How long a session without an open request (a call or a stream) is kept."""

MAX_IDLE = 10_000
"""How many idle sessions are kept; one caller may have a share of them.

A client that comes back later is told to begin a new session, which clients can do.
"""


class Sessions:
    """ASGI middleware that ends sessions which have been idle for a while.

    A session with an open request is never ended: a person may take hours.
    """

    def __init__(
        self,
        app: ASGIApp,
        transports: MutableMapping[str, StreamableHTTPServerTransport],
        owners: MutableMapping[str, object],
        *,
        idle_seconds: float = IDLE_SECONDS,
        most_idle: int = MAX_IDLE,
    ) -> None:
        """Take the app that serves the sessions, and the SDK's two tables, which ended sessions are removed from."""
        self._app = app
        self._transports, self._owners = transports, owners
        self._idle_seconds, self._most_idle = idle_seconds, most_idle
        self._busy: dict[str, int] = {}
        self._idle: dict[str, float] = {}  # the time since when; the longest idle first
        self._idle_order: EvictionOrder[str] = EvictionOrder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and note its session as busy meanwhile."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        session = Headers(scope=scope).get(MCP_SESSION_ID_HEADER)
        if session is None:
            await self._first(scope, receive, send)
            return
        self._begin(session)
        try:
            await self._app(scope, receive, send)
        finally:
            await self._end(session)

    async def _first(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that names no session; the reply may begin one."""
        session: str | None = None

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
        """End the sessions that have been idle for too long, until cancelled."""
        while True:
            await anyio.sleep(self._idle_seconds / 10)
            await self._sweep_once()

    def _begin(self, session: str) -> None:
        # A request can name any session: unknown ones are not remembered.
        if session in self._transports:
            self._busy[session] = self._busy.get(session, 0) + 1
            self._idle.pop(session, None)
            self._idle_order.discard(session)

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
            self._idle_order.add(session, holder)
            if (oldest := self._idle_order.to_evict(holder, most=self._most_idle)) is not None:
                await self._terminate(oldest)

    async def _sweep_once(self) -> None:
        until = anyio.current_time() - self._idle_seconds
        while self._idle and self._idle[oldest := next(iter(self._idle))] <= until:
            await self._terminate(oldest)

    async def _terminate(self, session: str) -> None:
        transport = self._transports.get(session)
        self._drop(session)
        if transport is not None:
            with anyio.CancelScope(shield=True):  # it is in no table any more, so it must be terminated here
                await transport.terminate()

    def _holder_of(self, session: str) -> str:
        """Return the subject of a session's caller; empty when requests are not authenticated."""
        owner = self._owners.get(session)
        return str(cast("Mapping[str, object]", owner).get("subject")) if isinstance(owner, Mapping) else ""

    def _drop(self, session: str) -> None:
        self._idle.pop(session, None)
        self._idle_order.discard(session)
        self._busy.pop(session, None)
        self._transports.pop(session, None)
        self._owners.pop(session, None)


def sessions_before(
    app: ASGIApp,
    manager: StreamableHTTPSessionManager,
    *,
    idle_seconds: float = IDLE_SECONDS,
    most_idle: int = MAX_IDLE,
) -> Sessions | None:
    """Return the middleware for `app`, which serves a manager's sessions; None if the manager ends idle ones itself.

    The caller runs `Sessions.sweep` while it serves.
    """
    # mcp 2.1 and 2.2 keep their sessions here; no public method ends a session without cutting its calls.
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
        most_idle=most_idle,
    )
