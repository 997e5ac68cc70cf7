"""What became of the same call before: three denials are a denial of the next one, and what was sent may have run."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.desk import Desk
from handoffs.core.model import SCRIPT, Caller, Handoff
from handoffs.core.stopping import stop_everything
from handoffs.gate.earlier_calls import earlier, ends_at, last_of_many_denials, may_have_run
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import ERAS, Home
from tests.fakes import FakeClock
from tests.gate.behind import ALLOW, DENY, Person, Shop, text_of

MINUTE = 60.0
ADA = Caller(subject="ada")


class Gate:
    """Asks about calls, over a store of its own and a clock that the test sets."""

    def __init__(self, desk: Desk, clock: FakeClock) -> None:
        self.desk, self.clock = desk, clock
        self.count = 0

    async def ask(self, number: int = 1) -> Handoff:
        self.count += 1
        return await self.desk.ask(
            message=f"Again {self.count}?", caller=ADA, form=action_form(editable=True), action=call(number)
        )

    async def deny(self, number: int = 1, *, channel: str = "inbox", heard: bool = True) -> None:
        values = {"decision": "deny"}
        denied = await self.desk.answer(await self.ask(number), values, by="ada", channel=channel)
        if heard:
            await self.desk.collect(denied)

    async def last(self, number: int = 1) -> Handoff | None:
        return last_of_many_denials(await earlier(self.desk, ADA.subject, call(number).digest), self.clock.now())


def call(number: int) -> Action:
    return Action(asker=Asker.GATE, server="shop", tool="delete_order", arguments=f'{{"number": {number}}}')


@asynccontextmanager
async def gate(folder: Path) -> AsyncGenerator[Gate]:
    clock = FakeClock()
    async with SqliteStore(folder / "store.db") as store:
        yield Gate(Desk(store=store, clock=clock), clock)


async def test_three_denials_within_an_hour_deny_the_same_call_for_an_hour(tmp_path: Path) -> None:
    async with gate(tmp_path) as asking:
        for minutes in (0, 29, 30):
            assert await asking.last() is None
            asking.clock.forward(minutes * MINUTE)
            await asking.deny()
        last = await asking.last()
        assert last is not None
        assert (ends_at(last) - asking.clock.now()).total_seconds() == 60 * MINUTE
        assert await asking.last(2) is None
        asking.clock.forward(60 * MINUTE - 1)
        assert await asking.last() == last
        asking.clock.forward(1)
        assert await asking.last() is None


async def test_denials_over_more_than_an_hour_do_not(tmp_path: Path) -> None:
    async with gate(tmp_path) as asking:
        for minutes in (0, 30, 31):
            asking.clock.forward(minutes * MINUTE)
            await asking.deny()
        assert await asking.last() is None


@pytest.mark.parametrize("instead", ["allow", "decline", "script", "stop", "cancel", "expire", "unheard"])
async def test_only_what_a_person_denied_counts_and_an_approval_ends_it(tmp_path: Path, instead: str) -> None:
    async with gate(tmp_path) as asking:
        desk = asking.desk
        await asking.deny()
        await asking.deny()
        match instead:
            case "allow":
                await asking.deny()
                await desk.answer(await asking.ask(), {"decision": "allow"}, by="ada", channel="inbox")
            case "decline":
                await desk.collect(await desk.decline(await asking.ask(), by="ada", channel="elicitation"))
            case "script":
                await asking.deny(channel=SCRIPT)
            case "stop":
                held = await asking.ask()
                await stop_everything(desk, by="ada", channel="inbox")
                await desk.collect(await desk.get(held.id))
            case "cancel":
                await desk.collect(await desk.cancel(await asking.ask(), by="ada", channel="inbox"))
            case "expire":
                held = await desk.ask(message="?", caller=ADA, action=call(1), timeout_seconds=60)
                asking.clock.forward(MINUTE)
                await desk.collect(await desk.get(held.id))
            case _:
                await asking.deny(heard=False)
        assert (await asking.last() is not None) is (instead == "decline")


async def test_a_call_that_may_have_run_is_found_behind_many_others(tmp_path: Path) -> None:
    async with gate(tmp_path) as asking:
        desk, digest = asking.desk, call(1).digest
        allowed = await desk.answer(await asking.ask(), {"decision": "allow"}, by="ada", channel="inbox")
        allowed = await desk.send(allowed, call="c_1")
        for number in range(2, 250):
            await asking.deny(number)
        assert await may_have_run(desk, await earlier(desk, ADA.subject, digest), waiting=())
        assert not await may_have_run(desk, await earlier(desk, ADA.subject, digest), waiting={"c_1"})
        assert not await may_have_run(desk, await earlier(desk, "eve", digest), waiting=())
        await desk.note_result(allowed, call="c_1", outcome="done")
        assert not await may_have_run(desk, await earlier(desk, ADA.subject, digest), waiting=())


@pytest.mark.parametrize("era", ERAS)
async def test_what_differs_from_the_call_allowed_last_is_shown(tmp_path: Path, era: str) -> None:
    shop, person = Shop(Home(tmp_path)), Person(ALLOW, DENY, {**ALLOW, "arguments": '{"number": 7}'}, DENY)
    async with shop.client(era, person) as client:
        for number in (1, 2, 3):
            await client.call_tool("delete_order", {"number": number})
    async with shop.client(era, person) as client:  # another process knows it from the store
        await client.call_tool("delete_order", {"number": 4})
    shown = [each.message for each in person.shown]
    assert "Since you last allowed" not in shown[0]
    for message, before, now in ((shown[1], 1, 2), (shown[2], 1, 3), (shown[3], 7, 4)):
        assert f'-  "number": {before}\n+  "number": {now}\n' in message
    assert shop.done == ["delete 1", "delete 7"]


@pytest.mark.parametrize("era", ERAS)
async def test_nobody_is_asked_a_fourth_time_and_the_log_says_so(tmp_path: Path, era: str) -> None:
    shop, person = Shop(Home(tmp_path)), Person(DENY, DENY, DENY, DENY)
    async with shop.client(era, person) as client:
        for _ in range(5):
            result = await client.call_tool("delete_order", {"number": 1})
        assert "three times within an hour" in text_of(result)
        await client.call_tool("delete_order", {"number": 2})
    assert len(person.shown) == 4
    assert shop.done == []
    async with shop.desk() as desk:
        names = [entry.name for entry in await desk.log()]
        [third] = {entry.handoff_id for entry in await desk.log() if entry.name == "deniedagain"}
    assert names.count("deniedagain") == 2
    assert "deniedagain" in shop.home.run("log", third).stdout
