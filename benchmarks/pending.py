"""Many handoffs open at once in one HTTP session of the older era: every call ends, whatever the client's limits are.

The SDK's client has 100 connections; a server that lets a session hold more calls than that can never hear the answers.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from mcp import Client
from mcp.types import ElicitResult

from benchmarks import servers
from benchmarks.clients import OLDER, answers_at_once, client
from benchmarks.plan import Plan
from benchmarks.table import Row

CALLS = 150
PATIENCE_SECONDS = 40.0


class _Room:
    """People who look at their dialogs and answer when they are told to; counts how the calls go on."""

    def __init__(self) -> None:
        self.shown = 0
        self.ended: dict[str, int] = {}
        self.before_anybody_answered = 0
        self.everybody_is_served = anyio.Event()
        """Every call shows its dialog or has ended."""
        self.everything_has_ended = anyio.Event()
        self._go = anyio.Event()

    async def person(self, context: object, params: object) -> ElicitResult:
        self.shown += 1
        self._look()
        await self._go.wait()
        return await answers_at_once(context, params)

    async def call(self, connected: Client, number: int) -> None:
        try:
            result = await connected.call_tool("handoff_to_user", {"message": f"May I deploy build {number}?"})
            status = str((result.structured_content or {}).get("status"))
        except Exception as error:  # noqa: BLE001 - however a call fails, it has ended, and that is counted
            status = type(error).__name__
        self.ended[status] = self.ended.get(status, 0) + 1
        self._look()

    @property
    def done(self) -> int:
        return sum(self.ended.values())

    def answer(self) -> None:
        self.before_anybody_answered = self.done
        self._go.set()

    def _look(self) -> None:
        if self.shown + self.done >= CALLS:
            self.everybody_is_served.set()
        if self.done == CALLS:
            self.everything_has_ended.set()


async def run(plan: Plan) -> list[Row]:
    """Return the one row: how many calls never ended."""
    plan.say(f"{CALLS} calls at once")
    room, hung = _Room(), CALLS
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        async with servers.serving(servers.handoffs(folder), folder) as running:
            # A client whose calls hang can't say goodbye either.
            with anyio.move_on_after(3 * PATIENCE_SECONDS):
                async with client(running, OLDER, room.person) as connected, anyio.create_task_group() as tasks:
                    for number in range(CALLS):
                        tasks.start_soon(room.call, connected, number)
                    with anyio.move_on_after(PATIENCE_SECONDS):
                        await room.everybody_is_served.wait()
                    room.answer()
                    with anyio.move_on_after(PATIENCE_SECONDS):
                        await room.everything_has_ended.wait()
                    hung = CALLS - room.done
                    tasks.cancel_scope.cancel()
    details: dict[str, float | str] = {"dialogs": room.shown, "ended before an answer": room.before_anybody_answered}
    return [
        Row(
            what=f"{CALLS} pending in one HTTP session, older era: calls that hang",
            unit="calls",
            ours=hung,
            bar=0,
            details=details | {f"ended as {status}": count for status, count in sorted(room.ended.items())},
        )
    ]
