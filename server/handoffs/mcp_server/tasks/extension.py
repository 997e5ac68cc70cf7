"""Handoffs as MCP tasks (SEP-2663): the call returns at once, and the client polls the task, for days.

A task is a view of the stored handoff and has no state of its own: any process on the store serves it, and it survives
all of them. `asking.judge` judges the replies of its dialogs, like every dialog's. A reply to a form that was never
handed out is ignored, and an answer that does not fit is asked for again under a new key, with the reason. Cancelling a
task withdraws the question, except on a host that cancels at its own time-out (`hosts`): then the question stays open,
as when a call is cancelled.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context, require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp.types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ElicitResult,
    RequestParams,
)
from pydantic import BaseModel, JsonValue, ValidationError

from handoffs.asking.host_dialog import HostDialog
from handoffs.asking.judge import READING_SECONDS
from handoffs.asking.task_fields import KEEP, TASK_CHANNEL, TASKS, UNKNOWN, is_forgotten, is_withdrawn
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, FileChanged, HandoffError, NotFound, NotProved
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, State
from handoffs.hosts import host_named
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.asking.dialog import CHANNEL, Misfit, ask_between, judge
from handoffs.mcp_server.asking.waiting import Inbox
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.capabilities import LONG, MODERN, host_dialog_of, shows_forms
from handoffs.mcp_server.callers.lru import BoundedCache
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.notice import NO_NOTICE, Notice
from handoffs.mcp_server.task_id import Begun, TaskId  # fmt: skip
from handoffs.mcp_server.tasks.outcomes import Outcomes
from handoffs.mcp_server.tasks.status import (
    Dialog,
    Wire,
    claimed_as,
    describe_task,
    dialog_of,
)
from handoffs.mcp_server.tool import Call, Given

logger = logging.getLogger(__name__)

RequestContext: TypeAlias = ServerRequestContext[Any, Any]
"""A request as the SDK hands it to an extension."""

P = TypeVar("P", bound="TaskParams")

INBOX_SECONDS = 60
"""How long an address of the inbox is reused."""


class TaskParams(RequestParams):
    """The parameters of `tasks/get` and `tasks/cancel`."""

    task_id: str


class UpdateParams(TaskParams):
    """The parameters of `tasks/update`."""

    input_responses: dict[str, JsonValue]
    """The replies by the keys of the requests. Only replies to our own requests are read."""


class Tasks(Extension):
    """The extension, as `MCPServer(extensions=[…])` takes it."""

    identifier = TASKS

    def __init__(
        self,
        desk: Desk,
        own: OwnHandoffs,
        outcomes: Outcomes,
        *,
        inbox: Inbox | None,
        notice: Notice = NO_NOTICE,
        bounds: Bounds = BOUNDS,
    ) -> None:
        """Take the parts; the `inbox` shows a question when no dialog of the client does.

        Every result carries the `notice`.
        """
        self._desk = desk
        self._own, self._outcomes = own, outcomes
        self._inbox, self._notice = inbox, notice
        self._dialog_of = partial(dialog_of, max_dialogs=bounds.dialogs)
        # Caches, which also hold better reasons. Another process works without them.
        self._handed_out: BoundedCache[str, datetime | None] = BoundedCache(most=bounds.remembered)
        self._reasons: BoundedCache[str, str] = BoundedCache(most=bounds.remembered)
        self._links: BoundedCache[str, tuple[datetime, str | None]] = BoundedCache(most=bounds.remembered)

    def methods(self) -> Sequence[MethodBinding]:
        """Return the three methods of the extension."""
        return [
            _binding("tasks/get", TaskParams, self._get),
            _binding("tasks/update", UpdateParams, self._update),
            _binding("tasks/cancel", TaskParams, self._cancel),
        ]

    def begun_by(self, call: Call) -> Call:
        """Return a call that answers with a task when `call` has begun one."""

        # Not as an interceptor of calls: that would add four frames to the stack of each waiting call. And without a
        # frame for a client that gets no tasks.
        def chosen(given: Mapping[str, object], context: Context) -> Awaitable[Given]:
            return (served if LONG in self._own.declared_by(context).abilities else call)(given, context)

        async def served(given: Mapping[str, object], context: Context) -> Given:
            outcome = await call(given, context)
            if not isinstance(outcome, Begun):
                return outcome
            try:
                return await self.created(outcome.task, context.request_context)
            except HandoffError as error:
                raise as_refusal(error) from None  # the question is stored: the next identical call joins it

        return chosen

    async def created(self, task: TaskId, ctx: RequestContext) -> Wire:
        """Return the reply to a call that has begun a task; its handoff is stored."""
        handoff = await self._own.get(task.handoff_id)
        log = await self._log(handoff)
        status, message = await self._status(task, handoff, self._dialog_of(task, log), ctx)
        described = describe_task(task, handoff, status, log=log, now=self._desk.clock.now())
        return {"resultType": "task", **described, **_said(message)}

    async def detailed(self, task: TaskId, ctx: RequestContext, *, notified: bool = False) -> Wire:
        """Return the current state of a task, for the reply to a request, or for a notification (`notified`).

        A result in it counts as handed over once it is written.

        Raises:
            NotFound: This caller has no such task, or it has expired.
        """
        handoff = await self._owned(task)
        log = await self._log(handoff)
        dialog = self._dialog_of(task, log)
        status, message = await self._status(task, handoff, dialog, ctx)
        carried: Wire = {}
        if status == "input_required":
            key = task.key(dialog.round)
            await self._hand_out(key, claimed_as(task, log), handoff)
            carried["inputRequests"] = {key: self._request(key, handoff, dialog, host_dialog_of(ctx))}
        elif status == "completed":
            try:
                marks = (str(task), '"completed"') if notified else ()
                result = await self._outcomes.result_of(handoff, ctx, tool_use=task.tool_use or None, marks=marks)
                carried["result"] = _dump(self._notice.add_to(result))
            except MCPError as failed:
                status, message = "failed", failed.error.message
                carried["error"] = _dump(failed.error)
            except (NotProved, FileChanged) as unproved:
                refused = tools.refusal(str(unproved), message=handoff.question.message, tool_use=task.tool_use or None)
                carried["result"] = _dump(self._notice.add_to(refused))
        described = describe_task(task, handoff, status, log=log, now=self._desk.clock.now())
        return {**described, **_said(message), **carried}

    async def knows(self, task: TaskId) -> bool:
        """Say whether this caller has such a task. Raises StoreError."""
        try:
            await self._owned(task)
        except NotFound:
            return False
        return True

    # The three methods

    async def _get(self, task: TaskId, params: TaskParams, ctx: RequestContext) -> Wire:
        return await self.detailed(task, ctx)

    async def _update(self, task: TaskId, params: UpdateParams, ctx: RequestContext) -> Wire:
        handoff = await self._owned(task)
        log = await self._log(handoff)
        dialog = self._dialog_of(task, log)
        key = task.key(dialog.round)
        if handoff.state is not State.OPEN or not dialog.open or key not in params.input_responses:
            return {}  # no such question is open; a late client gets the outcome with `tasks/get`
        seconds = await self._open_for(key, claimed_as(task, log))
        if seconds is None:
            return {}  # a form that was never handed out can have no answer
        try:
            reply = ElicitResult.model_validate(params.input_responses[key])
        except ValidationError:
            raise MCPError(INVALID_PARAMS, "The response is none of an elicitation: {action, content}.") from None
        if dialog.round > 1:
            seconds = max(seconds, READING_SECONDS)  # the person has read it in the first round
        verdict = await judge(self._desk, handoff, reply, host_dialog_of(ctx), seconds=seconds)
        if isinstance(verdict, Misfit):
            logger.warning("tasks/update: the answer to %s does not fit its form; it is asked for again", handoff.id)
            self._reasons[task.key(dialog.round + 1)] = verdict.reason
            # The person has seen it; and this log entry tells every process that the next round has begun.
            await self._desk.reached(handoff, channel=TASK_CHANNEL)
        return {}

    async def _cancel(self, task: TaskId, params: TaskParams, ctx: RequestContext) -> Wire:
        handoff = await self._owned(task)
        if dialog_of(task, await self._log(handoff)).dismissed:
            return {}  # it has completed, as PENDING: the person can still answer a question that they put off
        client = ctx.session.client_params
        if client is not None and host_named(client.client_info.name).gives_up:
            if handoff.state is State.OPEN:
                waited = self._desk.clock.now() - handoff.created_at
                await self._desk.left(handoff, seconds=waited.total_seconds())
            return {}
        with suppress(AlreadyEnded):
            if handoff.state is State.OPEN:
                cancelled = await self._desk.cancel(handoff, by=handoff.caller.subject, channel=TASK_CHANNEL)
                # The client that withdrew it needs no outcome: the same question is a new one from now on.
                await self._desk.collect(cancelled)
        return {}

    # Reading the store

    async def _owned(self, task: TaskId) -> Handoff:
        handoff = await self._own.get(task.handoff_id)
        if is_forgotten(handoff, self._desk.clock.now()):
            raise NotFound(task.handoff_id)
        return handoff

    async def _log(self, handoff: Handoff) -> Sequence[Entry]:
        if handoff.state is State.OPEN:
            return await self._desk.history(handoff.id)
        self._links.pop(handoff.id, None)
        for remembered in (self._handed_out, self._reasons):
            for key in [key for key in remembered if key.startswith(handoff.id)]:
                del remembered[key]
        return ()

    async def _status(
        self, task: TaskId, handoff: Handoff, dialog: Dialog, ctx: RequestContext
    ) -> tuple[str, str | None]:
        """Return the task's status, and its message for a person or an agent."""
        if is_withdrawn(handoff):
            return "cancelled", words.describe(handoff, now=self._desk.clock.now(), earlier=False, late=False)
        if handoff.state is not State.OPEN or dialog.dismissed:
            return "completed", None
        question = handoff.question
        # The host must not get a secret's form, or one that it does not draw; a handover needs no answer.
        others = question.deciders is not None  # who asks has no vote
        asked = dialog.open and not (question.breakout_of_loop or others) and host_dialog_of(ctx).draws(question.form)
        if asked and shows_forms(ctx.session.client_capabilities):
            return "input_required", words.describe_progress(handoff)
        return "working", words.describe_progress(handoff, await self._link(handoff))

    async def _link(self, handoff: Handoff) -> str | None:
        """Return the question's address in the inbox, and open the inbox again if it may have ended."""
        if self._inbox is None or handoff.question.deciders is not None:
            return None
        now = self._desk.clock.now()
        since, link = self._links.get(handoff.id, (None, None))
        if since is None or (now - since).total_seconds() >= INBOX_SECONDS:
            link = await self._inbox.invite(handoff)
            self._links[handoff.id] = now, link
        return link

    def _request(self, key: str, handoff: Handoff, dialog: Dialog, shown: HostDialog) -> Wire:
        reason = self._reasons.get(key, words.MISFIT) if dialog.round > 1 else ""
        asked = ask_between(handoff, shown, asked=self._desk.clock.now(), reason=reason)
        return _dump((asked.input_requests or {})[handoff.id])

    async def _hand_out(self, key: str, claimed: str, handoff: Handoff) -> None:
        """Record in the store when a form was first sent to the client, for the process that gets the reply."""
        now = self._desk.clock.now()
        if key not in self._handed_out:
            left = handoff.question.deadline + KEEP - now
            first = await self._desk.claim(_form(claimed), seconds=left.total_seconds())
            if first:
                await self._desk.claim(_reading(claimed), seconds=READING_SECONDS)
            self._handed_out[key] = now if first else None
            return
        since = self._handed_out[key]
        if since is not None and (now - since).total_seconds() >= READING_SECONDS and CHANNEL not in handoff.reached:
            # A client that polls and has not answered has the dialog on a screen.
            await self._desk.reached(handoff, channel=CHANNEL)

    async def _open_for(self, key: str, claimed: str) -> float | None:
        """Return for how many seconds the client has had the form; None if no process has handed it out."""
        since = self._handed_out.get(key)
        if since is not None:
            return (self._desk.clock.now() - since).total_seconds()
        # A claim for 0 seconds succeeds only if no process holds the key.
        if await self._desk.claim(_form(claimed), seconds=0):
            return None
        return READING_SECONDS if await self._desk.claim(_reading(claimed), seconds=0) else 0.0


