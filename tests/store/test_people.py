"""The people that every store keeps, engine by engine: each sentence of the port `People`."""

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

from handoffs.core.errors import PersonNotFound, PersonRefused, StoreCorrupt, StoreError
from handoffs.core.events import Collected
from handoffs.core.ids import new_id
from handoffs.core.inbox_session import LONGEST
from handoffs.core.invitation import Invitation
from handoffs.core.people import People
from handoffs.core.person import Absence, Directory
from handoffs.core.recovery import Recovery
from handoffs.proof.erasing import rewrite_at
from handoffs.store import OpenStore
from handoffs.store.sqlite.store import SqliteStore
from tests.core.strategies import ASKED
from tests.store.backends import BACKENDS
from tests.store.conftest import Place
from tests.store.processes import other_processes
from tests.store.samples import LATER, LONG_AGO, answered, passkey, person, sample
from tests.store.test_prune import pruned

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def absence(who: str = "ada", deputy: str = "bob", *, since: datetime = ASKED, until: datetime = LATER) -> Absence:
    return Absence(person=who, deputy=deputy, since=since, until=until)


async def added(people: People, *names: str) -> None:
    for name in names:
        await people.add(person(name))


# People

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.integers(0, 10**16).map(lambda micro: ASKED + timedelta(microseconds=micro))
on_one_store = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@on_one_store
@given(texts, texts, st.frozensets(texts, max_size=4), texts, moments, st.none() | moments)
async def test_any_person_comes_back_equal(
    store: OpenStore, name: str, email: str, groups: frozenset[str], handle: str, at: datetime, gone: datetime | None
) -> None:
    made = replace(person(name + new_id(), at=at), email=email, groups=groups, handle=handle, removed_at=gone)
    await store.people.add(made)
    assert (await store.people.directory()).people[made.name] == made


async def test_a_directory_is_all_people_and_absences(store: OpenStore, same_store: OpenStore) -> None:
    assert await store.people.directory() == Directory()
    ada, bob = person("ada", "dba", email="ada@example.com"), person("bob", "dba", "ops")
    await store.people.add(ada)
    await store.people.add(bob)
    await store.people.away(absence(), at=ASKED)
    there = await same_store.people.directory()
    assert there == Directory(people={"ada": ada, "bob": bob}, absences=(absence(),))
    assert there.members("dba") == ("ada", "bob")


@pytest.mark.parametrize("again", ["ada", "ADA", "Ada"])
async def test_a_name_is_given_once_ever(store: OpenStore, same_store: OpenStore, again: str) -> None:
    ada = person("ada", "dba")
    await store.people.add(ada)
    with pytest.raises(PersonRefused, match="There is ada already"):
        await same_store.people.add(person(again))
    assert await same_store.people.remove("ada", at=LATER)
    with pytest.raises(PersonRefused, match="a name is given once"):
        await store.people.add(person(again))
    assert (await store.people.directory()).people == {"ada": replace(ada, removed_at=LATER)}


async def test_case_is_that_of_every_script(store: OpenStore) -> None:
    await store.people.add(person("Élodie Ç"))
    for again in ("élodie ç", "e\u0301lodie c\u0327"):
        with pytest.raises(PersonRefused, match="already"):
            await store.people.add(person(again))
    await store.people.add(person("Elodie"))


async def test_of_many_who_add_one_name_at_once_one_does(store: OpenStore, same_store: OpenStore) -> None:
    said: list[str] = []

    async def add(people: People, number: int) -> None:
        try:
            await people.add(person("ada" if number % 3 else "Ada", email=f"{number}@example.com"))
        except PersonRefused:
            said.append("refused")
        else:
            said.append("added")

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(add, (store, same_store)[number % 2].people, number)
    assert sorted(said) == ["added"] + ["refused"] * 11
    assert len((await store.people.directory()).people) == 1


