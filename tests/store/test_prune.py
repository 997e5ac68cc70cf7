"""What is removed from a store because it is old, and what never is."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from handoffs.core.errors import NotFound
from handoffs.core.events import Answered, Collected
from handoffs.core.model import Handoff
from handoffs.core.ports import Store
from handoffs.setting_values import store_address
from handoffs.store.postgres.address import Address
from handoffs.store.postgres.pruning import PostgresPruning
from handoffs.store.pruning import BATCH, Age
from handoffs.store.sqlite.pruning import SqlitePruning
from handoffs.store.sqlite.store import SqliteStore
from tests.core.strategies import ASKED
from tests.store.conftest import Place
from tests.store.samples import LONG_AGO, answered, sample

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = ASKED + 100 * DAY
"""When it is pruned. What was asked then was asked a hundred days ago."""


def pruning(address: str, *, older_than: timedelta, joins: timedelta = HOUR) -> SqlitePruning | PostgresPruning:
    age = Age(ended_before=NOW - older_than, collected_or_before=NOW - joins)
    at = store_address(address)
    if isinstance(at, Path):
        return SqlitePruning(at, age)
    assert isinstance(at, Address)
    return PostgresPruning(at, age)


async def pruned(place: Place, older_than: timedelta, *, joins: timedelta = HOUR) -> int:
    """Prune, and return how many went, which is how many were counted."""
    old = pruning(place.address, older_than=older_than, joins=joins)
    count, removed = await old.count(), 0
    while some := await old.remove():
        assert some <= BATCH
        removed += some
    assert count == removed
    return removed


async def ended(store: Store, message: str, *, at: datetime, collected: bool = True) -> Handoff:
    """Ask a minute before, and answer."""
    asked = await store.open(sample(message, at=at - timedelta(minutes=1)), collect_after=at)
    return await store.record(asked.id, answered(at=at), *([Collected(at=at)] if collected else []))


async def test_a_handoff_that_ended_long_ago_goes_with_its_lines_the_rest_stays(place: Place, store: Store) -> None:
    old = [await ended(store, f"Old {number}", at=ASKED) for number in range(3)]
    still_open = await store.open(sample("Open", stays_open=200 * DAY), collect_after=LONG_AGO)
    never_seen = await store.open(sample("Past its deadline, and nobody looked"), collect_after=LONG_AGO)
    late = await store.open(sample("Asked long ago, ended lately"), collect_after=LONG_AGO)
    late = await store.record(late.id, answered(at=ASKED + 20 * HOUR), Collected(at=NOW))
    young = await ended(store, "Young", at=NOW - 89 * DAY)
    before = [entry for entry in await store.log() if entry.handoff_id not in {each.id for each in old}]
    assert await pruned(place, 99 * DAY + 6 * HOUR) == 3
    for each in old:
        with pytest.raises(NotFound):
            await store.get(each.id)
        assert await store.log(handoff_id=each.id) == []
    assert {each.id for each in await store.newest(open_only=False)} == {
        each.id for each in (still_open, never_seen, late, young)
    }
    assert await store.log() == before
    assert await pruned(place, 90 * DAY) == 1  # the late one; the open ones never, and the last line's neither


async def test_what_the_agent_may_still_ask_for_stays_and_goes_when_it_may_not(place: Place, store: Store) -> None:
    waiting = await ended(store, "Nobody collected it", at=NOW - 30 * timedelta(minutes=1), collected=False)
    await ended(store, "The last line", at=NOW)
    assert await pruned(place, timedelta(minutes=10)) == 0
    assert await store.get(waiting.id) == waiting
    assert await pruned(place, timedelta(minutes=10), joins=timedelta(minutes=20)) == 1


async def test_the_logs_numbers_go_on_and_its_followers_miss_no_line(place: Place, store: Store) -> None:
    for number in range(3):
        await ended(store, f"Old {number}", at=ASKED)
    last = (await store.log())[-1]
    assert await pruned(place, DAY) == 2
    assert (await store.log())[-1] == last
    await store.open(sample("New", at=NOW), collect_after=LONG_AGO)
    [line] = await store.log(after=last.number)
    assert (line.name, line.number) == ("opened", last.number + 1)
    assert await pruned(place, DAY) == 1  # now that it is not the last any more


async def test_an_identical_question_after_it_is_a_new_one_that_is_asked_once(place: Place, store: Store) -> None:
    for day in range(3):
        await ended(store, "Deploy?", at=ASKED + day * DAY)
    await ended(store, "The last line", at=NOW)
    assert await pruned(place, DAY) == 3
    new = sample("Deploy?", at=NOW)
    assert await store.open(new, collect_after=LONG_AGO) == new
    assert await store.open(sample("Deploy?", at=NOW), collect_after=LONG_AGO) == new


async def test_more_than_fit_into_one_transaction_go_too(place: Place, store: Store) -> None:
    if place.backend == "postgres":
        pytest.skip("the loop is the same; to fill the store takes a second")
    for number in range(BATCH + 2):
        await ended(store, f"Old {number}", at=ASKED)
    assert await pruned(place, DAY) == BATCH + 1


async def test_what_was_removed_is_nowhere_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "handoffs.db"
    async with SqliteStore(path) as store:
        asked = await store.open(sample("What is the WORD?"), collect_after=LONG_AGO)
        answer = Answered(
            at=ASKED, by="ada", channel="inbox", values={"response": "SESAME"}, note="HUSH", sealed={"r": "WAX"}
        )
        await store.record(asked.id, answer, Collected(at=ASKED))
        await ended(store, "The last line", at=NOW)
    assert await SqlitePruning(path, Age(ended_before=NOW - DAY, collected_or_before=NOW)).remove() == 1
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"The last line" in kept
    assert not [word for word in (b"WORD", b"SESAME", b"HUSH", b"WAX") if word in kept]
    assert kept.count(asked.id.encode()) >= 3  # its leaves, which say no more than that it was decided
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_postgresql_keeps_one_open_of_one_question_whatever_was_removed(tmp_path: Path) -> None:
    import asyncpg

    from handoffs.store.postgres.store import PostgresStore
    from tests.store import postgres_server as postgres

    address = postgres.new_store(tmp_path)
    async with PostgresStore(address) as store:
        await store.open(sample("Deploy?"), collect_after=LONG_AGO)
        at = store_address(address)
        assert isinstance(at, Address)
        connection = await asyncpg.connect(at.dsn)
        new, as_before = (
            "id, nth, fingerprint",
            "'h_other', 7, fingerprint",
        )  # had it counted those that are removed now
        rest = "subject, client, project, message, form, breakout, deadline, created_at, state, version, reached"
        table = f'"{at.schema}".handoffs'
        insert = f"INSERT INTO {table} ({new}, {rest}, reminded, sealed)"
        with pytest.raises(asyncpg.UniqueViolationError, match="handoffs_open_once"):
            await connection.execute(f"{insert} SELECT {as_before}, {rest}, reminded, sealed FROM {table}")
        await connection.close()
