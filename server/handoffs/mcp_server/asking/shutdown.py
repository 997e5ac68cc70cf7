"""How a server that is about to stop lets go of the calls that wait: they return PENDING, and no connection is cut."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY


class Shutdown:
    """Ends every wait of a server at once, as if the patience of each host had ended. It can't be taken back.

    As a middleware of the server it also ends the streams on which clients of the newer era hear of changes.
    """

    def __init__(self) -> None:
        """Begin with nothing that waits."""
        self._waits: set[anyio.CancelScope] = set()
        self._has_begun = False

    def begin(self) -> None:
        """Have every wait end now, and every later one as soon as it begins."""
        self._has_begun = True
        for scope in tuple(self._waits):
            scope.cancel()

    @contextmanager
    def wait(self) -> Generator[None]:
        """Give a block that is left, without an error, when the server is about to stop."""
        with anyio.CancelScope() as scope:
            self._waits.add(scope)
            if self._has_begun:
                scope.cancel()
            try:
                yield
            finally:
                self._waits.discard(scope)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a request; a subscription as long as the server serves."""
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        with self.wait():
            return await call_next(ctx)
        return {"resultType": "complete", "_meta": {SUBSCRIPTION_ID_META_KEY: ctx.request_id}}
