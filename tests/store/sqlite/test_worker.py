"""Where the work on a connection runs: on the loop's thread while that costs nothing, else on its own."""

import sqlite3
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from handoffs.store.sqlite.worker import Worker
from tests.waiting import until

BUSY_SECONDS = 10.0


@asynccontextmanager
async def working(path: Path, *, slow_seconds: float = 60.0) -> AsyncGenerator[Worker]:
    worker = Worker(busy_seconds=BUSY_SECONDS, slow_seconds=slow_seconds)
    await worker.open(lambda: connected(path))
    try:
        yield worker
    finally:
        await worker.aclose()


def connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS notes (text TEXT)")
    return connection


def thread_of(_: sqlite3.Connection) -> threading.Thread:
    return threading.current_thread()


def noted(connection: sqlite3.Connection) -> threading.Thread:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO notes VALUES ('seen')")
    connection.execute("COMMIT")
    return threading.current_thread()


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])


async def test_a_brief_job_runs_on_the_thread_of_the_loop(tmp_path: Path) -> None:
    async with working(tmp_path / "a.db") as worker:
        assert await worker.run(thread_of, brief=True) is threading.current_thread()


async def test_another_job_runs_on_a_thread_of_its_own(tmp_path: Path) -> None:
    async with working(tmp_path / "a.db") as worker:
        assert await worker.run(thread_of) is not threading.current_thread()


async def test_a_brief_job_follows_what_is_under_way(tmp_path: Path) -> None:
    order: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def long(_: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(10)
        order.append("long")

    def brief(_: sqlite3.Connection) -> threading.Thread:
        order.append("brief")
        return threading.current_thread()

    async with working(tmp_path / "a.db") as worker, anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run, long)
        await anyio.to_thread.run_sync(begun.wait, 10)
        ran: list[threading.Thread] = []

        async def run_brief() -> None:
            ran.append(await worker.run(brief, brief=True))

        tasks.start_soon(run_brief)
        await anyio.wait_all_tasks_blocked()
        go_on.set()
    assert order == ["long", "brief"]
    assert ran[0] is not threading.current_thread()


async def test_the_loop_does_not_wait_for_the_lock_of_another_process(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with working(path) as worker:
        other = connected(path)
        other.execute("BEGIN IMMEDIATE")
        ran: list[threading.Thread] = []

        async def run_brief() -> None:
            ran.append(await worker.run(noted, brief=True))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_brief)
            await anyio.sleep(0.05)  # the loop goes on meanwhile, and the job waits on its thread
            assert ran == []
            other.execute("COMMIT")
        other.close()
        assert ran[0] is not threading.current_thread()
        assert await worker.run(count, brief=True) == 1


async def test_after_a_slow_job_the_next_ones_go_to_the_thread(tmp_path: Path) -> None:
    def slow(_: sqlite3.Connection) -> None:
        time.sleep(0.05)

    async with working(tmp_path / "a.db", slow_seconds=0.02) as worker:
        await worker.run(slow, brief=True)
        assert await worker.run(thread_of, brief=True) is not threading.current_thread()
        await until(lambda: worker.run(thread_of, brief=True), lambda ran: ran is threading.current_thread())


async def test_a_job_whose_caller_was_cancelled_is_finished_and_told(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def slow(connection: sqlite3.Connection) -> str:
        begun.set()
        go_on.wait(10)
        noted(connection)
        return "kept"

    async with working(tmp_path / "a.db") as worker:
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                await worker.run(slow, then=told.append)

            tasks.start_soon(run)
            await anyio.to_thread.run_sync(begun.wait, 10)
            tasks.cancel_scope.cancel()
        go_on.set()
        assert await worker.run(count) == 1
        assert told == ["kept"]


@pytest.mark.parametrize("brief", [False, True])
async def test_what_a_job_raises_is_its_callers(tmp_path: Path, brief: bool) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("no SQL")

    async with working(tmp_path / "a.db") as worker:
        with pytest.raises(sqlite3.OperationalError, match="syntax"):
            await worker.run(broken, brief=brief)
        assert await worker.run(count, brief=brief) == 0


async def test_where_it_can_not_connect_no_thread_is_left(tmp_path: Path) -> None:
    before = threading.active_count()
    worker = Worker(busy_seconds=BUSY_SECONDS)
    with pytest.raises(sqlite3.OperationalError):
        await worker.open(lambda: connected(tmp_path / "no" / "folder.db"))
    assert threading.active_count() == before
