"""A host that has tasks: the SDK's client with the extension declared, its calls and its requests one by one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    Implementation,
    NotificationParams,
    Request,
    RequestParams,
    RequestParamsMeta,
    Result,
    SubscriptionFilter,
    SubscriptionsListenRequest,
    SubscriptionsListenRequestParams,
)
from pydantic import ConfigDict

TASKS = "io.modelcontextprotocol/tasks"


class TaskCreated(Result):
    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"]


class Anything(Result):
    model_config = ConfigDict(extra="allow")


class TaskParams(RequestParams):
    model_config = ConfigDict(extra="allow")
    task_id: str


class TaskRequest(Request[TaskParams, str]):
    method: str
    params: TaskParams


TaskRequest.name_param = "taskId"


class Told(NotificationParams):
    model_config = ConfigDict(extra="allow")


class TasksDeclared(ClientExtension):
    identifier = TASKS

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def notifications(self) -> list[NotificationBinding[Any]]:
        async def hear(told: Told) -> None:
            self.told.append(told.model_dump(by_alias=True, mode="json"))

        return [NotificationBinding(method="notifications/tasks", params_type=Told, handler=hear)]

    def claims(self) -> list[ResultClaim[Any]]:
        async def resolve(result: TaskCreated, context: ClaimContext) -> CallToolResult:
            raise AssertionError("the tests look for themselves")

        return [ResultClaim(result_type="task", model=TaskCreated, resolve=resolve)]


class TaskHost:
    """What a host with tasks sends, and gets as it is on the wire."""

    def __init__(self, client: Client, extension: TasksDeclared) -> None:
        self.client = client
        self.told = extension.told
        """What it was told without asking."""

    async def call(self, tool: str, meta: RequestParamsMeta | None = None, **arguments: Any) -> dict[str, Any]:
        result = await self.client.session.call_tool(
            tool, arguments, allow_claimed=True, allow_input_required=True, meta=meta
        )
        return plain(result)

    async def ask(self, message: str = "Deploy?", /, **arguments: Any) -> dict[str, Any]:
        return await self.call("handoff_to_user", message=message, **arguments)

    async def get(self, task_id: str) -> dict[str, Any]:
        return await self._send("tasks/get", task_id)

    async def update(self, task_id: str, key: str, action: str = "accept", **content: Any) -> dict[str, Any]:
        reply = {"action": action, **({"content": content} if content else {})}
        return await self.respond(task_id, {key: reply})

    async def respond(self, task_id: str, responses: Any) -> dict[str, Any]:
        return await self._send("tasks/update", task_id, inputResponses=responses)

    async def cancel(self, task_id: str) -> dict[str, Any]:
        return await self._send("tasks/cancel", task_id)

    async def listen(self, *task_ids: object) -> dict[str, Any]:
        """Return when the server ends the stream."""
        notifications = SubscriptionFilter.model_validate({"taskIds": list(task_ids)})
        params = SubscriptionsListenRequestParams(notifications=notifications)
        return plain(await self.client.session.send_request(SubscriptionsListenRequest(params=params), Anything))

    async def _send(self, method: str, task_id: str, **more: Any) -> dict[str, Any]:
        params = TaskParams(task_id=task_id, **more)
        return plain(await self.client.session.send_request(TaskRequest(method=method, params=params), Anything))


def plain(result: Result) -> dict[str, Any]:
    dumped = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    dumped.pop("_meta", None)
    return dumped


async def never(context: object, params: ElicitRequestParams) -> ElicitResult:
    raise AssertionError("the form is in the task")


@asynccontextmanager
async def task_host(
    server: MCPServer, *, forms: bool = True, declared: bool = True, era: str = "auto", name: str = "inspector-cli"
) -> AsyncGenerator[TaskHost]:
    extension = TasksDeclared()
    with anyio.fail_after(300):
        async with Client(
            server,
            mode=era,
            elicitation_callback=never if forms else None,
            extensions=[extension] if declared else None,
            client_info=Implementation(name=name, version="1"),
        ) as client:
            yield TaskHost(client, extension)
