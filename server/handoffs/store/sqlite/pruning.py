"""Removes old handoffs from a SQLite store, with their lines and secrets."""

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
    """Removes old handoffs from a store in a file. Every method raises StoreError if the store can't be used."""

    def __init__(self, path: Path, age: Age) -> None:
        """Take the path; nothing is opened yet."""
        self._path, self._rule = path.absolute(), age.rule("handoffs", "events")

    async def count(self) -> int:
        """Return how many handoffs are too old."""

        def work(connection: sqlite3.Connection) -> int:
            return _number(connection, f"SELECT count(*) FROM handoffs WHERE {self._rule}")  # noqa: S608

        return await self._run(work)

    async def remove(self) -> int:
        """Remove a batch of them for good, and return how many; 0 once none are left."""

        def work(connection: sqlite3.Connection) -> int:
            # Overwrites the removed content. Without it, the content stays in the file until the space is reused.
            connection.execute("PRAGMA secure_delete = ON")
            with transaction(connection):
                connection.execute(
                    f"CREATE TEMP TABLE old AS SELECT id FROM handoffs WHERE {self._rule} "  # noqa: S608
                    f"ORDER BY created_at LIMIT {BATCH}"
                )
                # Their leaves stay, without the salts: the log stays whole, and says nothing more about the words.
                connection.execute(
                    "INSERT INTO kept_leaves SELECT number, leaf FROM events "
                    "WHERE handoff_id IN (SELECT id FROM old) AND leaf <> ''"
                )
                connection.execute("DELETE FROM events WHERE handoff_id IN (SELECT id FROM old)")
                for table in ("chat_codes", "chat_messages", "attachments"):
                    connection.execute(f"DELETE FROM {table} WHERE handoff_id IN (SELECT id FROM old)")  # noqa: S608
                gone = connection.execute("DELETE FROM handoffs WHERE id IN (SELECT id FROM old)").rowcount
            # The write-ahead log still holds the content, until it is written to the file and truncated.
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
