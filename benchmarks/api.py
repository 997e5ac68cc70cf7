"""One question and its answer by the HTTP interface for programs, against `handoff_to_user` over HTTP of one server.

Another process answers both kinds, as soon as it finds them in the store.
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx2
from mcp import Client

from benchmarks import servers
from benchmarks.clients import ANSWER, NEWER, OLDER, client, text_of
from benchmarks.plan import Plan
from benchmarks.table import Row, compared
from benchmarks.wakeup import answering

BAR = 0.7


async def run(plan: Plan) -> list[Row]:
    """Return a row for each era of MCP."""
    rounds, batch = plan.pick(full=40, quick=8), plan.pick(full=8, quick=5)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        store = str(folder / "handoffs.db")
        async with (
            servers.serving(servers.handoffs(folder, store=store), folder) as running,
            answering(store, "--at-once"),
            client(running, OLDER, person=None) as older,
            client(running, NEWER, person=None) as newer,
            httpx2.AsyncClient(base_url=running.url.removesuffix("/mcp"), headers=running.headers, timeout=30) as http,
        ):
            sides: dict[str, Callable[[str], Awaitable[None]]] = {
                "api": lambda message: _by_api(http, message),
                OLDER: lambda message: _by_mcp(older, message),
                NEWER: lambda message: _by_mcp(newer, message),
            }
            samples: dict[str, list[list[float]]] = {side: [] for side in sides}
            order = list(sides)
            for number in range(-1, rounds):
                for side in order:
                    took = await _batch(sides[side], f"{side}, round {number}", batch)
                    if number >= 0:  # the first one is to warm up
                        samples[side].append(took)
                order.append(order.pop(0))  # so that nobody always follows the same neighbour
    return [
        compared(
            f"one question and its answer, API, against handoff_to_user, HTTP, {era}", "ms", samples["api"],
            samples[era], bar=BAR, details={"questions": batch * rounds},
        )
        for era in (OLDER, NEWER)
    ]  # fmt: skip


async def _batch(ask: Callable[[str], Awaitable[None]], message: str, size: int) -> list[float]:
    took: list[float] = []
    with anyio.fail_after(60):
        for number in range(size):
            start = time.perf_counter()
            await ask(f"May I deploy build {number} of {message}?")
            took.append((time.perf_counter() - start) * 1000)
    return took


async def _by_api(http: httpx2.AsyncClient, message: str) -> None:
    got = await http.post("/v1/handoffs?wait=60", json={"message": message})
    if (got.json()["answer"] or {}).get("values") != {"response": ANSWER}:
        raise RuntimeError(f"asked {message!r} and got {got.text!r}")


async def _by_mcp(connected: Client, message: str) -> None:
    result = await connected.call_tool("handoff_to_user", {"message": message})
    while (content := result.structured_content or {}).get("status") == "PENDING":
        result = await connected.call_tool("check_handoff", {"handoff_id": content["handoffId"]})
    if ANSWER not in text_of(result):
        raise RuntimeError(f"asked {message!r} and got {text_of(result)!r}")
