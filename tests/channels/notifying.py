"""A notifier over a real store, on a clock that the test moves; and one in another process, as it is spoken to."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio

from handoffs.channels.notify import PAUSE_SECONDS, Notifier
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, Cursor, Handoff
from handoffs.core.reminders import GRACE
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.waiting import until

ROOT = Path(__file__).parents[2]
FIRST = GRACE + timedelta(seconds=PAUSE_SECONDS)
"""When the notifier looks for the first reminder: once it is due, and a moment later."""

CODEX = Caller(subject="ada", client="codex", project="/srv/shop")


class SeenDesk(Desk):
    """A desk of which a test can tell that the notifier has looked."""

    looks = 0
    seen: frozenset[str] = frozenset()

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        found = await super().newest(open_only=open_only, before=before, skip=skip, limit=limit)
        self.looks += 1
        self.seen |= {each.id for each in found}
        return found


class Running:
    """A notifier that runs, its desk and its clock."""

    def __init__(self, desk: SeenDesk, clock: FakeClock) -> None:
        self.desk, self.clock = desk, clock

    async def pass_time(self, seconds: float) -> None:
        """Move the clock on, and return, some minutes later, when all that is due then has been claimed."""
        self.clock.forward(seconds)
        looked = self.desk.looks
        # The first look that ends may have begun before; when the third has, the second one's claims are made.
        await self.until(lambda: self.desk.looks >= looked + 3)

    async def until_seen(self, handoff: Handoff) -> None:
        """Let no more time pass than until the notifier has seen the question."""
        await until(lambda: handoff.id in self.desk.seen, meanwhile=lambda: self.clock.forward_to_next(within=1))

    async def until_claimed(self, handoff: Handoff) -> None:
        """Let time pass until a reminder is on its way, and no further: what it says of the time comes later."""

        async def claimed() -> bool:
            return any(name == "reminded" for name, _ in await self.log(handoff))

        def pass_time() -> None:
            # From its time on the notifier needs no more of it, however long the store takes to read and write.
            if self.clock.now() - handoff.created_at < FIRST:
                self.pass_time_until_due()

        await until(claimed, meanwhile=pass_time)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Let time pass, look by look, until something has happened."""
        await until(happened, meanwhile=self.pass_time_until_due)

    def pass_time_until_due(self) -> None:
        self.clock.forward_to_next(within=60)

    async def log(self, handoff: Handoff) -> list[tuple[str, str]]:
        """What happened, each with its stage or reason."""
        entries = await self.desk.log(handoff_id=handoff.id)
        return [(each.name, each.details.get("stage") or each.details.get("reason", "")) for each in entries]


@asynccontextmanager
async def running(
    store: Path,
    notify: Sequence[str] = (),
    escalate: Sequence[str] = (),
    link: Callable[[str], str] | None = None,
    *,
    seconds: float = 20,
) -> AsyncGenerator[Running]:
    clock = FakeClock()
    async with SqliteStore(store) as kept:
        desk = SeenDesk(store=kept, clock=clock)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(Notifier(desk, notify, escalate, link, seconds=seconds).run)
                yield Running(desk, clock)
                tasks.cancel_scope.cancel()


class OtherNotifier:
    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._ear, self._mouth = process.stdin, process.stdout
        self.said = ""

    async def says(self, word: str) -> None:
        """Wait for it to have said a word once more."""
        before = self.said.count(f"{word}\n")
        while self.said.count(f"{word}\n") == before:
            self.said += (await self._mouth.receive()).decode()

    async def pass_time(self, seconds: float) -> None:
        await self._ear.send(f"{seconds}\n".encode())
        await self.says("looked")
