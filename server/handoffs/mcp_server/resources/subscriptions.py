"""Subscriptions to resources: a host is notified when a handoff of its caller changes, in any process.

The store is watched only while there are subscriptions. From 2026-07-28 a subscription is an open request
(`subscriptions/listen`), which the SDK serves and this watches for. Up to 2025-11-25 it is a list that a session adds
to (`resources/subscribe`); the SDK's server does not serve that, so it is answered here, and kept in the `registry`.
Other callers' handoffs are never announced: an address contains an id.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, cast

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.capabilities import MODERN
from handoffs.mcp_server.callers.fair_share import Slots
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.callers.subject import token_of
from handoffs.mcp_server.resources.caller_watch import SharedWatch
from handoffs.mcp_server.resources.registry import SubscriptionRegistry
from handoffs.mcp_server.resources.resources import SCHEME

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[ServerEvent], None]

MAX_URI = 200
"""The most characters of an address; ours are shorter, and a caller can subscribe to many thousands."""

_listeners: ContextVar[list[Listener] | None] = ContextVar("listeners", default=None)


class Changes:
    """The subscriptions of one server: the bus, the lifespan and a middleware for `MCPServer`."""

    def __init__(self, desk: Desk, own: OwnHandoffs, registry: SubscriptionRegistry, bounds: Bounds = BOUNDS) -> None:
        """Take the desk that is watched, the caller's view, and the registry of the older era's subscriptions."""
        self._desk, self._own, self._registry, self._bounds = desk, own, registry, bounds
        self._bus = InMemorySubscriptionBus()
        self._streams = Slots()

    # The bus

    async def publish(self, event: ServerEvent) -> None:
        """Send an event of another part of the server to every stream."""
        await self._bus.publish(event)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Register a stream; that of the request being served also gets the events of its caller's watch."""
        mine = _listeners.get()
        if mine is not None:
            mine.append(listener)
        return self._bus.subscribe(listener)

    # The lifespan

    @asynccontextmanager
    async def lifespan(self, _: MCPServer[Any]) -> AsyncGenerator[SharedWatch]:
        """Run the watches while the server serves, for both eras."""
        async with anyio.create_task_group() as tasks:
            watch = SharedWatch(self._desk, tasks)
            try:
                yield watch
            finally:
                self._registry.end_all(watch)
                tasks.cancel_scope.cancel()

    # The middleware

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve the subscriptions of the older era, and watch the store while a stream of the newer is open."""
        method, legacy = ctx.method, ctx.protocol_version != MODERN
        if method == "initialize":
            return _declaring(await call_next(ctx))
        if method == "subscriptions/listen" and not legacy:
            return await self._listen(ctx, call_next)
        if method in {"resources/subscribe", "resources/unsubscribe"} and legacy and ctx.session.client_params:
            name, uri = _session_of(ctx), _uri_in(ctx.params)
            if method == "resources/unsubscribe":
                self._registry.unsubscribe(name, uri)
            else:
                await self._subscribe(name, uri, ctx)
            return {}
        return await call_next(ctx)

    async def _subscribe(self, name: str, uri: str, ctx: ServerRequestContext[Any, Any]) -> None:
        token = token_of(cast("Mapping[str, Any]", getattr(ctx.request, "scope", {})))
        watch = cast("SharedWatch", ctx.lifespan_context)
        try:
            await self._registry.subscribe(name, uri, ctx.session, subject=self._own.subject, watch=watch, token=token)
        except HandoffError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from None

    async def _listen(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        try:
            subject = self._own.subject
            # Also for streams without our resources: the SDK has about a thousand slots for all callers.
            with self._streams.slot(subject, most=self._bounds.streams):
                if not _concerns_handoffs(ctx.params):
                    return await call_next(ctx)
                return await self._watched(subject, ctx, call_next)
        except HandoffError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from None

    async def _watched(self, subject: str, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        mine: list[Listener] = []

        async def tell(events: list[ServerEvent]) -> None:
            for event in events:
                for listener in mine:
                    listener(event)

        mark = _listeners.set(mine)
        try:
            async with cast("SharedWatch", ctx.lifespan_context).telling(subject, tell):
                return await call_next(ctx)
        finally:
            _listeners.reset(mark)


def _declaring(result: HandlerResult) -> HandlerResult:
    """Return the answer to `initialize` with the capability to subscribe to resources."""
    if isinstance(result, dict):
        capabilities = cast("dict[str, dict[str, object]]", result["capabilities"])
        capabilities.setdefault("resources", {})["subscribe"] = True
    return result


def _concerns_handoffs(params: Mapping[str, Any] | None) -> bool:
    asked: object = (params or {}).get("notifications")
    if not isinstance(asked, Mapping):
        return False
    wanted = cast("Mapping[str, object]", asked)
    uris = wanted.get("resourceSubscriptions")
    ours = isinstance(uris, list) and any(str(uri).startswith(SCHEME) for uri in cast("list[object]", uris))
    return ours or wanted.get("resourcesListChanged") is True


def _uri_in(params: Mapping[str, Any] | None) -> str:
    uri: object = (params or {}).get("uri")
    if not isinstance(uri, str) or len(uri) > MAX_URI:
        raise MCPError(INVALID_PARAMS, "`uri` must be the address of a resource, like handoff://open.")
    return uri


def _session_of(context: ServerRequestContext[Any, Any]) -> str:
    """Return the name of a request's session. A pipe has one session at a time, each with a watch of its own."""
    headers: object = getattr(context.request, "headers", None)
    if headers is None:
        return f"pipe {id(context.lifespan_context)}"
    return cast("Mapping[str, str]", headers).get("mcp-session-id", "")
