"""Two gates on one store, killed at random with the servers behind them: no call runs twice, or unasked."""

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded
from handoffs.core.model import Handoff, State
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.gate.wires import STUB, Wire, call, received, wire
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")

CALLS, KILLS, SECONDS = 60, 24, 240
CUT = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)


@dataclass
class Machine:
    """A host that starts its gate again each time that it is gone."""

    home: Home
    gate: Wire | None = None
    starts: int = 0
    waiting: dict[int, "_Reply"] = field(default_factory=dict[int, "_Reply"])

    async def serve(self) -> None:
        """Keep a gate running; tell the calls that were cut off when it ends."""
        while True:
            self.starts += 1
            with suppress(*CUT):
                async with wire(self.home, "--ask", "pay", seconds=SECONDS) as gate:
                    await gate.begin()
                    self.gate = gate
                    while True:
                        message = await gate.next()
                        if (reply := self.waiting.pop(message.get("id"), None)) is not None:  # type: ignore[arg-type]
                            reply.message = message
                            reply.came.set()
            self.gate = None
            cut, self.waiting = self.waiting, {}
            for reply in cut.values():
                reply.came.set()

    async def call(self, number: int, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """Return the response; None where the gate has ended before it came."""
        if self.gate is None:
            return None
        reply = self.waiting[number] = _Reply()
        with suppress(*CUT):
            await self.gate.send(call(number, "pay", arguments))
        await reply.came.wait()
        return reply.message

    def kill(self, which: str) -> bool:
        """Kill the gate, or the server behind it."""
        if self.gate is None:
            return False
        pid = self.gate.process.pid
        with suppress(OSError):
            if which == "server":
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                if not children:  # it has not started yet, or has just ended: the next one is killed
                    return False
                [pid] = map(int, children)
            os.kill(pid, signal.SIGKILL)
            return True
        return False


class _Reply:
    def __init__(self) -> None:
        self.came = anyio.Event()
        self.message: dict[str, Any] | None = None


@asynccontextmanager
async def desk_over(home: Home) -> AsyncGenerator[Desk]:
    async with SqliteStore(home.store) as store:
        yield Desk(store=store, clock=SystemClock())


def number_of(handoff: Handoff) -> int:
    assert handoff.question.action is not None
    number = handoff.question.action.values["order"]
    assert isinstance(number, int)
    return number


async def decide(desk: Desk, chance: random.Random) -> None:
    """Decide on what is asked, as somebody does who reads it: what may have run is not allowed again."""
    async with desk.watch() as watch:
        while True:
            for handoff in await desk.newest(open_only=True):
                values = {"decision": "allow"}
                if chance.random() < 0.25 or "may have run" in handoff.question.message:
                    values = {"decision": "deny"}
                elif chance.random() < 0.4:
                    values |= {"arguments": f'{{"order": {number_of(handoff)}, "edited": true}}'}
                with suppress(AlreadyEnded):
                    await desk.answer(handoff, values, by="ada", channel="inbox")
                await anyio.sleep(chance.uniform(0, 0.2))
            with anyio.move_on_after(0.2):
                await watch.changed()


async def test_killed_at_random_no_call_runs_twice_or_unasked(tmp_path: Path) -> None:
    chance = random.Random(7)
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "3", "STUB_CALL_SECONDS": "0.4"})
    machines = [Machine(home), Machine(home)]
    told: dict[int, str] = {}
    kills: Counter[str] = Counter()

    async def agent(number: int) -> None:
        """Send the same call again until it is said what became of it."""
        await anyio.sleep(number * 0.25)
        attempt = 0
        while True:
            attempt += 1
            reply = await chance.choice(machines).call(number * 1_000 + attempt, {"order": number})
            if reply is not None and "has not decided yet" not in str(reply):
                told[number] = str(reply)
                return
            await anyio.sleep(0.1)

    async def kill() -> None:
        while len(told) < CALLS and kills.total() < KILLS:
            await anyio.sleep(chance.uniform(0.2, 0.9))
            which = "gate" if kills["gate"] <= kills["server"] else "server"
            kills[which] += chance.choice(machines).kill(which)

    with anyio.fail_after(SECONDS):
        async with desk_over(home) as desk, anyio.create_task_group() as around:
            for machine in machines:
                around.start_soon(machine.serve)
            around.start_soon(decide, desk, chance)
            async with anyio.create_task_group() as agents:
                agents.start_soon(kill)
                for number in range(CALLS):
                    agents.start_soon(agent, number)
            around.cancel_scope.cancel()
        async with desk_over(home) as desk:
            asked = await desk.newest(open_only=False)
            events = {each.id: [entry.name for entry in await desk.history(each.id)] for each in asked}

    assert min(kills["gate"], kills["server"]) >= 3
    got = received(home.folder / "journal")
    ran = [each["params"]["arguments"] for each in got if each.get("method") == "tools/call"]
    twice = {order: count for order, count in Counter(each["order"] for each in ran).items() if count > 1}
    assert twice == {}

    allowed = [each for each in asked if each.state is State.ANSWERED and (each.values or {})["decision"] == "allow"]
    approved = {
        number_of(each): {"order": number_of(each)} | ({"edited": True} if (each.values or {}).get("arguments") else {})
        for each in allowed
        if "sent" in events[each.id]
    }
    assert [each for each in ran if approved.get(each["order"]) != each] == []

    # One that nobody has collected waits for the same call, which its agent was told to send again.
    unsent = [each for each in allowed if "sent" not in events[each.id]]
    lost = [each.id for each in unsent if each.collected_at is not None]
    assert lost == []
    orders = {each["order"] for each in ran}
    missing = [each for each in allowed if "sent" in events[each.id] and number_of(each) not in orders]
    assert [each.id for each in missing if "result" in events[each.id]] == []
    for each in missing:  # sent, and not run: its agent was told that it may have run, or the person was
        again = [other for other in asked if number_of(other) == number_of(each) and other.id != each.id]
        said = any("may have run" in other.question.message for other in again)
        assert said or "It may have run" in told[number_of(each)]


async def test_allowed_calls_leave_no_process_over(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ends = 0

    async def session(number: int) -> None:
        nonlocal ends
        async with few, wire(home, "--allow", "*") as client:
            await client.begin()
            for each in range(20):
                await client.send(call(each, "pay"))
                await client.reply(each)
            match number % 3:
                case 0:
                    client.process.kill()
                case 1:
                    assert client.process.stdin is not None
                    await client.process.stdin.aclose()
                case _:
                    client.process.terminate()
            await client.process.wait()
            ends += 1

    few = anyio.Semaphore(3)
    async with anyio.create_task_group() as tasks:
        for number in range(15):
            tasks.start_soon(session, number)
    assert ends == 15
    await until(lambda: _running(str(tmp_path)), lambda found: found == [])


def _running(word: str) -> list[str]:
    found: list[str] = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if word in line and str(STUB) in line:
                found.append(line)
    return found
