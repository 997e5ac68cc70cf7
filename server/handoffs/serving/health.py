"""Probes of orchestrators and load balancers: `/healthz` (the process is alive), `/readyz` (it can serve calls).

Both are served without a token and under any host name, since a probe has no token and calls by an address. So they
answer with a fixed word only; the log has the store's address and its error.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound, StoreError

logger = logging.getLogger(__name__)

HEALTH, READY = "/healthz", "/readyz"

ASGI: Literal["asgi3"] = "asgi3"
"""The `interface` for uvicorn: it would take an outermost application that is no coroutine for one of ASGI 2."""

STORE_SECONDS = 2.0
"""How long the store may take to answer."""

KEEP_SECONDS = 1.0
"""How long the store's answer is cached: probes are not authenticated, and may be frequent."""

STARTING, DRAINING, STORE = "starting", "draining", "store"
"""The reasons for not being ready."""


class Readiness:
    """Says whether a server can serve calls, and if not, why."""

    def __init__(self, desk: Desk | None = None) -> None:
        """Take the desk whose store must answer; without one, the server is starting."""
        self.desk = desk
        self.draining = False
        """Set it when the server is about to stop."""
        self._turn = anyio.Lock()
        self._looked: float | None = None
        self._works = True

    async def problem(self) -> str | None:
        """Return why the server is not ready, in one word; None when it is."""
        if self.draining:
            return DRAINING
        if self.desk is None:
            return STARTING
        async with self._turn:
            if self._looked is None or anyio.current_time() - self._looked >= KEEP_SECONDS:
                await self._look(self.desk)
                self._looked = anyio.current_time()
        return None if self._works else STORE

    async def _look(self, desk: Desk) -> None:
        wrong = await store_problem(desk)
        if wrong is not None and self._works:
            logger.warning("Not ready: %s", wrong)
        elif wrong is None and not self._works:
            logger.warning("Ready again: the store answers.")
        self._works = wrong is None


async def store_problem(desk: Desk) -> str | None:
    """Return the store's problem, for the operator; None if it answers in time."""
    with anyio.move_on_after(STORE_SECONDS):
        try:
            await desk.get("h_")  # no handoff has this id: the cheapest read
        except NotFound:
            return None
        except StoreError as wrong:
            return str(wrong)
        return None
    return f"The store has not answered for {STORE_SECONDS:g} seconds."


class Probes:
    """The outermost ASGI middleware: answers the two probes, and logs neither."""

    def __init__(self, app: ASGIApp, problem: Callable[[], Awaitable[str | None]]) -> None:
        """Take the app for all other requests, and the function that returns why the server is not ready."""
        self._app = app
        self._problem = problem

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request. No coroutine, so a request that waits for hours has no frame here: see `ASGI`."""
        if scope["type"] != "http" or scope["path"] not in {HEALTH, READY}:
            return self._app(scope, receive, send)
        return self._probed(scope, send)

    async def _probed(self, scope: Scope, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            await _reply(send, 405, b"", "text/plain", (b"allow", b"GET, HEAD"))
        elif scope["path"] == HEALTH:
            await _reply(send, 200, b"ok\n", "text/plain")
        else:
            reason = await self._problem()
            said: dict[str, object] = {"ready": True} if reason is None else {"ready": False, "reason": reason}
            await _reply(send, 200 if reason is None else 503, json.dumps(said).encode(), "application/json")


async def _reply(send: Send, status: int, body: bytes, kind: str, *headers: tuple[bytes, bytes]) -> None:
    own = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
