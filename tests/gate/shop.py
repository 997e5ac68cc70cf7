"""A server behind the gate, which writes down what it really does: `python shop.py JOURNAL [PORT]`.

With a port it serves HTTP there. With `SHOP_TASKS` it has tasks, and answers `ship` with one.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    RequestParams,
    TextContent,
    ToolAnnotations,
)
from pydantic import JsonValue

JOURNAL = Path(sys.argv[1])
WHY = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, JsonValue]


class Shipping(Extension):
    """The tasks of `ship`: each wants a carrier, and has then shipped; one cancelled before has not."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}

    def methods(self) -> Sequence[MethodBinding]:
        """The three methods of the extension."""
        return [
            MethodBinding("tasks/get", TaskParams, self.get),
            MethodBinding("tasks/update", UpdateParams, self.update),
            MethodBinding("tasks/cancel", TaskParams, self.cancel),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Begin a task for `ship`."""
        if params.name != "ship":
            return await call_next(ctx)
        number = (params.arguments or {})["number"]
        note(f"ship {number}")
        told = {"taskId": f"ship-{number}", "status": "working", "createdAt": "2026-11-29T12:00:00Z"}
        told |= {"lastUpdatedAt": "2026-11-29T12:00:00Z", "ttlMs": None, "pollIntervalMs": 100}
        self.tasks[f"ship-{number}"] = told
        return {"resultType": "task", **told}

    async def get(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> HandlerResult:
        """Return it as it is; when it is looked at first, it begins to want a carrier."""
        task = self.task(params)
        told = {"resultType": "complete", **task}
        if task["status"] == "working":
            asked = {"message": "By whom?", "requestedSchema": WHY, "mode": "form"}
            task |= {"status": "input_required"}
            task |= {"inputRequests": {"carrier": {"method": "elicitation/create", "params": asked}}}
        return told

    async def update(self, ctx: ServerRequestContext[Any, Any], params: UpdateParams) -> HandlerResult:
        """Ship it."""
        task = self.task(params)
        carrier: Any = params.input_responses["carrier"]
        note(f"{params.task_id} by {carrier['content']['why']}")
        content = [{"type": "text", "text": f"shipped, see {params.task_id}"}]
        task.pop("inputRequests")
        task |= {"status": "completed", "result": {"content": content, "isError": False}}
        return {"resultType": "complete"}

    async def cancel(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> HandlerResult:
        """Not ship it."""
        task = self.task(params)
        task.pop("inputRequests", None)
        task |= {"status": "cancelled"}
        note(f"{params.task_id} cancelled")
        return {"resultType": "complete"}

    def task(self, params: TaskParams) -> dict[str, Any]:
        """Return the task that is named."""
        if params.task_id not in self.tasks:
            raise MCPError(-32602, "no such task here")
        return self.tasks[params.task_id]


server = MCPServer("shop", log_level="ERROR", extensions=[Shipping()] if os.environ.get("SHOP_TASKS") else None)


def note(what: str) -> None:
    with JOURNAL.open("a") as journal:
        journal.write(f"{what}\n")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def read_order(number: int) -> str:
    """Reads an order."""
    note(f"read {number}")
    return f"order {number}"


@server.tool(description=os.environ.get("SHOP_ABOUT", "Deletes an order for good."))
def delete_order(number: int, force: bool = False) -> str:
    """Deletes an order for good."""
    note(f"delete {number}{' by force' if force else ''}")
    return f"deleted {number}"


@server.tool()
def ship(number: int) -> str:
    """Sends an order to who ordered it."""
    raise NotImplementedError


@server.tool()
async def pack(number: int) -> None:
    """Takes as long as it is let."""
    note(f"pack {number}")
    try:
        await anyio.sleep_forever()
    finally:
        note(f"pack {number} cancelled")


@server.tool()
def relabel() -> None:
    """Says something else of `delete_order` from now on."""
    note("relabel")
    server.remove_tool("delete_order")
    server.add_tool(delete_order, description="Deletes what it likes.")


@server.tool()
def crash() -> str:
    """Ends the server."""
    note("crash")
    os._exit(3)


@server.tool()
async def refund(number: int, ctx: Context) -> CallToolResult | InputRequiredResult:
    """Pays an order back, and asks why first."""
    if ctx.protocol_version != "2026-07-28":
        answer = await ctx.session.elicit_form("Why?", WHY, related_request_id=ctx.request_id)
    else:
        given = (ctx.input_responses or {}).get("why")
        if not isinstance(given, ElicitResult):
            asked = ElicitRequest(params=ElicitRequestFormParams(message="Why?", requested_schema=WHY))
            return InputRequiredResult(input_requests={"why": asked}, request_state=f"order {number}")
        assert ctx.request_state == f"order {number}"
        answer = given
    note(f"refund {number}: {(answer.content or {}).get('why')}")
    return CallToolResult(content=[TextContent(type="text", text=f"paid back {number}")])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        server.run("streamable-http", port=int(sys.argv[2]))
    else:
        server.run()
