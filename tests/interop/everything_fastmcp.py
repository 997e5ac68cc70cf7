"""What FastMCP's client sees of a server with everything: `python everything_fastmcp.py COMMAND`, as JSON."""

import json
import os
import sys
from typing import Any

import anyio
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

COMMAND, *ARGS = json.loads(sys.argv[1])
seen: list[Any] = []


def saw(what: str, value: Any) -> None:
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json", by_alias=True)
    if isinstance(value, list):
        value = [each.model_dump(mode="json", by_alias=True) if hasattr(each, "model_dump") else each for each in value]
    seen.append([what, value])


async def elicit(message: str, response_type: Any, params: Any, context: Any) -> dict[str, str]:
    saw("elicitation", message)
    return {"why": "weil ä"}


async def sample(messages: Any, params: Any, context: Any) -> str:
    saw("sampling", len(messages))
    return "word"


async def progress(done: float, total: float | None, message: str | None) -> None:
    saw("progress", [done, total, message])


async def main() -> None:
    transport = StdioTransport(COMMAND, ARGS, env=dict(os.environ))
    client = Client(transport, elicitation_handler=elicit, sampling_handler=sample, roots=["file:///tmp"])
    with anyio.fail_after(60):
        async with client:
            saw("tools", await client.list_tools())
            saw("resources", await client.list_resources())
            saw("templates", await client.list_resource_templates())
            saw("prompts", await client.list_prompts())
            saw("resource", await client.read_resource("text://x/of"))
            saw("prompt", await client.get_prompt("greet", {"name": "Ada ä"}))
            calls: list[tuple[str, dict[str, Any]]] = [
                ("add", {"a": 1, "b": 2}), ("echo", {"words": "\\/ \u2028 😀\n", "times": 3}), ("fail", {}),
                ("unknown", {}), ("ask", {}),
            ]  # fmt: skip
            for name, arguments in calls:
                try:
                    saw(name, await client.call_tool_mcp(name, arguments))
                except Exception as error:  # noqa: BLE001 - an error counts as what was seen, too
                    saw(name, repr(error))
            saw("count", await client.call_tool_mcp("count", {"to": 3}, progress_handler=progress))
    sys.stdout.write(json.dumps(seen))


anyio.run(main)
