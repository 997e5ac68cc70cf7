"""What the whole gate costs over HTTP on both sides: an allowed call, with policy, pins, grants and a token.

Yardsticks: the server behind alone, and fastmcp 4's proxy before it over HTTP; they check no token.
"""

import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from mcp import Client

from benchmarks import environment, servers
from benchmarks.clients import NEWER, OLDER, client
from benchmarks.plan import Plan
from benchmarks.table import Row, compared

BARS = {"direct": 1.35, "proxy": 0.50}


async def run(plan: Plan) -> list[Row]:
    """Return the rows."""
    rows: list[Row] = []
    for era in (OLDER, NEWER):
        took = await _in_turn(plan, era)
        for side, bar in BARS.items():
            if side in took:
                what = f"an allowed call through the gate over HTTP, {era}, against {side}"
                rows.append(compared(what, "ms", took["gate"], took[side], bar=bar))
    return rows


async def _in_turn(plan: Plan, era: str) -> dict[str, list[list[float]]]:
    """Let the sides take turns; return each one's milliseconds, in rounds."""
    rounds, batch = plan.pick(full=30, quick=4), plan.pick(full=10, quick=3)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="handoffs-bench-")))
        direct = await stack.enter_async_context(servers.serving(servers.plain(), folder))
        running = {"direct": direct}
        gate = servers.gate_before_url(folder, direct.url, "--allow", "add")
        running["gate"] = await stack.enter_async_context(servers.serving(gate, folder))
        try:
            proxy = servers.fastmcp_proxy_before_url(direct.url)
        except environment.Unavailable as error:
            plan.say(f"left out: fastmcp has no environment ({error})")
        else:
            running["proxy"] = await stack.enter_async_context(servers.serving(proxy, folder))
        sides = [(side, await stack.enter_async_context(client(each, era))) for side, each in running.items()]
        took: dict[str, list[list[float]]] = {side: [] for side in running}
        for turn in range(rounds + 1):
            for side, connected in sides:
                each = [await _add(connected, number) for number in range(batch)]
                if turn:  # the first warms up
                    took[side].append(each)
            sides.append(sides.pop(0))
        return took


async def _add(connected: Client, number: int) -> float:
    begin = time.perf_counter()
    with anyio.fail_after(60):
        result = await connected.call_tool("add", {"a": number, "b": 2})
    took = (time.perf_counter() - begin) * 1000
    if result.is_error or (result.structured_content or {}).get("result") != number + 2:
        raise RuntimeError(f"a call was answered with {result!r}")
    return took
