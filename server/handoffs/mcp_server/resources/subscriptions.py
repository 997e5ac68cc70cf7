"""Telling a host that a handoff of its caller has changed, in this process or any other.

Nothing watches the store until somebody has subscribed. From 2026-07-28 a subscription is an open request
(`subscriptions/listen`), which the SDK serves and this watches for. Up to 2025-11-25 it is a list that a session adds
to (`resources/subscribe`); the SDK's server has no place for that, so it is answered here. What another caller asks is
never announced: an address holds an id.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast

import anyio
from anyio.abc import TaskGroup
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.capabilities import MODERN
from handoffs.mcp_server.callers.fair_share import Held, Slots
from handoffs.mcp_server.calls import Calls
from handoffs.mcp_server.resources.caller_watch import SharedWatch
from handoffs.mcp_server.resources.resources import SCHEME

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[ServerEvent], None]

SENDING_SECONDS = 5
"""How long a client may take to accept one notification; who takes longer has stopped reading, and is forgotten."""

MAX_URI = 200
"""Characters of an address; ours have fewer, and a caller can subscribe to many thousands."""

_listeners: ContextVar[list[Listener] | None] = ContextVar("listeners", default=None)


class Changes:
    """What `MCPServer` takes as its bus of subscriptions, its lifespan and one of its middlewares."""

    def __init__(self, desk: Desk, calls: Calls, bounds: Bounds = BOUNDS) -> None:
        """Take what is watched, and the calls that know whose handoffs to tell of."""
        self._desk, self._calls, self._bounds = desk, calls, bounds
        self._bus = InMemorySubscriptionBus()
        self._streams = Slots()

    # The bus

    async def publish(self, event: ServerEvent) -> None:
        """Deliver what other parts of the server announce, to every stream."""
        await self._bus.publish(event)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Register a stream; the one of the request that is being served also gets what its watch finds."""
        mine = _listeners.get()
        if mine is not None:
            mine.append(listener)
        return self._bus.subscribe(listener)

    # The lifespan

    @asynccontextmanager
    async def lifespan(self, _: MCPServer[Any]) -> AsyncGenerator["_Sessions"]:
        """Keep what is told of changes, in both eras."""
        async with anyio.create_task_group() as tasks:
            try:
                yield _Sessions(self._desk, tasks, self._bounds)
            finally:
                tasks.cancel_scope.cancel()

    # The middleware

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve the subscriptions of the older era, and watch while one of the newer lasts."""
        method, legacy = ctx.method, ctx.protocol_version != MODERN
        if method == "initialize":
            return _declaring(await call_next(ctx))
        if method == "subscriptions/listen" and not legacy:
            return await self._listen(ctx, call_next)
        if method in {"resources/subscribe", "resources/unsubscribe"} and legacy and ctx.session.client_params:
            sessions = cast("_Sessions", ctx.lifespan_context)
            try:
                subject = self._calls.subject
                await sessions.note(_session_of(ctx), _uri_in(ctx.params), ctx.session, method, subject=subject)
            except HandoffError as error:
                raise MCPError(INTERNAL_ERROR, str(error)) from None
            return {}
        return await call_next(ctx)

    async def _listen(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        try:
            subject = self._calls.subject
            # Those that are told nothing of ours, too: the SDK has places for a thousand or so, whoever takes them.
            with self._streams.another(subject, most=self._bounds.streams):
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
            async with cast("_Sessions", ctx.lifespan_context).watch.telling(subject, tell):
                return await call_next(ctx)
        finally:
            _listeners.reset(mark)


@dataclass
class _Subscriber:
    subject: str
    session: ServerSession
    uris: set[str] = field(default_factory=set[str])
    end: Callable[[], None] | None = None
    """Ends its being told; None until it is."""


class _Sessions:
    """The sessions of the older era that have subscribed, and the watch that they share with streams of the newer."""

    def __init__(self, desk: Desk, tasks: TaskGroup, bounds: Bounds) -> None:
        self._desk, self._bounds = desk, bounds
        self.watch = SharedWatch(desk, tasks)
        self._known: dict[str, _Subscriber] = {}
        self._held: Held[str] = Held()

    async def note(self, name: str, uri: str, session: ServerSession, method: str, *, subject: str) -> None:
        """Add or drop one address of one session. Raises StoreError where nothing can be watched."""
        known = self._known.get(name)
        if method == "resources/unsubscribe":
            if known is not None:
                known.uris.discard(uri)
                if not known.uris:
                    self._forget(name)
            return
        if known is None:
            known = self._known[name] = _Subscriber(subject, session)
        self._held.add(name, subject)  # again: as the newest
        if len(known.uris) >= (most := self._bounds.uris):
            raise MCPError(INVALID_PARAMS, f"A session can subscribe to {most:,} resources; unsubscribe from some.")
        known.uris.add(uri)
        if (oldest := self._held.one_too_many(subject, most=self._bounds.sessions)) is not None:
            self._forget(oldest)
        if known.end is None:
            await self._begin(name, known)

    async def _begin(self, name: str, known: _Subscriber) -> None:
        try:
            end = await self.watch.begin(known.subject, partial(self._tell, name, known))
        except HandoffError:
            self._forget(name, known)
            raise
        if known.end is None and self._known.get(name) is known:
            known.end = end
        else:
            end()  # it has been forgotten meanwhile, or another request of it was as fast

    async def _tell(self, name: str, known: _Subscriber, events: list[ServerEvent]) -> None:
        for uri in [event.uri for event in events if isinstance(event, ResourceUpdated)]:
            if uri in known.uris and not await self._sent(known.session, uri):
                self._forget(name, known)
                return

    async def _sent(self, session: ServerSession, uri: str) -> bool:
        with self._desk.clock.limit(SENDING_SECONDS):
            try:
                await session.send_resource_updated(uri)
            except Exception as broken:  # noqa: BLE001 - whatever it is, this session can't be told
                logger.warning("a subscriber can't be told: %s", type(broken).__name__)
                return False
            return True
        return False

    def _forget(self, name: str, only: _Subscriber | None = None) -> None:
        known = self._known.get(name)
        if known is None or only not in (None, known):
            return
        del self._known[name]
        self._held.discard(name)
        known.uris.clear()
        if known.end is not None:
            known.end()


def _declaring(result: HandlerResult) -> HandlerResult:
    """The answer to `initialize`, saying that resources can be subscribed to."""
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
    headers: object = getattr(context.request, "headers", None)
    return cast("Mapping[str, str]", headers).get("mcp-session-id", "") if headers is not None else ""
