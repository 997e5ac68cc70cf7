"""A fastmcp 4 server with one tool that asks, each era in the way fastmcp documents; it stores nothing.

Runs in an environment of its own (`benchmarks.environment`), so nothing of this package can be imported here.

    python fast.py                over stdio
    python fast.py --http PORT    over streamable HTTP on the loopback
"""

import sys

from fastmcp import Context, FastMCP
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

NEWER_ERA = "2026-07-28"
FORM = {"type": "object", "properties": {"response": {"type": "string"}}, "required": ["response"]}

server = FastMCP("fastmcp")


@server.tool
async def handoff_to_user(message: str, ctx: Context) -> str | InputRequiredResult:
    """Ask the person."""
    if ctx.request_context.protocol_version != NEWER_ERA:
        answer = await ctx.elicit(message, response_type=str)
        if answer.action != "accept":
            return f"The person did not answer: {answer.action}"
        return f"The person answered: {answer.data}"
    given = (ctx.input_responses or {}).get("question")
    if isinstance(given, ElicitResult):
        return f"The person answered: {(given.content or {})['response']}"
    form = ElicitRequestFormParams(message=message, requested_schema=FORM)
    return InputRequiredResult(input_requests={"question": ElicitRequest(params=form)})


if __name__ == "__main__":
    if "--http" in sys.argv:
        server.run("http", host="127.0.0.1", port=int(sys.argv[-1]), show_banner=False, log_level="ERROR")
    else:
        server.run(show_banner=False, log_level="ERROR")
