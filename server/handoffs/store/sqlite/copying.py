"""A SQLite store as one side of a copy. It blocks, in a thread of its own."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

import anyio

from handoffs.core.errors import StoreError
from handoffs.store.copying import BY_CREATION, CLAIMS, HANDOFFS, TABLES, Progress, Row, Table
from handoffs.store.sqlite.file import APPLICATION_ID, HALF_COPY_ID, connect, explained, transaction

T = TypeVar("T")


class SqliteEndpoint:
    """A store in a file, open for the length of the block. A target may hold half a copy."""

    def __init__(self, path: Path, *, now: int, target: bool = False) -> None:
        """Take the path, and the time in microseconds: claims that end before it are left out."""
        self._path, self._now, self._is_target = path.absolute(), now, target
        self.identity = os.path.realpath(path)
        """What identifies this store."""
        self.shown = str(path)
        """Its path for people."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="handoffs: copy")
        self._made: sqlite3.Connection | None = None

    async def __aenter__(self) -> "SqliteEndpoint":
        """Return the endpoint, opened. Raises StoreError; a missing source is not created."""
        try:
            await self._run(lambda _: None)
        except BaseException:  # raised again: the thread would stay
            self._thread.shutdown(wait=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it after the running work."""
        with anyio.CancelScope(shield=True):
            await self._run(lambda connection: connection.close())
        self._thread.shutdown(wait=False)

    async def count(self, table: Table) -> int:
        """Return the number of rows."""
        where = f"WHERE ends > {self._now}" if table is CLAIMS else ""
        ((count,),) = await self._fetch(f"SELECT count(*) FROM {table.name} {where}")  # noqa: S608
        return cast("int", count)

    async def last_line(self) -> int:
        """Return the number of the last line of the log; 0 for an empty log."""
        ((last,),) = await self._fetch("SELECT coalesce(max(number), 0) FROM events")
        return cast("int", last)

    async def page(self, table: Table, after: Row, order: tuple[str, ...]) -> Sequence[Row]:
        """Return the next rows in `order`, each followed by its position; `after` is the last row's position, or ()."""
        by = ", ".join("rowid" if name == BY_CREATION[1] else name for name in order)
        where = [f"({by}) > ({', '.join('?' * len(order))})"] if after else []
        if table is CLAIMS:
            where.append(f"ends > {self._now}")
        return await self._fetch(
            f"SELECT {', '.join(table.columns)}, {by} FROM {table.name} "  # noqa: S608
            f"{'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY {by} LIMIT {table.page}",
            after,
        )

    async def some(self, ids: Sequence[str]) -> Sequence[Row]:
        """Return the handoffs with these ids that exist."""
        marks = ", ".join("?" * len(ids))
        return await self._fetch(f"SELECT {', '.join(HANDOFFS.columns)} FROM handoffs WHERE id IN ({marks})", ids)  # noqa: S608

    async def begin(self, progress: Progress) -> Progress:
        """Lock an empty store against other programs, or return the progress of a copy that was begun before.

        Raises:
            StoreError: The store has rows already.
        """

        def work(connection: sqlite3.Connection) -> Progress:
            with transaction(connection):
                if connection.execute("PRAGMA application_id").fetchone() == (HALF_COPY_ID,):
                    return _progress(connection)
                for table in TABLES:
                    if connection.execute(f"SELECT 1 FROM {table.name}").fetchone():  # noqa: S608
                        raise StoreError(
                            f"{self.shown} has {table.name} of its own, and two stores are never mixed. Name an empty "
                            "one, or a file that is not there."
                        )
                connection.execute("CREATE TABLE copying (progress TEXT NOT NULL) STRICT")
                connection.execute("INSERT INTO copying VALUES (?)", (progress.written(),))
                connection.execute(f"PRAGMA application_id = {HALF_COPY_ID}")
                return progress

        return await self._run(work)

    async def write(self, table: Table, rows: Sequence[Row], before: Progress, after: Progress) -> None:
        """Write rows, over those with the same key, together with the new progress.

        Raises:
            StoreError: The stored progress is not `before`: another copy into this store is running.
        """
        columns = table.columns
        sql = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        if table.changing:
            written = ", ".join(f"{name} = excluded.{name}" for name in table.changing)
            sql += f" ON CONFLICT ({', '.join(table.order)}) DO UPDATE SET {written}"

        def work(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                self._go_on(connection, before, after)
                connection.executemany(sql, rows)

        await self._run(work)

    async def finish(self, before: Progress) -> None:
        """Unlock the store for other programs."""

        def work(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                self._go_on(connection, before, before)
                connection.execute("DROP TABLE copying")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

        await self._run(work)

    def _go_on(self, connection: sqlite3.Connection, before: Progress, after: Progress) -> None:
        there = (
            connection.execute("PRAGMA application_id").fetchone() == (HALF_COPY_ID,)
            and _progress(connection) == before
        )
        if not there:
            raise StoreError(f"Another copy into {self.shown} is running. Wait for its result.")
        connection.execute("UPDATE copying SET progress = ?", (after.written(),))

    async def _fetch(self, sql: str, parameters: Sequence[object] = ()) -> Sequence[Row]:
        return await self._run(lambda connection: connection.execute(sql, tuple(parameters)).fetchall())

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def job() -> T:
            if self._made is None:
                if not self._is_target and not self._path.is_file():
                    raise StoreError(f"There is no store {self.shown} to copy.")
                self._made = connect(self._path, half_copied=self._is_target)
            with explained(self._path):
                return work(self._made)

        # Shielded: a thread can't be stopped, so its work is always done whole.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, job))


def _progress(connection: sqlite3.Connection) -> Progress:
    return Progress.read(cast("tuple[str]", connection.execute("SELECT progress FROM copying").fetchone())[0])
