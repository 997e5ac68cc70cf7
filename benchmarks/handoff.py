"""One handoff that is answered at once: against a server that stores it in the cheapest way there is, and returns the
same; against an earlier build of ours; and against servers that store nothing."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from mcp import Client, StdioServerParameters

from benchmarks import environment, servers
from benchmarks.clients import NEWER, OLDER, client, hand_off
from benchmarks.plan import Plan
from benchmarks.table import Row, compared

BARS = {"stored": 1.10, environment.BEFORE: 0.85, servers.WITHOUT_LOG: 1.05}
"""Servers that store nothing have no bar: they return less, and wait for no disk."""

NEWER_VERSION = "2026-07-28"
LONGEST_SECONDS = 30.0
"""No more rounds after so long: on a busy machine fewer samples, not a longer wait."""


async def run(plan: Plan) -> list[Row]:
    """Return a row for each transport, era and yardstick."""
    rounds, batch = plan.pick(full=30, quick=6), plan.pick(full=8, quick=5)
    others = _yardsticks(plan)
    rows: list[Row] = []
    for transport in ("stdio", "HTTP"):
        for era in (OLDER, NEWER):
            samples = await measure(transport, era, others, rounds=rounds, batch=batch, earlier=has_earlier(plan))
            rows += [
                compared(
                    f"one handoff, {transport}, {era}, against {name}", "ms", samples["handoffs"], samples[name],
                    bar=BARS.get(name), details={"calls": batch * len(samples[name])},
                )
                for name in samples if name != "handoffs"
            ]  # fmt: skip
    return rows


def _yardsticks(plan: Plan) -> list[servers.Server]:
    try:
        return [servers.bare(), servers.fastmcp()]
    except environment.Unavailable as error:
        plan.say(f"left out: fastmcp has no environment ({error})")
        return [servers.bare()]


async def measure(
    transport: str,
    era: str,
    yardsticks: Sequence[servers.Server],
    *,
    rounds: int,
    batch: int,
    store: str | None = None,
    database: str | None = None,
    earlier: bool = False,
    earlier_store: str | None = None,
    unlogged_store: str | None = None,
) -> Mapping[str, list[list[float]]]:
    """Let the servers take turns; return each one's milliseconds, call by call, in batches.

    Ours is on `store`, else on a file of its own; what stores in the cheapest way, in `database` or in another file; an
    `earlier` build of ours on `earlier_store`, or in a file; ours without the verifiable log on `unlogged_store`, or in
    a file.
    """
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            clients: dict[str, Client] = {}
            for server in (
                servers.handoffs(folder, store=store),
                *yardsticks,
                servers.stored(folder, database=database),
                servers.without_log(_made(folder / "unlogged"), store=unlogged_store),
                *([servers.before(_made(folder / "earlier"), store=earlier_store)] if earlier else []),
            ):
                target: StdioServerParameters | servers.Running = server.stdio()
                if transport == "HTTP":
                    target = await stack.enter_async_context(servers.serving(server, folder))
                connected = await stack.enter_async_context(client(target, era))
                if (connected.protocol_version == NEWER_VERSION) is not (era == NEWER):
                    raise RuntimeError(f"{server.name} speaks {connected.protocol_version}, which is not the {era}")
                clients[server.name] = connected
            for name, connected in clients.items():
                await _batch(connected, f"{name}, warming up", batch)
            samples: dict[str, list[list[float]]] = {name: [] for name in clients}
            order = list(clients)
            give_up = time.monotonic() + LONGEST_SECONDS
            for number in range(rounds):
                if time.monotonic() > give_up:
                    break
                for name in order:
                    samples[name].append(await _batch(clients[name], f"{name}, round {number}", batch))
                order.append(order.pop(0))  # so that nobody always follows the same neighbour
            return samples


def has_earlier(plan: Plan) -> bool:
    """Say whether the earlier build can be measured, too."""
    try:
        environment.before(environment.BEFORE)
    except environment.Unavailable as error:
        plan.say(f"left out: the earlier build has no environment ({error})")
        return False
    return True


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _batch(connected: Client, message: str, size: int) -> list[float]:
    took: list[float] = []
    with anyio.fail_after(60):
        for number in range(size):
            # New words every time: the same question from the same caller joins the one before.
            question = f"May I deploy build {number} of {message}?"
            start = time.perf_counter()
            await hand_off(connected, question)
            took.append((time.perf_counter() - start) * 1000)
    return took
