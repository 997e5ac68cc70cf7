"""What sessions of the older era cost over HTTP: a thousand calls that wait, and a thousand sessions that are over."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import httpx2
from mcp.types import ElicitResult

from benchmarks import servers, usage
from benchmarks.clients import OLDER, client, hand_off
from benchmarks.plan import Plan
from benchmarks.table import Row

SESSIONS, CALLS = 20, 50
"""A session holds no more than 90 calls."""

BAR = 1.10
FINISHED_BAR = 1.0
"""MiB for a thousand sessions: what was theirs is there for the next ones."""

PATIENCE_SECONDS = 120.0
SETTLE_SECONDS = 1.5


async def run(plan: Plan) -> list[Row]:
    """Return the rows."""
    sessions, rounds = plan.pick(full=SESSIONS, quick=4), plan.pick(full=300, quick=50)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        ours = servers.handoffs(folder)
        plan.say(f"{sessions * CALLS} calls that wait, on four servers")
        # A credential costs either server some KiB a call, so like is compared with like.
        sides = {
            "neither asks for a token": (
                replace(ours, settings={**ours.settings, "HANDOFFS_TOKENS": "off"}),
                servers.bare(),
            ),
            "both ask for a token": (ours, servers.guarded()),
        }
        held = {what: [await _holding(server, folder, sessions) for server in each] for what, each in sides.items()}
        plan.say(f"{3 * rounds} sessions, one after the other")
        grown = await _growth(servers.handoffs(folder), folder, rounds)
    return [
        *(
            Row(
                what=f"{sessions * CALLS:,} open calls, HTTP, older era, {what}: resident memory against bare",
                unit="MiB",
                ours=mine,
                yardstick=bare,
                ratio=mine / bare,
                bar=BAR,
            )
            for what, (mine, bare) in held.items()
        ),
        Row(
            what=f"{rounds:,} finished sessions more, HTTP, older era: memory gained",
            unit="MiB",
            ours=grown,
            bar=FINISHED_BAR,
        ),
    ]


async def _holding(server: servers.Server, folder: Path, sessions: int) -> float:
    """Return what a server holds, in MiB, while each of its sessions has its calls open in a dialog."""
    shown, everybody, held = 0, anyio.Event(), 0.0

    async def person(context: object, params: object) -> ElicitResult:
        nonlocal shown
        shown += 1
        if shown == sessions * CALLS:
            everybody.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def session(number: int, running: servers.Running) -> None:
        async with client(running, OLDER, person) as connected, anyio.create_task_group() as calls:
            for call in range(CALLS):
                message = f"May I deploy build {number}.{call}?"
                calls.start_soon(connected.call_tool, "handoff_to_user", {"message": message})

    async with servers.serving(server, folder) as running:
        try:
            async with anyio.create_task_group() as tasks:
                for number in range(sessions):
                    tasks.start_soon(session, number, running)
                with anyio.fail_after(PATIENCE_SECONDS):
                    await everybody.wait()
                await anyio.sleep(SETTLE_SECONDS)
                held = usage.memory(running.pid)["rss"] / 1024
                tasks.cancel_scope.cancel()
        except* httpx2.ReadError:
            if not held:  # else a client was reading as it was cut off
                raise
    return held


async def _growth(server: servers.Server, folder: Path, rounds: int) -> float:
    """Return by how much a server has grown, in MiB, over the last third of its sessions, of which each asked once."""
    async with servers.serving(server, folder) as running:
        for number in range(3 * rounds):
            if number == 2 * rounds:
                before = usage.memory(running.pid)["rss"]
            async with client(running, OLDER) as connected:
                await hand_off(connected, f"May I deploy build {number}?")
        await anyio.sleep(SETTLE_SECONDS)
        return (usage.memory(running.pid)["rss"] - before) / 1024
