"""Ends requests and subscriptions when their access token expires or is revoked.

A token is verified when its request arrives; the request may then wait for a person for hours. So the tokens of waiting
calls and open streams are checked again every few seconds. A subscription of the older era outlives its request: the
registry of subscriptions keeps it, and ends it when its token has lapsed.

`handoffs.access` knows the tokens. A question stays open when the token of its caller lapses.
"""

import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, Protocol, cast

import anyio
from mcp.server.auth.provider import AccessToken
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from handoffs.core.ports import Clock
from handoffs.core.untrusted import inert_line
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.fair_share import Slots
from handoffs.mcp_server.callers.subject import Shown, shown, token_key, token_of
from handoffs.mcp_server.resources.registry import SubscriptionRegistry

logger = logging.getLogger(__name__)

MAX_STREAMS = 4_000
"""How many sessions of the older era may have a stream (GET) open; one caller may have a share of them."""

CHECK_SECONDS = 5.0
"""How often the tokens of open requests and subscriptions are checked."""

LAPSED = (
    "The token of this request is no longer good: it has expired, or was revoked. So the request has ended, and "
    "nothing was approved. A question that was asked stays open: connect with a good token, and ask the same again."
)


class Verifier(Protocol):
    """Checks tokens that were valid when their requests arrived."""

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return the tokens that are no longer valid. A token that can't be checked right now counts as valid."""
        ...


class TokenExpiry:
    """Ends requests and subscriptions that outlive their token; a middleware of the server and of its HTTP app.

    A short request costs one entry in a set; no check runs while nothing is open.
    """

    def __init__(
        self, verifier: Verifier, clock: Clock, *, bounds: Bounds = BOUNDS, max_streams: int = MAX_STREAMS
    ) -> None:
        """Take the verifier, the clock that tokens expire by, and the `bounds` of the subscriptions."""
        self._verifier, self._clock, self._max_streams = verifier, clock, max_streams
        self.subscriptions = SubscriptionRegistry(clock, bounds)
        """The subscriptions of the server's sessions."""
        self._requests: set[_Request] = set()
        self._streams = Slots()
        self._not_empty = anyio.Event()

    # Of the server

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a request as long as its token is valid.

        Raises:
            MCPError: The token is no longer valid.
        """
        scope = cast("Scope", getattr(ctx.request, "scope", {}))  # of the HTTP request; on stdio there is none
        token = token_of(scope)
        if token is None or ctx.request_id is None:
            return await call_next(ctx)
        request = self._begun(token)
        result: HandlerResult = None
        mark = shown.set(request)
        try:
            with request.scope:
                result = await call_next(ctx)
        finally:
            shown.reset(mark)
            self._requests.discard(request)
        if request.lapsed:
            raise MCPError(INTERNAL_ERROR, LAPSED)
        return result

    # Of its HTTP app

    def before(self, app: ASGIApp, *, methods: Collection[str] = ("GET",)) -> ASGIApp:
        """Return an ASGI app that serves `app`, and ends requests of these methods when their token lapses.

        By default those are a session's own streams (GET), which the MCP server itself does not see.
        """

        def serve(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            token = token_of(scope)
            if token is not None and self.subscriptions and (session := _session_of(scope)) is not None:
                self.subscriptions.renew(session, token)
            if token is None or scope["method"] not in methods:
                return app(scope, receive, send)
            return ended(token, scope, receive, send)

        async def ended(token: AccessToken, scope: Scope, receive: Receive, send: Send) -> None:
            subject = str(token.subject)
            if not self._streams.acquire(subject, most=self._max_streams):
                await PlainTextResponse("Too many of these streams are open: end one.\n", 429)(scope, receive, send)
                return
            request = self._begun(token)
            try:
                with request.scope:
                    await app(scope, receive, send)
            finally:
                self._requests.discard(request)
                self._streams.release(subject)

        return serve

    # The checks

    async def watch(self) -> None:
        """Check the tokens of what is open every few seconds, until cancelled."""
        while True:
            await self._not_empty.wait()
            await self._clock.sleep(CHECK_SECONDS)
            try:
                await self._look()
            except Exception as broken:  # noqa: BLE001 - without this, no check would run again
                logger.error("Tokens of what lasts can't be checked: %s", type(broken).__name__)
            if not self._requests and not self.subscriptions:
                self._not_empty = anyio.Event()

    async def _look(self) -> None:
        requests = tuple(self._requests)
        tokens = {token_key(token): token for token in (*(each.token for each in requests), *self.subscriptions.tokens)}
        gone = await self._gone(tokens)
        if not gone:
            return
        ended = [each for each in requests if token_key(each.token) in gone]
        for request in ended:
            request.lapsed = True
            request.scope.cancel()
        unsubscribed = self.subscriptions.end_lapsed(gone)
        for subject in {str(tokens[each].subject) for each in gone}:
            counts = [
                sum(token.subject == subject for token in of) for of in ([each.token for each in ended], unsubscribed)
            ]
            if any(counts):
                logger.warning(
                    "A token of %s is no longer good: requests ended, %d; sessions whose subscriptions ended, %d.",
                    inert_line(subject, 300), *counts,
                )  # fmt: skip

    async def _gone(self, tokens: Mapping[str, AccessToken]) -> set[str]:
        now = self._clock.now().timestamp()
        # As when a request arrives: the token itself says when it expires, the verifier all else.
        gone = {name for name, token in tokens.items() if token.expires_at is not None and token.expires_at < now}
        asked = [token for name, token in tokens.items() if name not in gone]
        return gone | {token_key(token) for token in await self._verifier.lapsed(asked)}

    def _begun(self, token: AccessToken) -> "_Request":
        request = _Request(token)
        self._requests.add(request)
        self._not_empty.set()
        return request


class _Request(Shown):
    __slots__ = ("scope",)

    def __init__(self, token: AccessToken) -> None:
        super().__init__(token)
        self.scope = anyio.CancelScope()


def _session_of(scope: Scope) -> str | None:
    return Headers(scope=scope).get(MCP_SESSION_ID_HEADER)
