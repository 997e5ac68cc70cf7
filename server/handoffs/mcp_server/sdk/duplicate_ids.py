"""Duplicate request ids: several clients on one pipe that would get each other's replies.

Clients count their requests from the same number. A gateway that connects several clients to one server, and passes
each reply on to all of them (supergateway's default), would give one agent the approval for another. So while one of
two requests with the same id is served, the other is refused: both clients get the refusal, and neither takes the later
reply for its own.
"""

from collections import Counter
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.types import INVALID_REQUEST

from handoffs.first_stage.front import Front
from handoffs.mcp_server.sdk.middleware import only_when

ANSWERING = ("tools/call", "resources/read")
"""The methods whose reply may contain a person's answer."""

MIXED_UP = (
    "This is no answer: nothing is approved. Two clients of one gateway have sent requests with the same number, and "
    "it would give both of them the reply to either. Give each client a server of its own (supergateway: "
    "`--outputTransport streamableHttp --stateful`), or serve them over HTTP with a token for each person."
)


class DuplicateIds:
    """Refuses requests with a duplicate id; a middleware of one server."""

    def __init__(self, front: Front) -> None:
        """Take the front of the pipe."""
        self._front = front
        self._served: Counter[str] = Counter()

    def on_a_pipe(self) -> ServerMiddleware[Any]:
        """Return the middleware; over HTTP each reply goes back over the connection of its request."""
        return only_when(lambda ctx: getattr(ctx.request, "headers", None) is None, self)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a request of `ANSWERING`. Raises MCPError when its id is in use."""
        number = str(ctx.request_id)  # clients accept "1" as the reply to 1
        if self._served[number] and self._front.shared:
            raise MCPError(INVALID_REQUEST, MIXED_UP)
        self._served[number] += 1
        try:
            return await call_next(ctx)
        finally:
            self._served[number] -= 1
            if not self._served[number]:
                del self._served[number]
