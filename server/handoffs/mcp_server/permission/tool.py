"""The tool `approve_tool_use`, and the hosts that it is listed for."""

import logging
import re
import traceback
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, TextContent, ToolAnnotations

from handoffs.core.client_name import bare_name
from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.mcp_server.calls import Calls

logger = logging.getLogger(__name__)

NAME = "approve_tool_use"

DESCRIPTION = (
    "For Claude Code's --permission-prompt-tool, not for you: it asks the person whether a tool may run. Calling it "
    "yourself permits nothing; to ask for approval, call handoff_to_user."
)

Listed: TypeAlias = Literal["auto", "on", "off"]
"""The hosts that the tool is listed for: those that can use it, all, or none."""

_HOSTS = re.compile(r"claude-code", re.IGNORECASE)

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "tool_name": {"type": "string"},
        "input": {"type": "object"},
        "tool_use_id": {"type": "string"},
    },
    "required": ["tool_name", "input"],
}


def approval_tool(desk: Desk, calls: Calls) -> Tool:
    """Return the tool."""

    async def decide(given: Mapping[str, object], context: Context[Any, Any]) -> str:
        # Most servers are never called by Claude Code's permission prompt, and its import takes memory.
        from handoffs.mcp_server.permission.approvals import Approvals

        return await Approvals(desk, calls).decide(given, context)

    return _ApprovalTool(
        fn=decide,
        name=NAME,
        title="Approve a tool's use",
        description=DESCRIPTION,
        parameters=SCHEMA,
        fn_metadata=FuncMetadata(arg_model=ArgModelBase),
        is_async=True,
        context_kwarg=None,
        annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False),
    )


def listed_for_its_hosts() -> ServerMiddleware[Any]:
    """Return a middleware that removes the tool from the list of tools for hosts that can't use it."""

    async def leave_out(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        if ctx.method != "tools/list" or not isinstance(result, dict):
            return result
        client = ctx.session.client_params
        if client is None or not _HOSTS.fullmatch(bare_name(client.client_info.name)):
            listed = cast("list[dict[str, object]]", result["tools"])
            result["tools"] = [tool for tool in listed if tool["name"] != NAME]
        return result

    return leave_out


class _ApprovalTool(Tool):
    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult:
        from handoffs.mcp_server.permission.claude_code import deny

        try:
            reply = cast("str", await self.fn(arguments, context))
        except HandoffError as error:
            reply = deny(f"The person could not be asked, so it is not approved. {error}")
        except Exception as broken:  # noqa: BLE001 - no failure may be read as an approval
            # Without the exception's own text, which may hold what a person wrote.
            frames = "".join(traceback.format_tb(broken.__traceback__))
            logger.error("%s failed: %s\n%s", NAME, type(broken).__name__, frames)
            reply = deny("Handoffs failed inside; nothing was decided, so it is not approved. Tell the person.")
        return CallToolResult(content=[TextContent(type="text", text=reply)])
