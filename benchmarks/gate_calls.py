"""What the whole gate costs, with its policy, pins, grants and questions: calls that are allowed, held or remembered.

Yardsticks: the server behind alone, fastmcp 4's proxy before it, one `handoff_to_user`, and one durable commit.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx
from mcp import Client
from mcp.types import ElicitRequestFormParams, ElicitResult

from benchmarks import environment, inbox_process, servers, usage
from benchmarks.clients import NEWER, OLDER, answers_at_once, client, hand_off
from benchmarks.plan import Plan
from benchmarks.table import Row, compared, percentile

DIRECT_BARS = {OLDER: 1.30, NEWER: 1.15}
PROXY_BAR, MEMORY_BAR = 0.40, 0.45
HELD_BAR, GRANT_BAR = 1.10, 1.10
READING_SECONDS = 1.05
"""How long the scripted person looks at a question: nobody believes a faster one. It does not count."""
MEDIAN_BAR_MS, WORST_BAR_MS = 10.0, 50.0

Timed = Callable[[Client, int], Awaitable[None]]


async def run(plan: Plan) -> list[Row]:
    """Return the rows."""
    return [
        *await _allowed(plan),
        *[await _held(plan, era) for era in (OLDER, NEWER)],
        await _granted(plan),
        *await _decided(plan),
    ]


async def _allowed(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    for era in (OLDER, NEWER):
        with TemporaryDirectory(prefix="handoffs-bench-") as name:
            folder = Path(name)
            behind = servers.plain()
            sides = {"gate": servers.gate(folder, behind, "--allow", "add"), "direct": behind}
            try:
                sides["proxy"] = servers.fastmcp_proxy(behind)
            except environment.Unavailable as error:
                plan.say(f"left out: fastmcp has no environment ({error})")
            took, resident = await _in_turn(plan, era, {side: (server, _add) for side, server in sides.items()})
            for side, bar in (("direct", DIRECT_BARS[era]), ("proxy", PROXY_BAR)):
                if side in took:
                    what = f"an allowed call through the gate, {era}, against {side}"
                    rows.append(compared(what, "ms", took["gate"], took[side], bar=bar))
            if era == NEWER and "proxy" in resident:
                ours, theirs = resident["gate"], resident["proxy"]
                rows.append(
                    Row(
                        what="resident memory of the gate, against fastmcp's proxy", unit="MiB", ours=ours,
                        yardstick=theirs, ratio=ours / theirs, bar=MEMORY_BAR,
                    )
                )  # fmt: skip
    return rows


async def _held(plan: Plan, era: str) -> Row:
    """Return the row of a call that the client's dialog allows at once, against a question that it answers at once."""
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        gate, ours = servers.gate(folder, servers.plain(), "--ask", "add"), servers.handoffs(folder)
        person = Person()
        took, _ = await _in_turn(plan, era, {"gate": (gate, _add), "handoffs": (ours, _ask)}, person)
        what = f"held and allowed at once by the dialog, {era}, against handoff_to_user"
        return compared(what, "ms", took["gate"], took["handoffs"], bar=HELD_BAR)


async def _granted(plan: Plan) -> Row:
    """Return the row of a call that a grant allows, against an allowed call whose server makes one durable commit."""
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        behind = servers.plain(folder)
        asking = servers.gate(folder, behind, "--ask", "add", "--name", "asking")
        allowing = servers.gate(folder, behind, "--allow", "kept", "--name", "allowing")
        sides: dict[str, tuple[servers.Server, Timed]] = {"grant": (asking, _add), "commit": (allowing, _keep)}
        took, _ = await _in_turn(plan, OLDER, sides, Person(remember="tool"))
        what = "a grant's use, against an allowed call and one durable commit"
        return compared(what, "ms", took["grant"], took["commit"], bar=GRANT_BAR)


async def _decided(plan: Plan) -> list[Row]:
    """Return how long a decision in the inbox takes until the call that it allowed has come back."""
    count, warm_up = plan.pick(full=200, quick=20), 5
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        server = servers.gate(Path(name), servers.plain(), "--ask", "add")
        async with (
            inbox_process.inbox(server) as inbox,
            inbox_process.person(inbox) as person,
            client(server.stdio(), OLDER, person=None) as connected,
        ):
            took = [await _in_the_inbox(connected, person, number) for number in range(warm_up + count)][warm_up:]
    return [
        Row(what=f"allowed in the inbox until the held call has come back, {what}", unit="ms", ours=ours, bar=bar)
        for what, ours, bar in (
            ("median", percentile(took, 50), MEDIAN_BAR_MS),
            ("p99", percentile(took, 99), WORST_BAR_MS),
        )
    ]


