"""What is too old to be kept any longer, and how it is removed from a SQLite store: with its lines and its secrets.

One that is open stays, however old. So does one that the same question could still join, and the one that the newest
line of the log is about: the numbers of the log go on behind it.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from handoffs.store.database import connect, explained, transaction
from handoffs.store.rows import micros

T = TypeVar("T")

BATCH = 500
"""How many are removed in one transaction; in between, others get their turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """What is too old."""

    ended_before: datetime
    """When a handoff must have ended."""
    collected_or_before: datetime
    """When one must have ended that the agent was never given, since it may ask again."""

    def rule(self, handoffs: str, events: str) -> str:
        """Return what is true of a row that is too old, in the SQL of both engines."""
        # Nothing ends before it is made, and for when it was made there is an index.
        ended, collected = micros(self.ended_before), micros(self.collected_or_before)
        return f"""{handoffs}.state <> 'open' AND {handoffs}.created_at < {ended} AND {handoffs}.ended_at < {ended}
            AND ({handoffs}.collected_at IS NOT NULL OR {handoffs}.ended_at < {collected})
            AND {handoffs}.id <> (SELECT handoff_id FROM {events} ORDER BY number DESC LIMIT 1)"""  # noqa: S608


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
