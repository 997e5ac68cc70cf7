"""Requests that would be given each other's replies: on one pipe, of several clients, with the same number.

Clients count their requests from the same number. A gateway that connects several to one server, and passes each reply
on to all of them (supergateway's default), would hand one agent what a person allowed another. A reply reaches a client
that waits for its number, so while one of two such requests is served the other is refused: both clients hear that, and
neither takes the reply that comes later for its own.
"""

from collections import Counter
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import INVALID_REQUEST

from handoffs.first_stage.front import Front

BRINGING = ("tools/call", "resources/read")
"""The methods whose reply may hold what a person has answered."""

MIXED_UP = (
    "This is no answer: nothing is approved. Two clients of one gateway have sent requests with the same number, and "
    "it would give both of them the reply to either. Give each client a server of its own (supergateway: "
    "`--outputTransport streamableHttp --stateful`), or serve them over HTTP with a token for each person."
)


class MixedUp:
    """Refuses them, as a middleware of one server."""

    def __init__(self, front: Front) -> None:
        """Take what has come through the pipe."""
        self._front = front
        self._served: Counter[str] = Counter()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve one of `BRINGING`. Raises MCPError."""
        number = str(ctx.request_id)  # clients take "1" for the reply to 1
        if getattr(ctx.request, "headers", None) is not None:
            return await call_next(ctx)
        if self._served[number] and self._front.shared:
            raise MCPError(INVALID_REQUEST, MIXED_UP)
        self._served[number] += 1
        try:
            return await call_next(ctx)
        finally:
            self._served[number] -= 1
            if not self._served[number]:
                del self._served[number]
