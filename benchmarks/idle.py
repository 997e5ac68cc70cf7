"""What a server costs that has nothing to do, with an empty store and with ten thousand open handoffs in it."""

import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from benchmarks import servers, usage
from benchmarks.clients import OLDER, client, hand_off
from benchmarks.plan import Plan
from benchmarks.seed import fill
from benchmarks.table import Row

BAR_PERCENT = 0.5
DIFFERENCE_BAR_PERCENT = 0.1
SETTLE_SECONDS = 1.0


async def run(plan: Plan) -> list[Row]:
    """Return, for each transport, a row for each store and one for how far they are apart."""
    many, seconds = plan.pick(full=10_000, quick=1000), plan.pick(full=12, quick=3)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        plan.say(f"{many:,} handoffs into a store, then {seconds} seconds of nothing")
        await fill(folder / "full.db", many)
        used = await _measure(folder, seconds)
    rows: list[Row] = []
    for transport in ("stdio", "HTTP"):
        empty, full = used[transport, "empty"], used[transport, "full"]
        rows += [
            _row(f"idle, {transport}, 0 open handoffs", empty, BAR_PERCENT),
            _row(f"idle, {transport}, {many:,} open handoffs", full, BAR_PERCENT),
            _row(f"idle, {transport}, the difference of the two", abs(full - empty), DIFFERENCE_BAR_PERCENT),
        ]
    return rows


def _row(what: str, percent: float, bar: float) -> Row:
    return Row(what=what, unit="% of a core", ours=percent, bar=bar)


async def _measure(folder: Path, seconds: float) -> Mapping[tuple[str, str], float]:
    """Let four servers idle at the same time; return the percentage of a core that each one used."""
    async with AsyncExitStack() as stack:
        pids: dict[tuple[str, str], int] = {}
        for size in ("empty", "full"):
            store = folder / f"{size}.db"
            over_http = await stack.enter_async_context(servers.serving(_server(folder, "http", store), folder))
            pids["HTTP", size] = over_http.pid
            # Each has asked and is done, so that everything it ever opens is open.
            async with client(over_http, OLDER) as connected:
                await hand_off(connected, "May I deploy over HTTP?")
            before = usage.children(os.getpid())
            connected = await stack.enter_async_context(client(_server(folder, "stdio", store).stdio(), OLDER))
            (pids["stdio", size],) = usage.children(os.getpid()) - before
            await hand_off(connected, "May I deploy over stdio?")
        await anyio.sleep(SETTLE_SECONDS)  # not part of what is measured: what closing a session still has to do
        used = {key: usage.cpu_seconds(pid) for key, pid in pids.items()}
        start = time.monotonic()
        await anyio.sleep(seconds)
        elapsed = time.monotonic() - start
        return {key: (usage.cpu_seconds(pid) - used[key]) / elapsed * 100 for key, pid in pids.items()}


def _server(folder: Path, transport: str, store: Path) -> servers.Server:
    home = folder / f"{transport}-{store.stem}"
    home.mkdir()
    return servers.handoffs(home, store=store)
