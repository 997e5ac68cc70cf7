"""A PostgreSQL store as one side of a copy, over one connection. If it breaks, the copy stops, and can be continued."""

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TypeVar, cast

from handoffs.core.errors import HandoffError, StoreError
from handoffs.store.copying import (
    CLAIMS,
    EVENTS,
    GRANTS,
    HANDOFFS,
    PASSKEYS,
    PEOPLE,
    RECOVERIES,
    STOPS,
    TABLES,
    Progress,
    Row,
    Table,
)
from handoffs.store.people_rows import Bytes
from handoffs.store.postgres.address import Address
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.driver import Connection, Listener, connect, leave
from handoffs.store.postgres.errors import meaning
from handoffs.store.postgres.layout import bring_up_to_date

T = TypeVar("T")

_NUMBERS = frozenset({
    "breakout", "deadline", "created_at", "version", "ended_at", "collected_at", "calls",
    "number", "at", "ends", "expires_at", "revoked_at", "used_at",
    "pinned_at", "uses_left", "uses", "last_used_at", "suspended_at", "one", "stopped_at",
    "added_at", "removed_at", "starts", "sign_count", "active_from", "turned_on", "told_at",
    "asked_at", "begins_at", "ends_at", "files",
})  # fmt: skip
_BYTES = frozenset({"public_key", "data"})


