"""Nothing outlives the token that it came with.

Whose a request is, is asked when it arrives; it may then wait for a person for hours. So of what lasts it is asked
again every few seconds: of a call that waits, and of a stream on which a client hears of changes. A subscription of the
older era outlives its request: it lasts as long as its session shows a good token.

What knows the tokens is elsewhere (`handoffs.access`). A question stays open, whatever becomes of who asked it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

import anyio
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from handoffs.core.ports import Clock
from handoffs.core.untrusted import inert_line
from handoffs.mcp_server.callers.bounds import Bounds
from handoffs.mcp_server.callers.capabilities import MODERN
from handoffs.mcp_server.callers.fair_share import Held, Slots
from handoffs.mcp_server.callers.subject import Shown, shown, token_of

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
        """Return those that would be refused now; of which that can't be known at the moment, none."""
        ...


class Lasting:
    """A middleware of the server and of what serves it over HTTP: ends what lasts longer than its token.

    To a request that is over soon it costs a line in a set; nothing runs while nothing lasts.
    """

    def __init__(
        self,
        verifier: Verifier,
        clock: Clock,
        *,
        max_sessions: int = Bounds.sessions,
        max_streams: int = MAX_STREAMS,
    ) -> None:
        """Take whom to ask, and the clock that tokens expire by."""
        self._verifier, self._clock = verifier, clock
        self._max_sessions, self._max_streams = max_sessions, max_streams
        self._requests: set[_Request] = set()
        self._subscribers: dict[str, _Subscriber] = {}  # by session
        self._held: Held[str] = Held()
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
        if ctx.method in {"resources/subscribe", "resources/unsubscribe"} and ctx.protocol_version != MODERN:
            await self._note(_session_of(scope), token, ctx, call_next)
        return result

    async def _note(
        self, session: str | None, token: AccessToken, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> None:
        """Remember what a session is subscribed to."""
        uri = (ctx.params or {}).get("uri")
        if session is None or not isinstance(uri, str):
            return
        known = self._subscribers.get(session)
        if ctx.method == "resources/unsubscribe":
            if known is not None:
                known.uris.discard(uri)
                if not known.uris:
                    await self._forget(session)
            return
        if known is None:
            known = self._subscribers[session] = _Subscriber(token, ctx, call_next)
        known.uris.add(uri)
        self._something.set()
        subject = str(token.subject)
        self._held.add(session, subject)
        # As many as are told of changes; whose session made room there is forgotten here.
        if (oldest := self._held.one_too_many(subject, most=self._max_sessions)) is not None:
            await self._forget(oldest)

    # Of what serves it over HTTP

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return what serves HTTP requests with `app`, and a session's own stream only as long as its token is good.

        Of that stream (GET) the server itself knows nothing.
        """

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            token = token_of(scope)
            if token is not None and self._subscribers:
                self._renew(token, _session_of(scope))
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

    def _renew(self, token: AccessToken, session: str | None) -> None:
        """Note that a session goes on with this token: clients of an issuer get a new one every hour or so."""
        known = None if session is None else self._subscribers.get(session)
        # Anybody can name any session; only the caller whose it is goes on with it.
        if known is not None and principal_components(known.token) == principal_components(token):
            known.token, known.lapsed = token, False

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
            if not self._requests and not self._subscribers:
                self._something = anyio.Event()

    async def _look(self) -> None:
        requests, subscribers = tuple(self._requests), tuple(self._subscribers.items())
        tokens = {_id(each.token): each.token for each in (*requests, *(known for _, known in subscribers))}
        gone = await self._gone(tokens)
        if not gone:
            return
        ended = [each for each in requests if _id(each.token) in gone]
        for request in ended:
            request.lapsed = True
            request.scope.cancel()
        forgotten: list[_Subscriber] = []
        for session, known in subscribers:
            if _id(known.token) not in gone:
                continue
            if not known.lapsed:
                # Its stream ends now, so it is told nothing. A client that comes back at once, with the next token of
                # its issuer, does not expect to have lost what it subscribed to.
                known.lapsed = True
            elif self._subscribers.get(session) is known:
                await self._forget(session)
                forgotten.append(known)
        for subject in {str(tokens[each].subject) for each in gone}:
            counts = [sum(each.token.subject == subject for each in of) for of in (ended, forgotten)]
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
        return gone | {_id(token) for token in await self._verifier.lapsed(asked)}

    async def _forget(self, session: str) -> None:
        """Unsubscribe a session from everything, as its client could have."""
        known = self._subscribers.pop(session)
        self._held.discard(session)
        mark = auth_context_var.set(AuthenticatedUser(known.token))
        try:
            for uri in known.uris:
                await known.call_next(replace(known.ctx, method="resources/unsubscribe", params={"uri": uri}))
        finally:
            auth_context_var.reset(mark)

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


class _Subscriber(Shown):
    __slots__ = ("call_next", "ctx", "uris")

    def __init__(self, token: AccessToken, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> None:
        super().__init__(token)
        self.ctx, self.call_next = ctx, call_next
        self.uris: set[str] = set()


def lasting_of(
    server: MCPServer[Any], verifier: Verifier, clock: Clock, *, max_sessions: int = Bounds.sessions
) -> Lasting:
    """Stand before a server, and before its app over HTTP, which was made and is not serving yet.

    Whoever calls runs `Lasting.watch` while it serves.
    """
    lasting = Lasting(verifier, clock, max_sessions=max_sessions)
    server.middleware.insert(0, lasting)
    limited = server.session_manager.asgi_app
    limited.app = lasting.before(limited.app)
    return lasting


def _id(token: AccessToken) -> str:
    """The same for all requests that showed the same token: each has been made an object of its own for it."""
    return token.model_dump_json()


def _session_of(scope: Scope) -> str | None:
    return Headers(scope=scope).get(MCP_SESSION_ID_HEADER)
