"""The store in a SQLite file: for one machine, any number of processes, nothing to install.

Every method is one job for the connection's `Worker`: a whole transaction. What may read much is not brief.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

import anyio

from handoffs.clock import SystemClock, boot_id
from handoffs.core.errors import StoreError
from handoffs.core.events import Entry, Event, Opened
from handoffs.core.lifecycle import expiry
from handoffs.core.model import Cursor, Handoff, OpenCount, Outline, earlier_of
from handoffs.core.quota import Quota
from handoffs.store.rows import (
    CHANGING,
    COLUMNS,
    decode,
    encode,
    encode_changing,
    encode_event,
    micros,
    storable,
)
from handoffs.store.sqlite import queries
from handoffs.store.sqlite.clock_offsets import keep_offset, known_offset
from handoffs.store.sqlite.datagrams import Datagrams, base_folder
from handoffs.store.sqlite.file import BUSY_SECONDS, connect, explained, identity, transaction, unsynced
from handoffs.store.sqlite.permissions import SqlitePermissions
from handoffs.store.sqlite.quota import check_quota
from handoffs.store.sqlite.tokens import SqliteTokens
from handoffs.store.sqlite.wakeups import Wakeups
from handoffs.store.sqlite.worker import Worker
from handoffs.store.transition import Happening, expected, happen
from handoffs.store.watches import Line, Watch

T = TypeVar("T")

_INSERT = f"INSERT INTO handoffs ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_UPDATE = f"UPDATE handoffs SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE id = ? AND version = ?"  # noqa: S608
# The same question, open or ended a short while ago; the open ones among them may be overdue.
_ALIKE = f"""{queries.SELECT} WHERE fingerprint = ? AND (state = 'open' OR ended_at >= ?)
    ORDER BY created_at DESC, rowid DESC"""
_INSERT_EVENT = "INSERT INTO events (handoff_id, name, at, details) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    worker: Worker
    file: tuple[int, int] | None


class _Replaced(Exception):
    """Another file is where the store was, or none."""


class SqliteStore:
    """Keeps handoffs in a SQLite file. Made without touching the disk; the first use opens it.

    A call that is cancelled leaves nothing half-done: what it began is finished or undone, whole.
    """

    def __init__(self, path: Path, *, datagrams: bool = True, clock: SystemClock | None = None) -> None:
        """Take where the file is or shall be; without `datagrams`, changes by other processes are heard by polling.

        The `clock` is told the offset that was kept of it.
        """
        self._path = path.absolute()
        self._clock = clock
        self._opening: asyncio.Task[_Opened] | None = None
        self._opened: _Opened | None = None
        self._closed = False
        self._data_version = -1
        self.tokens = SqliteTokens(self._run, self._write)
        """Who may call over HTTP."""
        self.permissions = SqlitePermissions(self._run, self._write)
        """What a gate remembers."""
        base = base_folder() if datagrams else None
        self._wakeups = Wakeups(
            last=self._last_line, news=self._news, datagrams=None if base is None else Datagrams(self._path, base)
        )

    async def __aenter__(self) -> "SqliteStore":
        """Return the store, still unopened."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()

    async def aclose(self) -> None:
        """Finish what was begun, close thread, file and sockets, wake the watches. Later use raises StoreError."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            if self._opening is not None:
                await asyncio.wait({self._opening})
            try:
                if self._opened is not None:
                    await self._leave(self._opened)
            finally:
                await self._wakeups.aclose()

    async def ready(self) -> None:
        """Open the file, where nothing has yet. Raises StoreError."""
        if self._opened is None:
            await self._run(lambda _: None)

    async def open(
        self,
        handoff: Handoff,
        *,
        collect_after: datetime,
        opened: Opened | None = None,
        quota: Quota | None = None,
    ) -> Handoff:
        """Keep a new handoff and its `Opened`, unless it joins one that is there; return the one that counts.

        It joins the newest that `Handoff.joined_by` allows since `collect_after`. Whether an open one is overdue is
        seen from when the new one was created. A new one has the `earlier` that was decided last. `opened` is what the
        log says of a new one where there is more to say than when.

        Raises:
            QuotaUsedUp: It would be a new one, and its subject has as much as `quota` allows.
            ValueError: There is another handoff with this id.
        """

        def work(connection: sqlite3.Connection) -> tuple[Handoff, list[Line]]:
            lines: list[Line] = []
            decided: list[Handoff] = []
            alike = connection.execute(_ALIKE, (storable(handoff.fingerprint), micros(collect_after)))
            for row in alike.fetchall():
                there = decode(row)
                if there.overdue(handoff.created_at):
                    there = _write(connection, happen(there, [expiry(there)]), lines)
                if there.joined_by(handoff, since=collect_after):
                    return there, lines
                if there.decided:
                    decided.append(there)
            if quota is not None:
                check_quota(connection, handoff, quota)
            fresh = replace(handoff, earlier=earlier_of(decided))
            try:
                connection.execute(_INSERT, encode(fresh))
            except sqlite3.IntegrityError as error:
                raise ValueError(f"there is another handoff {handoff.id}; take a new id") from error
            lines.append(_log(connection, fresh, opened or Opened(at=handoff.created_at)))
            return fresh, lines

        return await self._write(work)

    async def record(
        self, handoff_id: str, *events: Event, known: Handoff | None = None, durable: bool = True
    ) -> Handoff:
        """Let events happen, all or none: read, `advance`, write the row and the lines of the log, in one transaction.

        What is `known` of the handoff is not read again, where it is still so. What is not `durable` need not outlive
        a power cut; the next change that is makes it so.

        Raises:
            NotFound: There is no such handoff.
            AlreadyEnded: It has an outcome already, or its deadline had passed (which is then recorded).
            AlreadyReminded: Another process has claimed this stage.
            AlreadyUsed: The approval is another tool use's.
        """

        guess = None if known is None else expected(known, events)

        def work(connection: sqlite3.Connection) -> tuple[Happening, list[Line]]:
            lines: list[Line] = []
            if guess is not None and _change(connection, guess, lines):
                return guess, lines
            happening = happen(queries.find(connection, handoff_id), events)
            _write(connection, happening, lines)
            return happening, lines

        return (await self._write(work, durable=durable)).outcome()

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff by its whole id. Raises NotFound."""
        return await self._run(lambda connection: queries.find(connection, handoff_id), brief=True)

    async def get_all(self, handoff_ids: Sequence[str]) -> Sequence[Handoff]:
        """Return the handoffs with these ids in this order; one that is not there is left out."""
        return await self._run(lambda connection: queries.get_all(connection, handoff_ids))

    async def ids(self, prefix: str, *, limit: int = 10) -> Sequence[str]:
        """Return the ids that start with `prefix`, at most `limit` of them, in order."""
        return await self._run(lambda connection: queries.ids(connection, prefix, limit))

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first, at most `limit`: those that come after `before`, less the first `skip`."""
        return await self._run(partial(queries.newest, open_only=open_only, before=before, skip=skip, limit=limit))

    async def newest_of(self, subject: str, *, open_only: bool, limit: int = 1000) -> Sequence[Handoff]:
        """Return the handoffs of one subject, newest first, at most `limit`."""
        return await self._run(lambda each: queries.newest_of(each, subject, open_only=open_only, limit=limit))

    async def outlines(
        self, *, ended_only: bool, since: datetime, before: Cursor | None = None, limit: int = 1000
    ) -> Sequence[Outline]:
        """Return outlines, newest first, at most `limit`: those that come after `before`, made at `since` or later."""
        wanted = partial(queries.outlines, ended_only=ended_only, since=since, before=before, limit=limit)
        return await self._run(wanted)

    async def count_open(self) -> OpenCount:
        """Return how many are open, when the next expires, and the newest line of the log, all of one moment."""
        return await self._run(queries.count_open)

    async def overdue(self, now: datetime, *, limit: int = 1000) -> Sequence[str]:
        """Return the ids of the open handoffs whose deadline has passed, the longest overdue first."""
        return await self._run(lambda connection: queries.overdue(connection, now, limit))

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return lines of the audit log in order, of one handoff or all, that come after line number `after`."""
        return await self._run(partial(queries.log, handoff_id=handoff_id, after=after, limit=limit))

    async def claim(self, key: str, *, now: datetime, until: datetime) -> bool:
        """Use up a key that may be used once: True for one of all who ever try before `until`, in whatever process."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            connection.execute("DELETE FROM claims WHERE ends <= ?", (micros(now),))
            made = connection.execute("INSERT OR IGNORE INTO claims (key, ends) VALUES (?, ?)", (key, micros(until)))
            return made.rowcount == 1, []

        return await self._write(work)

    def watch(self, handoff_id: str | None = None) -> AbstractAsyncContextManager[Watch]:
        """Return a watch on one handoff, or on all of the store."""
        return self._wakeups.watch(handoff_id)

    async def _last_line(self) -> int:
        def work(connection: sqlite3.Connection) -> int:
            # In this order: what is committed between the two is in the second, and the next poll looks in vain.
            self._data_version = _data_version(connection)
            return queries.last_line(connection)

        return await self._run(work, brief=True)

    async def _news(self) -> Sequence[Line]:
        def work(connection: sqlite3.Connection) -> list[Line]:
            # It differs once another connection has committed; asking costs a few microseconds.
            version = _data_version(connection)
            if version == self._data_version:
                return []
            news = queries.lines_after(connection, self._wakeups.heard_to)
            self._data_version = version
            return news

        return await self._run(work, brief=True)

    async def _write(self, work: Callable[[sqlite3.Connection], tuple[T, list[Line]]], *, durable: bool = True) -> T:
        """Run `work` in a transaction of its own, and when that is committed, tell of the lines that it wrote."""

        def whole(connection: sqlite3.Connection) -> tuple[T, list[Line]]:
            with contextlib.nullcontext() if durable else unsynced(connection), transaction(connection):
                written = work(connection)
            self._wakeups.tell(written[1])
            return written

        # Also where the caller was cancelled meanwhile: the change must be heard of all the same.
        result, _ = await self._run(whole, brief=True, then=lambda written: self._wakeups.told(written[1]))
        return result

    async def _run(
        self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False, then: Callable[[T], None] | None = None
    ) -> T:
        for _ in range(3):
            if self._closed:
                raise self._is_closed()
            opened = self._opened or await self._open()
            if opened is not self._opened:
                continue
            try:
                return await self._on(opened, work, brief=brief, then=then)
            except _Replaced:
                # What is written to a file that was deleted is lost to everybody else.
                if opened is self._opened:
                    self._wakeups.restart()
                    await self._leave(opened)
        raise StoreError(f"The store {self._path} is replaced by another file again and again: find out by whom.")

    async def _on(
        self,
        opened: _Opened,
        work: Callable[[sqlite3.Connection], T],
        *,
        brief: bool,
        then: Callable[[T], None] | None,
    ) -> T:
        def job(connection: sqlite3.Connection) -> T:
            if identity(self._path) != opened.file:
                raise _Replaced
            return work(connection)

        with explained(self._path):
            return await opened.worker.run(job, brief=brief, then=then)

    async def _open(self) -> _Opened:
        # In a task of its own, shielded: many may be first at once, and the one that is cancelled stops no other.
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect(), name="handoffs: open the store")
        return await asyncio.shield(self._opening)

    async def _connect(self) -> _Opened:
        files: list[tuple[int, int] | None] = []

        def connector() -> sqlite3.Connection:
            connection = connect(self._path, shared=True)
            self._settle(connection)
            files.append(identity(self._path))
            return connection

        worker = Worker(busy_seconds=BUSY_SECONDS)
        try:
            await worker.open(connector)
            self._data_version = -1  # of another connection, it would say nothing
            self._opened = _Opened(worker=worker, file=files[0])
        finally:
            self._opening = None
        return self._opened

    def _settle(self, connection: sqlite3.Connection) -> None:
        reading, boot = (None, "") if self._clock is None else (self._clock.read(), boot_id())
        if self._clock is not None and reading is not None and boot:
            offset = known_offset(connection, reading, boot)
            if offset is None:
                try:
                    with transaction(connection):
                        offset = keep_offset(connection, reading, boot)
                except sqlite3.Error:
                    return  # a full disk, a file that may only be read: what was asked must be seen all the same
            self._clock.settle(offset)

    async def _leave(self, opened: _Opened) -> None:
        self._opened = None
        await opened.worker.aclose()

    def _is_closed(self) -> StoreError:
        return StoreError(f"The store {self._path} is closed: this process is shutting down. Start it again.")


def _write(connection: sqlite3.Connection, happening: Happening, lines: list[Line]) -> Handoff:
    """Write what happens to a handoff, add its lines of the log, and return what it is then."""
    if happening.events and not _change(connection, happening, lines):
        raise StoreError(
            f"{happening.before.id} was changed by somebody else inside a transaction: is its file on a network?"
        )
    return happening.after


def _change(connection: sqlite3.Connection, happening: Happening, lines: list[Line]) -> bool:
    """Write what happens to a handoff; False, and nothing is written, where it is not any longer as it was."""
    before = happening.before
    row = (*encode_changing(happening.after), storable(before.id), before.version)
    if connection.execute(_UPDATE, row).rowcount != 1:
        return False
    lines.extend(_log(connection, happening.after, event) for event in happening.events)
    return True


def _log(connection: sqlite3.Connection, handoff: Handoff, event: Event) -> Line:
    number = connection.execute(_INSERT_EVENT, encode_event(handoff.id, event)).lastrowid
    return cast("int", number), handoff.id, handoff.version


def _data_version(connection: sqlite3.Connection) -> int:
    return cast("tuple[int]", connection.execute("PRAGMA data_version").fetchone())[0]
