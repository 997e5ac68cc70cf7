"""The SQLite store's file when something is wrong with it: not a store, too new, damaged, unwritable, taken away."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from handoffs.core.errors import NotFound, StoreCorrupt, StoreTooNew, StoreUnwritable
from handoffs.store.sqlite.file import connect
from handoffs.store.sqlite.store import SqliteStore
from tests.store.conftest import filled
from tests.store.processes import other_process
from tests.store.samples import LONG_AGO, answered, sample


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# What is refused


async def test_a_store_of_a_newer_version_is_refused_with_both_versions(path: Path) -> None:
    await filled(path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 77")
    before = bytes_of(path.parent)
    async with SqliteStore(path) as store:
        with pytest.raises(StoreTooNew, match=r"layout 77.*up to 19\b") as refused:
            await store.ids("")
    assert str(path) in str(refused.value)
    assert bytes_of(path.parent) == before


def other_programs_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")


def other_programs_empty_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("PRAGMA application_id = 42")
        other.execute("PRAGMA user_version = 1")


def a_letter(path: Path) -> None:
    path.write_text("Dear Ada,\n" * 1000)


def a_short_note(path: Path) -> None:
    path.write_text("milk")


@pytest.mark.parametrize("make", [other_programs_database, other_programs_empty_database, a_letter, a_short_note])
async def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(make: Callable[[Path], None], path: Path) -> None:
    path.parent.mkdir()
    make(path)
    before = bytes_of(path.parent)
    async with SqliteStore(path) as store:
        with pytest.raises(StoreCorrupt, match="not a store of handoffs") as refused:
            await store.open(sample(), collect_after=LONG_AGO)
    assert str(path) in str(refused.value)
    assert bytes_of(path.parent) == before


async def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    (handoff,) = await filled(path)
    async with SqliteStore(path) as store:
        assert await store.get(handoff.id) == handoff


async def test_a_damaged_page_is_reported_and_the_rest_can_still_be_read(path: Path) -> None:
    handoffs = await filled(path, 200)
    with path.open("r+b") as file:
        # The header, the schema and the other pages stay; one in the middle of the rows is lost.
        file.seek(path.read_bytes().index(b"Question 100") // 4096 * 4096)
        file.write(b"\xaa" * 4096)
    unread: list[str] = []
    async with SqliteStore(path) as store:
        for handoff in handoffs:
            try:
                assert await store.get(handoff.id) == handoff
            except StoreCorrupt as error:
                unread.append(str(error))
        assert 0 < len(unread) < 200
        assert all(str(path) in words and "restore a backup" in words for words in unread)


async def test_a_file_that_was_cut_off_is_reported(path: Path) -> None:
    await filled(path, 200)
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
    async with SqliteStore(path) as store:
        with pytest.raises(StoreCorrupt, match="is damaged"):
            await store.newest(open_only=False)


@pytest.mark.parametrize(("column", "value"), [("form", "{"), ("form", "{}"), ("state", "'asleep'"), ("reached", "7")])
async def test_a_row_that_makes_no_sense_is_reported_with_its_id(path: Path, column: str, value: str) -> None:
    (handoff,) = await filled(path)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(f"UPDATE handoffs SET {column} = ?", (value,))
    async with SqliteStore(path) as store:
        with pytest.raises(StoreCorrupt, match=handoff.id):
            await store.get(handoff.id)


async def test_a_path_below_a_file_is_refused_until_there_is_a_folder(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    handoff = sample()
    async with SqliteStore(in_the_way / "data" / "handoffs.db") as store:
        with pytest.raises(StoreUnwritable, match="HANDOFFS_STORE") as refused:
            await store.open(handoff, collect_after=LONG_AGO)
        assert str(in_the_way) in str(refused.value)
        in_the_way.unlink()
        assert await store.open(handoff, collect_after=LONG_AGO) == handoff
    for wrong in (tmp_path / "file" / "data", tmp_path / "file" / "data" / "handoffs.db" / "x.db"):
        async with SqliteStore(wrong) as store:
            with pytest.raises(StoreUnwritable):
                await store.ids("")


@pytest.mark.parametrize("there_before", [False, True])
async def test_a_folder_in_which_one_may_not_write_is_refused(there_before: bool) -> None:
    # Not among pytest's folders, which let nobody else in: root must become nobody to be refused at all.
    async with anyio.TemporaryDirectory(prefix="handoffs-") as name:
        path = Path(name) / "handoffs.db"
        if there_before:
            await filled(path)
            path.chmod(0o444)
        Path(name).chmod(0o555)
        try:
            async with other_process("sqlite", str(path), "become_nobody") as other:
                await other.go()
                said = await other.says()
        finally:
            Path(name).chmod(0o755)
    assert isinstance(said, dict)
    assert said["error"] == "StoreUnwritable"
    assert str(path) in said["words"]


# Its file goes away


def delete(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def delete_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def put_another_in_its_place(path: Path) -> None:
    delete(path)
    with closing(connect(path.with_name("another.db"))):
        pass
    path.with_name("another.db").rename(path)


@pytest.mark.parametrize("go_away", [delete, delete_the_folder, put_another_in_its_place])
async def test_a_store_whose_file_goes_away_keeps_new_rows_where_others_find_it(
    path: Path, go_away: Callable[[Path], None]
) -> None:
    (old,) = await filled(path)
    async with SqliteStore(path) as store, SqliteStore(path) as other:
        assert await other.get(old.id) == await store.get(old.id) == old
        with anyio.fail_after(120):
            async with store.watch(old.id) as watch:
                go_away(path)
                await watch.changed()
                with pytest.raises(NotFound):
                    await store.get(old.id)
                new = await store.open(sample("New"), collect_after=LONG_AGO)
                assert await other.get(new.id) == new
            async with store.watch(new.id) as watch:
                answer = await other.record(new.id, answered())
                await watch.changed()
                assert await store.get(new.id) == answer
        async with SqliteStore(path) as third:
            assert await third.get(new.id) == answer


async def test_a_poll_goes_on_in_the_file_that_came_instead(path: Path) -> None:
    await filled(path, 3)
    async with (
        SqliteStore(path, datagrams=False) as store,
        SqliteStore(path, datagrams=False) as other,
        store.watch() as watch,
    ):
        delete(path)
        with anyio.fail_after(120):
            await watch.changed()
            assert await store.newest(open_only=False) == []
            # Its first line has a number that the log before it had, too.
            new = await other.open(sample("New"), collect_after=LONG_AGO)
            await watch.changed()
            assert await store.newest(open_only=False) == [new]
