"""The tools that the suite's scenarios of tasks call, each of them a question of ours with a task of ours.

What a job of the suite computes, somebody answers here: a channel that needs the seconds it was told. A question is
asked through the task, as `handoff_to_user` would. Two things Handoffs never does are made up: a task with two
questions, and one that fails.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, cast

import anyio
from mcp.server.mcpserver import Context, require_client_extension
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, InputRequiredResult

from handoffs.asking.task_fields import TASKS
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, Handoff
from handoffs.core.ports import Reply
from handoffs.first_stage.front import Front
from handoffs.mcp_server import tools
from handoffs.mcp_server.callers.capabilities import LONG, declared_by
from handoffs.mcp_server.callers.joining import Joining
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.task_id import Begun, TaskId
from handoffs.mcp_server.tasks.extension import RequestContext, Tasks, UpdateParams
from handoffs.mcp_server.tasks.outcomes import Outcomes
from handoffs.mcp_server.tasks.status import Wire
from handoffs.mcp_server.tool import Outcome, tool

Fields: TypeAlias = dict[str, dict[str, object]]
Ask: TypeAlias = Callable[[Context, str, str, Fields], Awaitable[Handoff | InputRequiredResult]]

FLAG: Fields = {"confirm": {"type": "boolean"}}
NAME: Fields = {"name": {"type": "string"}}


class Worker:
    """A channel that does the jobs: their messages end with the seconds that they take."""

    name = "worker"

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        """Answer when the time has come, if it is a job at all."""
        _, takes, seconds = handoff.question.message.rpartition(" takes ")
        if takes:
            await anyio.sleep(float(seconds))
            await reply.answer({"response": "computed"}, by="the worker")


class Jobs(Outcomes):
    """The outcomes of the jobs, as tasks ask for them."""

    async def result_of(
        self, handoff: Handoff, context: RequestContext, *, tool_use: str | None, marks: tuple[str, ...]
    ) -> CallToolResult:
        """Return the outcome; of the two jobs that go wrong, how."""
        if handoff.question.message.startswith("failing_job "):
            return tools.refusal("boom", tool_use=tool_use)
        if handoff.question.message.startswith("protocol_error_job "):
            raise MCPError(-32603, "panic")
        return await super().result_of(handoff, context, tool_use=tool_use, marks=marks)


class TaskTools(Tasks):
    """The extension, with tasks of two questions besides."""

    def __init__(self, desk: Desk, caller: Caller, ask: Ask) -> None:
        """Take the desk, who asks, and what asks in rounds."""
        own = OwnHandoffs(desk, subject=caller.subject, project="", joining=Joining(Front()))
        jobs = Jobs(desk, Deliveries(desk))
        super().__init__(desk, own, jobs, inbox=None)
        self._jobs, self._questions, self._caller, self._ask = jobs, desk, caller, ask
        self._second: dict[str, TaskId] = {}

    def published(self) -> list[Tool]:
        """Return the tools."""
        calls = {
            "slow_compute": self._slow_compute,
            "failing_job": self._failing_job,
            "protocol_error_job": self._protocol_error_job,
            "confirm_delete": self._confirm_delete,
            "multi_input": self._multi_input,
            "test_tool_with_task": self._after_a_round,
        }
        return [tool(name, name, name, {"type": "object"}, self.begun_by(call)) for name, call in calls.items()]

    async def detailed(self, task: TaskId, ctx: RequestContext, *, notified: bool = False) -> Wire:
        """Return a task of two questions as one."""
        first = await super().detailed(task, ctx, notified=notified)
        if task.handoff_id not in self._second:
            return first
        second = await super().detailed(self._second[task.handoff_id], ctx, notified=notified)
        asked = {name: request for each in (first, second) for name, request in _requests(each).items()}
        if not asked:
            return first
        open_one = {name: value for name, value in first.items() if name not in {"result", "statusMessage"}}
        return {**open_one, "status": "input_required", "inputRequests": asked}

    async def _update(self, task: TaskId, params: UpdateParams, ctx: RequestContext) -> Wire:
        if task.handoff_id in self._second:
            await super()._update(self._second[task.handoff_id], params, ctx)
        return await super()._update(task, params, ctx)

    # The tools

    async def _slow_compute(self, given: Mapping[str, object], context: Context) -> Outcome:
        return await self._job("slow_compute", context, seconds=given.get("seconds", 0))

    async def _failing_job(self, given: Mapping[str, object], context: Context) -> Outcome:
        require_client_extension(context.request_context, TASKS)
        return await self._job("failing_job", context)

    async def _protocol_error_job(self, given: Mapping[str, object], context: Context) -> Outcome:
        return await self._job("protocol_error_job", context)

    async def _confirm_delete(self, given: Mapping[str, object], context: Context) -> Outcome:
        return Begun(task=TaskId(handoff_id=(await self._opened(_unique("Delete it?"), FLAG)).id))

    async def _multi_input(self, given: Mapping[str, object], context: Context) -> Outcome:
        first, second = [await self._opened(_unique(what), FLAG | NAME) for what in ("One?", "Two?")]
        self._second[first.id] = TaskId(handoff_id=second.id)
        return Begun(task=TaskId(handoff_id=first.id))

    async def _after_a_round(self, given: Mapping[str, object], context: Context) -> Outcome:
        require_client_extension(context.request_context, TASKS)
        answered = await self._ask(context, "user_name", "What is your name?", NAME)
        return Begun(task=TaskId(handoff_id=answered.id)) if isinstance(answered, Handoff) else answered

    async def _job(self, name: str, context: Context, *, seconds: object = 0) -> Outcome:
        handoff = await self._opened(f"{_unique(name)} takes {seconds}")
        if LONG in declared_by(context).abilities:
            return Begun(task=TaskId(handoff_id=handoff.id, dialog=False))
        done = await self._questions.wait(handoff.id, seconds=None)
        return await self._jobs.result_of(done, context.request_context, tool_use=None, marks=())

    async def _opened(self, message: str, fields: Fields | None = None) -> Handoff:
        form = {"type": "object", "properties": fields, "required": list(fields)} if fields else None
        return await self._questions.ask(message=message, caller=self._caller, form=form)


def _unique(message: str) -> str:
    # The same question asked twice would be one, and each call of the suite is to be a task of its own.
    return f"{message} {secrets.token_hex(4)}"


def _requests(task: Wire) -> Mapping[str, object]:
    return cast("Mapping[str, object]", task.get("inputRequests", {}))
