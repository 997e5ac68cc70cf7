"""What a gate that holds nothing costs: the official SDK's server behind the relay, against the same server alone.

A policy, pins and grants are not in it: these rows are what every allowed call pays at least.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from anyio import to_thread
from mcp import Client

from benchmarks import environment, servers, startup
from benchmarks.clients import NEWER, OLDER, client
from benchmarks.plan import Plan
from benchmarks.table import Row, compared

START_BAR = 1.08
CALL_BARS = {OLDER: 1.30, NEWER: 1.15}
MEBIBYTE_BAR = 1.10
AT_ONCE, AT_ONCE_BAR = 64, 1 / 0.85

Timed = Callable[[Client], Awaitable[None]]


async def run(plan: Plan) -> list[Row]:
    """Return the rows: the start, one call in each era, a result of a mebibyte, and many calls at once."""
    alone = servers.plain()
    behind = replace(alone, name="gate", command=(*servers.OPEN_GATE, *alone.command))
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        rows = [await to_thread.run_sync(_started, plan, behind, alone, Path(name))]
    rounds, batch = plan.pick(full=40, quick=4), plan.pick(full=25, quick=3)
    rows += [await _row(f"a call, {era}", _add, behind, alone, era, rounds, batch, CALL_BARS[era]) for era in CALL_BARS]
    for era in CALL_BARS:
        rows.append(await _row(f"a result of 1 MiB, {era}", _mebibyte, behind, alone, era, rounds, 5, MEBIBYTE_BAR))
    rows.append(await _row(f"{AT_ONCE} calls at once", _many, behind, alone, OLDER, rounds, 1, AT_ONCE_BAR))
    return rows


def _started(plan: Plan, behind: servers.Server, alone: servers.Server, folder: Path) -> Row:
    environment.compile_bytecode()
    what, runs = "start until initialize is answered, through the relay", plan.pick(full=21, quick=3)
    return startup.compare_starts(what, startup.Host.initialized, behind, alone, folder, runs, START_BAR)


async def _row(
    what: str, timed: Timed, behind: servers.Server, alone: servers.Server, era: str, rounds: int, batch: int,
    bar: float,
) -> Row:  # fmt: skip
    async with AsyncExitStack() as stack:
        sides = [(each.name, await stack.enter_async_context(client(each.stdio(), era))) for each in (behind, alone)]
        took: dict[str, list[list[float]]] = {name: [] for name, _ in sides}
        for _, connected in sides:
            await timed(connected)
        for _ in range(rounds):
            for name, connected in sides:
                took[name].append([await _time(timed, connected) for _ in range(batch)])
            sides.reverse()
    name = f"{what}, through the relay, against direct"
    return compared(name, "ms", took[behind.name], took[alone.name], bar=bar, details={"calls": rounds * batch})


async def _time(timed: Timed, connected: Client) -> float:
    begin = time.perf_counter()
    await timed(connected)
    return (time.perf_counter() - begin) * 1000


async def _add(connected: Client) -> None:
    if (await connected.call_tool("add", {"a": 1, "b": 2})).is_error:
        raise RuntimeError("a call failed")


async def _mebibyte(connected: Client) -> None:
    if (await connected.call_tool("text", {"size": 1_048_576})).is_error:
        raise RuntimeError("a call failed")


async def _many(connected: Client) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(_add, connected)
