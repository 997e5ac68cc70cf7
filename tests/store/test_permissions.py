"""What every store keeps for a gate, engine by engine: each sentence of the port `Permissions`."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoffs.core.errors import AlreadyEnded, Stopped, StoreCorrupt, StoreError
from handoffs.core.events import Collected, Declined, Reached, Sent, Used
from handoffs.core.grant import Condition, Grant, Pin, Reach, Stop, new_grant_id
from handoffs.core.model import State
from handoffs.core.ports import Permissions
from handoffs.store import OpenStore
from handoffs.store.sqlite.store import SqliteStore
from tests.core.strategies import ASKED
from tests.store.backends import BACKENDS
from tests.store.conftest import Place
from tests.store.processes import other_processes
from tests.store.samples import LATER, LONG_AGO, answered, permission, sample
from tests.store.test_prune import pruned

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)


def a_pin(tool: str, *, server: str = "shop", digest: str = "d1", at: datetime = ASKED) -> Pin:
    return Pin(server=server, tool=tool, digest=digest, definition=f'{{"name":"{tool}"}}', pinned_at=at)


async def kept(store: OpenStore, *given: Grant) -> None:
    for each in given:
        await store.permissions.grant(each)


# Pins


async def test_a_later_pin_takes_the_place_of_the_one_before(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.permissions, same_store.permissions
    assert await here.pins("shop") == {}
    await here.pin([a_pin("read"), a_pin("write"), a_pin("read", server="blog")])
    assert await there.pins("shop") == {"read": a_pin("read"), "write": a_pin("write")}
    changed = a_pin("write", digest="d2", at=LATER)
    await there.pin([changed, a_pin("new")])
    assert await here.pins("shop") == {"read": a_pin("read"), "write": changed, "new": a_pin("new")}
    assert await here.pins("blog") == {"read": a_pin("read", server="blog")}


async def test_servers_are_found_with_the_time_of_their_oldest_pin(store: OpenStore) -> None:
    kept = store.permissions
    assert await kept.servers() == []
    await kept.pin([a_pin("read"), a_pin("write", at=LATER), a_pin("read", server="blog", at=LATER)])
    assert [(each.server, each.first, each.tools) for each in await kept.servers()] == [
        ("blog", LATER, 1),
        ("shop", a_pin("read").pinned_at, 2),
    ]
    assert [each.server for each in await kept.servers(limit=1)] == ["blog"]


async def test_of_two_pins_of_one_tool_the_last_is_kept(store: OpenStore) -> None:
    await store.permissions.pin([a_pin("read"), a_pin("read", digest="d2")])
    await store.permissions.pin([])
    assert await store.permissions.pins("shop") == {"read": a_pin("read", digest="d2")}


async def test_unpinned_are_the_tools_that_are_named_and_no_others(store: OpenStore, same_store: OpenStore) -> None:
    await store.permissions.pin([a_pin(name) for name in ("read", "write", "list")] + [a_pin("read", server="blog")])
    await store.permissions.unpin("shop", ["read", "list", "never seen"])
    await store.permissions.unpin("shop", [])
    assert set(await same_store.permissions.pins("shop")) == {"write"}
    assert set(await same_store.permissions.pins("blog")) == {"read"}


# Grants

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.none() | st.integers(0, 10**16).map(lambda micro: ASKED + timedelta(microseconds=micro))
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
condition = st.builds(Condition, name=texts, kind=st.just("prefix"), value=texts) | st.builds(
    Condition, name=texts, kind=st.just("equals"), value=st.none() | st.booleans() | numbers | st.text(max_size=9)
)
any_grant = st.builds(
    permission,
    subject=texts,
    project=texts,
    server=texts,
    tool=texts,
    definition=texts,
    reach=st.sampled_from(Reach),
    arguments_digest=texts,
    conditions=st.lists(condition, max_size=3).map(tuple),
    session=texts,
    by=texts,
    channel=texts,
    handoff_id=texts,
    expires_at=times,
    uses_left=st.none() | st.integers(0, 2**40),
    uses=st.integers(0, 2**40),
    last_used_at=times,
    revoked_at=times,
    suspended_at=times,
)
on_one_store = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@on_one_store
@given(any_grant)
async def test_any_grant_comes_back_equal(store: OpenStore, made: Grant) -> None:
    fresh = replace(made, id=new_grant_id(), subject=made.subject + new_grant_id())
    await store.permissions.grant(fresh)
    assert await store.permissions.grants(subject=fresh.subject) == [fresh]
    # True and 1 are equal to Python.
    assert [repr(each) for each in await store.permissions.grants(subject=fresh.subject)] == [repr(fresh)]


@on_one_store
@given(any_grant, times)
async def test_the_store_and_the_core_agree_on_what_is_active(
    store: OpenStore, made: Grant, perhaps: datetime | None
) -> None:
    fresh = replace(made, id=new_grant_id(), subject=made.subject + new_grant_id())
    await store.permissions.grant(fresh)
    ends = made.expires_at
    for now in (perhaps or ASKED, *((ends - TICK, ends, ends + TICK) if ends else ())):
        found = await store.permissions.grants(subject=fresh.subject, active_at=now)
        assert found == ([fresh] if fresh.active(now) else [])
    used = await store.permissions.use(fresh.id, at=perhaps or ASKED)
    assert (used is not None) is fresh.active(perhaps or ASKED)


async def test_text_that_is_no_text_is_kept_spelled_out(store: OpenStore) -> None:
    made = permission(project="/home/caf\udce9", conditions=(Condition(name="x", kind="equals", value="\ud800"),))
    await kept(store, made)
    assert await store.permissions.grants() == [replace(made, project="/home/caf\\udce9")]


async def test_an_id_is_taken_once(store: OpenStore, same_store: OpenStore) -> None:
    made = permission()
    await kept(store, made)
    with pytest.raises(ValueError, match="take a new id"):
        await same_store.permissions.grant(replace(made, by="mallory"))
    assert await store.permissions.grants() == [made]


async def test_grants_are_found_by_subject_server_and_tool_newest_first(store: OpenStore) -> None:
    made = [
        permission(subject=subject, server=server, tool=tool, at=ASKED + number * HOUR)
        for number, (subject, server, tool) in enumerate(
            [("ada", "shop", "read"), ("bob", "shop", "read"), ("ada", "blog", "read"), ("ada", "shop", "write")]
        )
    ]
    await kept(store, *(made[number] for number in (2, 0, 3, 1)))
    find = store.permissions.grants
    assert await find() == made[::-1]
    assert await find(limit=2) == made[:1:-1]
    assert await find(subject="ada") == [made[3], made[2], made[0]]
    assert await find(server="shop", tool="read") == [made[1], made[0]]
    assert await find(subject="ada", server="shop", tool="read", active_at=ASKED) == [made[0]]
    assert await find(subject="", server="shop") == []


async def test_those_made_in_one_moment_have_one_order(store: OpenStore) -> None:
    made = [permission() for _ in range(5)]
    await kept(store, *made)
    assert await store.permissions.grants() == sorted(made, key=lambda each: each.id, reverse=True)


# Using


async def test_a_use_is_counted_and_said(store: OpenStore, same_store: OpenStore) -> None:
    endless, twice = permission(), permission(uses_left=2)
    await kept(store, endless, twice)
    used = replace(endless, uses=1, last_used_at=LATER)
    assert await store.permissions.use(endless.id, at=LATER) == used
    # A clock that is behind takes nothing back.
    assert await same_store.permissions.use(endless.id, at=ASKED) == replace(used, uses=2)
    assert await store.permissions.use(twice.id, at=ASKED) == replace(twice, uses_left=1, uses=1, last_used_at=ASKED)
    last = replace(twice, uses_left=0, uses=2, last_used_at=LATER)
    assert await same_store.permissions.use(twice.id, at=LATER) == last
    assert await store.permissions.use(twice.id, at=LATER) is None
    assert {each.id: each for each in await store.permissions.grants()}[twice.id] == last


async def test_what_is_not_active_is_not_used_and_stays_as_it_is(store: OpenStore) -> None:
    made = [
        permission(revoked_at=ASKED),
        permission(suspended_at=ASKED),
        permission(expires_at=LATER),
        permission(uses_left=0),
    ]
    await kept(store, *made)
    for each in (*made, permission()):
        assert await store.permissions.use(each.id, at=LATER) is None
    assert sorted(await store.permissions.grants(), key=repr) == sorted(made, key=repr)
    assert await store.permissions.use(made[2].id, at=LATER - TICK) is not None


async def test_two_stores_at_once_use_no_more_than_there_is(store: OpenStore, same_store: OpenStore) -> None:
    made = permission(uses_left=15)
    await kept(store, made)
    used: list[Grant | None] = []

    async def use(permissions: Permissions) -> None:
        for _ in range(5):
            used.append(await permissions.use(made.id, at=LATER))  # noqa: PERF401 - one after another

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(use, (store, same_store)[number % 2].permissions)
    assert sorted(each.uses for each in used if each is not None) == list(range(1, 16))
    assert used.count(None) == 35
    assert await store.permissions.grants() == [replace(made, uses_left=0, uses=15, last_used_at=LATER)]


async def test_four_processes_at_once_use_no_more_than_there_is(store: OpenStore, place: Place) -> None:
    made, endless = permission(uses_left=50), permission()
    await kept(store, made, endless)
    async with other_processes(*[place.command("use_grants", "30", made.id, endless.id)] * 4) as others:
        for other in others:
            await other.go()
        said = [each for other in others for each in await other.said_until_done()]
    assert sorted(said, key=repr) == sorted(
        [[made.id, number] for number in range(1, 51)] + [[endless.id, number] for number in range(1, 121)], key=repr
    )
    left = {each.id: each.uses_left for each in await store.permissions.grants()}
    assert left == {made.id: 0, endless.id: None}


# Ending


async def test_what_is_revoked_stays_so(store: OpenStore, same_store: OpenStore) -> None:
    made = permission()
    await kept(store, made)
    assert await store.permissions.revoke(made.id, at=LATER)
    assert await same_store.permissions.use(made.id, at=ASKED) is None
    here = same_store.permissions
    refused: list[Callable[[], Awaitable[bool]]] = [
        lambda: here.revoke(made.id, at=LATER),
        lambda: here.revoke("g_nobody", at=LATER),
        lambda: here.suspend(made.id, at=LATER + HOUR),
        lambda: here.resume(made.id),
    ]
    for change in refused:
        assert not await change()
    assert await store.permissions.grants() == [replace(made, revoked_at=LATER)]


async def test_what_is_suspended_counts_again_once_it_is_resumed(store: OpenStore, same_store: OpenStore) -> None:
    made = permission()
    await kept(store, made)
    assert not await store.permissions.resume(made.id)
    assert await store.permissions.suspend(made.id, at=LATER)
    assert not await same_store.permissions.suspend(made.id, at=LATER + HOUR)
    assert not await same_store.permissions.suspend("g_nobody", at=LATER)
    assert await same_store.permissions.use(made.id, at=LATER) is None
    assert await same_store.permissions.grants() == [replace(made, suspended_at=LATER)]
    assert await same_store.permissions.resume(made.id)
    assert await store.permissions.use(made.id, at=LATER) == replace(made, uses=1, last_used_at=LATER)


async def test_all_grants_of_a_tool_end_and_no_others(store: OpenStore, same_store: OpenStore) -> None:
    dying = [permission(), permission(subject="bob"), permission(suspended_at=ASKED), permission(expires_at=ASKED)]
    others = [permission(tool="read"), permission(server="blog"), permission(revoked_at=ASKED)]
    await kept(store, *dying, *others)
    assert await store.permissions.end_grants(server="shop", tool="write_query", at=LATER) == 4
    assert await same_store.permissions.end_grants(server="shop", tool="write_query", at=LATER + HOUR) == 0
    found = {each.id: each for each in await same_store.permissions.grants()}
    assert found == {each.id: each for each in (*(replace(one, revoked_at=LATER) for one in dying), *others)}


# Stopping


async def test_one_stop_stands_until_it_is_lifted(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.permissions, same_store.permissions
    assert await there.stopped() is None
    assert not await there.lift()
    assert await here.stop(Stop(by="ada", at=LATER))
    assert not await there.stop(Stop(by="bob", at=LATER + HOUR))
    assert await there.stopped() == await here.stopped() == Stop(by="ada", at=LATER)
    assert await there.lift()
    assert await here.stopped() is None
    assert await here.stop(Stop(by="bob\0\udce9", at=LATER))
    assert await there.stopped() == Stop(by="bob\0\\udce9", at=LATER)


async def test_while_a_stop_stands_no_grant_is_used(store: OpenStore, same_store: OpenStore) -> None:
    made = permission(uses_left=1)
    await kept(store, made)
    await store.permissions.stop(Stop(by="ada", at=LATER))
    assert await same_store.permissions.use(made.id, at=LATER) is None
    assert await same_store.permissions.grants() == [made]
    await store.permissions.lift()
    assert await same_store.permissions.use(made.id, at=LATER) is not None


# Beside the handoffs


async def test_a_stop_and_its_end_wake_those_who_watch_all(store: OpenStore, same_store: OpenStore) -> None:
    asked = await store.open(sample(), collect_after=LONG_AGO)
    async with store.watch() as here, same_store.watch() as there, same_store.watch(asked.id) as one:
        for watch in (here, there, one):
            with anyio.move_on_after(0.2):
                await watch.changed()  # what it has to say of its own beginning
        for change in (lambda: store.permissions.stop(Stop(by="ada", at=LATER)), store.permissions.lift):
            assert await change()
            with anyio.fail_after(120):
                for watch in (here, there):
                    await watch.changed()
        with anyio.move_on_after(0.3) as waited:
            await one.changed()
        assert waited.cancelled_caught


async def test_nobody_is_woken_by_a_permission(store: OpenStore, same_store: OpenStore) -> None:
    made = permission()
    async with store.watch() as here, same_store.watch() as there:
        for watch in (here, there):
            with anyio.move_on_after(0.2):
                await watch.changed()  # what it has to say of its own beginning
        await kept(store, made)
        await store.permissions.use(made.id, at=LATER)
        assert not await store.permissions.lift()
        for watch in (here, there):
            with anyio.move_on_after(0.3) as waited:
                await watch.changed()
            assert waited.cancelled_caught
    assert await store.log() == []


async def test_pruning_leaves_them_alone(store: OpenStore, place: Place) -> None:
    asked = await store.open(sample(), collect_after=LONG_AGO)
    await store.record(asked.id, answered(at=LATER), Collected(at=LATER))
    await store.open(sample("The newest line is never pruned"), collect_after=LONG_AGO)
    made = permission(handoff_id=asked.id, revoked_at=ASKED - YEAR)
    await kept(store, made)
    await store.permissions.pin([a_pin("read")])
    assert await pruned(place, HOUR) == 1
    assert await store.permissions.grants() == [made]
    assert await store.permissions.pins("shop") == {"read": a_pin("read")}


async def test_a_store_that_is_closed_says_so(place: Place) -> None:
    async with BACKENDS[place.backend].connect(place.address) as store:
        permissions = store.permissions
        await permissions.grants()
    every: list[Callable[[], Awaitable[object]]] = [
        lambda: permissions.pins("shop"),
        lambda: permissions.pin([a_pin("read")]),
        lambda: permissions.unpin("shop", ["read"]),
        lambda: permissions.grant(permission()),
        permissions.grants,
        lambda: permissions.use("g_1", at=LATER),
        lambda: permissions.revoke("g_1", at=LATER),
        lambda: permissions.suspend("g_1", at=LATER),
        lambda: permissions.resume("g_1"),
        lambda: permissions.end_grants(server="shop", tool="read", at=LATER),
        lambda: permissions.stop(Stop(by="ada", at=LATER)),
        permissions.lift,
        permissions.stopped,
    ]
    for each in every:
        with pytest.raises(StoreError, match="is closed"):
            await each()


@pytest.mark.parametrize(
    ("column", "value"),
    [("reach", "'all'"), ("conditions", "'{'"), ("conditions", """'[["x","unlike",1]]'"""),
     ("conditions", """'[["x","equals",[]]]'"""), ("expires_at", "9223372036854775807")],
)  # fmt: skip
async def test_a_grant_that_makes_no_sense_is_never_used(path: Path, column: str, value: str) -> None:
    made = permission(expires_at=LATER)
    async with SqliteStore(path) as store:
        await kept(store, made)
        with closing(sqlite3.connect(path)) as other, other:
            other.execute(f"UPDATE grants SET {column} = {value}")
        for use in (store.permissions.grants, lambda: store.permissions.use(made.id, at=ASKED)):
            with pytest.raises(StoreCorrupt, match=made.id):
                await use()
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT uses FROM grants").fetchall() == [(0,)]


# What is recorded unless everything is stopped


async def test_a_use_is_not_recorded_while_everything_is_stopped(store: OpenStore, same_store: OpenStore) -> None:
    asked = await store.open(sample(), collect_after=LONG_AGO)
    used = (answered(), Used(at=LATER, tool_use="c_1"), Sent(at=LATER, call="c_1"))
    await same_store.permissions.stop(Stop(by="ada", at=LATER))
    for known in (asked, None):
        with pytest.raises(Stopped):
            await store.record(asked.id, *used, known=known, unless_stopped=True)
    assert await same_store.get(asked.id) == asked
    assert await store.record(asked.id, Reached(at=LATER, channel="inbox"), known=asked) != asked  # all else is
    await same_store.permissions.lift()
    after = await store.record(asked.id, *used, known=asked, unless_stopped=True)
    assert (after.state, after.handed_to, await same_store.get(asked.id)) == (State.ANSWERED, "c_1", after)
    lines = [entry.name for entry in await store.log(handoff_id=asked.id)]
    assert lines == ["opened", "reached", "answered", "used", "sent"]


async def test_what_was_decided_first_stands_before_an_answer_and_its_use(
    store: OpenStore, same_store: OpenStore
) -> None:
    asked = await store.open(sample(), collect_after=LONG_AGO)
    await same_store.record(asked.id, Declined(at=LATER, by="eve", channel="inbox"))
    used = (answered(), Used(at=LATER, tool_use="c_1"), Sent(at=LATER, call="c_1"))
    with pytest.raises(AlreadyEnded):
        await store.record(asked.id, *used, known=asked, unless_stopped=True)
    assert [entry.name for entry in await store.log(handoff_id=asked.id)] == ["opened", "declined"]
