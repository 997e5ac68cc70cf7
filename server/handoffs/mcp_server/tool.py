"""Tools that read their own arguments, so that a model that calls one wrongly is told in our words how to."""

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, InputRequiredResult

from handoffs.core.errors import HandoffError
from handoffs.mcp_server import tools
from handoffs.mcp_server.task_id import Begun

logger = logging.getLogger(__name__)

Outcome: TypeAlias = CallToolResult | InputRequiredResult | Begun
"""The outcome of a call: a result, or (from 2026-07-28) the request to show a dialog and call again, or a task."""

RequestContext: TypeAlias = ServerRequestContext[Any, Any]
"""A request as the SDK hands it to a middleware or an extension."""

Given: TypeAlias = Outcome | dict[str, Any]
"""The reply to the client; the SDK sends a dict unchanged."""

Call: TypeAlias = Callable[[Mapping[str, object], Context], Awaitable[Given]]


class _HandoffTool(Tool):
    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Given:
        call: Call = self.fn
        try:
            return await call(arguments, context)
        except MCPError:
            raise  # meant for the client, not for the model
        except HandoffError as error:
            return tools.refusal(str(error), message=arguments.get("message"), tool_use=tools.tool_use_of(context))
        except Exception as broken:  # noqa: BLE001 - the model must not read any failure as an answer
            # Without the exception's own text, which may hold what a person wrote.
            frames = "".join(traceback.format_tb(broken.__traceback__))
            logger.error("%s failed: %s\n%s", self.name, type(broken).__name__, frames)
            reason = "Handoffs failed inside; nothing was decided. Do not act on it; call again, or tell the person."
            return tools.refusal(reason, message=arguments.get("message"), tool_use=tools.tool_use_of(context))


def tool(name: str, title: str, description: str, schema: dict[str, object], call: Call) -> Tool:
    """Return a tool that the model may call; `call` gets the arguments unchecked."""
    return _HandoffTool(
        fn=call,
        name=name,
        title=title,
        description=description,
        parameters=schema,
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=tools.OUTPUT_SCHEMA),
        is_async=True,
        context_kwarg=None,
        annotations=tools.ANNOTATIONS,
        meta=tools.META,
    )
