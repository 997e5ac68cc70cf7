"""Removes what is too old from a SQLite store, with its lines and its secrets."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from handoffs.store.pruning import BATCH, Age
from handoffs.store.sqlite.file import connect, explained, transaction

T = TypeVar("T")


class SqlitePruning:
    """Removes what is too old from a store in a file. Every method raises StoreError where it can't be used."""

    def __init__(self, path: Path, age: Age) -> None:
        """Take where it is; nothing is opened yet."""
        self._path, self._rule = path.absolute(), age.rule("handoffs", "events")

    async def count(self) -> int:
        """Return how many are too old."""

        def work(connection: sqlite3.Connection) -> int:
            return _number(connection, f"SELECT count(*) FROM handoffs WHERE {self._rule}")  # noqa: S608

        return await self._run(work)

    async def remove(self) -> int:
        """Remove some of them for good, and return how many; 0 once there are none left."""

        def work(connection: sqlite3.Connection) -> int:
            # What was in them is overwritten. Else it would stay in the file until something else needs the room.
            connection.execute("PRAGMA secure_delete = ON")
            with transaction(connection):
                connection.execute(
                    f"CREATE TEMP TABLE old AS SELECT id FROM handoffs WHERE {self._rule} "  # noqa: S608
                    f"ORDER BY created_at LIMIT {BATCH}"
                )
                connection.execute("DELETE FROM events WHERE handoff_id IN (SELECT id FROM old)")
                gone = connection.execute("DELETE FROM handoffs WHERE id IN (SELECT id FROM old)").rowcount
            # It is still in the log of writes, until that was written into the file and begun anew.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return gone

        return await self._run(work)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def job() -> T:
            with explained(self._path), closing(connect(self._path)) as connection:
                return work(connection)

        return await anyio.to_thread.run_sync(job)


def _number(connection: sqlite3.Connection, sql: str) -> int:
    number: int = connection.execute(sql).fetchone()[0]
    return number