class PostgresEndpoint:
    """A store in a PostgreSQL database, connected for the length of the block. A target may hold half a copy."""

    def __init__(self, address: Address, *, now: int, target: bool = False) -> None:
        """Take the address, and the time in microseconds: claims that end before it are left out."""
        self._address, self._now, self._is_target = address, now, target
        self.identity = address.identity
        """What identifies this store."""
        self.shown = address.shown
        """Its address for people."""
        self.layouts = 0, 0
        """Its migrations before connecting, and now."""
        self._connection: Listener | None = None

    async def __aenter__(self) -> "PostgresEndpoint":
        """Return the endpoint, connected and brought up to date. Raises StoreError."""
        self._connection = await self._explained(lambda: connect(self._address))
        try:
            connected = self._connection
            self.layouts = await self._explained(
                lambda: bring_up_to_date(connected, self._address, half_copied=self._is_target)
            )
        except BaseException:  # raised again: the connection would stay open
            await leave(self._connection)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Disconnect. What was not committed is rolled back."""
        if self._connection is not None:
            await leave(self._connection)

    async def count(self, table: Table) -> int:
        """Return the number of rows."""
        where = f"WHERE ends > {self._now}" if table is CLAIMS else ""
        ((count,),) = await self._fetch(f"SELECT count(*) FROM {self._of(table)} {where}")  # noqa: S608
        return cast("int", count)

    async def last_line(self) -> int:
        """Return the number of the last line of the log; 0 for an empty log."""
        ((last,),) = await self._fetch(f"SELECT coalesce(max(number), 0) FROM {self._of(EVENTS)}")  # noqa: S608
        return cast("int", last)

    async def page(self, table: Table, after: Row, order: tuple[str, ...]) -> Sequence[Row]:
        """Return the next rows in `order`, each followed by its position; `after` is the last row's position, or ()."""
        # Texts are ordered as in SQLite, in any locale of the database.
        by = ", ".join(
            f'{name} COLLATE "C"' if name in table.columns and name not in _NUMBERS else name for name in order
        )
        where = [f"({by}) > ({', '.join(f'${number}' for number in range(1, len(order) + 1))})"] if after else []
        if table is CLAIMS:
            where.append(f"ends > {self._now}")
        return await self._fetch(
            f"SELECT {', '.join(table.columns)}, {', '.join(order)} FROM {self._of(table)} "  # noqa: S608
            f"{'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY {by} LIMIT {table.page}",
            *after,
        )

    async def some(self, ids: Sequence[str]) -> Sequence[Row]:
        """Return the handoffs with these ids that exist."""
        marks = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
        columns = ", ".join(HANDOFFS.columns)
        return await self._fetch(f"SELECT {columns} FROM {self._of(HANDOFFS)} WHERE id IN ({marks})", *ids)  # noqa: S608

    async def begin(self, progress: Progress) -> Progress:
        """Lock an empty store against other programs, or return the progress of a copy that was begun before.

        Raises:
            StoreError: The store has rows already.
        """

        async def work(connection: Connection) -> Progress:
            # Locked for the whole transaction: the second of two concurrent copies finds what the first has written.
            await connection.execute(f"LOCK TABLE {self._layout} IN EXCLUSIVE MODE")
            if await self._is_half(connection):
                return await self._progress(connection)
            for table in TABLES:
                if await connection.fetch(f"SELECT FROM {self._of(table)} LIMIT 1"):
                    raise StoreError(
                        f"{self.shown} has {table.name} of its own in the schema {self._address.schema}, and two "
                        "stores are never mixed. Name an empty one, or another schema: ?schema=NAME."
                    )
            await connection.execute(f"CREATE TABLE {self._copying} (progress text NOT NULL)")
            await connection.fetch(f"INSERT INTO {self._copying} VALUES ($1)", encode_cell(progress.written()))  # noqa: S608
            await connection.execute(f"UPDATE {self._layout} SET version = -version")  # noqa: S608
            return progress

        return await self._transaction(work)

    async def write(self, table: Table, rows: Sequence[Row], before: Progress, after: Progress) -> None:
        """Write rows, over those with the same key, together with the new progress.

        Raises:
            StoreError: The stored progress is not `before`: another copy into this store is running.
        """
        columns = list(map(list, zip(*(map(encode_cell, row) for row in rows), strict=True)))

        async def work(connection: Connection) -> None:
            await self._go_on(connection, before, after)
            if rows:
                await connection.fetch(self._insert(table), *columns)

        await self._transaction(work)

    async def finish(self, before: Progress) -> None:
        """Unlock the store for other programs."""
        schema = self._address.schema

        async def work(connection: Connection) -> None:
            await self._go_on(connection, before, before)
            # New lines of the log continue after the last copied one.
            await connection.execute(
                f"SELECT setval('\"{schema}\".events_number', max(number)) FROM {self._of(EVENTS)} HAVING count(*) > 0"  # noqa: S608
            )
            await connection.execute(f"DROP TABLE {self._copying}")
            await connection.execute(f"UPDATE {self._layout} SET version = -version")  # noqa: S608

        await self._transaction(work)

    def _insert(self, table: Table) -> str:
        names = ", ".join(table.columns)
        arrays = ", ".join(f"${number}::{_type(name)}[]" for number, name in enumerate(table.columns, 1))
        more, values = "", ""
        if table is HANDOFFS:
            # The number of times this question has been asked, including this one.
            before = f"SELECT max(nth) FROM {self._of(table)} AS there WHERE there.fingerprint = new.fingerprint"  # noqa: S608
            nth = f"row_number() OVER (PARTITION BY fingerprint ORDER BY line) + coalesce(({before}), 0)"
            more, values = ", nth", f", {nth}"
        elif table in {EVENTS, CLAIMS, GRANTS, STOPS, PEOPLE, PASSKEYS, RECOVERIES}:
            more, values = ", write_id", ", 0"  # their writers have their reply by now
        written = ", ".join(f"{name} = excluded.{name}" for name in table.changing)
        conflict = f"ON CONFLICT ({', '.join(table.order)}) DO UPDATE SET {written}" if written else ""
        return f"""INSERT INTO {self._of(table)} ({names}{more}) SELECT {names}{values}
            FROM unnest({arrays}) WITH ORDINALITY AS new ({names}, line) ORDER BY line {conflict}"""  # noqa: S608

    async def _go_on(self, connection: Connection, before: Progress, after: Progress) -> None:
        await connection.execute(f"LOCK TABLE {self._layout} IN EXCLUSIVE MODE")
        if not await self._is_half(connection) or await self._progress(connection) != before:
            raise StoreError(f"Another copy into {self.shown} is running. Wait for its result.")
        await connection.fetch(f"UPDATE {self._copying} SET progress = $1", encode_cell(after.written()))  # noqa: S608

    async def _is_half(self, connection: Connection) -> bool:
        ((version,),) = await connection.fetch(f"SELECT version FROM {self._layout}")  # noqa: S608
        return cast("int", version) < 0

    async def _progress(self, connection: Connection) -> Progress:
        ((written,),) = await connection.fetch(f"SELECT progress FROM {self._copying}")  # noqa: S608
        return Progress.read(cast("str", decode_cell(written)))

    def _of(self, table: Table) -> str:
        return f'"{self._address.schema}".{table.name}'

    @property
    def _copying(self) -> str:
        return f'"{self._address.schema}".copying'

    @property
    def _layout(self) -> str:
        return f'"{self._address.schema}".handoffs_layout'

    async def _fetch(self, sql: str, *parameters: Bytes) -> Sequence[Row]:
        rows = await self._explained(lambda: self._open.fetch(sql, *map(encode_cell, parameters)))
        return [cast("Row", tuple(map(decode_cell, row))) for row in rows]

    async def _transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with self._open.transaction():
                return await work(self._open)

        return await self._explained(whole)

    @property
    def _open(self) -> Listener:
        if self._connection is None:
            raise StoreError(f"{self.shown} is not connected.")
        return self._connection

    async def _explained(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except HandoffError:
            raise
        except Exception as error:
            explained = meaning(error, self._address)
            if explained is None:
                raise
            raise explained from None


def _type(column: str) -> str:
    return "bigint" if column in _NUMBERS else "bytea" if column in _BYTES else "text"
