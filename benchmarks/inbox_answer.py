"""How soon the waiting agent's call returns after a person has pressed Answer on the page."""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import anyio
import httpx
from mcp import Client

from benchmarks import inbox_process, servers
from benchmarks.clients import ANSWER, OLDER, client, text_of
from benchmarks.plan import Plan
from benchmarks.table import Row, percentile

MEDIAN_BAR_MS, WORST_BAR_MS = 10.0, 50.0
_FIELD = "field.response"

Sign: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[str]]
"""Returns what a passkey signs for the answer in a form, by the id of its question."""


async def run(plan: Plan) -> list[Row]:
    """Return the median and the 99th percentile. The clock starts before the form is sent."""
    count, warm_up = plan.pick(full=300, quick=30), 10
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        server = servers.handoffs(Path(name))
        async with (
            inbox_process.inbox(server) as inbox,
            inbox_process.person(inbox) as person,
            client(server.stdio(), OLDER, person=None) as connected,
        ):
            took = [await answered(connected, person, number) for number in range(warm_up + count)][warm_up:]
    returned, replied = zip(*took, strict=True)
    details = {"samples": count, "median until the page has its reply, in ms": percentile(replied, 50)}
    return [
        Row(what=f"answered on the page until the call returns, {what}", unit="ms", ours=ours, bar=bar, details=details)
        for what, ours, bar in (
            ("median", percentile(returned, 50), MEDIAN_BAR_MS),
            ("p99", percentile(returned, 99), WORST_BAR_MS),
        )
    ]


async def answered(
    connected: Client, person: httpx.AsyncClient, number: int, sign: Sign | None = None
) -> tuple[float, float]:
    """Ask, wait and be answered; return the milliseconds until the call returned, and until the page had its reply.

    What `sign` returns is posted beside the answer; the clock starts afterwards.
    """
    returned: list[float] = []
    message = f"May I deploy build {number}?"

    async def ask() -> None:
        result = await connected.call_tool("handoff_to_user", {"message": message})
        while (content := result.structured_content or {}).get("status") == "PENDING":
            result = await connected.call_tool("check_handoff", {"handoff_id": content["handoffId"]})
        returned.append(time.perf_counter())
        if ANSWER not in text_of(result):
            raise RuntimeError(f"the call returned {text_of(result)!r}")

    begun = replied = 0.0
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            page = await _page_with(person, message)
            # Long enough that the call really waits, and never in step with anybody's polling.
            await anyio.sleep(0.02 + number * 0.0007 % 0.04)
            card = inbox_process.cards_of(page)[0]
            form = {"csrf": inbox_process.token_of(page), _FIELD: ANSWER, "note": ""}
            if sign is not None:
                form["proof"] = await sign(card, form)
            begun = time.perf_counter()
            reply = await person.post(f"/h/{card}/answer", data=form, headers={"accept": "application/json"})
            replied = time.perf_counter()
            if reply.status_code >= 400:
                raise RuntimeError(f"the answer was answered with {reply.status_code}: {reply.text[:300]}")
    return (returned[0] - begun) * 1000, (replied - begun) * 1000


async def _page_with(person: httpx.AsyncClient, message: str) -> str:
    while message not in (page := (await person.get("/")).text):  # the question is on its way to the store
        await anyio.sleep(0.005)
    return page
