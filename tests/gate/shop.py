"""A server behind the gate, which writes down what it really does: `python shop.py JOURNAL [PORT]`.

With a port it serves HTTP there.
"""

import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
    ToolAnnotations,
)

JOURNAL = Path(sys.argv[1])
WHY = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}

server = MCPServer("shop", log_level="ERROR")


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
