"""The store in a SQLite file, for any number of processes on one machine. Nothing has to be installed.

Every method is one job for the connection's `Worker`: a whole transaction. A job that may read much is not `brief`.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import anyio

from handoffs.clock import SystemClock
from handoffs.core.errors import Stopped, StoreError
from handoffs.core.events import Entry, Event, Opened
from handoffs.core.model import Cursor, Handoff, OpenCount, Outline
from handoffs.core.quota import Quota
from handoffs.store.sqlite import queries, writing
from handoffs.store.sqlite.clock_offsets import settle
from handoffs.store.sqlite.datagrams import Datagrams, base_folder
from handoffs.store.sqlite.file import BUSY_SECONDS, connect, explained, identity, transaction, unsynced
from handoffs.store.sqlite.opening import open_or_join
from handoffs.store.sqlite.tokens import SqliteTokens
from handoffs.store.sqlite.wakeups import POLL_SECONDS, Wakeups
from handoffs.store.sqlite.worker import Worker
from handoffs.store.transition import Transition, expected, transition_of
from handoffs.store.values import micros
from handoffs.store.watches import Line, Watch

if TYPE_CHECKING:  # most servers need none of it
    from handoffs.store.sqlite.chats import SqliteChats
    from handoffs.store.sqlite.leaves import SqliteLeaves
    from handoffs.store.sqlite.people import SqlitePeople
    from handoffs.store.sqlite.permissions import SqlitePermissions

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    worker: Worker
    file: tuple[int, int] | None


class _Replaced(Exception):
    """The store's file was replaced or removed."""


