"""The SQLite store in one process: when it opens and how it closes, how it waits for others, how it copes with many."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from handoffs.core.errors import StoreError
from handoffs.core.model import Cursor, Handoff, State
from handoffs.store import rows
from handoffs.store.sqlite.store import SqliteStore
from tests.core.strategies import ASKED
from tests.store.conftest import filled
from tests.store.processes import ROOT, other_process, other_processes
from tests.store.samples import DAY, LATER, LONG_AGO, answered, sample
from tests.waiting import until

# Opening


async def test_a_store_that_is_not_used_touches_nothing(tmp_path: Path, path: Path) -> None:
    async with SqliteStore(path):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_the_first_use_opens_it_once_however_many_come_first(path: Path) -> None:
    async with SqliteStore(path) as store, anyio.create_task_group() as tasks:
        before = threading.active_count()
        for number in range(20):
            tasks.start_soon(store.ids, f"h_{number}")
        with anyio.fail_after(120):
            await store.ids("")
        assert threading.active_count() == before + 1


async def test_a_first_use_waits_for_another_program_to_let_go_of_the_new_file(path: Path) -> None:
    path.parent.mkdir()
    async with SqliteStore(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM sqlite_master").fetchall()
            with anyio.move_on_after(0.2) as patience:
                await store.ids("")
            assert patience.cancelled_caught
            other.execute("COMMIT")
        with anyio.fail_after(120):
            assert await store.ids("") == []


async def test_nobody_else_may_read_what_is_in_it(path: Path) -> None:
    before = os.umask(0)
    try:
        async with SqliteStore(path) as store:
            await store.open(sample(), collect_after=LONG_AGO)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (path.parent, *path.parent.iterdir())}
    finally:
        os.umask(before)
    assert modes == {"data": 0o700, "handoffs.db": 0o600, "handoffs.db-wal": 0o600, "handoffs.db-shm": 0o600}


async def test_a_cancelled_first_use_leaves_a_store_that_works(path: Path) -> None:
    async with SqliteStore(path) as store:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.ids, "")
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        handoff = sample()
        with anyio.fail_after(120):
            assert await store.open(handoff, collect_after=LONG_AGO) == handoff


async def test_a_relative_path_stays_where_it_was_when_the_store_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqliteStore(Path("handoffs.db"))
    monkeypatch.chdir("/")
    async with store:
        await store.ids("")
    assert (tmp_path / "handoffs.db").exists()


# Closing


async def test_closing_ends_its_thread_and_leaves_one_file(path: Path) -> None:
    before = threading.active_count()
    async with SqliteStore(path) as store:
        await store.open(sample(), collect_after=LONG_AGO)
        async with store.watch():
            pass
    assert threading.active_count() == before
    assert [file.name for file in path.parent.iterdir()] == ["handoffs.db"]


async def test_closing_finishes_what_was_begun(path: Path) -> None:
    store = SqliteStore(path)
    handoff = sample()
    async with anyio.create_task_group() as tasks:
        await store.ids("")
        tasks.start_soon(lambda: store.open(handoff, collect_after=LONG_AGO))
        await anyio.wait_all_tasks_blocked()
        await store.aclose()
    async with SqliteStore(path) as again:
        assert await again.get(handoff.id) == handoff


async def test_a_closed_store_says_so_also_to_those_who_wait(path: Path) -> None:
    async with SqliteStore(path) as store:
        handoff = await store.open(sample(), collect_after=LONG_AGO)
        with anyio.fail_after(120):
            async with store.watch(handoff.id) as watch:
                await store.aclose()
                await watch.changed()
                with pytest.raises(StoreError, match="is closed"):
                    await store.get(handoff.id)
                with pytest.raises(StoreError, match="is closed"):
                    async with store.watch():
                        pass
        await store.aclose()


async def test_a_cancelled_task_still_closes_its_store(path: Path) -> None:
    before = threading.active_count()
    async with anyio.create_task_group() as tasks:

        async def use() -> None:
            async with SqliteStore(path) as store:
                await store.ids("")
                async with store.watch() as watch:
                    tasks.cancel_scope.cancel()
                    await watch.changed()

        tasks.start_soon(use)
    assert threading.active_count() == before


def test_a_process_that_forgets_to_close_its_store_ends_all_the_same(path: Path) -> None:
    code = """if True:
        import anyio, pathlib, sys
        from handoffs.store.sqlite.store import SqliteStore
        async def main():
            store = SqliteStore(pathlib.Path(sys.argv[1]))
            await store.ids("")
            sys.exit(7)
        anyio.run(main)
    """
    words = [sys.executable, "-c", code, str(path)]
    assert subprocess.run(words, cwd=ROOT, check=False, timeout=120).returncode == 7


async def test_a_store_closed_while_it_opens_is_closed(path: Path) -> None:
    before = threading.active_count()
    store = SqliteStore(path)
    said: list[str] = []

    async def use() -> None:
        try:
            await store.ids("")
        except StoreError as error:
            said.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use)
        await anyio.wait_all_tasks_blocked()
        await store.aclose()
    assert threading.active_count() == before
    assert len(said) <= 1
    assert all("is closed" in words for words in said)


# Waiting for others


async def test_a_caller_cancelled_while_another_program_writes_blocks_no_other(path: Path) -> None:
    (handoff,) = await filled(path)
    async with SqliteStore(path) as store:
        await store.ids("")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with anyio.fail_after(120):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(store.record, handoff.id, answered())
                    await anyio.wait_all_tasks_blocked()
                    tasks.cancel_scope.cancel()
            other.execute("ROLLBACK")
        with anyio.fail_after(120):
            again = await store.open(sample("Another question"), collect_after=LONG_AGO)
            assert again.state is State.OPEN
            assert (await store.get(handoff.id)).state is State.ANSWERED


async def test_wake_ups_from_other_processes_come_without_datagrams_too(path: Path) -> None:
    (handoff,) = await filled(path)
    async with (
        SqliteStore(path, datagrams=False) as store,
        other_process("sqlite", str(path), "answer", handoff.id) as other,
        store.watch(handoff.id) as watch,
    ):
        await other.go()
        with anyio.fail_after(120):
            while (await store.get(handoff.id)).state is State.OPEN:
                await watch.changed()


async def test_nothing_is_polled_while_nobody_watches(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.ids("")
        before = asyncio.all_tasks()
        async with store.watch("h_one"), store.watch("h_two"):
            assert len(asyncio.all_tasks()) == len(before) + 1
        await until(lambda: asyncio.all_tasks() == before)


async def test_a_datagram_wakes_without_a_poll(path: Path) -> None:
    (handoff,) = await filled(path)
    async with (
        SqliteStore(path, poll=3600) as store,
        other_process("sqlite", str(path), "answer", handoff.id) as other,
        store.watch(handoff.id) as watch,
    ):
        await other.go()
        with anyio.fail_after(120):
            await watch.changed()
        assert (await store.get(handoff.id)).state is State.ANSWERED


async def test_without_datagrams_too_only_those_concerned_are_woken(path: Path) -> None:
    first, second = await filled(path, 2)
    async with (
        SqliteStore(path, datagrams=False) as store,
        SqliteStore(path, datagrams=False) as other,
        store.watch(first.id) as of_first,
        store.watch(second.id) as of_second,
    ):
        await other.record(second.id, answered())
        with anyio.fail_after(120):
            await of_second.changed()
        with anyio.CancelScope() as not_woken:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(of_first.changed)
                await anyio.wait_all_tasks_blocked()
                not_woken.cancel()
        assert not_woken.cancelled_caught


async def test_a_watch_after_a_time_without_one_hears_without_datagrams(path: Path) -> None:
    # Between the two the poll stands still and changes go by.
    first, second = await filled(path, 2)
    async with SqliteStore(path, datagrams=False) as store, SqliteStore(path, datagrams=False) as other:
        async with store.watch(first.id):
            pass
        await other.record(first.id, answered())
        async with store.watch(second.id) as watch:
            await other.record(second.id, answered())
            with anyio.fail_after(120):
                await watch.changed()


# Many


def add_many(path: Path, model: Handoff, count: int) -> None:
    """Put `count` handoffs like `model` into its store, made one second apart and each with a line in the log."""
    row = rows.encode(model)
    form, breakout, changing = row[6], row[7], row[10:]
    deadline, made = rows.micros(model.question.deadline), rows.micros(model.created_at)
    with closing(sqlite3.connect(path)) as other, other:
        other.executemany(
            f"INSERT INTO handoffs VALUES ({', '.join('?' * len(row))})",
            (
                (f"h_{n:06}", f"print {n}", "ada", "", "", "Why?", form, breakout, deadline + s, made + s, *changing)
                for n in range(count)
                for s in [(n + 1) * 1_000_000]  # microseconds
            ),
        )
        other.executemany(
            "INSERT INTO events (handoff_id, name, at, details) VALUES (?, 'opened', 0, '{}')",
            ((f"h_{n:06}",) for n in range(count)),
        )


async def fastest(store: SqliteStore) -> dict[str, float]:
    """Return how many seconds each thing that a store does takes at its fastest."""
    times: dict[str, float] = {}
    there = Cursor(created_at=ASKED, id=(await store.newest(open_only=False, limit=1))[0].id)
    for number in range(30):
        handoff = sample(f"Question {number}", handoff_id=f"h_new{number}", at=ASKED - timedelta(days=1))
        uses: dict[str, Callable[[], Awaitable[object]]] = {
            "open": lambda handoff=handoff: store.open(handoff, collect_after=LONG_AGO),
            "join": lambda handoff=handoff: store.open(replace(handoff, id="h_again"), collect_after=LONG_AGO),
            "newest": lambda: store.newest(open_only=False, limit=3),
            "newest of the open": lambda: store.newest(open_only=True, limit=3),
            "before": lambda: store.newest(open_only=False, before=there, limit=3),
            "before, of the open": lambda: store.newest(open_only=True, before=there, limit=3),
            "outlines": lambda: store.outlines(ended_only=False, since=LONG_AGO, before=there, limit=3),
            "all of these": lambda handoff=handoff: store.get_all([handoff.id, "h_none"]),
            "overdue": lambda: store.overdue(LATER + DAY, limit=3),
            "record": lambda handoff=handoff: store.record(handoff.id, answered(at=handoff.created_at)),
            "get": lambda handoff=handoff: store.get(handoff.id),
            "ids": lambda handoff=handoff: store.ids(handoff.id),
            "log": lambda handoff=handoff: store.log(handoff_id=handoff.id),
            "log after": lambda: store.log(after=30, limit=3),
        }
        for name, use in uses.items():
            start = time.perf_counter()
            await use()
            times[name] = min(times.get(name, 60), time.perf_counter() - start)
    return times


@pytest.mark.parametrize("ended", [False, True])
async def test_a_hundred_thousand_handoffs_slow_nothing_down(tmp_path: Path, ended: bool) -> None:
    taken: list[dict[str, float]] = []
    for count in (100, 100_000):
        path = tmp_path / f"{count}.db"
        async with SqliteStore(path) as store:
            model = await store.open(sample(at=ASKED - 2 * DAY, handoff_id="h_model"), collect_after=LONG_AGO)
            if ended:
                model = await store.record(model.id, answered(at=model.created_at))
            add_many(path, model, count)
            taken.append(await fastest(store))
    few, many = taken
    # A look at every row would take a hundred times as long; an index, the same or a little more.
    slower = {name: many[name] / seconds for name, seconds in few.items() if many[name] > 5 * seconds + 0.001}
    assert slower == {}


async def test_many_processes_on_one_file_never_find_it_busy(path: Path) -> None:
    handoffs = await filled(path, 40)
    parts = [[handoff.id for handoff in handoffs[number::4]] for number in range(4)]
    async with other_processes(*(("sqlite", str(path), "answer", *part) for part in parts)) as others:
        for other in others:
            await other.go()
        assert [await other.said_until_done() for other in others] == [[]] * 4
