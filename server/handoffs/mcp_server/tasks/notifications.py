"""Notifications about tasks: `notifications/tasks` through `subscriptions/listen`.

The SDK's handler of that method knows the four kinds of the core protocol and drops those of an extension. So this
middleware of `MCPServer` serves the streams that name tasks. It sees changes of every process.

Such a stream is an open request: `token_expiry` ends it as it ends a call. So it needs no registry; the streams are
only counted, for each caller.
"""

import logging
from collections.abc import Mapping
from typing import Any, Literal, cast

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import require_client_extension
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Notification,
    NotificationParams,
    ServerNotification,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
)
from pydantic import ConfigDict

from handoffs.asking.task_fields import TASKS
from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.capabilities import MODERN
from handoffs.mcp_server.callers.fair_share import Slots
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.task_id import TaskId
from handoffs.mcp_server.tasks.extension import RequestContext, Tasks
from handoffs.mcp_server.tasks.status import Wire

logger = logging.getLogger(__name__)

MAX_IDS = 100
"""How many tasks one stream can name."""

MAX_FOLLOWED = 4_000
"""How many tasks all streams may name; one caller may have a share of them. Each task reads the store on a change."""

_ENDED = {"completed", "failed", "cancelled"}

_CHANGES = ("status", "statusMessage", "inputRequests")
"""The fields whose change is notified; the others change with the clock."""


class _TaskParams(NotificationParams):
    model_config = ConfigDict(extra="allow")


class _TaskNotification(Notification[_TaskParams, Literal["notifications/tasks"]]):
    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: _TaskParams


class TaskStreams:
    """The middleware, as `MCPServer(middleware=[…])` takes it."""

    def __init__(self, desk: Desk, own: OwnHandoffs, tasks: Tasks, bounds: Bounds = BOUNDS) -> None:
        """Take the desk that is watched, the caller's view, the tasks, and the bounds."""
        self._desk, self._own, self._tasks, self._bounds = desk, own, tasks, bounds
        self._streams, self._followed = Slots(), Slots()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve a stream that names tasks, until all of them have ended; leave every other request alone."""
        if ctx.method != "subscriptions/listen" or ctx.protocol_version != MODERN:
            return await call_next(ctx)
        named = _named(ctx.params)
        if named is None:
            return await call_next(ctx)
        require_client_extension(ctx, TASKS)
        try:
            with self._streams.slot(self._own.subject, most=self._bounds.streams):
                ours = await self._known(named, ctx)
                with self._followed.slot(self._own.subject, most=MAX_FOLLOWED, size=len(ours)):
                    return await self._serve(ours, ctx)
        except HandoffError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from None

    async def _serve(self, ours: list[TaskId], ctx: RequestContext) -> HandlerResult:
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        # This stream sends nothing else that the request asks for, so it does not acknowledge it.
        agreed = SubscriptionFilter.model_validate({"taskIds": [str(task) for task in ours]})
        params = SubscriptionsAcknowledgedNotificationParams(notifications=agreed, _meta=meta)
        await ctx.session.send_notification(
            SubscriptionsAcknowledgedNotification(params=params), related_request_id=ctx.request_id
        )
        async with anyio.create_task_group() as streams:
            for task in ours:
                streams.start_soon(self._follow, task, ctx, meta)
        return {"resultType": "complete", "_meta": meta}

    async def _known(self, named: list[str], ctx: RequestContext) -> list[TaskId]:
        known: list[TaskId] = []
        for text in dict.fromkeys(named):
            task = TaskId.loads(text)
            if task is not None and await self._tasks.knows(task):
                known.append(task)
        if len(known) < len(set(named)):
            logger.warning("subscriptions/listen: %d tasks of it are none of this caller", len(set(named)) - len(known))
        return known

    async def _follow(self, task: TaskId, ctx: RequestContext, meta: dict[str, Any]) -> None:
        try:
            await self._tell(task, ctx, meta)
        except HandoffError as error:
            # The stream ends; its client gets the error when it polls.
            logger.warning("subscriptions/listen: a task can't be followed any more: %s", type(error).__name__)

    async def _tell(self, task: TaskId, ctx: RequestContext, meta: dict[str, Any]) -> None:
        """Send the task's state, now and after each change, until it has ended."""
        sent: list[object] = []
        clock = self._desk.clock
        async with self._desk.watch(task.handoff_id) as watch:
            while True:
                state = await self._tasks.detailed(task, ctx, notified=True)
                if (now := [state.get(name) for name in _CHANGES]) != sent:
                    sent = now
                    await ctx.session.send_notification(_notification(state, meta), related_request_id=ctx.request_id)
                if state["status"] in _ENDED:
                    return
                handoff = await self._desk.get(task.handoff_id)
                with clock.limit(max((handoff.question.deadline - clock.now()).total_seconds(), 0)):
                    await watch.changed()


def _notification(state: Wire, meta: dict[str, Any]) -> ServerNotification:
    notification = _TaskNotification(params=_TaskParams.model_validate({**state, "_meta": meta}))
    # The SDK sends any notification; its type names only those of the core protocol.
    return cast("ServerNotification", notification)


def _named(params: Mapping[str, Any] | None) -> list[str] | None:
    """Return the tasks that a request names; None if it names none.

    Raises:
        MCPError: They are no list of ids, or there are too many.
    """
    asked: object = (params or {}).get("notifications")
    named: object = cast("Mapping[str, object]", asked).get("taskIds") if isinstance(asked, Mapping) else None
    if named is None:
        return None
    ids = cast("list[object]", named) if isinstance(named, list) else [None]
    texts = [each for each in ids if isinstance(each, str)]
    if len(texts) < len(ids) or len(ids) > MAX_IDS:
        raise MCPError(INVALID_PARAMS, f"`taskIds` must be a list of at most {MAX_IDS} ids of tasks.")
    return texts
