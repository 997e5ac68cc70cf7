"""What a server holds in memory after its first handoff, against the bare server after the same question."""

import os
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from benchmarks import servers, usage
from benchmarks.clients import OLDER, client, hand_off
from benchmarks.plan import Plan
from benchmarks.table import Row, percentile

BAR = 1.10


async def run(plan: Plan) -> list[Row]:
    """Return a row for each transport."""
    return [await _compare(transport, plan.pick(full=5, quick=1)) for transport in ("stdio", "HTTP")]


async def _compare(transport: str, runs: int) -> Row:
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        sides = [servers.handoffs(folder), servers.bare()]
        found: dict[str, list[dict[str, float]]] = {server.name: [] for server in sides}
        for number in range(runs):
            for server in sides:
                with anyio.fail_after(60):
                    async with _asked(server, transport, folder, f"May I deploy build {number}?") as pid:
                        found[server.name].append(usage.memory(pid))
    ours, bare = found["handoffs"], found["bare"]
    ratios = [a["rss"] / b["rss"] for a, b in zip(ours, bare, strict=True)]
    return Row(
        what=f"resident memory after one handoff, {transport}, against bare",
        unit="MiB",
        ours=_middle(ours, "rss"),
        yardstick=_middle(bare, "rss"),
        ratio=statistics.median(ratios),
        spread=(percentile(ratios, 25), percentile(ratios, 75)),
        bar=BAR,
        details={
            f"{kind} of {side} in MiB": _middle(found[side], kind) for side in found for kind in ("pss", "private")
        },
    )


def _middle(found: list[dict[str, float]], kind: str) -> float:
    return statistics.median(memory[kind] for memory in found) / 1024


@asynccontextmanager
async def _asked(server: servers.Server, transport: str, folder: Path, message: str) -> AsyncIterator[int]:
    """Run a server that has just had one question answered; give its process id."""
    if transport == "HTTP":
        async with servers.serving(server, folder) as running, client(running, OLDER) as connected:
            await hand_off(connected, message)
            yield running.pid
        return
    before = usage.children(os.getpid())
    async with client(server.stdio(), OLDER) as connected:
        (pid,) = usage.children(os.getpid()) - before
        await hand_off(connected, message)
        yield pid
