"""The store in a PostgreSQL database, for any number of machines. The extra `handoffs[postgres]` installs its driver.

Every change is one statement, and so a transaction of its own. A method takes one round trip, or more if others change
the same handoff. `statements` explains why that is enough.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, cast

import anyio

from handoffs.clock import SystemClock
from handoffs.core.errors import NotFound, Stopped
from handoffs.core.events import Answered, Entry, Event, Opened
from handoffs.core.lifecycle import expiry
from handoffs.core.model import Cursor, Handoff, OpenCount, Outline
from handoffs.core.quota import Quota
from handoffs.core.storable import storable
from handoffs.store.postgres.address import parse
from handoffs.store.postgres.callers import PostgresTokens, check, limits
from handoffs.store.postgres.cells import (
    encode_cell,
    entry_of,
    handoff_of,
    line_of,
    lines_of,
    outline_of,
    text_of,
)
from handoffs.store.postgres.connections import PATIENCE, Connections, Patience
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.postgres.layout import lock_key
from handoffs.store.postgres.listener import Listening
from handoffs.store.postgres.statements import statements
from handoffs.store.rows import (
    COLUMNS,
    decode_deadline,
    decode_open_count,
    encode,
    encode_changing,
    encode_cursor,
)
from handoffs.store.transition import Transition, expected, transition_of
from handoffs.store.values import Cell, micros
from handoffs.store.watches import Line, Watch

if TYPE_CHECKING:  # most servers need none of it
    from handoffs.store.postgres.chats import PostgresChats
    from handoffs.store.postgres.leaves import PostgresLeaves
    from handoffs.store.postgres.people import PostgresPeople
    from handoffs.store.postgres.permissions import PostgresPermissions

T = TypeVar("T")
_WIDTH = len(COLUMNS)


class PostgresStore:
    """Keeps handoffs in a PostgreSQL database. The first use connects, and creates the tables.

    A cancelled call leaves nothing half-done. While the database can't be reached, a call tries for ten seconds and
    then raises StoreError; watches go on waiting, and miss nothing.
    """

    def __init__(self, url: str, *, clock: SystemClock | None = None, patience: Patience = PATIENCE) -> None:
        """Take a `postgresql://` URL; `?schema=` names another schema than `handoffs`. Raises StoreError.

        `clock` is given the difference to the server's clock.
        """
        address = parse(url)
        self._sql = statements(address.schema)
        self._connections = Connections(address, clock, patience)
        self.tokens = PostgresTokens(self._connections)
        """The tokens for calls over HTTP."""
        self._permissions: PostgresPermissions | None = None
        self._people: PostgresPeople | None = None
        self._leaves: PostgresLeaves | None = None
        self._chats: PostgresChats | None = None
        self._listening = Listening(self._connections, last=self._last_line, news=self._news)

    @property
    def permissions(self) -> "PostgresPermissions":
        """What a gate remembers: pins, grants and the stop."""
        if self._permissions is None:
            from handoffs.store.postgres.permissions import PostgresPermissions

            self._permissions = PostgresPermissions(self._connections)
        return self._permissions

    @property
    def people(self) -> "PostgresPeople":
        """The people, and what signs them in."""
        if self._people is None:
            from handoffs.store.postgres.people import PostgresPeople

            self._people = PostgresPeople(self._connections)
        return self._people

    @property
    def leaves(self) -> "PostgresLeaves":
        """The leaves of the verifiable log, and the tree over them."""
        if self._leaves is None:
            from handoffs.store.postgres.leaves import PostgresLeaves

            self._leaves = PostgresLeaves(self._connections)
        return self._leaves

    @property
    def chats(self) -> "PostgresChats":
        """Where people are told of questions and answer them, apart from the inbox."""
        if self._chats is None:
            from handoffs.store.postgres.chats import PostgresChats

            self._chats = PostgresChats(self._connections)
        return self._chats

    async def __aenter__(self) -> "PostgresStore":
        """Return the store, not yet connected."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()

    async def aclose(self) -> None:
        """Finish running work, disconnect, wake the watches. Later use raises StoreError."""
        with anyio.CancelScope(shield=True):
            try:
                await self._listening.aclose()
                await self._connections.aclose()
            finally:
                self._listening.wake_all()

    async def ready(self) -> None:
        """Connect, if that was not done before. Raises StoreError."""
        await self._connections.ready()

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
        write, key = _new_write(), encode_cell(storable(handoff.id))
        fresh = [
            *map(encode_cell, encode(handoff)),
            micros(collect_after),
            *(() if quota is None else limits(handoff, quota)),
            *lines_of([handoff], [opened or Opened(at=handoff.created_at)], write),
        ]
        alike = (
            *(encode_cell(storable(handoff.fingerprint)), micros(collect_after), key, write),
            *(encode_cell(storable(each)) for each in (handoff.session, handoff.tool_use)),
        )

        sql = self._sql.open if quota is None else self._sql.open_counted

        async def once(connection: Connection) -> Handoff | None:
            if told := await connection.fetch(sql, *fresh):
                self._told(told, handoff.version)
                return replace(handoff, earlier=cast("str", told[0][3]))
            for row in await connection.fetch(self._sql.alike, *alike):
                there, joinable, ours = handoff_of(row), *row[_WIDTH:]
                if ours:
                    return there  # the connection broke after the commit
                if not joinable:
                    raise ValueError(f"there is another handoff {handoff.id}; take a new id")
                if not there.overdue(handoff.created_at):
                    return there
                # Look again: it may be one to join.
                await self._change(connection, transition_of(there, [expiry(there)]), write)
                return None
            if quota is not None:
                await check(connection, self._sql.usage, handoff, quota)
            return None

        async def work(connection: Connection) -> Handoff:
            there = await once(connection)
            while there is None:
                # The existing one has expired; or another call of the same caller came at the same time, and from here
                # on they take turns.
                async with connection.transaction():
                    await connection.fetch(self._sql.turn, asked_by)
                    there = await once(connection)
            return there

        asked_by = lock_key(f"turn of {handoff.caller.subject!r}", self._connections.address.schema)
        return await self._connections.run(work)

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

        A `known` handoff that is still current is not read again. Without `durable`, the events may be lost if the
        database's machine fails within the next moments. With `unless_stopped`, nothing is recorded while a stop
        stands. `contents` are the bytes of the files of an `Answered`.

        Raises:
            NotFound: There is no such handoff.
            AlreadyEnded: It has an outcome already, or its deadline had passed (which is then recorded).
            AlreadyReminded: Another process has claimed this stage.
            AlreadyUsed: Another tool use has the approval.
            Stopped: A stop stands, and the events are not to be recorded then.
        """
        write, key = _new_write(), encode_cell(storable(handoff_id))
        tried: Transition | None = None
        change = self._sql.change if durable else self._sql.change_unsynced
        if unless_stopped:
            change = self._sql.change_unless_stopped

        async def work(connection: Connection) -> Transition:
            nonlocal tried
            if tried is None and known is not None and (guess := expected(known, events)) is not None:
                tried = guess
                if await self._change(connection, guess, write, change, contents):
                    return guess
            while True:
                if tried is None:
                    rows = await connection.fetch(self._sql.find, key)
                else:
                    rows = await connection.fetch(self._sql.find_again, key, write)
                if not rows:
                    raise NotFound(handoff_id)
                if tried is not None and rows[0][_WIDTH]:
                    return tried  # the connection broke after the commit
                if unless_stopped and await connection.fetch(self._sql.stopped):
                    raise Stopped
                tried = transition_of(handoff_of(rows[0]), events)
                if not tried.events or await self._change(connection, tried, write, change, contents):
                    return tried

        return (await self._connections.run(work)).outcome()

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff by its whole id. Raises NotFound."""
        found = await self._fetch(handoff_of, self._sql.find, encode_cell(storable(handoff_id)))
        if not found:
            raise NotFound(handoff_id)
        return found[0]

    async def content(self, handoff_id: str, number: int) -> bytes | None:
        """Return the bytes of a file of an answer; None if there are none."""
        cells = encode_cell(storable(handoff_id)), number
        found = await self._fetch(lambda row: cast("bytes", row[0]), self._sql.content, *cells)
        return found[0] if found else None

    async def ids(self, prefix: str, *, limit: int = 10) -> Sequence[str]:
        """Return the ids that start with `prefix`, at most `limit`, in order."""
        start = encode_cell(storable(prefix))
        return await self._fetch(text_of, self._sql.ids, start, f"{start}\U0010ffff", limit)

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first, at most `limit`: those after `before`, without the first `skip`."""
        sql = self._sql.newest_open if open_only else self._sql.newest
        return await self._fetch(handoff_of, sql, *map(encode_cell, encode_cursor(before)), skip, limit)

    async def outlines(
        self, *, ended_only: bool, since: datetime, before: Cursor | None = None, limit: int = 1000
    ) -> Sequence[Outline]:
        """Return outlines, newest first, at most `limit`: those after `before`, created at `since` or later."""
        sql = self._sql.outlines_ended if ended_only else self._sql.outlines
        return await self._fetch(outline_of, sql, *map(encode_cell, encode_cursor(before)), micros(since), limit)

    async def get_all(self, handoff_ids: Sequence[str]) -> Sequence[Handoff]:
        """Return the handoffs with these ids, in this order, without those that do not exist."""
        found = await self._fetch(handoff_of, self._sql.get_all, [encode_cell(storable(each)) for each in handoff_ids])
        by_id = {handoff.id: handoff for handoff in found}
        return [by_id[each] for each in map(storable, handoff_ids) if each in by_id]

    async def count_open(self) -> OpenCount:
        """Return the number of open handoffs, the next deadline, and the newest line of the log, in one snapshot."""
        (count,) = await self._fetch(lambda row: decode_open_count(tuple(row)), self._sql.count_open)
        return count

    async def has_chats(self) -> bool:
        """Return whether there is a chat."""
        return bool(await self._fetch(bool, self._sql.has_chats))

    async def next_deadline(self) -> datetime | None:
        """Return when the next open handoff expires; None where none is open."""
        (found,) = await self._fetch(lambda row: decode_deadline(tuple(row)), self._sql.next_deadline)
        return found

    async def newest_of(self, subject: str, *, open_only: bool, limit: int = 1000) -> Sequence[Handoff]:
        """Return the handoffs of one subject, newest first, at most `limit`."""
        sql = self._sql.newest_open_of if open_only else self._sql.newest_of
        return await self._fetch(handoff_of, sql, encode_cell(storable(subject)), limit)

    async def ended_of_action(self, subject: str, digest: str, *, limit: int) -> Sequence[Handoff]:
        """Return the ended handoffs of one subject about the action with this digest, newest first, at most `limit`."""
        return await self._fetch(handoff_of, self._sql.ended_of_action, digest, encode_cell(storable(subject)), limit)

    async def overdue(self, now: datetime, *, limit: int = 1000) -> Sequence[str]:
        """Return the ids of open handoffs whose deadline has passed, the longest overdue first."""
        return await self._fetch(text_of, self._sql.overdue, micros(now), limit)

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return lines of the audit log after line number `after`, in order, of one handoff or all."""
        if handoff_id is None:
            return await self._fetch(entry_of, self._sql.log, after, limit)
        return await self._fetch(entry_of, self._sql.log_of, after, limit, encode_cell(storable(handoff_id)))

    async def claim(self, key: str, *, now: datetime, until: datetime) -> bool:
        """Claim a key that may be used once. True for the first of all processes that try before `until`."""
        write = _new_write()

        async def work(connection: Connection) -> bool:
            claimed = await connection.fetch(
                self._sql.claim, encode_cell(storable(key)), micros(now), micros(until), write
            )
            await connection.fetch(self._sql.forget, micros(now))
            return bool(claimed)

        return await self._connections.run(work)

    async def extend_claim(self, key: str, *, held: datetime, until: datetime) -> bool:
        """Let the claim that ends at `held` end at `until`. False where it is another's by now, or gone."""
        write = _new_write()

        async def work(connection: Connection) -> bool:
            cell = encode_cell(storable(key))
            return bool(await connection.fetch(self._sql.extend_claim, cell, micros(held), micros(until), write))

        return await self._connections.run(work)

    def watch(self, handoff_id: str | None = None) -> AbstractAsyncContextManager[Watch]:
        """Return a watch on one handoff, or on the whole store."""
        return self._listening.watch(handoff_id)

    async def _change(
        self,
        connection: Connection,
        transition: Transition,
        write: int,
        sql: str | None = None,
        contents: Sequence[bytes] = (),
    ) -> bool:
        """Write a transition. Returns False, and writes nothing, if the handoff has changed meanwhile."""
        before = transition.before
        kept = contents if any(event.name == Answered.name for event in transition.events) else ()
        told = await connection.fetch(
            self._sql.change_with_files if kept else sql or self._sql.change,
            *map(encode_cell, encode_changing(transition.after)),
            encode_cell(storable(before.id)),
            before.version,
            *([list(kept)] if kept else []),
            *lines_of(transition.states, transition.events, write),
        )
        self._told(told, transition.after.version)
        return bool(told)

    def _told(self, rows: Sequence[Row], version: int) -> None:
        # Here, not by the caller, which may be cancelled by now.
        self._listening.wake([(*line_of(row)[:2], version) for row in rows])

    async def _last_line(self) -> int:
        (last,) = await self._fetch(lambda row: cast("int", row[0]), self._sql.last)
        return last

    async def _news(self, after: int) -> Sequence[Line]:
        return await self._fetch(line_of, self._sql.news, after)

    async def _fetch(self, read: Callable[[Row], T], sql: str, *parameters: Cell | list[Cell]) -> list[T]:
        async def work(connection: Connection) -> list[T]:
            return [read(row) for row in await connection.fetch(sql, *parameters)]

        return await self._connections.run(work)


def _new_write() -> int:
    return secrets.randbits(63)