async def test_email_and_groups_change_and_nothing_else(store: OpenStore, same_store: OpenStore) -> None:
    ada = person("ada", "dba", "ops")
    await store.people.add(ada)
    await added(store.people, "bob")
    changed = await same_store.people.change(
        "ada", at=LATER, join=frozenset({"web"}), leave=frozenset({"ops", "never in"})
    )
    assert changed == replace(ada, groups=frozenset({"dba", "web"}))
    later = await store.people.change("ada", at=LATER, email="a@example.com")
    assert later == replace(changed, email="a@example.com")
    assert await store.people.change("ada", at=LATER, email="") == changed
    ids = frozenset({"oauth:1@id.example.com", "oauth:2@id.example.com"})
    assert await same_store.people.change("ada", at=LATER, identify=ids) == replace(changed, identities=ids)
    assert (await store.people.directory()).people["ada"].identities == ids
    assert await store.people.change("ada", at=LATER, disown=ids) == changed
    there = (await same_store.people.directory()).people
    assert (there["ada"], there["bob"].groups) == (changed, frozenset())
    with pytest.raises(PersonNotFound, match="There is no person eve"):
        await store.people.change("eve", at=LATER, email="x")
    with pytest.raises(PersonNotFound, match="The name is written ada"):
        await store.people.change("Ada", at=LATER, email="x")
    await store.people.remove("bob", at=LATER)
    with pytest.raises(PersonRefused, match="bob was removed"):
        await store.people.change("bob", at=LATER, join=frozenset({"dba"}))


async def test_those_who_change_groups_at_once_lose_none(store: OpenStore, same_store: OpenStore) -> None:
    await added(store.people, "ada")

    async def join(people: People, number: int) -> None:
        await people.change("ada", at=LATER, join=frozenset({f"g{number}"}))

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(join, (store, same_store)[number % 2].people, number)
    assert len((await store.people.directory()).people["ada"].groups) == 12


