"""The SDK's client with a server that has everything, directly and through a gate that holds nothing: the same."""

import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client import Transport
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    Implementation,
    ListRootsResult,
    PromptReference,
    Root,
    TextContent,
)
from pydantic import BaseModel, FileUrl

from tests.gate.relay.gates import GATE

EVERYTHING = [sys.executable, str(Path(__file__).parents[1] / "everything.py")]


class Host:
    """A client with all that a server may ask for, and every line that it has seen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def saw(self, what: str, value: object) -> None:
        """Keep a line."""
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json", by_alias=True, exclude_unset=True)
        line = f"{what}: {json.dumps(value, ensure_ascii=False, default=str)}"
        self.lines.append(re.sub(r"listen-\d+", "listen", line))  # the SDK numbers them across all clients of a process

    async def elicit(self, context: Any, params: Any) -> ElicitResult:
        """Answer the server's form."""
        self.saw("elicitation", params)
        return ElicitResult(action="accept", content={"why": "weil ä"})

    async def sample(self, context: Any, params: Any) -> CreateMessageResult:
        """Answer as a model."""
        self.saw("sampling", params)
        return CreateMessageResult(role="assistant", content=TextContent(type="text", text="word"), model="m")

    async def roots(self, context: Any) -> ListRootsResult:
        """Name a folder."""
        self.lines.append("roots")
        return ListRootsResult(roots=[Root(uri=FileUrl("file:///tmp"), name="ä")])

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Keep what was reported."""
        self.saw("progress", [progress, total, message])

    async def message(self, message: object) -> None:
        """Keep notifications; progress comes twice."""
        if isinstance(message, BaseModel) and getattr(message, "method", "") != "notifications/progress":
            self.saw("message", message)


async def seen(server: list[str] | str | Transport, mode: str, *, times: int = 1000) -> list[str]:
    """What a host sees of a server: a command, a URL, a transport; `times` thousand characters are its longest text."""
    host = Host()
    client = Client(
        StdioServerParameters(command=server[0], args=server[1:]) if isinstance(server, list) else server,
        mode=mode,
        elicitation_callback=host.elicit,
        sampling_callback=host.sample,
        list_roots_callback=host.roots,
        message_handler=host.message,
        client_info=Implementation(name="test", version="1"),
        cache=None,
    )
    with anyio.fail_after(90):
        async with client:
            host.saw("server", [client.protocol_version, client.server_info, client.server_capabilities])
            host.saw("instructions", client.instructions)
            await _ask(client, host, mode, times)
    return host.lines


async def _ask(client: Client, host: Host, mode: str, times: int) -> None:
    host.saw("tools", await client.list_tools())
    host.saw("resources", await client.list_resources())
    host.saw("templates", await client.list_resource_templates())
    host.saw("prompts", await client.list_prompts())
    host.saw("resource", await client.read_resource("text://fixed"))
    host.saw("resource", await client.read_resource("text://x/of"))
    host.saw("prompt", await client.get_prompt("greet", {"name": "Ada ä"}))
    completed = await client.complete(PromptReference(type="ref/prompt", name="greet"), {"name": "name", "value": "o"})
    host.saw("completion", completed)
    host.saw("add", await client.call_tool("add", {"a": 1, "b": 2}, meta={"example.com/x": [1, "ä"]}))
    host.saw("echo", await client.call_tool("echo", {"words": "\\/ \u2028 😀\n", "times": 3}))
    big = await client.call_tool("echo", {"words": "ä" * 1000, "times": times})
    host.saw("big", len(big.content[0].text))  # type: ignore[union-attr]
    host.saw("route", await client.call_tool("route", {"region": " zürich", "number": 7}))
    host.saw("fail", await client.call_tool("fail", {}))
    host.saw("unknown", await client.call_tool("unknown", {}) if mode == "legacy" else None)
    host.saw("count", await client.call_tool("count", {"to": 3}, progress_callback=host.progress))
    host.saw("ask", await client.call_tool("ask", {}))
    await _cancel(client, host)
    if mode == "legacy":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)  # the older era has it
            host.saw("ping", await client.send_ping())
        host.saw("grow", await client.call_tool("grow", {}))
    else:
        async with client.listen(tools_list_changed=True) as changes:
            host.saw("grow", await client.call_tool("grow", {}))
            async for event in changes:
                host.saw("event", repr(event))
                break
    host.saw("tools", await client.list_tools())
    try:
        await client.read_resource("text://none")
    except MCPError as error:
        host.saw("error", error.error)
    results: dict[int, object] = {}

    async def add(number: int) -> None:
        results[number] = (await client.call_tool("add", {"a": number, "b": 1})).structured_content

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(add, number)
    host.saw("at once", sorted(results.items()))


async def _cancel(client: Client, host: Host) -> None:
    """Give up a call once the server has begun it."""
    begun = anyio.Event()

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    async def wait() -> None:
        await client.call_tool("wait", {}, progress_callback=progress)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await begun.wait()
        tasks.cancel_scope.cancel()
    host.saw("cancelled", await client.call_tool("cancellations", {}))


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_host_sees_the_same_directly_and_through_the_gate(mode: str) -> None:
    direct = await seen(EVERYTHING, mode)
    assert len(direct) > 25
    assert await seen([*GATE, *EVERYTHING], mode) == direct
    kinds = {line.partition(":")[0] for line in direct}
    assert {"elicitation", "sampling", "roots", "progress", "cancelled", "error"} <= kinds