async def _in_turn(
    plan: Plan, era: str, sides: Mapping[str, tuple[servers.Server, Timed]], person: "Person | None" = None
) -> tuple[dict[str, list[list[float]]], dict[str, float]]:
    """Let the sides take turns; return each one's milliseconds, in rounds, and its first process's memory in MiB."""
    rounds, batch = plan.pick(full=30, quick=4), plan.pick(full=10, quick=3)
    if person is not None and not person.remember:
        rounds, batch = plan.pick(full=10, quick=3), plan.pick(full=3, quick=2)
    number = 0
    async with AsyncExitStack() as stack:
        connected: dict[str, Client] = {}
        pids: dict[str, int] = {}
        for side, (server, _) in sides.items():
            before = usage.children(os.getpid())
            connected[side] = await stack.enter_async_context(
                client(server.stdio(), era, person.decide if person else None)
            )
            (pids[side],) = usage.children(os.getpid()) - before
        took: dict[str, list[list[float]]] = {side: [] for side in sides}
        order = list(sides)
        for turn in range(rounds + 1):
            for side in order:
                each: list[float] = []
                for _ in range(batch):
                    number += 1
                    begin, looked = time.perf_counter(), person.looked if person else 0.0
                    with anyio.fail_after(60):
                        await sides[side][1](connected[side], number)
                    looked = (person.looked if person else 0.0) - looked
                    each.append((time.perf_counter() - begin - looked) * 1000)
                if turn:  # the first warms up
                    took[side].append(each)
            order.append(order.pop(0))
        return took, {side: usage.memory(pid)["rss"] / 1024 for side, pid in pids.items()}


class Person:
    """Looks at each question, allows each action, and answers each other question."""

    def __init__(self, *, remember: str = "") -> None:
        self.remember = remember
        self.looked = 0.0
        """For how many seconds, in all."""

    async def decide(self, context: object, params: object) -> ElicitResult:
        """Return the reply to one dialog."""
        begin = time.perf_counter()
        await anyio.sleep(READING_SECONDS)
        self.looked += time.perf_counter() - begin
        if not isinstance(params, ElicitRequestFormParams) or "decision" not in params.requested_schema["properties"]:
            return await answers_at_once(context, params)
        content: dict[str, str | int | float | bool | list[str] | None] = {"decision": "allow"}
        if self.remember:
            content["remember"] = self.remember
        return ElicitResult(action="accept", content=content)


async def _add(connected: Client, number: int) -> None:
    await _call(connected, "add", number)


async def _keep(connected: Client, number: int) -> None:
    await _call(connected, "kept", number)


async def _call(connected: Client, tool: str, number: int) -> None:
    result = await connected.call_tool(tool, {"a": number, "b": 2})
    if result.is_error or (result.structured_content or {}).get("result") != number + 2:
        raise RuntimeError(f"a call was answered with {result!r}")


async def _ask(connected: Client, number: int) -> None:
    await hand_off(connected, f"May I deploy build {number}?")


async def _in_the_inbox(connected: Client, person: httpx.AsyncClient, number: int) -> float:
    returned: list[float] = []

    async def ask() -> None:
        await _call(connected, "add", number)
        returned.append(time.perf_counter())

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            while not (cards := inbox_process.cards_of(page := (await person.get("/")).text)):
                await anyio.sleep(0.005)
            # Long enough that the call really waits, and never in step with anybody's polling.
            await anyio.sleep(0.02 + number * 0.0007 % 0.04)
            form = {"csrf": inbox_process.token_of(page), "field.decision": "allow", "note": ""}
            begun = time.perf_counter()
            reply = await person.post(f"/h/{cards[0]}/answer", data=form, headers={"accept": "application/json"})
            if reply.status_code >= 400:
                raise RuntimeError(f"the decision was answered with {reply.status_code}: {reply.text[:300]}")
    return (returned[0] - begun) * 1000