def _binding(
    method: str, params_type: type[P], do: Callable[[TaskId, P, RequestContext], Awaitable[Wire]]
) -> MethodBinding:
    async def handle(ctx: RequestContext, params: P) -> Wire:
        try:
            require_client_extension(ctx, TASKS)
            return {"resultType": "complete", **await do(task_named(params.task_id, ctx), params, ctx)}
        except (MCPError, HandoffError) as error:
            refused = as_refusal(error)
            # The log never repeats what the client sent: it may be any text.
            logger.warning("%s refused: %s", method, refused.error.message)
            raise refused from None

    return MethodBinding(method, params_type, handle, frozenset({MODERN}))


def task_named(text: str, ctx: RequestContext) -> TaskId:
    """Return the task that a request names.

    Raises:
        NotFound: The text is no task id.
        MCPError: The request's header for routers names another task.
    """
    headers: object = getattr(ctx.request, "headers", None)
    routed = cast("Mapping[str, str]", headers).get(MCP_NAME_HEADER) if isinstance(headers, Mapping) else None
    if routed is not None and decode_header_value(routed) != text:
        raise MCPError(HEADER_MISMATCH, "The Mcp-Name header is not the request's taskId.")
    task = TaskId.loads(text)
    if task is None:
        raise NotFound(text)
    return task


def as_refusal(error: MCPError | HandoffError) -> MCPError:
    """Return the protocol's error for a failure; it does not tell whether another caller's task exists."""
    match error:
        case MCPError():
            return error
        case NotFound():
            return MCPError(INVALID_PARAMS, UNKNOWN)
        case _:
            return MCPError(INTERNAL_ERROR, str(error))


def _form(claimed: str) -> str:
    return f"task form {claimed}"


def _reading(claimed: str) -> str:
    return f"task reading {claimed}"


def _said(message: str | None) -> Wire:
    return {"statusMessage": message} if message else {}


def _dump(model: BaseModel) -> Wire:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)
