"""Traces and metrics of real processes, at a collector."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.collector import collecting
from tests.acceptance.processes import ERAS, Home
from tests.acceptance.test_server import until_open
from tests.waiting import until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
WORDS = ("Hush-message", "hush-option", "hush-note", "test-host")
"""What no telemetry may contain; the last is the agent's name."""


async def ask(client: Client, message: str = "Hush-message?") -> dict[str, Any]:
    result = await client.call_tool(
        "handoff_to_user",
        {"message": message, "options": ["hush-option", "other"]},
        meta={"traceparent": f"00-{TRACE}-{PARENT}-01", "claudecode/toolUseId": "toolu_1"},
    )
    return dict(result.structured_content or {})


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_call_continues_its_trace_and_the_wait_is_part_of_it(transport: str, era: str, tmp_path: Path) -> None:
    async with collecting() as collector:
        home = Home(tmp_path, extra=collector.env)
        async with AsyncExitStack() as stack:
            if transport == "stdio":
                client = await stack.enter_async_context(home.stdio(era))
            else:
                server = await stack.enter_async_context(home.http())
                client = await stack.enter_async_context(server.client(era))
            got: list[dict[str, Any]] = []
            async with anyio.create_task_group() as tasks:

                async def call() -> None:
                    got.append(await ask(client))

                tasks.start_soon(call)
                handoff_id = await until_open(home)
                done = await home.command("answer", handoff_id, "hush-option", "--note", "hush-note")
                assert done.returncode == 0, done.stderr
            assert got[0]["values"] == {"response": "hush-option"}
            [call_span] = await until(lambda: collector.named("tools/call handoff_to_user"))
            [wait] = await until(lambda: collector.named("handoffs.wait"))
            [decision] = await until(lambda: collector.named("handoffs.decision"))
            # The command that answered is another process.
            ended = await until(lambda: collector.sums("handoffs.ended"))
            await until(lambda: collector.sums("handoffs.opened"))
        assert (call_span.trace, call_span.parent) == (TRACE, PARENT)
        assert (wait.trace, wait.parent) == (decision.trace, decision.parent) == (TRACE, call_span.id)
        assert call_span.attributes["mcp.method.name"] == "tools/call"
        assert call_span.attributes["gen_ai.tool.name"] == "handoff_to_user"
        assert call_span.attributes["gen_ai.tool.call.id"] == "toolu_1"
        assert wait.attributes == {"handoffs.id": handoff_id, "handoffs.dialog": False, "handoffs.state": "answered"}
        outcome = {"handoffs.outcome": "answered", "handoffs.channel": "command line"}
        assert decision.attributes == outcome | {"handoffs.id": handoff_id}
        assert call_span.seconds >= wait.seconds > 0
        [(series, point)] = ended.items()
        assert (series, point.as_int) == (("answered", "command line"), 1)
        [histogram] = collector.sums("handoffs.time_to_answer").values()
        assert (histogram.count, histogram.sum > 0) == (1, True)
        assert histogram.explicit_bounds[-1] == 604_800
        assert collector.services == {"handoffs"}
        for word in WORDS:
            assert word.encode() not in collector.raw, word


async def test_a_name_that_a_client_made_up_is_in_no_span(tmp_path: Path) -> None:
    async with collecting() as collector:
        home = Home(tmp_path, extra=collector.env)
        async with home.stdio() as client:
            for name in ("hush-tool", "check_handoff"):
                await client.call_tool(name, {"handoff_id": "h_hush"})
            await until(lambda: collector.named("tools/call check_handoff"))
        assert collector.named("tools/call")
        assert b"hush" not in collector.raw


async def test_a_collector_that_is_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    home = Home(tmp_path, extra={"HANDOFFS_TELEMETRY": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    with anyio.fail_after(60):
        async with home.stdio() as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, client)
                handoff_id = await until_open(home)
                done = await home.command("answer", handoff_id, "other")
                assert done.returncode == 0, done.stderr
    assert json.loads(home.run("list", "--all", "--json").stdout)[0]["state"] == "answered"
    assert "Traceback" not in (tmp_path / "stderr.txt").read_text()


async def test_without_the_setting_nothing_of_it_is_imported(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        await store.ready()
    home = Home(tmp_path, extra={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "PYTHONPROFILEIMPORTTIME": "1"})
    assert "opentelemetry.sdk" not in home.run("list").stderr
    home.extra["HANDOFFS_TELEMETRY"] = "otlp"
    assert "opentelemetry.sdk" in home.run("list", "--all").stderr
