"""Ten thousand handoffs that wait in the newer era, where the server has nothing but the store to remember them by."""

import http.client
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from anyio import to_thread

from benchmarks import servers, usage
from benchmarks.plan import Plan
from benchmarks.table import Row

BAR_KIB = 1.0
CONNECTIONS = 2
PATIENCE_SECONDS = 180.0
VERSION = "2026-07-28"
TOOL = "handoff_to_user"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
}
HEADERS = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": VERSION,
    "mcp-method": "tools/call",
    "mcp-name": TOOL,
}


async def run(plan: Plan) -> list[Row]:
    """Return the one row: KiB of server memory for each waiting handoff."""
    count, warm_up = plan.pick(full=10_000, quick=1000), 500
    plan.say(f"{count:,} handoffs over HTTP")
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        async with servers.serving(servers.handoffs(folder), folder) as running:
            with anyio.fail_after(PATIENCE_SECONDS):
                await _ask(running, warm_up, "first")
                before = usage.memory(running.pid)
                await _ask(running, count, "then")
                after = usage.memory(running.pid)
    return [
        Row(
            what=f"memory of each of {count:,} waiting, HTTP, newer era",
            unit="KiB",
            ours=max(after["rss"] - before["rss"], 0) / count,
            bar=BAR_KIB,
            details={"rss before in KiB": before["rss"], "rss after in KiB": after["rss"]},
        )
    ]


async def _ask(running: servers.Running, count: int, word: str) -> None:
    """Open `count` handoffs, each of which the server answers with the form to show, and let them wait."""
    messages = [f"May I deploy build {number} ({word})?" for number in range(count)]

    async def post(part: Sequence[str]) -> None:
        # A thread that is given up ends soon after: its server is gone.
        await to_thread.run_sync(_post, running, part, abandon_on_cancel=True)

    async with anyio.create_task_group() as tasks:
        for lane in range(CONNECTIONS):
            tasks.start_soon(post, messages[lane::CONNECTIONS])


def _post(running: servers.Running, messages: Sequence[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    headers = {**HEADERS, **running.headers}
    try:
        for message in messages:
            connection.request("POST", "/mcp", body=_body(message), headers=headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if answer.get("result", {}).get("resultType") != "input_required":
                raise RuntimeError(f"{message!r} was answered with {response.status} {answer!r}")
    finally:
        connection.close()


def _body(message: str) -> bytes:
    params = {"name": TOOL, "arguments": {"message": message}, "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
