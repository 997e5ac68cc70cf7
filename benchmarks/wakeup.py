"""How soon a waiting call returns after another process has written the answer down."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client

from benchmarks import answerer, servers
from benchmarks.clients import ANSWER, OLDER, client, text_of
from benchmarks.plan import Plan
from benchmarks.table import Row, percentile

MEDIAN_BAR_MS, WORST_BAR_MS = 5.0, 30.0


async def run(plan: Plan) -> list[Row]:
    """Return the median and the 99th percentile. The clock starts before the answer's transaction does."""
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        bars = MEDIAN_BAR_MS, WORST_BAR_MS
        return await measure(plan, folder, str(folder / "handoffs.db"), "answered elsewhere", bars=bars)


async def measure(plan: Plan, folder: Path, store: str, what: str, *, bars: tuple[float, float]) -> list[Row]:
    """Return the two rows of a server on `store`, whose other files are in `folder`."""
    count, warm_up = plan.pick(full=300, quick=40), 10
    server = servers.handoffs(folder, store=store)
    async with client(server.stdio(), OLDER, person=None) as connected, answering(store) as told:
        took = [await _wake(connected, told, number) for number in range(warm_up + count)][warm_up:]
    begun, committed = zip(*took, strict=True)
    details = {
        "samples": count,
        "median after the commit in ms": percentile(committed, 50),
        "p99 after the commit in ms": percentile(committed, 99),
    }
    return [
        Row(what=f"{what} until the call returns, {which}", unit="ms", ours=figure, bar=bar, details=details)
        for which, figure, bar in (
            ("median", percentile(begun, 50), bars[0]),
            ("p99", percentile(begun, 99), bars[1]),
        )
    ]  # fmt: skip


async def _wake(connected: Client, told: BufferedByteReceiveStream, number: int) -> tuple[float, float]:
    """Ask, wait, be answered; return the milliseconds since the answer's transaction began, and since it was over."""
    with anyio.fail_after(60):
        result = await connected.call_tool("handoff_to_user", {"message": f"May I deploy build {number}?"})
        while (content := result.structured_content or {}).get("status") == "PENDING":
            result = await connected.call_tool("check_handoff", {"handoff_id": content["handoffId"]})
        returned = time.monotonic_ns()
        if ANSWER not in text_of(result):
            raise RuntimeError(f"the call returned {text_of(result)!r}")
        begun, committed = (int(word) for word in (await told.receive_until(b"\n", 100)).split())
    return (returned - begun) / 1e6, (returned - committed) / 1e6


@asynccontextmanager
async def answering(store: str, *flags: str) -> AsyncIterator[BufferedByteReceiveStream]:
    """Run a process that answers what is open in `store`; give what it says, a line for every answer."""
    command = [sys.executable, "-m", answerer.__name__, store, *flags]
    root = Path(__file__).parents[1]
    async with await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=None, cwd=root) as process:
        try:
            assert process.stdout is not None
            yield BufferedByteReceiveStream(process.stdout)
        finally:
            process.terminate()
