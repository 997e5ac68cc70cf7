"""How much one caller may ask: at a desk over a real store, and as the model is told of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from handoffs.core.errors import QuotaUsedUp
from handoffs.core.model import Caller, Handoff
from handoffs.core.quota import Quota
from tests.mcp_server.host import Table, ask, host, table

ADA, BOB = Caller(subject="ada"), Caller(subject="bob")


def few(folder: Path, **most: int) -> object:
    return table(folder, quota=Quota(**most))  # type: ignore[arg-type]


async def asked(here: Table, message: str, caller: Caller = ADA, **arguments: float) -> Handoff:
    return await here.desk.ask(message=message, caller=caller, **arguments)  # type: ignore[arg-type]


async def refused(here: Table, message: str) -> QuotaUsedUp:
    before = await here.stored(), await here.names()
    with pytest.raises(QuotaUsedUp, match="Nothing was stored") as told:
        await asked(here, message)
    assert (await here.stored(), await here.names()) == before
    return told.value


async def test_a_caller_may_have_so_many_questions_open_and_another_caller_as_many(tmp_path: Path) -> None:
    async with few(tmp_path, open=2) as here:  # type: ignore[attr-defined]
        first = await asked(here, "one", timeout_seconds=600)
        await asked(here, "two")
        told = await refused(here, "three")
        assert told.again_at == first.question.deadline
        assert f"after {told.again_at + timedelta(minutes=1):%Y-%m-%d %H:%M} UTC" in str(told)
        assert (await asked(here, "one")).id == first.id  # to join asks nothing new
        await asked(here, "three", BOB)
        await here.desk.decline(first, by="ada", channel="inbox")
        await asked(here, "three")


async def test_a_question_that_is_past_its_deadline_takes_no_place(tmp_path: Path) -> None:
    async with few(tmp_path, open=1) as here:  # type: ignore[attr-defined]
        await asked(here, "one", timeout_seconds=60)
        assert (await refused(here, "two")).again_at == here.clock.now() + timedelta(seconds=60)
        here.clock.forward(60)
        await asked(here, "two")  # nobody has looked at the first since


async def test_a_caller_may_ask_so_many_new_questions_a_minute_whatever_became_of_them(tmp_path: Path) -> None:
    async with few(tmp_path, per_minute=2) as here:  # type: ignore[attr-defined]
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


async def test_a_callers_open_questions_may_have_so_many_bytes(tmp_path: Path) -> None:
    async with few(tmp_path, bytes=10_000) as here:  # type: ignore[attr-defined]
        first = await asked(here, "é" * 4_800)  # of two bytes each, and the form
        told = await refused(here, "x" * 400)
        assert told.again_at == first.question.deadline
        assert "9,7" in str(told)
        await asked(here, "x" * 400, BOB)
        await here.desk.decline(first, by="ada", channel="inbox")
        await asked(here, "x" * 400)


async def test_the_model_is_told_when_to_try_again_and_nothing_is_stored(tmp_path: Path) -> None:
    async with few(tmp_path, per_minute=1) as here:  # type: ignore[attr-defined]
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