class SqliteStore:
    """Keeps handoffs in a SQLite file. The first use opens it; making a store does not touch the disk.

    A cancelled call leaves nothing half-done: its job is finished or undone, whole.
    """

    def __init__(
        self, path: Path, *, datagrams: bool = True, clock: SystemClock | None = None, poll: float = POLL_SECONDS
    ) -> None:
        """Take the path of the file; without `datagrams`, other processes' changes are found every `poll` seconds.

        `clock` is given the offset that the store has kept for it.
        """
        self._path = path.absolute()
        self._clock = clock
        self._opening: asyncio.Task[_Opened] | None = None
        self._opened: _Opened | None = None
        self._closed = False
        self._data_version = -1
        self.tokens = SqliteTokens(self._run, self._write)
        """The tokens for calls over HTTP."""
        self._permissions: SqlitePermissions | None = None
        self._people: SqlitePeople | None = None
        self._leaves: SqliteLeaves | None = None
        self._chats: SqliteChats | None = None
        base = base_folder() if datagrams else None
        sender = None if base is None else Datagrams(self._path, base)
        self._wakeups = Wakeups(self._last_line, self._news, datagrams=sender, poll_seconds=poll)

    @property
    def permissions(self) -> "SqlitePermissions":
        """What a gate remembers: pins, grants and the stop."""
        if self._permissions is None:
            from handoffs.store.sqlite.permissions import SqlitePermissions

            self._permissions = SqlitePermissions(self._run, self._write)
        return self._permissions

    @property
    def people(self) -> "SqlitePeople":
        """The people, and what signs them in."""
        if self._people is None:
            from handoffs.store.sqlite.people import SqlitePeople

            self._people = SqlitePeople(self._run, self._write)
        return self._people

    @property
    def leaves(self) -> "SqliteLeaves":
        """The leaves of the verifiable log, and the tree over them."""
        if self._leaves is None:
            from handoffs.store.sqlite.leaves import SqliteLeaves

            self._leaves = SqliteLeaves(self._run, self._write)
        return self._leaves

    @property
    def chats(self) -> "SqliteChats":
        """Where people are told of questions and answer them, apart from the inbox."""
        if self._chats is None:
            from handoffs.store.sqlite.chats import SqliteChats

            self._chats = SqliteChats(self._run, self._write)
        return self._chats

    async def __aenter__(self) -> "SqliteStore":
        """Return the store, not yet opened."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()

    async def aclose(self) -> None:
        """Finish running jobs, close thread, file and sockets, wake the watches. Later use raises StoreError."""
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
        """Open the file, if that was not done before. Raises StoreError."""
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
        """Store a new handoff and its `Opened`, or join an existing one. Returns the stored or the joined handoff.

        It joins the newest one that `Handoff.joined_by` allows since `collect_after`. The creation time of the new one
        decides whether an open one is overdue. A new one gets as `earlier` the one that was decided last. `opened` is
        the log's entry of a new one, if it says more than the time.

        Raises:
            QuotaUsedUp: It would be a new one, and its subject has reached `quota`.
            ValueError: Another handoff has this id.
        """

        ask = partial(open_or_join, handoff=handoff, collect_after=collect_after, opened=opened, quota=quota)
        return await self._write(ask)

    async def record(
        self,
        handoff_id: str,
        *events: Event,
        known: Handoff | None = None,
        durable: bool = True,
        unless_stopped: bool = False,
        contents: Sequence[bytes] = (),
    ) -> Handoff:
        """Record events, all or none: read, `advance`, write the row and the lines of the log, in one transaction.

        A `known` handoff that is still current is not read again. Without `durable`, the events may be lost in a power
        cut, until the next durable change. With `unless_stopped`, nothing is recorded while a stop stands. `contents`
        are the bytes of the files of an `Answered`.

        Raises:
            NotFound: There is no such handoff.
            AlreadyEnded: It has an outcome already, or its deadline had passed (which is then recorded).
            AlreadyReminded: Another process has claimed this stage.
            AlreadyUsed: Another tool use has the approval.
            Stopped: A stop stands, and the events are not to be recorded then.
        """
        guess = None if known is None else expected(known, events)

        def work(connection: sqlite3.Connection) -> tuple[Transition, list[Line]]:
            lines: list[Line] = []
            if unless_stopped and queries.is_stopped(connection):
                raise Stopped
            if guess is not None and writing.change(connection, guess, lines):
                writing.keep_contents(connection, guess, contents)
                return guess, lines
            transition = transition_of(queries.find(connection, handoff_id), events)
            writing.write(connection, transition, lines)
            writing.keep_contents(connection, transition, contents)
            return transition, lines

        return (await self._write(work, durable=durable, brief=not contents)).outcome()

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff by its whole id. Raises NotFound."""
        return await self._run(lambda connection: queries.find(connection, handoff_id), brief=True)

    async def content(self, handoff_id: str, number: int) -> bytes | None:
        """Return the bytes of a file of an answer; None if there are none."""
        return await self._run(lambda connection: queries.content(connection, handoff_id, number))

    async def get_all(self, handoff_ids: Sequence[str]) -> Sequence[Handoff]:
        """Return the handoffs with these ids, in this order, without those that do not exist."""
        return await self._run(lambda connection: queries.get_all(connection, handoff_ids))

    async def ids(self, prefix: str, *, limit: int = 10) -> Sequence[str]:
        """Return the ids that start with `prefix`, at most `limit`, in order."""
        return await self._run(lambda connection: queries.ids(connection, prefix, limit))

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first, at most `limit`: those after `before`, without the first `skip`."""
        return await self._run(partial(queries.newest, open_only=open_only, before=before, skip=skip, limit=limit))

    async def newest_of(self, subject: str, *, open_only: bool, limit: int = 1000) -> Sequence[Handoff]:
        """Return the handoffs of one subject, newest first, at most `limit`."""
        return await self._run(lambda each: queries.newest_of(each, subject, open_only=open_only, limit=limit))

    async def ended_of_action(self, subject: str, digest: str, *, limit: int) -> Sequence[Handoff]:
        """Return the ended handoffs of one subject about the action with this digest, newest first, at most `limit`."""
        wanted = partial(queries.ended_of_action, subject=subject, digest=digest)
        first = await self._run(partial(wanted, limit=min(limit, 1)), brief=True)  # most often there is none
        return await self._run(partial(wanted, limit=limit)) if first else []

    async def outlines(
        self, *, ended_only: bool, since: datetime, before: Cursor | None = None, limit: int = 1000
    ) -> Sequence[Outline]:
        """Return outlines, newest first, at most `limit`: those after `before`, created at `since` or later."""
        return await self._run(
            partial(queries.outlines, ended_only=ended_only, since=since, before=before, limit=limit)
        )

    async def count_open(self) -> OpenCount:
        """Return the number of open handoffs, the next deadline, and the newest line of the log, in one snapshot."""
        return await self._run(queries.count_open)

    async def has_chats(self) -> bool:
        """Return whether there is a chat."""
        return await self._run(queries.has_chats, brief=True)

    async def next_deadline(self) -> datetime | None:
        """Return when the next open handoff expires; None where none is open."""
        return await self._run(queries.next_deadline, brief=True)

    async def overdue(self, now: datetime, *, limit: int = 1000) -> Sequence[str]:
        """Return the ids of open handoffs whose deadline has passed, the longest overdue first."""
        return await self._run(lambda connection: queries.overdue(connection, now, limit))

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return lines of the audit log after line number `after`, in order, of one handoff or all."""
        return await self._run(partial(queries.log, handoff_id=handoff_id, after=after, limit=limit))

    async def claim(self, key: str, *, now: datetime, until: datetime) -> bool:
        """Claim a key that may be used once. True for the first of all processes that try before `until`."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            connection.execute("DELETE FROM claims WHERE ends <= ?", (micros(now),))
            made = connection.execute("INSERT OR IGNORE INTO claims (key, ends) VALUES (?, ?)", (key, micros(until)))
            return made.rowcount == 1, []

        return await self._write(work)

    async def extend_claim(self, key: str, *, held: datetime, until: datetime) -> bool:
        """Let the claim that ends at `held` end at `until`. False where it is another's by now, or gone."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            sql = "UPDATE claims SET ends = ? WHERE key = ? AND ends = ?"
            return connection.execute(sql, (micros(until), key, micros(held))).rowcount == 1, []

        return await self._write(work)

    def watch(self, handoff_id: str | None = None) -> AbstractAsyncContextManager[Watch]:
        """Return a watch on one handoff, or on the whole store."""
        return self._wakeups.watch(handoff_id)

    async def _last_line(self) -> int:
        def work(connection: sqlite3.Connection) -> int:
            # In this order: a commit between the two reads is in the second one, and the next poll finds nothing new.
            self._data_version = queries.data_version(connection)
            return queries.last_line(connection)

        return await self._run(work, brief=True)

    async def _news(self) -> Sequence[Line]:
        def work(connection: sqlite3.Connection) -> list[Line]:
            # `data_version` differs once another connection has committed; reading it costs a few microseconds.
            version = queries.data_version(connection)
            if version == self._data_version:
                return []
            news = queries.lines_after(connection, self._wakeups.heard_to)
            self._data_version = version
            return news

        return await self._run(work, brief=True)

    async def _write(
        self,
        work: Callable[[sqlite3.Connection], tuple[T, list[Line]]],
        *,
        durable: bool = True,
        brief: bool = True,
    ) -> T:
        """Run `work` in a transaction of its own. After the commit, report the lines that it wrote."""

        def whole(connection: sqlite3.Connection) -> tuple[T, list[Line]]:
            with contextlib.nullcontext() if durable else unsynced(connection), transaction(connection):
                written = work(connection)
            self._wakeups.send(written[1])
            return written

        # Also if the caller was cancelled meanwhile: the change must be reported.
        result, _ = await self._run(whole, brief=brief, then=lambda written: self._wakeups.wake(written[1]))
        return result

    async def _run(
        self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False, then: Callable[[T], None] | None = None
    ) -> T:
        for _ in range(3):
            if self._closed:
                raise StoreError(f"The store {self._path} is closed: this process is shutting down. Start it again.")
            opened = self._opened or await self._open()
            if opened is not self._opened:
                continue
            try:
                return await self._on(opened, work, brief=brief, then=then)
            except _Replaced:
                # Writes to a deleted file would be lost to other processes.
                if opened is self._opened:
                    self._wakeups.restart()
                    await self._leave(opened)
        raise StoreError(f"The store {self._path} is replaced again and again: stop the program that does so.")

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
        # A task of its own, shielded: many calls may wait for it, and a cancelled one must not stop the others.
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect(), name="handoffs: open the store")
        return await asyncio.shield(self._opening)

    async def _connect(self) -> _Opened:
        files: list[tuple[int, int] | None] = []

        def connector() -> sqlite3.Connection:
            connection = connect(self._path, shared=True)
            if self._clock is not None:
                settle(connection, self._clock)
            files.append(identity(self._path))
            return connection

        worker = Worker(busy_seconds=BUSY_SECONDS)
        try:
            await worker.open(connector)
            self._data_version = -1  # another connection has its own count
            self._opened = _Opened(worker=worker, file=files[0])
        finally:
            self._opening = None
        return self._opened

    async def _leave(self, opened: _Opened) -> None:
        self._opened = None
        await opened.worker.aclose()
