"""mcp 1.30 as a host: the same table as in rows.mjs, in an environment of its own."""

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters, stdio_client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

JOB = json.loads(sys.argv[1])


class Host(ClientSession):
    """Declares what its row says, where the SDK would declare both modes of elicitation."""

    declares: dict[str, Any] | None = None

    async def send_request(self, request: types.ClientRequest, *args: Any, **options: Any) -> Any:
        if isinstance(request.root, types.InitializeRequest):
            declared = None if self.declares is None else types.ElicitationCapability(**self.declares)
            request.root.params.capabilities.elicitation = declared
        return await super().send_request(request, *args, **options)


async def play(row: dict[str, Any]) -> dict[str, Any]:
    shown = 0
    structured = None

    async def dialog(context: object, params: object) -> types.ElicitResult:
        nonlocal shown
        shown += 1
        if row["leaves"]:
            leaving.cancel()
        match row["person"]:
            case "accepts":
                return types.ElicitResult(action="accept", content={"response": "yes"}, _meta={"handoffs/script": True})
            case "opens the link":
                return types.ElicitResult(action="accept")
            case "accepts empty":
                return types.ElicitResult(action="accept", content={})
            case "declines at once":
                return types.ElicitResult(action="decline")
            case "declines":
                await anyio.sleep(JOB["reads"])
                return types.ElicitResult(action="decline")
            case "closes it":
                await anyio.sleep(JOB["reads"])
                return types.ElicitResult(action="cancel")
        await anyio.sleep_forever()
        raise AssertionError

    async with connected(row, dialog) as (host, protocol):
        tools = (await host.list_tools()).tools
        with anyio.CancelScope() as leaving:
            structured = (await host.call_tool("handoff_to_user", {"message": row["message"]})).structuredContent
        return {
            "protocol": protocol,
            "tools": [tool.name for tool in tools],
            "shown": shown,
            "result": structured,
        }


@asynccontextmanager
async def connected(row: dict[str, Any], dialog: Any) -> AsyncGenerator[tuple[Host, str | int]]:
    async with AsyncExitStack() as stack:
        if isinstance(row["to"], str):
            http = await stack.enter_async_context(create_mcp_http_client(row["headers"]))
            read, write, _ = await stack.enter_async_context(streamable_http_client(row["to"], http_client=http))
        else:
            read, write = await stack.enter_async_context(stdio_client(StdioServerParameters(**row["to"])))
        host = Host(
            read, write, elicitation_callback=dialog, client_info=types.Implementation(name="test-host", version="1")
        )
        host.declares = row["declares"]
        await stack.enter_async_context(host)
        yield host, (await host.initialize()).protocolVersion


async def main() -> None:
    got: dict[str, Any] = {}

    async def keep(row: dict[str, Any]) -> None:
        got[row["name"]] = await play(row)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for row in JOB["rows"]:
                tasks.start_soon(partial(keep, row))
    sys.stdout.write(json.dumps(got))


anyio.run(main)