async def test_who_is_removed_loses_all_but_name_and_keys(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada", "bob")
    await here.add_key(passkey())
    await here.away(absence("ada", "bob"), at=ASKED)
    await here.away(absence("bob", "ada", since=LATER, until=LATER + DAY), at=ASKED)
    await here.invite("d1", "ada", expires_at=LATER + DAY)
    await here.begin("c1", "ada", at=ASKED, agent="Firefox")
    await here.begin("c2", "bob", at=ASKED, agent="Firefox")
    assert await there.session("c1", at=ASKED) is not None
    assert await here.remove("ada", at=LATER)
    assert await there.session("c1", at=ASKED) is None
    assert [each.person for each in await there.sessions(at=ASKED)] == ["bob"]
    assert await there.redeem("d1", at=ASKED) is None
    assert not await there.use_key("k1", sign_count=1, at=LATER)
    assert await there.key("k1") == passkey()
    assert await there.begin("c3", "ada", at=LATER, agent="") is None
    assert not await there.invite("d2", "ada", expires_at=LATER + DAY)
    found = await there.directory()
    assert found.people["ada"].removed_at == LATER
    # Who is away stays away, with a deputy who is gone: the person has to name another.
    assert found.absences == (absence("bob", "ada", since=LATER, until=LATER + DAY),)
    assert not await there.remove("ada", at=LATER + DAY)
    assert not await there.remove("eve", at=LATER)
    assert (await here.directory()).people["ada"].removed_at == LATER


# Absences


async def test_a_later_absence_takes_the_place_of_the_one_before(store: OpenStore, same_store: OpenStore) -> None:
    await added(store.people, "ada", "bob", "cyd")
    await store.people.away(absence(), at=ASKED)
    await same_store.people.away(absence(deputy="cyd"), at=ASKED)
    assert (await store.people.directory()).absences == (absence(deputy="cyd"),)
    assert await store.people.come_back("ada", at=LATER)
    assert not await same_store.people.come_back("ada", at=LATER)
    lines = [each for each in await store.log() if each.name != "personadded"]
    assert [each.name for each in lines] == ["personaway", "personaway", "personback"]
    numbers = {each.name: each.id for each in (await store.people.directory()).people.values()}
    assert [each.details.get("deputy") for each in lines] == [numbers["bob"], numbers["cyd"], None]
    assert (await same_store.people.directory()).absences == ()


async def test_a_deputy_is_there_and_somebody_else(store: OpenStore) -> None:
    await added(store.people, "ada", "bob")
    await store.people.remove("bob", at=ASKED)
    refused = [
        (absence(deputy="eve"), PersonNotFound, "no person eve"),
        (absence("eve", "ada"), PersonNotFound, "no person eve"),
        (absence(), PersonRefused, "bob was removed"),
        (absence("bob", "ada"), PersonRefused, "bob was removed"),
        (absence(deputy="ada"), PersonRefused, "their own deputy"),
        (absence(deputy="ada", until=ASKED), PersonRefused, "ends before it begins"),
    ]
    for wrong, error, words in refused:
        with pytest.raises(error, match=words):
            await store.people.away(wrong, at=ASKED)
    assert (await store.people.directory()).absences == ()


async def test_deputies_at_once_lead_in_no_circle(store: OpenStore, same_store: OpenStore) -> None:
    names = ["ada", "bob", "cyd"]
    await added(store.people, *names)
    said: list[str] = []

    async def away(people: People, who: str, deputy: str) -> None:
        try:
            await people.away(absence(who, deputy), at=ASKED)
        except PersonRefused as why:
            said.append(str(why))

    async with anyio.create_task_group() as tasks:
        for number, who in enumerate(names):
            tasks.start_soon(away, (store, same_store)[number % 2].people, who, names[(number + 1) % 3])
    assert len((await store.people.directory()).absences) == 2
    assert len(said) == 1
    assert "circle" in said[0]


# Invitations


async def test_an_invitation_works_once_until_it_expires(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada", "bob")
    assert not await here.invite("d0", "eve", expires_at=LATER)
    assert await here.invite("d1", "ada", expires_at=LATER)
    assert await here.invite("d2", "bob", expires_at=LATER)
    assert await there.redeem("d1", at=LATER) is None
    # To read one uses nothing up.
    assert await there.invitation("d9") is None
    assert await there.invitation("d1") == Invitation(person="ada", expires_at=LATER)
    assert await there.redeem("d9", at=ASKED) is None
    assert await there.redeem("d1", at=LATER - TICK) == "ada"
    assert await here.redeem("d1", at=ASKED) is None
    assert await here.redeem("d2", at=ASKED) == "bob"
    assert await there.invitation("d1") == Invitation(person="ada", expires_at=LATER, used_at=LATER - TICK)
    assert await here.remove("ada", at=LATER)
    assert await there.invitation("d1") is None


async def test_a_new_invitation_takes_the_place_of_the_one_before(store: OpenStore, same_store: OpenStore) -> None:
    await added(store.people, "ada")
    for digest in ("d1", "d2"):
        assert await store.people.invite(digest, "ada", expires_at=LATER)
    assert await same_store.people.redeem("d1", at=ASKED) is None
    assert await same_store.people.redeem("d2", at=ASKED) == "ada"
    # Also of one that was used.
    assert await store.people.invite("d3", "ada", expires_at=LATER)
    assert await same_store.people.redeem("d3", at=ASKED) == "ada"


async def test_of_two_processes_that_redeem_at_once_one_gets_it(store: OpenStore, place: Place) -> None:
    names = [f"p{number}" for number in range(20)]
    for name in names:
        await store.people.add(person(name))
        await store.people.invite(f"d-{name}", name, expires_at=LATER + DAY)
    digests = [f"d-{name}" for name in names]
    async with other_processes(*[place.command("redeem", *digests)] * 2) as others:
        for other in others:
            await other.go()
        said = [each for other in others for each in await other.said_until_done()]
    assert sorted(said, key=repr) == sorted([[f"d-{name}", name] for name in names], key=repr)


# Sessions


async def test_a_session_is_found_by_its_digest_until_it_ends(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada", "bob")
    begun = await here.begin("c1", "ada", at=ASKED, agent="Firefox \0\udce9")
    assert begun is not None
    assert (begun.person, begun.agent, begun.started_at, begun.seen_at) == ("ada", "Firefox \0\\udce9", ASKED, ASKED)
    assert await there.session("c1", at=LATER) == begun
    assert await there.session("c2", at=LATER) is None
    assert await there.session(begun.id, at=LATER) is None
    await there.seen("c1", at=LATER)
    await there.seen("c1", at=ASKED)  # a clock that is behind takes nothing back
    assert await here.session("c1", at=LATER) == replace(begun, seen_at=LATER)
    assert await here.session("c1", at=ASKED + LONGEST - TICK) is not None
    assert await here.session("c1", at=ASKED + LONGEST) is None
    assert await there.end(begun.id)
    assert not await there.end(begun.id)
    assert await here.session("c1", at=LATER) is None
    await here.seen("c1", at=LATER)
    assert await here.sessions(at=LATER) == []


async def test_a_session_takes_one_page_s_key(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada")
    keyed = await here.begin("c1", "ada", at=ASKED, agent="", page_key="key one")
    assert keyed is not None
    assert keyed.page_key == "key one"
    assert await there.session("c1", at=ASKED) == keyed
    plain = await here.begin("c2", "ada", at=ASKED, agent="")
    assert plain is not None
    assert plain.page_key == ""
    assert await there.bind("c2", "key two")
    assert await here.bind("c2", "key two")
    for digest in ("c1", "c2", "c3"):
        assert not await here.bind(digest, "key three")
    assert await there.session("c1", at=ASKED) == keyed
    assert await there.session("c2", at=ASKED) == replace(plain, page_key="key two")


async def test_a_session_has_a_person_and_a_digest_of_its_own(store: OpenStore) -> None:
    await added(store.people, "ada", "bob")
    assert await store.people.begin("c1", "eve", at=ASKED, agent="") is None
    first = await store.people.begin("c1", "ada", at=ASKED, agent="")
    assert await store.people.begin("c1", "bob", at=ASKED, agent="") is None
    assert await store.people.sessions(at=ASKED) == [first]


async def test_sessions_are_listed_last_used_first_and_end_together(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada", "bob")
    made = [
        await here.begin(f"c{number}", name, at=ASKED + number * HOUR, agent=f"browser {number}")
        for number, name in enumerate(["ada", "bob", "ada"])
    ]
    now = ASKED + DAY
    assert await there.sessions(at=now) == made[::-1]
    assert await there.sessions("ada", at=now) == [made[2], made[0]]
    assert await there.sessions("eve", at=now) == []
    assert await there.sessions("ada", at=ASKED + LONGEST) == [made[2]]
    assert await there.end_all("ada") == 2
    assert await here.end_all("ada") == 0
    assert await here.sessions(at=now) == [made[1]]


# Passkeys


async def test_keys_come_back_byte_by_byte(store: OpenStore, same_store: OpenStore) -> None:
    await added(store.people, "ada", "bob")
    first = passkey(public_key=bytes(range(256)))
    more = passkey("k2", at=LATER, added_with="k1", active_from=LATER + DAY, label="zero \0")
    others = passkey("k3", person="bob", public_key=b"")
    for key in (more, others, first):
        await store.people.add_key(key)
    assert await same_store.people.keys("ada") == [first, more]
    assert await same_store.people.keys("bob") == [others]
    assert await same_store.people.key("k2") == more
    assert await same_store.people.key("K2") is None


async def test_a_key_has_a_person_and_is_enrolled_once(store: OpenStore, same_store: OpenStore) -> None:
    await added(store.people, "ada", "bob", "cyd")
    await store.people.add_key(passkey())
    with pytest.raises(PersonRefused, match="enrolled before"):
        await same_store.people.add_key(passkey(person="bob", public_key=b"mallory"))
    with pytest.raises(PersonNotFound):
        await store.people.add_key(passkey("k2", person="eve"))
    await store.people.remove("cyd", at=LATER)
    with pytest.raises(PersonRefused, match="cyd was removed"):
        await store.people.add_key(passkey("k2", person="cyd"))
    assert await store.people.remove_key("k1", at=LATER)
    with pytest.raises(PersonRefused, match="enrolled before"):
        await store.people.add_key(passkey())
    assert await same_store.people.key("k1") == passkey(removed_at=LATER)
    assert await store.people.key("k2") is None


async def test_a_counter_only_goes_on(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada")
    key = passkey()
    await here.add_key(key)
    at = ASKED
    used = [(0, True), (0, True), (5, True), (5, False), (4, False), (0, False), (6, True), (2**32 - 1, True)]
    for count, works in used:
        at += TICK
        assert await there.use_key("k1", sign_count=count, at=at) is works, count
        assert key.counts_on(count) is works, count
        key = replace(key, sign_count=count, last_used_at=at) if works else key
        assert await here.key("k1") == key
    # A clock that is behind takes nothing back.
    await here.add_key(passkey("k2"))
    for moment in (LATER, ASKED):
        assert await here.use_key("k2", sign_count=0, at=moment)
    assert await there.key("k2") == passkey("k2", last_used_at=LATER)


async def test_one_count_is_used_once_by_those_who_try_at_once(store: OpenStore, same_store: OpenStore) -> None:
    await added(store.people, "ada")
    await store.people.add_key(passkey())
    said: list[bool] = []

    async def use(people: People) -> None:
        said.append(await people.use_key("k1", sign_count=7, at=LATER))

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(use, (store, same_store)[number % 2].people)
    assert sorted(said) == [False] * 11 + [True]


async def test_a_key_signs_from_its_first_moment_until_it_is_removed(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada")
    key = passkey(active_from=LATER)
    await here.add_key(key)
    assert not await there.use_key("k1", sign_count=1, at=LATER - TICK)
    assert not key.active(LATER - TICK)
    assert await there.use_key("k1", sign_count=1, at=LATER)
    assert await there.remove_key("k1", at=LATER + HOUR)
    assert not await there.remove_key("k1", at=LATER + DAY)
    assert not await there.remove_key("k9", at=LATER)
    assert not await here.use_key("k1", sign_count=2, at=LATER + DAY)
    assert not await here.use_key("k9", sign_count=2, at=LATER)
    assert await here.keys("ada") == []
    gone = replace(key, sign_count=1, last_used_at=LATER, removed_at=LATER + HOUR)
    assert await here.key("k1") == gone
    assert not gone.active(LATER + DAY)


# Recoveries

BEGINS = ASKED + 2 * DAY
ENDS = BEGINS + DAY


def recovery(who: str = "ada", **changes: datetime) -> Recovery:
    times = {"asked_at": ASKED, "begins_at": BEGINS, "ends_at": ENDS} | changes
    return Recovery(person=who, asked_by="eve", **times)


async def test_a_recovery_replaces_all_keys_once_its_time_has_come(store: OpenStore, same_store: OpenStore) -> None:
    here, there = store.people, same_store.people
    await added(here, "ada", "bob")
    for name in ("k1", "k2"):
        await here.add_key(passkey(name))
    await here.add_key(passkey("b1", person="bob"))
    await here.begin("c", "ada", at=ASKED, agent="")
    await here.invite("i", "ada", expires_at=ENDS)
    await here.ask_recovery("d", recovery())
    assert await there.recovery("d") == recovery()
    assert await there.recoveries(at=LATER) == await there.every_recovery() == [recovery()]
    new = passkey("k3", at=BEGINS)
    assert not await there.recover("d", new, at=BEGINS - TICK)
    assert not await there.recover("other", new, at=BEGINS)
    assert not await there.recover("d", passkey("b2", person="bob"), at=BEGINS)
    assert [each.credential_id for each in await here.keys("ada")] == ["k1", "k2"]
    assert await there.recover("d", new, at=BEGINS)
    assert await here.keys("ada") == [new]
    assert await here.key("k1") == replace(passkey("k1"), removed_at=BEGINS)
    assert not await here.use_key("k1", sign_count=1, at=BEGINS)
    assert [each.credential_id for each in await here.keys("bob")] == ["b1"]
    assert await here.session("c", at=BEGINS) is None
    assert await here.invitation("i") is None
    assert await here.recovery("d") == recovery_used(BEGINS)
    assert await here.recoveries(at=BEGINS) == []
    assert not await here.recover("d", passkey("k4"), at=BEGINS + TICK)
    assert not await here.stop_recovery("ada", by="ada", at=BEGINS + TICK)
    names = [each.name for each in await store.log()]
    assert names[-2:] == ["recoveryasked", "recovered"]


def recovery_used(at: datetime) -> Recovery:
    return replace(recovery(), used_at=at)


async def test_a_recovery_that_was_stopped_or_is_over_sets_no_key(store: OpenStore, same_store: OpenStore) -> None:
    people = store.people
    await added(people, "ada", "bob")
    await people.add_key(passkey())
    await people.ask_recovery("d", recovery())
    with pytest.raises(PersonRefused, match="is under way"):
        await same_store.people.ask_recovery("d2", recovery())
    assert not await people.stop_recovery("bob", by="bob", at=LATER)
    assert await same_store.people.stop_recovery("ada", by="ada", at=LATER)
    assert not await people.stop_recovery("ada", by="ada", at=LATER)
    assert not await people.recover("d", passkey("k3"), at=BEGINS)
    await people.ask_recovery("d2", recovery())
    assert await people.recovery("d") is None
    assert not await people.recover("d2", passkey("k3"), at=ENDS)
    assert await people.recoveries(at=ENDS) == []
    assert not await people.stop_recovery("ada", by="ada", at=ENDS)
    assert [each.name for each in (await store.log())[-3:]] == ["recoveryasked", "recoverystopped", "recoveryasked"]


async def test_a_recovery_is_of_a_person_who_is_there_and_begins_a_day_later(store: OpenStore) -> None:
    people = store.people
    await added(people, "ada")
    with pytest.raises(PersonNotFound):
        await people.ask_recovery("d", recovery("eve"))
    with pytest.raises(PersonRefused, match="begins 24 hours after it is asked for"):
        await people.ask_recovery("d", recovery(begins_at=ASKED + DAY - TICK))
    await people.ask_recovery("d", recovery())
    await people.remove("ada", at=LATER)
    assert await people.recovery("d") is None
    assert not await people.recover("d", passkey(), at=BEGINS)
    with pytest.raises(PersonRefused, match="removed"):
        await people.ask_recovery("d", recovery())


async def test_of_many_who_use_one_recovery_at_once_one_does(store: OpenStore, same_store: OpenStore) -> None:
    await added(store.people, "ada")
    await store.people.ask_recovery("d", recovery())
    said: list[bool] = []

    async def use(people: People, number: int) -> None:
        said.append(await people.recover("d", passkey(f"k{number}"), at=BEGINS))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(use, (store, same_store)[number % 2].people, number)
    assert sorted(said) == [False] * 7 + [True]
    assert len(await store.people.keys("ada")) == 1


async def test_a_key_that_was_enrolled_before_leaves_a_recovery_as_it_is(store: OpenStore) -> None:
    await added(store.people, "ada")
    await store.people.add_key(passkey())
    await store.people.ask_recovery("d", recovery())
    with pytest.raises(PersonRefused, match="enrolled before"):
        await store.people.recover("d", passkey(), at=BEGINS)
    assert await store.people.keys("ada") == [passkey()]
    assert await store.people.recover("d", passkey("k2"), at=BEGINS)


# Beside the handoffs


async def test_people_have_lines_in_the_log_and_pruning_leaves_them(store: OpenStore, place: Place) -> None:
    await added(store.people, "ada", "bob")
    await store.people.add_key(passkey())
    await store.people.away(absence(), at=ASKED)
    lines = await store.log()
    assert [each.name for each in lines] == ["personadded", "personadded", "keyadded", "personaway"]
    kept = await store.people.directory()
    asked = await store.open(sample(), collect_after=LONG_AGO)
    await store.record(asked.id, answered(at=LATER), Collected(at=LATER))
    await store.open(sample("The newest line is never pruned"), collect_after=LONG_AGO)
    assert await pruned(place, HOUR) == 1
    assert await store.people.directory() == kept
    assert await store.people.keys("ada") == [passkey()]
    assert (await store.log())[:4] == lines


async def test_a_store_that_is_closed_says_so_of_people(place: Place) -> None:
    async with BACKENDS[place.backend].connect(place.address) as store:
        people = store.people
        await people.directory()
    every: list[Callable[[], Awaitable[object]]] = [
        people.directory,
        lambda: people.add(person()),
        lambda: people.change("ada", at=LATER),
        lambda: people.remove("ada", at=LATER),
        lambda: people.away(absence(), at=ASKED),
        lambda: people.come_back("ada", at=LATER),
        lambda: people.invite("d", "ada", expires_at=LATER),
        lambda: people.redeem("d", at=LATER),
        lambda: people.begin("c", "ada", at=LATER, agent=""),
        lambda: people.session("c", at=LATER),
        lambda: people.bind("c", "key"),
        lambda: people.seen("c", at=LATER),
        lambda: people.sessions(at=LATER),
        lambda: people.end("s_1"),
        lambda: people.end_all("ada"),
        lambda: people.keys("ada"),
        lambda: people.add_key(passkey()),
        lambda: people.key("k1"),
        lambda: people.use_key("k1", sign_count=1, at=LATER),
        lambda: people.remove_key("k1", at=LATER),
        people.every_key,
        lambda: people.ask_recovery("d", recovery()),
        lambda: people.recovery("d"),
        lambda: people.recoveries(at=LATER),
        people.every_recovery,
        lambda: people.stop_recovery("ada", by="eve", at=LATER),
        lambda: people.recover("d", passkey(), at=LATER),
        lambda: people.erase("ada", at=LATER, rewrite=rewrite_at(LATER)),
    ]
    for each in every:
        with pytest.raises(StoreError, match="is closed"):
            await each()


@pytest.mark.parametrize(
    ("table", "change"),
    [("people", "member_of = '{'"), ("people", "added_at = 9223372036854775807"),
     ("absences", "ends = 9223372036854775807"), ("passkeys", "active_from = 9223372036854775807"),
     ("inbox_sessions", "seen_at = 9223372036854775807")],
)  # fmt: skip
async def test_a_row_that_makes_no_sense_is_said(path: Path, table: str, change: str) -> None:
    async with SqliteStore(path) as store:
        await added(store.people, "ada", "bob")
        await store.people.away(absence(), at=ASKED)
        await store.people.add_key(passkey())
        await store.people.begin("c1", "ada", at=ASKED, agent="")
        with closing(sqlite3.connect(path)) as other, other:
            other.execute(f"UPDATE {table} SET {change}")
        reads: dict[str, Callable[[], Awaitable[object]]] = {
            "passkeys": lambda: store.people.keys("ada"),
            "inbox_sessions": lambda: store.people.session("c1", at=ASKED),
        }
        with pytest.raises(StoreCorrupt, match="can't be read"):
            await reads.get(table, store.people.directory)()
