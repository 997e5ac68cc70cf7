"""What a gate remembers: definitions as people know them, permissions for later, and that everything is stopped."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from handoffs.clock import SystemClock
from handoffs.core.action import Action, Asker, definition_digest
from handoffs.core.grant import Grant, Reach, Stop
from handoffs.core.ports import Clock, Permissions
from handoffs.gate.policy_model import Remember, Terms
from handoffs.gate.remembered import Remembered
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import ERAS, Home
from tests.gate.behind import ALLOW, DENY, Person, Shop, text_of, waiting
from tests.waiting import until

eras = pytest.mark.parametrize("era", ERAS)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(Home(tmp_path))


def grants(shop: Shop) -> list[dict[str, Any]]:
    done = shop.home.run("grants", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_definition_is_the_same_however_it_is_written() -> None:
    assert definition_digest('{"a": 1, "b": [2.0]}') == definition_digest('{"b":[2],"a":1}')
    assert definition_digest('{"a": 1}') != definition_digest('{"a": 2}')
    assert definition_digest('{"a": "\\ud800"}') != definition_digest("")


@eras
async def test_a_changed_definition_asks_whatever_the_rule_allows(shop: Shop, era: str) -> None:
    rules = ("--allow", "*")
    async with shop.client(era, rules=rules) as client:
        await client.call_tool("delete_order", {"number": 1})
    shop.home.extra["SHOP_ABOUT"] = "Deletes every order."
    person = Person(DENY, ALLOW)
    async with shop.client(era, person, rules=rules) as client:
        denied = await client.call_tool("delete_order", {"number": 2})
        await client.call_tool("read_order", {"number": 2})  # of another tool nothing is asked
        await client.call_tool("delete_order", {"number": 3})
        await client.call_tool("delete_order", {"number": 4})  # known from now on
    assert denied.is_error
    assert shop.done == ["delete 1", "read 2", "delete 3", "delete 4"]
    assert '-  "description": "Deletes an order for good."' in person.shown[0].message
    assert '+  "description": "Deletes every order."' in person.shown[0].message


async def test_a_rule_may_say_that_changes_do_not_matter(shop: Shop) -> None:
    policy = shop.home.folder / "policy.toml"
    policy.write_text('[[rule]]\ntool = "*"\ndo = "allow"\npin = false\n')
    for about in ("Deletes one.", "Deletes all."):
        shop.home.extra["SHOP_ABOUT"] = about
        async with shop.client("legacy", rules=("--policy", str(policy))) as client:
            await client.call_tool("delete_order", {"number": 1})
    assert shop.done == ["delete 1", "delete 1"]


@eras
async def test_a_permission_for_these_arguments_is_for_no_others(shop: Shop, era: str) -> None:
    person = Person(ALLOW | {"remember": "exact-hour"}, DENY)
    async with shop.client(era, person) as client:
        for number in (1, 1, 1, 2):
            await client.call_tool("delete_order", {"number": number})
    assert shop.done == ["delete 1"] * 3
    assert len(person.shown) == 2


@eras
async def test_a_permission_for_the_session_ends_with_it(shop: Shop, era: str) -> None:
    person = Person(ALLOW | {"remember": "session"}, DENY)
    for numbers in ((1, 2), (3,)):
        async with shop.client(era, person) as client:
            for number in numbers:
                await client.call_tool("delete_order", {"number": number})
    assert len(person.shown) == 2
    assert shop.done == ["delete 1", "delete 2"]


async def test_a_permission_is_listed_and_revoked_with_effect_on_the_next_call(shop: Shop) -> None:
    person = Person(ALLOW | {"remember": "tool"}, DENY)
    async with shop.client("legacy", person) as client:
        for number in (1, 2):
            await client.call_tool("delete_order", {"number": number})
        [grant] = grants(shop)
        assert (grant["state"], grant["tool"], grant["uses"]) == ("active", "delete_order", 1)
        assert shop.home.run("grants", "--revoke", grant["id"]).returncode == 0
        result = await client.call_tool("delete_order", {"number": 3})
    assert "denied" in text_of(result)
    assert shop.done == ["delete 1", "delete 2"]
    assert grants(shop)[0]["state"] == "revoked"


async def test_a_permission_dies_with_the_definition_it_was_given_for(shop: Shop) -> None:
    async with shop.client("legacy", Person(ALLOW | {"remember": "tool"})) as client:
        await client.call_tool("delete_order", {"number": 1})
    shop.home.extra["SHOP_ABOUT"] = "Deletes every order."
    person = Person(DENY)
    async with shop.client("legacy", person) as client:
        await client.call_tool("delete_order", {"number": 2})
    assert len(person.shown) == 1
    assert shop.done == ["delete 1"]
    assert grants(shop)[0]["state"] == "revoked"


async def test_behind_a_gateways_name_nothing_is_remembered_beyond_the_session(shop: Shop) -> None:
    person = Person(ALLOW | {"remember": "session"}, DENY)
    for number in (1, 2):
        async with shop.client("legacy", person, name="mcp-proxy") as client:
            await client.call_tool("delete_order", {"number": number})
    offered = person.shown[0].requested_schema["properties"]["remember"]["oneOf"]
    assert [each["const"] for each in offered] == ["session"]
    assert shop.done == ["delete 1"]


async def test_a_rule_bounds_what_may_be_remembered(shop: Shop) -> None:
    policy = shop.home.folder / "policy.toml"
    policy.write_text('[[rule]]\ntool = "*"\ndo = "ask"\nremember = false\n')
    person = Person(ALLOW, ALLOW)
    async with shop.client("legacy", person, rules=("--policy", str(policy))) as client:
        for number in (1, 1):
            await client.call_tool("delete_order", {"number": number})
    assert all("remember" not in each.requested_schema["properties"] for each in person.shown)
    assert len(person.shown) == 2


@eras
async def test_while_everything_is_stopped_nothing_that_asks_runs(shop: Shop, era: str) -> None:
    person = Person(ALLOW | {"remember": "tool"}, ALLOW)
    async with shop.client(era, person) as client:
        await client.call_tool("delete_order", {"number": 1})
        assert "Everything is stopped" in shop.home.run("gate", "stop").stdout
        result = await client.call_tool("delete_order", {"number": 2})
        assert "stopped everything" in text_of(result)
        await client.call_tool("read_order", {"number": 2})
        assert shop.home.run("gate", "stop", "--lift").returncode == 0
        await client.call_tool("delete_order", {"number": 3})
    assert shop.done == ["delete 1", "read 2", "delete 3"]


async def test_to_stop_everything_denies_what_waits(shop: Shop) -> None:
    async with shop.client("legacy") as client, shop.desk() as desk, anyio.create_task_group() as tasks:
        results: list[Any] = []

        async def call() -> None:
            results.append(await client.call_tool("delete_order", {"number": 1}))

        tasks.start_soon(call)
        await waiting(desk)
        done = await shop.home.command("gate", "stop")
        assert b"1 call that waited was denied" in done.stdout, done.stderr
    assert "Everything was stopped" in text_of(results[0])
    assert shop.done == []


async def test_a_stop_before_the_dialogs_answer_counts_and_the_answer_is_kept(shop: Shop) -> None:
    async with shop.desk() as desk:

        class Late(Person):
            async def __call__(self, context: object, params: object) -> ElicitResult:
                reply = await super().__call__(context, params)
                # Only the stop itself, as a machine that dies before it denies what waits would leave it.
                await desk.permissions.stop(Stop(by="ada", at=desk.clock.now()))
                return reply

        async with shop.client("legacy", Late(ALLOW)) as client:
            stopped = await client.call_tool("delete_order", {"number": 1})
            assert shop.done == []
            await desk.permissions.lift()
            result = await client.call_tool("delete_order", {"number": 1})
        [asked] = await desk.newest(open_only=False)
        names = [entry.name for entry in await desk.history(asked.id)]
    assert "stopped everything" in text_of(stopped)
    assert (text_of(result), shop.done) == ("deleted 1", ["delete 1"])
    assert names == ["opened", "answered", "used", "sent", "result"]


@eras
async def test_a_permission_is_limited_by_conditions_and_uses_in_a_dialog(shop: Shop, era: str) -> None:
    limited = {"remember": "tool-hour", "conditions": ["force is false"], "uses": 2}
    person = Person(ALLOW | limited, DENY, DENY)
    async with shop.client(era, person) as client:
        for number, force in ((1, False), (2, False), (3, True), (4, False), (5, False)):
            result = await client.call_tool("delete_order", {"number": number, "force": force})
            if number == 3:
                assert "denied" in text_of(result)
                assert shop.home.run("grants", "--resume", grants(shop)[0]["id"]).returncode == 0
        [grant] = grants(shop)
    offered = person.shown[0].requested_schema["properties"]["conditions"]["items"]["enum"]
    assert offered == ["number is 1", "force is false"]
    assert shop.done == ["delete 1", "delete 2", "delete 4"]
    assert len(person.shown) == 3
    assert grant["conditions"] == [{"name": "force", "kind": "equals", "value": False}]
    assert (grant["state"], grant["uses"], grant["usesLeft"]) == ("used up", 2, 0)


async def test_conditions_and_uses_are_given_in_a_shell_and_shown(shop: Shop) -> None:
    limited = ("conditions=number is 1", "conditions=force is false", "remember=tool", "uses=5", "decision=allow")
    async with shop.client("legacy") as client, shop.desk() as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "delete_order", {"number": 1, "force": False})
        held = await waiting(desk)
        sets = [part for each in limited for part in ("--set", each)]
        done = await shop.home.command("answer", held.id, *sets)
        assert done.returncode == 0, done.stderr
    assert shop.done == ["delete 1"]
    assert len(grants(shop)[0]["conditions"]) == 2
    line = shop.home.run("grants").stdout
    assert "arguments where number is 1 and force is false" in line
    assert "5 left" in line


async def test_equal_calls_that_wait_for_one_answer_keep_one_permission(shop: Shop) -> None:
    async with shop.client("legacy") as client, shop.desk() as desk, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(client.call_tool, "delete_order", {"number": 7})
        first = await waiting(desk)
        await anyio.sleep(0.5)  # both wait for it
        remembered = {**ALLOW, "remember": "exact-hour", "uses": 1}
        await desk.answer(first, remembered, by="ada", channel="inbox")
        second = await waiting(desk, but=(first.id,))
        assert len(grants(shop)) == 1
        await desk.answer(second, DENY, by="ada", channel="inbox")


async def test_for_exact_arguments_conditions_say_nothing(shop: Shop) -> None:
    person = Person(ALLOW | {"remember": "exact-hour", "conditions": ["number is 1"], "uses": 1}, DENY)
    async with shop.client("legacy", person) as client:
        for _ in range(3):
            await client.call_tool("delete_order", {"number": 1})
    assert shop.done == ["delete 1", "delete 1"]
    assert grants(shop)[0]["conditions"] == []


# What a call costs: a grant that was used last is tried first, without a look at it


RULE = Terms(remember=Remember(reaches=frozenset({"exact", "tool"})))


def action(number: int = 1, *, about: str = "Deletes.") -> Action:
    definition = json.dumps({"name": "delete_order", "description": about})
    return Action(
        asker=Asker.GATE,
        server="shop",
        tool="delete_order",
        arguments=f'{{"number": {number}}}',
        definition=definition,
    )


def of_the_tool(grant_id: str, clock: Clock, **fields: Any) -> Grant:
    given = {"reach": Reach.TOOL, "created_at": clock.now(), "definition": action().known_by, **fields}
    return Grant(
        id=grant_id,
        subject="ada",
        project="/shop",
        server="shop",
        tool="delete_order",
        by="ada",
        channel="inbox",
        handoff_id="h_1",
        **given,
    )


def remembered(store: SqliteStore, clock: Clock) -> Remembered:
    return Remembered(store.permissions, clock, server="shop", subject="ada", project="/shop", session="s")


async def _revoke(there: Permissions, clock: Clock) -> None:
    assert await there.revoke("g_1", at=clock.now())


async def _suspend(there: Permissions, clock: Clock) -> None:
    assert await there.suspend("g_1", at=clock.now())


async def _end(there: Permissions, clock: Clock) -> None:
    assert await there.end_grants(server="shop", tool="delete_order", at=clock.now()) == 1


async def _stop(there: Permissions, clock: Clock) -> None:
    assert await there.stop(Stop(by="ada", at=clock.now()))


async def _use_up(there: Permissions, clock: Clock) -> None:
    assert await there.use("g_1", at=clock.now())


@pytest.mark.parametrize("change", [_revoke, _suspend, _end, _stop, _use_up])
async def test_what_another_machine_ends_allows_not_even_the_next_call(
    tmp_path: Path, change: Callable[[Permissions, Clock], Awaitable[None]]
) -> None:
    clock = SystemClock()
    async with SqliteStore(tmp_path / "a.db") as here, SqliteStore(tmp_path / "a.db") as elsewhere:
        gate = remembered(here, clock)
        await here.permissions.grant(of_the_tool("g_1", clock, uses_left=3))
        assert [(await gate.allows(action(number), RULE)) is not None for number in (1, 2)] == [True, True]
        await change(elsewhere.permissions, clock)
        assert await gate.allows(action(3), RULE) is None
        [grant] = await here.permissions.grants()
        assert grant.uses == (3 if change is _use_up else 2)


async def test_a_grant_that_was_used_last_allows_no_more_than_before(tmp_path: Path) -> None:
    clock = SystemClock()
    async with SqliteStore(tmp_path / "a.db") as store:
        gate, exact = remembered(store, clock), action(7).digest
        await store.permissions.grant(of_the_tool("g_1", clock, reach=Reach.EXACT, arguments_digest=exact))
        assert await gate.allows(action(7), RULE) is not None
        assert await gate.allows(action(8), RULE) is None
        assert await gate.allows(action(7, about="Deletes all."), RULE) is None
        assert await gate.allows(action(7), Terms(remember=Remember(reaches=frozenset({"tool"})))) is None
        assert await gate.allows(action(7), RULE) is not None
        ends = clock.now() + timedelta(seconds=3)
        await store.permissions.grant(of_the_tool("g_2", clock, expires_at=ends))
        assert await gate.allows(action(8), RULE) is not None
        await until(lambda: clock.now() > ends, bool)
        assert await gate.allows(action(8), RULE) is None
        assert await gate.allows(action(7), RULE) is not None


async def test_what_changed_while_the_store_was_away_asks_once_it_is_back(shop: Shop) -> None:
    rules = ("--allow", "*")
    async with shop.client("legacy", rules=rules) as client:
        await client.call_tool("delete_order", {"number": 1})
    shop.home.extra["SHOP_ABOUT"] = "Deletes every order."
    person = Person(DENY)
    away = shop.home.store.rename(shop.home.folder / "away.db")
    shop.home.store.mkdir()  # no store can be opened there
    async with shop.client("legacy", person, rules=rules) as client:
        await client.call_tool("delete_order", {"number": 2})
        assert shop.done == ["delete 1", "delete 2"]
        shop.home.store.rmdir()
        away.rename(shop.home.store)

        async def denied() -> bool:
            return (await client.call_tool("delete_order", {"number": 3})).is_error is True

        await until(denied, bool)
    assert len(person.shown) == 1


async def test_a_denial_that_no_call_waits_for_suspends_permissions(shop: Shop) -> None:
    async with shop.client("legacy", Person(ALLOW | {"remember": "exact-hour"})) as client:
        await client.call_tool("delete_order", {"number": 1})
    shop.home.extra["HANDOFFS_HOLD_SECONDS"] = "1"
    async with shop.desk() as desk, shop.client("legacy") as client:
        assert "has not decided yet" in text_of(await client.call_tool("delete_order", {"number": 2}))
        asked = await waiting(desk)
        assert shop.home.run("answer", asked.id, "--set", "decision=deny").returncode == 0
        assert [each["state"] for each in grants(shop)] == ["suspended"]
        assert "has not decided yet" in text_of(await client.call_tool("delete_order", {"number": 1}))
    assert shop.done == ["delete 1"]


async def test_permissions_count_again_once_a_stop_is_lifted(shop: Shop) -> None:
    async with shop.client("legacy", Person(ALLOW | {"remember": "exact-hour"})) as client:
        await client.call_tool("delete_order", {"number": 1})
    async with shop.desk() as desk, shop.client("legacy") as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "delete_order", {"number": 2})
            await waiting(desk)
            assert (await shop.home.command("gate", "stop")).returncode == 0
        assert shop.home.run("gate", "stop", "--lift").returncode == 0
        await client.call_tool("delete_order", {"number": 1})
    assert shop.done == ["delete 1", "delete 1"]
