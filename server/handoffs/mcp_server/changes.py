"""Telling a host that a handoff of its caller has changed, in this process or any other.

Nothing watches the store until somebody has subscribed. From 2026-07-28 a subscription is an open request
(`subscriptions/listen`), which the SDK serves and this watches for. Up to 2025-11-25 it is a list that a session adds
to (`resources/subscribe`); the SDK's server has no place for that, so it is answered here. What another caller asks is
never announced: an address holds an id.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias, cast

import anyio
from anyio.abc import TaskGroup, TaskStatus
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.model import Handoff
from handoffs.mcp_server.calls import Calls
from handoffs.mcp_server.declared import MODERN
from handoffs.mcp_server.resources import OPEN_URI, SCHEME, uri_of

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[ServerEvent], None]
Tell: TypeAlias = Callable[[list[ServerEvent]], Awaitable[None]]

RETRY_SECONDS = 5
"""How long a store that can't be read is left alone."""

SENDING_SECONDS = 5
"""How long a client may take to accept one notification; who takes longer has stopped reading, and is forgotten."""

MAX_SESSIONS = 64
"""How many sessions of the older era are told. Of a session that ended nobody tells us; the oldest makes room."""

MAX_URIS = 1_000
"""How many addresses one session can subscribe to."""

_listeners: ContextVar[list[Listener] | None] = ContextVar("listeners", default=None)


class Changes:
    """What `MCPServer` takes as its bus of subscriptions, its lifespan and one of its middlewares."""

    def __init__(self, desk: Desk, calls: Calls) -> None:
        """Take what is watched, and the calls that know whose handoffs to tell of."""
        self._desk, self._calls = desk, calls
        self._bus = InMemorySubscriptionBus()

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
        """Keep the sessions of the older era that have subscribed."""
        async with anyio.create_task_group() as tasks:
            try:
                yield _Sessions(self._desk, self._watch, tasks)
            finally:
                tasks.cancel_scope.cancel()

    # The middleware

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve the subscriptions of the older era, and watch while one of the newer lasts."""
        method, legacy = ctx.method, ctx.protocol_version != MODERN
        if method == "initialize":
            return _declaring(await call_next(ctx))
        if method == "subscriptions/listen" and not legacy and _concerns_handoffs(ctx.params):
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
        mine: list[Listener] = []
        result: HandlerResult = None
        refused: MCPError | None = None

        async def tell(events: list[ServerEvent]) -> None:
            for event in events:
                for listener in mine:
                    listener(event)

        mark = _listeners.set(mine)
        try:
            async with anyio.create_task_group() as tasks:
                try:
                    await tasks.start(self._watch, tell)
                    result = await call_next(ctx)
                except HandoffError as error:
                    refused = MCPError(INTERNAL_ERROR, str(error))
                except MCPError as error:
                    refused = error
                tasks.cancel_scope.cancel()
        finally:
            _listeners.reset(mark)
        if refused is not None:
            raise refused
        return result

    async def _watch(self, tell: Tell, *, task_status: TaskStatus[None]) -> None:
        """Tell what changes from now on, until cancelled. Raises StoreError where it can't even begin."""
        clock = self._desk.clock
        async with self._desk.watch() as watch:
            seen = await self._open_ones()
            task_status.started()
            while True:
                try:
                    with clock.limit(_seconds_to_next_deadline(seen, clock.now())):
                        await watch.changed()
                    now = await self._open_ones()
                except HandoffError:
                    await clock.sleep(RETRY_SECONDS)
                    continue
                if events := _differences(seen, now):
                    await tell(events)
                seen = now

    async def _open_ones(self) -> dict[str, Handoff]:
        return {handoff.id: handoff for handoff in await self._calls.owned_ones(open_only=True)}


@dataclass
class _Subscriber:
    subject: str
    session: ServerSession
    uris: set[str] = field(default_factory=set[str])


