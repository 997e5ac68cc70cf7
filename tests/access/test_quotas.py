"""How much one caller may ask: at a desk over a real store of either engine, and as the model is told of it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from handoffs.assembly import store_at
from handoffs.core.desk import Desk
from handoffs.core.errors import QuotaUsedUp
from handoffs.core.model import Caller, Handoff
from handoffs.core.question import Limits
from handoffs.core.quota import Quota
from handoffs.setting_values import store_address
from tests.fakes import FakeClock
from tests.mcp_server.host import Table, ask, host, table
from tests.store.postgres_server import new_store

ADA, BOB = Caller(subject="ada"), Caller(subject="bob")

Few = Callable[..., AbstractAsyncContextManager[Table]]


@pytest.fixture(params=["sqlite", "postgresql"])
def few(request: pytest.FixtureRequest, tmp_path: Path) -> Few:
    """Give a replica, with a store of its own at an address that all of the test's share, and a quota."""
    address = str(tmp_path / "handoffs.db") if request.param == "sqlite" else new_store(tmp_path)

    @asynccontextmanager
    async def replica(**most: int) -> AsyncGenerator[Table]:
        clock = FakeClock()
        async with store_at(store_address(address)) as store:
            limits = Limits(quota=Quota(**most))
            yield Table(Desk(store=store, clock=clock, limits=limits), store, clock)  # type: ignore[arg-type]

    return replica


async def asked(here: Table, message: str, caller: Caller = ADA, **arguments: float) -> Handoff:
    return await here.desk.ask(message=message, caller=caller, **arguments)  # type: ignore[arg-type]


async def refused(here: Table, message: str) -> QuotaUsedUp:
    before = await here.stored(), await here.names()
    with pytest.raises(QuotaUsedUp, match="Nothing was stored") as told:
        await asked(here, message)
    assert (await here.stored(), await here.names()) == before
    return told.value


async def test_each_caller_may_have_so_many_questions_open(few: Few) -> None:
    async with few(open=2) as here:
        first = await asked(here, "one", timeout_seconds=600)
        await asked(here, "two")
        told = await refused(here, "three")
        assert told.again_at is not None
        assert told.again_at == first.question.deadline
        assert f"after {told.again_at + timedelta(minutes=1):%Y-%m-%d %H:%M} UTC" in str(told)
        assert (await asked(here, "one")).id == first.id  # to join asks nothing new
        await asked(here, "three", BOB)
        await here.desk.decline(first, by="ada", channel="inbox")
        await asked(here, "three")


async def test_a_question_that_is_past_its_deadline_takes_no_place(few: Few) -> None:
    async with few(open=1) as here:
        await asked(here, "one", timeout_seconds=60)
        assert (await refused(here, "two")).again_at == here.clock.now() + timedelta(seconds=60)
        here.clock.forward(60)
        await asked(here, "two")  # nobody has looked at the first since


async def test_a_callers_new_questions_a_minute_are_limited_even_when_they_ended(few: Few) -> None:
    async with few(per_minute=2) as here:
        first = await asked(here, "one")
        await here.desk.cancel(first, by="ada", channel="inbox")
        here.clock.forward(20)
        await asked(here, "two")
        assert (await asked(here, "two")).state == "open"
        told = await refused(here, "three")
        assert told.again_at == first.created_at + timedelta(seconds=60)
        assert "in 40 seconds" in str(told)
        await asked(here, "three", BOB)
        here.clock.forward(39)
        await refused(here, "three")
        here.clock.forward(1)
        await asked(here, "three")
        await refused(here, "four")


async def test_a_callers_open_questions_may_have_so_many_bytes(few: Few) -> None:
    async with few(bytes=10_000) as here:
        first = await asked(here, "é" * 4_800)  # of two bytes each, and the form
        told = await refused(here, "x" * 400)
        assert told.again_at == first.question.deadline
        assert "9,7" in str(told)
        await asked(here, "x" * 400, BOB)
        await here.desk.decline(first, by="ada", channel="inbox")
        await asked(here, "x" * 400)


@pytest.mark.parametrize("most", [{"open": 2}, {"per_minute": 2}, {"bytes": 9_000}], ids=lambda most: next(iter(most)))
async def test_of_replicas_asked_at_the_same_moment_one_gives_away_the_last_slot(
    few: Few, most: dict[str, int]
) -> None:
    async with few(**most) as one, few(**most) as other:
        for number in range(10):  # callers, each with one place left
            caller, kept, refused = Caller(subject=f"caller {number}"), list[str](), list[str]()

            async def ask_of(replica: Table, name: str, caller: Caller, kept: list[str], refused: list[str]) -> None:
                try:
                    # For two of this size there is room, not for three.
                    kept.append((await asked(replica, name.ljust(3_900, "."), caller)).id)
                except QuotaUsedUp as told:
                    refused.append(str(told))

            await ask_of(one, "first", caller, kept, refused)
            with anyio.fail_after(120):
                async with anyio.create_task_group() as tasks:
                    for again in range(8):
                        for replica in (one, other):
                            tasks.start_soon(ask_of, replica, f"{id(replica)} {again}", caller, kept, refused)
            assert (len(kept), len(refused)) == (2, 15)
            open_ones = await other.desk.newest_of(caller.subject, open_only=True)
            assert sorted(handoff.id for handoff in open_ones) == sorted(kept)
        assert await one.names() == ["opened"] * 20


async def test_the_model_is_told_when_to_try_again_and_nothing_is_stored(few: Few) -> None:
    async with few(per_minute=1) as here:
        async with host(here.server(hold_seconds=0), "auto") as client:
            assert (await ask(client, "one"))["status"] == "PENDING"
            assert (await ask(client, "one"))["status"] == "PENDING"
            told = await ask(client, "two")
            assert told["status"] == "ERROR"
            assert "try again in 60 seconds" in told["guidance"]
            assert await here.stored() == 1


async def test_without_a_quota_nothing_is_counted(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        for number in range(130):
            await asked(here, f"question {number}")
        assert await here.stored() == 130
