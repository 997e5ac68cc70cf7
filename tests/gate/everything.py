"""A server with everything that MCP has, on the SDK alone: it knows of no gate. In both eras.

`python everything.py` serves stdio, `python everything.py PORT` HTTP.
"""

import sys
from typing import Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    CallToolResult,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
    ToolAnnotations,
)
from pydantic import Field

NEWER = "2026-07-28"
FORM: dict[str, object] = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}
MESSAGES = [SamplingMessage(role="user", content=TextContent(type="text", text="Say a word."))]

server = MCPServer("everything", instructions="Everything, ä and 😀.", log_level="ERROR")


def text(words: str) -> CallToolResult:
    """A result with text and a `_meta` of its own."""
    return CallToolResult(content=[TextContent(type="text", text=words)], _meta={"example.com/kept": {"n": 1.5}})


@server.tool(annotations=ToolAnnotations(read_only_hint=True, title="Add numbers"))
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@server.tool()
async def echo(words: str, times: int = 1) -> str:
    """Repeat."""
    return words * times


@server.tool()
async def route(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    number: Annotated[int, Field(json_schema_extra={"x-mcp-header": "Number"})] = 0,
) -> str:
    """Take arguments that headers say again, from 2026-07-28 on: the SDK refuses a call whose headers differ."""
    return f"{region} {number}"


@server.tool()
async def fail() -> str:
    """Fail."""
    raise ValueError("it does not work: ü")


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Report progress."""
    for number in range(to):
        await ctx.report_progress(number, to, f"step {number}")
    return "counted"


@server.tool()
async def ask(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask the person, the model and the host."""
    if ctx.protocol_version == NEWER:
        given = ctx.input_responses or {}
        if not given:
            form = ElicitRequestFormParams(message="Why?", requested_schema=FORM)
            sampling = CreateMessageRequestParams(messages=MESSAGES, max_tokens=5)
            requests = {
                "why": ElicitRequest(params=form),
                "word": CreateMessageRequest(params=sampling),
                "roots": ListRootsRequest(),
            }
            return InputRequiredResult(input_requests=requests, request_state="everything: ä")
        assert ctx.request_state == "everything: ä", ctx.request_state
        return text(repr({key: each.model_dump(mode="json") for key, each in sorted(given.items())}))
    why = await ctx.session.elicit_form("Why?", FORM, related_request_id=ctx.request_id)
    word = await ctx.session.create_message(MESSAGES, max_tokens=5, related_request_id=ctx.request_id)
    roots = await ctx.session.list_roots()
    assert isinstance(why, ElicitResult)
    return text(repr([each.model_dump(mode="json") for each in (why, word, roots)]))


@server.tool()
async def grow(ctx: Context) -> str:
    """Add a tool, and say that the lists have changed."""
    server.add_tool(echo, name="grown")
    if ctx.protocol_version == NEWER:
        await ctx.notify_tools_changed()
        await ctx.notify_resources_changed()
    else:
        await ctx.session.send_tool_list_changed()
        await ctx.session.send_resource_list_changed()
        await ctx.session.send_prompt_list_changed()
        await ctx.session.send_resource_updated("text://fixed")
    return "grown"


cancelled: list[str] = []


@server.tool()
async def wait(ctx: Context) -> str:
    """Wait until it is cancelled."""
    try:
        await ctx.report_progress(0, 1, "waiting")
        await anyio.sleep_forever()
    finally:
        cancelled.append("wait")
    return ""


@server.tool()
async def cancellations() -> str:
    """Return what was cancelled."""
    while not cancelled:
        await anyio.sleep(0.01)
    return ",".join(cancelled)


@server.resource("text://fixed")
async def fixed() -> str:
    """A resource."""
    return "fixed: ä"


@server.resource("text://{name}/of")
async def named(name: str) -> str:
    """A template."""
    return f"named {name}"


@server.prompt()
async def greet(name: str) -> str:
    """A prompt."""
    return f"Greet {name}."


@server.completion()
async def complete(ref: object, argument: object, context: object) -> Completion:
    """Complete anything."""
    return Completion(values=["one", "two"], total=2, has_more=False)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
