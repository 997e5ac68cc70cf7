"""What `HandoffGate` costs a Strands agent: a call of a Python tool that a rule allows ÷ the same agent without it.

A scripted model makes one call a turn, so a call is a whole turn of the agent's loop; its tool returns at once.
"""

import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import servers
from benchmarks.plan import Plan
from benchmarks.table import Row, compared


async def run(plan: Plan) -> list[Row]:
    """Return the one row: milliseconds for each call."""
    if find_spec("strands") is None:
        plan.say("left out: strands is not installed")
        return []
    rounds, calls = plan.pick(full=30, quick=4), plan.pick(full=20, quick=5)
    with TemporaryDirectory(prefix="handoffs-bench-") as name, _settings(servers.handoffs(Path(name)).settings):
        from handoffs.strands_gate import HandoffGate

        took: dict[str, list[list[float]]] = {"gate": [], "plain": []}
        with HandoffGate(allow=["add"]) as gate:
            plugins: dict[str, list[Any]] = {"gate": [gate], "plain": []}
            order = list(plugins)
            for turn in range(rounds + 1):
                for side in order:
                    each = await _milliseconds(plugins[side], calls)
                    if turn:  # the first warms up, and starts the gate's thread
                        took[side].append([each])
                order.reverse()
    what = "an allowed call through HandoffGate ÷ the same agent without it"
    return [compared(what, "ms", took["gate"], took["plain"], bar=None)]


async def _milliseconds(plugins: list[Any], calls: int) -> float:
    """Return how long one call took, on the average of a run of a new agent that makes so many, one a turn."""
    from strands import Agent, tool

    from handoffs.strands import ScriptedModel

    made: list[int] = []

    @tool
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        made.append(a)
        return a + b

    # The agent's first call also lists its tools for the gate: it is not counted.
    turns = [[("add", {"a": number, "b": 2})] for number in range(calls)]
    agent = Agent(model=ScriptedModel(turns[0], "Warm.", *turns, "Done."), tools=[add], plugins=plugins,
                  callback_handler=None)  # fmt: skip
    await agent.invoke_async("Go!")
    begin = time.perf_counter()
    await agent.invoke_async("Go on!")
    took = time.perf_counter() - begin
    if len(made) != calls + 1:
        raise RuntimeError(f"{len(made)} calls ran, not {calls + 1}")
    return took / calls * 1000


@contextmanager
def _settings(values: Mapping[str, str]) -> Generator[None]:
    """Have this process read these settings alone; the gate is in it."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("HANDOFFS_")]:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
