"""Lines of the log about people, in a PostgreSQL store, and what all changes of people share."""

import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from handoffs.core.person import Directory
from handoffs.core.person_log import PersonEvent
from handoffs.store.people_rows import Bytes, decode_directory, encode_line, everybody
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.postgres.layout import lock_key

T = TypeVar("T")


class PersonLines:
    """Reads people, and writes lines about them, in transactions that take turns."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        self._connections = connections
        schema = connections.address.schema
        people, absences, events = (f'"{schema}".{name}' for name in ("people", "absences", "events"))
        self._lock = f"SELECT pg_advisory_xact_lock({lock_key('people', schema)})"
        self._all = everybody(people, absences)
        self._written = f"SELECT true FROM {events} WHERE handoff_id = $1 AND write_id = $2"  # noqa: S608
        self._log_lock = f"SELECT pg_advisory_xact_lock({lock_key('log', schema)})"
        self._line = f"""INSERT INTO {events} (number, handoff_id, name, at, details, leaf, salt, write_id)
            VALUES (nextval('"{schema}".events_number'), $1, $2, $3, $4, $5, $6, $7)
            RETURNING pg_notify('{schema}', number || ' ' || handoff_id)"""  # noqa: S608
        self._lines_of = f"SELECT count(*) FROM {events} WHERE handoff_id = $1"  # noqa: S608

    async def record(self, connection: Connection, event: PersonEvent, write: int) -> None:
        """Write a line of the log about a person, in a transaction that changes people."""
        # Numbers follow each other as their commits do: whoever numbers a line waits for whoever did before.
        await connection.fetch(self._log_lock)
        ((lines,),) = await connection.fetch(self._lines_of, event.person)
        await connection.fetch(self._line, *map(encode_cell, encode_line(event, cast("int", lines) + 1)), write)

    async def was_done(self, connection: Connection, person_id: str, write: int) -> bool:
        """Say whether a run before this one has committed: its reply was lost with the connection."""
        return bool(await connection.fetch(self._written, person_id, write))

    async def read(self, connection: Connection) -> Directory:
        """Return all people and absences."""
        return decode_directory([decoded_row(row) for row in await connection.fetch(self._all)])

    async def in_turn(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run what reads the directory and then writes by it: one process after the other."""

        async def whole(connection: Connection) -> T:
            async with connection.transaction():
                await connection.fetch(self._lock)
                return await work(connection)

        return await self._connections.run(whole)

    async def fetch(self, read: Callable[[Row], T], sql: str, *parameters: Bytes) -> list[T]:
        """Return what `read` makes of the rows of a statement."""
        given = [encode_cell(each) for each in parameters]

        async def work(connection: Connection) -> list[T]:
            return [read(row) for row in await connection.fetch(sql, *given)]

        return await self._connections.run(work)


def marks(count: int) -> str:
    """Return so many parameters, separated by commas."""
    return ", ".join(f"${number}" for number in range(1, count + 1))


def decoded_row(row: Row) -> tuple[object, ...]:
    """Return a row as it was stored."""
    return tuple(map(decode_cell, row))


def new_write() -> int:
    """Return the number of one write."""
    return secrets.randbits(63)
