"""The server as Claude Code starts it for an unattended run, and what a host hears of other processes."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import ResourceUpdatedNotification

from tests.acceptance.processes import ERAS, HANDOFFS, Home, ask, says
from tests.acceptance.test_server import until_open

OPEN = "handoff://open"

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")


async def client_of(
    stack: AsyncExitStack, home: Home, transport: str, era: str, dialog: Any = None, name: str = "claude-code"
) -> Client:
    if transport == "stdio":
        return await stack.enter_async_context(home.stdio(era, dialog, name=name))
    server = await stack.enter_async_context(home.http())
    return await stack.enter_async_context(server.client(era, dialog, name=name))


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_an_unattended_run_asks_in_the_inbox_and_runs_the_persons_version(
    transport: str, era: str, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    async with AsyncExitStack() as stack:
        # As `claude -p` does: it declares a dialog, and cancels it at once.
        client = await client_of(stack, home, transport, era, says("cancel"))
        assert "approve_tool_use" in [tool.name for tool in (await client.list_tools()).tools]
        got: list[Any] = []
        async with anyio.create_task_group() as tasks:

            async def use() -> None:
                wanted = {"tool_name": "Bash", "input": {"command": "rm -rf build"}, "tool_use_id": "toolu_1"}
                result = await client.call_tool("approve_tool_use", wanted)
                got.append(json.loads(result.content[0].text))  # type: ignore[union-attr]

            tasks.start_soon(use)
            handoff_id = await until_open(home)
            edit = '{"command": "rm -r build/tmp"}'
            done = await home.command("answer", handoff_id, "--set", "decision=allow", "--set", f"arguments={edit}")
            assert done.returncode == 0, done.stderr
    assert got == [{"behavior": "allow", "updatedInput": {"command": "rm -r build/tmp"}}]
    assert home.run("log", "--json").stdout.count("dismissed") == 0


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_newer_host_reads_and_hears_of_what_another_process_does(transport: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with AsyncExitStack() as stack:
        client = await client_of(stack, home, transport, "auto", name="test-host")
        async with client.listen(resources_list_changed=True, resource_subscriptions=[OPEN]) as stream:
            breakout = await anyio.run_process(
                [HANDOFFS[0], "-c", OTHER, str(home.store)], env=home.env, cwd=home.folder
            )
            assert {await anext(stream), await anext(stream)} == {ResourceUpdated(uri=OPEN), ResourcesListChanged()}
        handoff_id = breakout.stdout.decode().strip()
        assert [each["id"] for each in json.loads(await text(client, OPEN))] == [handoff_id]
        assert json.loads(await text(client, f"handoff://{handoff_id}")) == json.loads(
            home.run("show", handoff_id, "--json").stdout
        )


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_host_of_the_older_era_hears_of_what_another_process_answers(transport: str, tmp_path: Path) -> None:
    home = Home(tmp_path, extra={"HANDOFFS_HOLD_SECONDS": "0"})
    heard = anyio.Event()
    told: list[str] = []

    async def keep(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.append(str(message.params.uri))
            heard.set()

    async with AsyncExitStack() as stack:
        stack.enter_context(anyio.fail_after(60))
        client = await older_client(stack, home, transport, keep)
        handoff_id = (await ask(client))["handoffId"]
        await client.session.subscribe_resource(f"handoff://{handoff_id}")
        assert (await home.command("answer", handoff_id, "go")).returncode == 0
        await heard.wait()
        assert json.loads(await text(client, f"handoff://{handoff_id}"))["state"] == "answered"
    assert set(told) == {f"handoff://{handoff_id}"}


async def older_client(stack: AsyncExitStack, home: Home, transport: str, keep: Any) -> Client:
    if transport == "http":
        server = await stack.enter_async_context(home.http())
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=server.bearer, timeout=60))
        target: Any = streamable_http_client(server.url, http_client=http)
    else:
        from mcp import StdioServerParameters
        from mcp.client.stdio import stdio_client

        log = stack.enter_context((home.folder / "stderr.txt").open("a"))
        params = StdioServerParameters(
            command=HANDOFFS[0], args=[*HANDOFFS[1:], "serve"], env=home.env, cwd=home.folder
        )
        target = stdio_client(params, errlog=log)
    return await stack.enter_async_context(Client(target, mode="legacy", message_handler=keep))


async def text(client: Client, uri: str) -> str:
    [content] = (await client.read_resource(uri)).contents
    return content.text  # type: ignore[union-attr]


OTHER = """
import sys, anyio
from pathlib import Path
from handoffs.os_user import current_user
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.store.sqlite.store import SqliteStore

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        caller = Caller(subject=current_user())
        print((await Desk(store=store, clock=SystemClock()).ask(message="Deploy?", caller=caller)).id)

anyio.run(main)
"""
