"""Stores of earlier versions: what is in them stays, and what came later works on it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handoffs.core.errors import AlreadyReminded
from handoffs.core.events import Reached, Reminded
from handoffs.core.lifecycle import advance
from handoffs.core.model import Handoff
from handoffs.store import rows
from handoffs.store.sqlite import file
from handoffs.store.sqlite.store import SqliteStore
from tests.store.samples import LATER, LONG_AGO, answered, sample

FIRST = Path(file.__file__).with_name("migrations") / "0001_handoffs.sql"


def of_the_first_version(path: Path, *handoffs: Handoff) -> None:
    """Make a store as the first version made it."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript(FIRST.read_text())
        old.execute(f"PRAGMA application_id = {file.APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        for handoff in handoffs:
            row = rows.encode(handoff)[: rows.COLUMNS.index("reminded")]
            old.execute(f"INSERT INTO handoffs VALUES ({', '.join('?' * len(row))})", row)


async def test_what_the_first_version_kept_is_there_and_can_be_reminded_of(path: Path) -> None:
    waiting = advance(sample("waiting"), Reached(at=LATER, channel="inbox"))
    ended = advance(sample("ended"), answered())
    of_the_first_version(path, waiting, ended)
    async with SqliteStore(path) as store:
        assert [await store.get(each.id) for each in (waiting, ended)] == [waiting, ended]
        half = Reminded(at=LATER, channel="notify", stage="half")
        reminded = await store.record(waiting.id, half)
        assert reminded == replace(waiting, version=3, reminded=("half",))
        with pytest.raises(AlreadyReminded):
            await store.record(waiting.id, half)
    async with SqliteStore(path) as store:
        assert await store.get(waiting.id) == reminded
        new = sample("new")
        assert await store.open(new, collect_after=LONG_AGO) == new


async def test_a_store_that_was_brought_up_to_date_is_like_a_new_one(path: Path, tmp_path: Path) -> None:
    of_the_first_version(path)
    layouts: list[tuple[object, ...]] = []
    for each in (path, tmp_path / "new.db"):
        async with SqliteStore(each) as store:
            await store.ids("")
        with closing(sqlite3.connect(each)) as made:
            columns = made.execute("PRAGMA table_info(handoffs)").fetchall()
            others = made.execute("SELECT sql FROM sqlite_master WHERE tbl_name <> 'handoffs' ORDER BY name").fetchall()
            layouts.append((columns, others, made.execute("PRAGMA user_version").fetchone()))
            assert [column[1] for column in columns] == list(rows.COLUMNS)
    assert layouts[0] == layouts[1]
