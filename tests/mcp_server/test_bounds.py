"""What one caller can use up: waiting calls, streams, lines of the log; and what others have left of it."""

from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.shared.exceptions import MCPError

from handoffs.mcp_server.callers.bounds import Bounds
from handoffs.mcp_server.callers.fair_share import Slots
from handoffs.mcp_server.token_expiry import TokenExpiry
from tests.mcp_server.host import host, table
from tests.mcp_server.signed_in import served
from tests.waiting import until


def test_what_lasts_is_bounded_by_its_size_for_each_caller_and_for_all() -> None:
    streams = Slots()
    with ExitStack() as stack:
        stack.enter_context(streams.slot("a", most=40, size=9))
        with pytest.raises(MCPError, match="of your streams"), streams.slot("a", most=40, size=2):
            pass
        for name in ("b", "c", "d"):
            stack.enter_context(streams.slot(name, most=40, size=10))
        with pytest.raises(MCPError, match="open here"), streams.slot("e", most=40, size=2):
            pass
    assert streams.acquire("a", most=40, size=10)
    assert not streams.acquire("a", most=40)


async def test_a_caller_whose_calls_wait_in_many_sessions_leaves_room_for_others(tmp_path: Path) -> None:
    two_each = Bounds(waiting=8)
    async with (
        table(tmp_path) as here,
        served(here, hold_seconds=60, bounds=two_each) as server,
        AsyncExitStack() as stack,
    ):
        mine = [await stack.enter_async_context(server.client("mallory", "legacy")) for _ in range(3)]
        other = await stack.enter_async_context(server.client("bob", "legacy"))
        async with anyio.create_task_group() as tasks:
            with anyio.fail_after(120):
                for count, client in enumerate(mine[:2], 1):
                    tasks.start_soon(client.call_tool, "handoff_to_user", {"message": "Deploy?"})
                    await until(lambda count=count: here.clock.waiting >= count)
                crowded = await mine[2].call_tool("handoff_to_user", {"message": "Deploy?"})
                assert "waiting at once" in str(crowded.structured_content)
                tasks.start_soon(other.call_tool, "handoff_to_user", {"message": "Deploy?"})
                await until(lambda: here.clock.waiting >= 3)
                for handoff in await here.desk.newest(open_only=True):
                    await here.desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox")
        again = await mine[2].call_tool("check_handoff", {"handoff_id": handoff.id})
        assert "waiting at once" not in str(again)


async def test_how_channels_fare_does_not_make_a_log_without_end(tmp_path: Path) -> None:
    async with table(tmp_path, max_noted=5) as here, host(here.server(hold_seconds=0), "auto") as client:
        await client.call_tool("handoff_to_user", {"message": "Deploy?"})
        for _ in range(9):
            await here.desk.not_shown(await here.only(), channel="elicitation", reason="made up")
        assert len(await here.desk.history((await here.only()).id)) == 5
        ended = await here.desk.answer(await here.only(), {"response": "yes"}, by="ada", channel="inbox")
        assert ended.values == {"response": "yes"}


async def test_each_caller_has_so_many_streams_of_its_sessions(tmp_path: Path) -> None:

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep_forever()

    class Nobody:
        async def lapsed(self, tokens: Any) -> Any:
            return []

    async with table(tmp_path) as here, anyio.create_task_group() as tasks:
        serve: Any = TokenExpiry(Nobody(), here.desk.clock, max_streams=8).before(app)
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        def scope(name: str) -> Any:
            user = AuthenticatedUser(AccessToken(token="d", client_id=name, scopes=[], subject=name))
            return {"type": "http", "method": "GET", "headers": [], "user": user}

        for name in ("a", "a", "b"):
            tasks.start_soon(serve, scope(name), receive, send)
        await anyio.wait_all_tasks_blocked()
        assert said == []
        await serve(scope("a"), receive, send)
        assert said[0]["status"] == 429
        tasks.cancel_scope.cancel()
