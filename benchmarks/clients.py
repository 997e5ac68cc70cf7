"""The one client of every server: the SDK's own, in either era, whose dialog is answered at once by a script."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitResult, Implementation, TextContent

from benchmarks.servers import Running

OLDER, NEWER = "older era", "newer era"
MODES = {OLDER: "legacy", NEWER: "auto"}
ANSWER = "yes"


async def answers_at_once(context: object, params: object) -> ElicitResult:
    """Fill every field with the same word, and say that no person did."""
    if not isinstance(params, ElicitRequestFormParams):
        raise TypeError(f"only forms are answered here, not {params!r}")
    content: dict[str, str | int | float | bool | list[str] | None] = dict.fromkeys(
        params.requested_schema["properties"], ANSWER
    )
    return ElicitResult(action="accept", content=content, _meta={"handoffs/script": True})


@asynccontextmanager
async def client(
    target: StdioServerParameters | Running, era: str, person: ElicitationFnT | None = answers_at_once
) -> AsyncGenerator[Client]:
    """Give a client of a server over stdio, or of one that runs on HTTP. Without a person it has no dialog."""
    async with AsyncExitStack() as stack:
        transport: Any = target
        if isinstance(target, Running):
            http = await stack.enter_async_context(create_mcp_http_client(dict(target.headers)))
            transport = streamable_http_client(target.url, http_client=http)
        # A host that is not known: of a library's own name short lives are expected.
        info = Implementation(name="benchmark", version="1")
        made = Client(transport, mode=MODES[era], elicitation_callback=person, client_info=info)
        yield await stack.enter_async_context(made)


async def hand_off(connected: Client, message: str) -> CallToolResult:
    """Ask, and return the result once the person's answer came back.

    Raises:
        RuntimeError: It came back without the answer, so there is nothing to measure.
    """
    result = await connected.call_tool("handoff_to_user", {"message": message})
    text = text_of(result)
    if result.is_error or ANSWER not in text:
        raise RuntimeError(f"asked {message!r} and got {text!r}")
    return result


def text_of(result: CallToolResult) -> str:
    """Return what a model reads of a result."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))
