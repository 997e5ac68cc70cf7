"""A store that is away, closed or forgetful ends no more than it must: what waits, waits for it, too."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import cast

import anyio
import pytest
from mcp.server.mcpserver import Context
from mcp.types import ElicitResult

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreUnavailable
from handoffs.core.model import Caller, Handoff
from handoffs.core.ports import Channel, Reply
from handoffs.mcp_server.asking.pace import Pace
from handoffs.mcp_server.asking.progress import Progress
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.asking.wait_registry import WaitRegistry
from handoffs.mcp_server.server import build_server
from handoffs.store.postgres.connections import Patience
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.mcp_server.host import ERAS, KEY, Dialog, ask, by_script, host
from tests.store.postgres_server import cluster
from tests.store.relay import Relay, opened, relay
from tests.waiting import until

AWAY_SECONDS = 1.5
"""Three times as long as a call tries here."""


HASTY = Pace(progress=0.3, reading=0.3, last_look=0.2)
"""Of calls that give up sooner than a test would wait."""


@asynccontextmanager
async def desks(*channels: Channel) -> AsyncGenerator[tuple[Desk, Desk, Relay]]:
    """The desk of a server whose network can be cut, and the one of a person elsewhere."""
    server = cluster()
    url = server.url()
    async with relay(server.port) as network:
        through = url.replace(f":{server.port}/", f":{network.port}/")
        async with PostgresStore(through, patience=Patience(call=0.5)) as cut_off, PostgresStore(url) as store:
            here = Desk(store=cut_off, clock=SystemClock(), channels=channels)
            with anyio.fail_after(120):
                await opened(cut_off)
                yield here, Desk(store=store, clock=SystemClock()), network


async def asked(desk: Desk) -> Handoff:
    async with desk.watch() as watch:
        while not (found := await desk.newest(open_only=True)):
            await watch.changed()
    return found[0]


@pytest.mark.parametrize(("era", "dialog"), [("legacy", True), ("legacy", False), ("auto", False)])
@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_call_waits_through_it_and_its_dialog_stays_where_it_is(
    era: str, dialog: bool, comes_back: bool
) -> None:
    shown = Dialog(FakeClock()) if dialog else None
    async with desks() as (here, there, network):
        hold_seconds = 20 if comes_back else AWAY_SECONDS
        server = build_server(
            here, subject="ada", project="/shop", keys=[KEY], state_seconds=60, pace=HASTY, hold_seconds=hold_seconds
        )
        got: list[object] = []
        async with host(server, era, shown) as client, anyio.create_task_group() as tasks:

            async def call() -> None:
                result = await ask(client)
                got.append((result["status"], result.get("values")))

            tasks.start_soon(call)
            handoff = await asked(there)
            if shown is not None:
                await shown.open.wait()
            await anyio.sleep(0.2)  # by now the call waits
            await network.cut()
            await there.answer(handoff, {"response": "yes"}, by="bob", channel="inbox")
            if comes_back:
                await anyio.sleep(AWAY_SECONDS)
                assert (got, shown.withdrawn if shown else 0) == ([], 0)
                network.up = True
        assert got == [("SUCCESS", {"response": "yes"}) if comes_back else ("PENDING", None)]


@pytest.mark.parametrize("era", ERAS)
async def test_what_a_person_answers_meanwhile_is_kept_once_it_is_back(era: str) -> None:
    async with desks() as (here, there, network), anyio.create_task_group() as tasks:

        async def come_back() -> None:
            await anyio.sleep(AWAY_SECONDS)
            network.up = True

        async def person(_: object) -> ElicitResult:
            await network.cut()
            tasks.start_soon(come_back)
            return by_script(response="yes")

        server = build_server(
            here, subject="ada", project="/shop", keys=[KEY], state_seconds=60, pace=HASTY, hold_seconds=20
        )
        async with host(server, era, Dialog(FakeClock(), person)) as client:
            result = await ask(client)
        assert (result["status"], result["values"]) == ("SUCCESS", {"response": "yes"})
        assert [entry.name for entry in await there.log()] == ["opened", "answered", "collected"]


class Screen:
    """A channel that shows a question until it is withdrawn, or fails when it notes that."""

    name = "screen"

    def __init__(self, *, notes: bool) -> None:
        self.notes, self.cut, self.withdrawn = notes, anyio.Event(), anyio.Event()

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        try:
            await self.cut.wait()
            if self.notes:
                await reply.reached()
            await anyio.sleep_forever()
        finally:
            self.withdrawn.set()


@pytest.mark.parametrize("notes", [True, False])
async def test_a_channel_that_shows_a_question_meanwhile_takes_no_server_down(notes: bool) -> None:
    screen = Screen(notes=notes)
    async with desks(screen) as (here, there, network):
        async with here.presenting():
            handoff = await here.ask(message="Deploy?", caller=Caller(subject="ada"))
            await network.cut()
            screen.cut.set()
            await anyio.sleep(AWAY_SECONDS)
            assert screen.withdrawn.is_set() == notes
            network.up = True
            await there.answer(handoff, {"response": "yes"}, by="bob", channel="inbox")
            await screen.withdrawn.wait()
        assert (await here.get(handoff.id)).values == {"response": "yes"}


async def test_an_answer_through_a_channel_meanwhile_is_stored_once_it_is_back() -> None:
    class Person:
        name = "screen"

        async def present(self, handoff: Handoff, reply: Reply) -> None:
            await asked.wait()
            await reply.answer({"response": "yes"}, by="bob")

    asked = anyio.Event()
    async with desks(Person()) as (here, there, network), here.presenting():
        handoff = await here.ask(message="Deploy?", caller=Caller(subject="ada"))
        await network.cut()
        asked.set()
        await anyio.sleep(AWAY_SECONDS)
        network.up = True
        assert (await there.wait(handoff.id, seconds=10)).values == {"response": "yes"}


WHOSE = ContextVar("WHOSE", default="nobody")
CALLS = 60


class Told(Progress):
    def __init__(self, handoff: Handoff, told: Counter[tuple[str, str]]) -> None:
        super().__init__(handoff, cast("Context", None))
        self._told = told

    async def send(self) -> None:
        self._told[self.handoff.question.message, WHOSE.get()] += 1


@pytest.mark.parametrize("begun", ["before", "after"])
async def test_while_the_store_is_away_every_host_is_told_that_its_call_is_alive(begun: str) -> None:
    told = Counter[tuple[str, str]]()
    async with desks() as (here, _, network):
        handoffs = [await here.ask(message=f"{n}?", caller=Caller(subject="ada")) for n in range(CALLS)]
        looks = WaitRegistry(here, Shutdown(), HASTY)

        async def call(handoff: Handoff) -> None:
            with looks.wait(Told(handoff, told), seconds=None):
                await anyio.sleep_forever()

        async with anyio.create_task_group() as calls:
            if begun == "after":
                await network.cut()
            for handoff in handoffs:
                calls.start_soon(call, handoff)
            if begun == "before":
                await until(lambda: len(told) >= CALLS)
                await network.cut()
                await anyio.sleep(0.7)  # the reads that are under way fail after 0.5
            told.clear()
            await anyio.sleep(3)  # ten words' time
            alive = Counter(told)
            network.up = True
            calls.cancel_scope.cancel()
    assert len(alive) == CALLS
    assert min(alive.values()) >= 5


async def test_by_the_real_clock_too_nobody_is_lent_the_name_of_who_called_first(tmp_path: Path) -> None:
    told = Counter[tuple[str, str]]()
    async with SqliteStore(tmp_path / "a.db") as store:
        here = Desk(store=store, clock=SystemClock())
        looks = WaitRegistry(here, Shutdown(), Pace(progress=0.05))

        async def call(name: str) -> None:
            WHOSE.set(name)
            handoff = await here.ask(message=name, caller=Caller(subject=name))
            with looks.wait(Told(handoff, told), seconds=None):
                await anyio.sleep_forever()

        with anyio.fail_after(60):
            async with anyio.create_task_group() as calls:
                for name in ("ada", "bob", "eve"):
                    calls.start_soon(call, name)
                await until(lambda: len(told) >= 3 and told.total() >= 9)
                calls.cancel_scope.cancel()
    assert {whose for _, whose in told} == {"nobody"}


async def test_a_dialog_open_while_the_store_was_away_is_recorded_afterwards() -> None:
    shown = Dialog(FakeClock())
    async with desks() as (here, there, network):
        server = build_server(
            here, subject="ada", project="/shop", keys=[KEY], state_seconds=60, pace=HASTY, hold_seconds=20
        )
        async with host(server, "legacy", shown) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(ask, client)
            handoff = await asked(there)
            await shown.open.wait()
            await anyio.sleep(0.15)  # it is looked after, and not yet read
            await network.cut()
            await anyio.sleep(AWAY_SECONDS)
            network.up = True
            await until(there.log, lambda found: "reached" in [entry.name for entry in found])
            await there.answer(handoff, {"response": "yes"}, by="bob", channel="inbox")


async def test_a_question_the_store_forgot_leaves_the_screen_and_the_server_runs(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "a.db") as store:
        desk = Desk(store=store, clock=SystemClock(), channels=[Screen(notes=False)])
        async with desk.presenting():
            await desk.ask(message="Deploy?", caller=Caller(subject="ada"))
            await anyio.sleep(0.3)
            for file in tmp_path.glob("a.db*"):
                file.unlink()
            await anyio.sleep(1)


class Inbox:
    async def invite(self, handoff: Handoff) -> str | None:
        return "http://127.0.0.1:1/x"


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_wrong_with_the_store_is_said_beside_an_inbox_too(era: str, tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "a.db") as store:
        here = Desk(store=store, clock=SystemClock())
        server = build_server(
            here,
            subject="ada",
            project="/shop",
            keys=[KEY],
            state_seconds=60,
            pace=HASTY,
            hold_seconds=20,
            inbox=Inbox(),
        )
        async with host(server, era, None) as client, anyio.create_task_group() as tasks:

            async def close() -> None:
                await asked(here)
                await anyio.sleep(0.3)
                await store.aclose()

            tasks.start_soon(close)
            assert "is closed" in (await ask(client))["guidance"]


@pytest.mark.parametrize("reply", [1, 2])
async def test_a_reminder_is_sent_also_where_it_was_unknown_if_it_was_stored(reply: int) -> None:
    async with desks() as (here, _, network):
        handoff = await here.ask(message="Deploy?", caller=Caller(subject="ada"))
        network.cut_at, network.stays_cut = network.replies + reply, True
        with pytest.raises(StoreUnavailable):
            await here.remind(handoff, channel="notify", stage="asked")
        network.up = True

        async def remind() -> bool | None:
            try:
                return await here.remind(handoff, channel="notify", stage="asked")
            except StoreUnavailable:
                return None  # it has not connected again yet

        assert await until(remind, lambda sent: sent is not None) is True
        assert not await here.remind(handoff, channel="notify", stage="asked")
