"""A SQLite store without an event loop: for a command that is to be quick, and does one thing after the other.

It writes what `SqliteStore` writes, in the same transactions, and tells the processes that wait.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from handoffs.clock import SystemClock
from handoffs.core.events import Event, Opened
from handoffs.core.model import Handoff
from handoffs.core.quota import Quota
from handoffs.store.sqlite import queries, writing
from handoffs.store.sqlite.clock_offsets import settle
from handoffs.store.sqlite.datagrams import Datagrams, base_folder
from handoffs.store.sqlite.file import connect, explained, transaction, unsynced
from handoffs.store.sqlite.opening import open_or_join
from handoffs.store.transition import transition_of
from handoffs.store.watches import Line

T = TypeVar("T")


class AtOnce:
    """One connection to the store at a path, which is created or brought up to date first. Everything blocks.

    Its block, and each method, raises StoreError where the store can't be used.
    """

    def __init__(self, path: Path) -> None:
        """Take the path; nothing is opened yet."""
        self._path = path
        self.clock = SystemClock()
        """Follows the store's knowledge of the time inside of the block."""

    def __enter__(self) -> Self:
        self._connection = connect(self._path)
        with explained(self._path):
            settle(self._connection, self.clock)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def open(self, handoff: Handoff, *, collect_after: datetime, opened: Opened, quota: Quota | None) -> Handoff:
        """Store a new handoff, or join an existing one; see `SqliteStore.open`."""
        return self._write(
            lambda connection: open_or_join(
                connection, handoff, collect_after=collect_after, opened=opened, quota=quota
            )
        )

    def record(self, handoff_id: str, event: Event, *, durable: bool = True) -> Handoff:
        """Record an event, as `SqliteStore.record` does."""

        def work(connection: sqlite3.Connection) -> tuple[Handoff, list[Line]]:
            lines: list[Line] = []
            transition = transition_of(queries.find(connection, handoff_id), [event])
            writing.write(connection, transition, lines)
            return transition.outcome(), lines

        return self._write(work, durable=durable)

    def _write(self, work: Callable[[sqlite3.Connection], tuple[T, list[Line]]], *, durable: bool = True) -> T:
        how = nullcontext() if durable else unsynced(self._connection)
        with explained(self._path), how, transaction(self._connection):
            result, lines = work(self._connection)
        base = base_folder()
        if base is not None:
            with closing(Datagrams(self._path, base)) as datagrams:
                for number, handoff_id, _ in lines:
                    datagrams.send(b"%d %s" % (number, handoff_id.encode()))
        return result
