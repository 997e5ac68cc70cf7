"""Shutdown of a server: the waiting calls return PENDING, and no connection is cut."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY


class Shutdown:
    """Ends every wait of a server at once, as if the patience of each host had ended. It can't be undone.

    As a middleware of the server it also ends the subscription streams of clients of the newer era.
    """

    def __init__(self) -> None:
        """Begin with no waits."""
        self._waits: set[anyio.CancelScope] = set()
        self._has_begun = False

    def begin(self) -> None:
        """End every wait now, and every later one as soon as it begins."""
        self._has_begun = True
        for scope in tuple(self._waits):
            scope.cancel()

    @contextmanager
    def wait(self) -> Generator[None]:
        """Run a block that is left, without an error, when the server is about to stop."""
        with anyio.CancelScope() as scope:
            self._waits.add(scope)
            if self._has_begun:
                scope.cancel()
            try:
                yield
            finally:
                self._waits.discard(scope)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a request; end a subscription when the server stops."""
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        with self.wait():
            return await call_next(ctx)
        return {"resultType": "complete", "_meta": {SUBSCRIPTION_ID_META_KEY: ctx.request_id}}
