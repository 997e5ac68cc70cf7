"""A clock that was set ends no question: what a process believes, and what the store keeps of it."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from handoffs.clock import Reading, SystemClock, boot_id, read_clocks
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, State
from handoffs.core.ports import Store
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.store import SqliteStore
from tests.store import postgres_server as postgres

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADA = Caller(subject="ada")

pytestmark = pytest.mark.skipif(
    read_clocks() is None or not boot_id(), reason="needs the time since the machine's start"
)


class Clocks:
    """The machine's own clocks, which can be set: `ahead` the one on the wall, `later` both."""

    def __init__(self) -> None:
        self.ahead = self.later = timedelta(0)

    def read(self) -> Reading:
        now = read_clocks()
        assert now is not None
        wall, since_boot = now.wall + self.ahead + self.later, now.since_boot + self.later
        return replace(now, wall=wall, since_boot=since_boot)


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "handoffs.db") if request.param == "sqlite" else postgres.new_store(tmp_path)


def store_with(address: str, clock: SystemClock) -> SqliteStore | PostgresStore:
    if address.startswith("postgresql:"):
        return PostgresStore(address, clock=clock)
    return SqliteStore(Path(address), clock=clock)


def near(one: datetime, other: datetime) -> bool:
    return abs(one - other) < MINUTE / 2


async def asked(store: Store, clock: SystemClock) -> str:
    desk = Desk(store=store, clock=clock)
    return (await desk.ask(message="Deploy?", timeout_seconds=HOUR.total_seconds(), caller=ADA)).id


async def test_a_clock_that_jumps_ahead_in_a_running_process_ends_nothing(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks()
    clock = SystemClock(clocks.read)
    async with store_with(address, clock) as store:
        handoff_id = await asked(store, clock)
        clocks.ahead = DAY
        desk = Desk(store=store, clock=clock)
        assert (await desk.get(handoff_id)).state is State.OPEN
        assert [each.state for each in await desk.newest(open_only=False)] == [State.OPEN]
        assert "1440 minutes ahead" in caplog.text
        assert len(caplog.records) == 1
        clocks.ahead = timedelta(0)
        assert near(clock.now(), clocks.read().wall)
        assert "right again" in caplog.text
        clocks.later = 2 * HOUR  # and what is really over, ends
        assert (await desk.get(handoff_id)).state is State.EXPIRED


async def test_a_clock_ahead_in_a_new_process_ends_nothing_and_answers_count(address: str) -> None:
    clock = SystemClock()
    async with store_with(address, clock) as store:
        handoff_id = await asked(store, clock)
    wrong = Clocks()
    wrong.ahead = DAY
    late = SystemClock(wrong.read)
    async with store_with(address, late) as store:
        desk = Desk(store=store, clock=late)
        assert (await desk.newest(open_only=True))[0].id == handoff_id
        assert near(late.now(), wrong.read().wall - DAY)
        said = await desk.answer(await desk.get(handoff_id), {"response": "yes"}, by="ada", channel="test")
        assert said.state is State.ANSWERED


async def test_an_end_that_was_recorded_stands(address: str) -> None:
    clocks = Clocks()
    clock = SystemClock(clocks.read)
    async with store_with(address, clock) as store:
        handoff_id = await asked(store, clock)
        clocks.later = 2 * HOUR
        desk = Desk(store=store, clock=clock)
        assert (await desk.get(handoff_id)).state is State.EXPIRED
        clocks.later = timedelta(0)
        assert (await desk.get(handoff_id)).state is State.EXPIRED


async def test_a_clock_that_was_behind_is_believed_by_a_file_store_after_an_hour(tmp_path: Path) -> None:
    clocks = Clocks()

    async def offset_of_a_new_process() -> timedelta:
        clock = SystemClock(clocks.read)
        async with SqliteStore(tmp_path / "handoffs.db", clock=clock) as store:
            await store.ids("")
            return clocks.read().wall - clock.now()

    assert abs(await offset_of_a_new_process()) < MINUTE
    clocks.ahead = DAY
    for later, astray in ((0 * HOUR, True), (HOUR / 2, True), (HOUR + MINUTE, False), (2 * HOUR, False)):
        clocks.later = later
        assert (await offset_of_a_new_process() > HOUR) is astray, later


async def test_a_running_process_believes_it_after_an_hour_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks()
    clock = SystemClock(clocks.read)
    clock.settle(clocks.read().offset)
    clocks.ahead = -DAY
    assert near(clock.now(), clocks.read().wall)  # the earlier of the two
    clocks.ahead = DAY
    assert near(clock.now(), clocks.read().wall - DAY)
    clocks.later = HOUR + MINUTE
    assert near(clock.now(), clocks.read().wall)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


async def test_a_store_that_can_not_be_written_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "handoffs.db"
    clock = SystemClock()
    async with SqliteStore(path) as store:
        handoff_id = await asked(store, clock)
        async with SqliteStore(path, clock=clock) as other:
            assert (await other.get(handoff_id)).id == handoff_id