class _Sessions:
    """The sessions of the older era that have subscribed, and one watch for all of a caller's, while there are any.

    A watch sees what the request that began it may see, so callers share none.
    """

    def __init__(self, desk: Desk, watch: Callable[..., Awaitable[None]], tasks: TaskGroup) -> None:
        self._desk, self._watch, self._tasks = desk, watch, tasks
        self._known: dict[str, _Subscriber] = {}
        self._watching: dict[str, anyio.CancelScope] = {}

    async def note(self, name: str, uri: str, session: ServerSession, method: str, *, subject: str) -> None:
        """Add or drop one address of one session. Raises StoreError where nothing can be watched."""
        if method == "resources/unsubscribe":
            if (known := self._known.get(name)) is not None:
                known.uris.discard(uri)
                if not known.uris:
                    self._forget(name)
            return
        known = self._known.pop(name, None) or _Subscriber(subject, session)  # back in as the newest
        if len(known.uris) >= MAX_URIS:
            self._known[name] = known
            raise MCPError(INVALID_PARAMS, f"A session can subscribe to {MAX_URIS:,} resources; unsubscribe from some.")
        known.uris.add(uri)
        self._known[name] = known
        if len(self._known) > MAX_SESSIONS:
            self._forget(next(iter(self._known)))
        if known.subject not in self._watching:
            try:
                await self._tasks.start(self._run, known.subject)
            except HandoffError:
                self._forget(name)
                raise

    async def _run(self, subject: str, *, task_status: TaskStatus[None]) -> None:
        if subject in self._watching:  # another session of theirs has subscribed in the same moment
            task_status.started()
            return
        with anyio.CancelScope() as scope:
            self._watching[subject] = scope
            try:
                await self._watch(partial(self._tell, subject), task_status=task_status)
            except HandoffError:
                raise  # it could not begin: who subscribed is told
            except Exception as broken:  # noqa: BLE001 - to tell of changes is a courtesy; it must not end the server
                logger.error("watching for subscribers failed: %s", type(broken).__name__)
            finally:
                if self._watching.get(subject) is scope:
                    del self._watching[subject]

    async def _tell(self, subject: str, events: list[ServerEvent]) -> None:
        changed = [event.uri for event in events if isinstance(event, ResourceUpdated)]
        for name, known in [each for each in self._known.items() if each[1].subject == subject]:
            for uri in changed:
                if uri in known.uris and not await self._sent(known.session, uri):
                    self._forget(name)
                    break

    async def _sent(self, session: ServerSession, uri: str) -> bool:
        with self._desk.clock.limit(SENDING_SECONDS):
            await session.send_resource_updated(uri)
            return True
        return False

    def _forget(self, name: str) -> None:
        gone = self._known.pop(name, None)
        if gone is None or any(known.subject == gone.subject for known in self._known.values()):
            return
        if (scope := self._watching.pop(gone.subject, None)) is not None:
            scope.cancel()


def _differences(before: Mapping[str, Handoff], now: Mapping[str, Handoff]) -> list[ServerEvent]:
    """What to announce: what is open, and each handoff that came, went or was changed."""
    came_or_went = before.keys() ^ now.keys()
    changed = {each for each in before.keys() & now.keys() if before[each].version != now[each].version}
    events: list[ServerEvent] = [ResourceUpdated(uri=uri_of(each)) for each in sorted(came_or_went | changed)]
    if came_or_went:
        events += [ResourceUpdated(uri=OPEN_URI), ResourcesListChanged()]
    return events


def _seconds_to_next_deadline(handoffs: Mapping[str, Handoff], now: datetime) -> float | None:
    """Silence ends a question without anybody writing it down: somebody has to look."""
    left = [(handoff.question.deadline - now).total_seconds() for handoff in handoffs.values()]
    return max(min(left), 0) if left else None


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
    if not isinstance(uri, str) or len(uri) > 2_000:
        raise MCPError(INVALID_PARAMS, "`uri` must be the address of a resource, like handoff://open.")
    return uri


def _session_of(context: ServerRequestContext[Any, Any]) -> str:
    headers: object = getattr(context.request, "headers", None)
    return cast("Mapping[str, str]", headers).get("mcp-session-id", "") if headers is not None else ""
