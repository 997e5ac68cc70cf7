"""Ends requests and subscriptions when their access token expires or is revoked.

Whose a request is, is asked when it arrives; it may then wait for a person for hours. So of what lasts it is asked
again every few seconds: of a call that waits, and of a stream on which a client hears of changes. A subscription of the
older era outlives its request: the registry of subscriptions keeps it, and ends it when its token has lapsed.

What knows the tokens is elsewhere (`handoffs.access`). A question stays open, whatever becomes of who asked it.
"""

import logging
from collections.abc import Mapping, Sequence
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
"""How many sessions of the older era hear of news on a stream of their own; one caller may have a share of them."""

CHECK_SECONDS = 5.0
"""How often it is asked whether the tokens of what lasts are still good."""

LAPSED = (
    "The token of this request is no longer good: it has expired, or was revoked. So the request has ended, and "
    "nothing was approved. A question that was asked stays open: connect with a good token, and ask the same again."
)


class Verifier(Protocol):
    """Whom one asks about tokens that were good when they came."""

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return the tokens that are no longer valid. A token that can't be checked right now counts as valid."""
        ...


class TokenExpiry:
    """A middleware of the server and of what serves it over HTTP: ends what lasts longer than its token.

    To a request that is over soon it costs a line in a set; nothing runs while nothing lasts.
    """

    def __init__(
        self, verifier: Verifier, clock: Clock, *, bounds: Bounds = BOUNDS, max_streams: int = MAX_STREAMS
    ) -> None:
        """Take whom to ask, and the clock that tokens expire by. The `bounds` are those of the subscriptions."""
        self._verifier, self._clock, self._max_streams = verifier, clock, max_streams
        self.subscriptions = SubscriptionRegistry(clock, bounds)
        """Where the server that this stands before keeps the subscriptions of its sessions."""
        self._requests: set[_Request] = set()
        self._streams = Slots()
        self._something = anyio.Event()

    # Of the server

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a request as long as its token is good.

        Raises:
            MCPError: It no longer is.
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

    # Of what serves it over HTTP

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return what serves HTTP requests with `app`, and a session's own stream only as long as its token is good.

        Of that stream (GET) the server itself knows nothing.
        """

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            token = token_of(scope)
            if token is not None and self.subscriptions and (session := _session_of(scope)) is not None:
                self.subscriptions.renew(session, token)
            if token is None or scope["method"] != "GET":
                await app(scope, receive, send)
                return
            subject = str(token.subject)
            if not self._streams.take(subject, most=self._max_streams):
                await PlainTextResponse("Too many of these streams are open: end one.\n", 429)(scope, receive, send)
                return
            request = self._begun(token)
            try:
                with request.scope:
                    await app(scope, receive, send)
            finally:
                self._requests.discard(request)
                self._streams.give(subject)

        return serve

    # What ends them

    async def watch(self) -> None:
        """Look every few seconds at what lasts, until cancelled."""
        while True:
            await self._something.wait()
            await self._clock.sleep(CHECK_SECONDS)
            try:
                await self._look()
            except Exception as broken:  # noqa: BLE001 - the next look may succeed; without any, nothing ever ended
                logger.error("Tokens of what lasts can't be checked: %s", type(broken).__name__)
            if not self._requests and not self.subscriptions:
                self._something = anyio.Event()

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
        # As when a request arrives: when a token expires is asked of the token, all else of who knows it.
        gone = {name for name, token in tokens.items() if token.expires_at is not None and token.expires_at < now}
        asked = [token for name, token in tokens.items() if name not in gone]
        return gone | {token_key(token) for token in await self._verifier.lapsed(asked)}

    def _begun(self, token: AccessToken) -> "_Request":
        request = _Request(token)
        self._requests.add(request)
        self._something.set()
        return request


class _Request(Shown):
    __slots__ = ("scope",)

    def __init__(self, token: AccessToken) -> None:
        super().__init__(token)
        self.scope = anyio.CancelScope()


def _session_of(scope: Scope) -> str | None:
    return Headers(scope=scope).get(MCP_SESSION_ID_HEADER)
