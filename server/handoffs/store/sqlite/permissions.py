"""What a gate remembers, in a SQLite store: pins, grants and the stop. Each change is one transaction."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar, cast

from handoffs.core.grant import Grant, Pin, PinnedServer, Stop
from handoffs.core.storable import storable
from handoffs.store.permission_rows import (
    GRANT,
    PIN,
    STOP,
    decode_pin,
    decode_server,
    decode_stop,
    encode_grant,
    encode_pin,
    encode_stop,
    servers,
    wanted,
)
from handoffs.store.sqlite.grants import found, used
from handoffs.store.values import Cell, micros
from handoffs.store.watches import STOP_CHANGED, Line

T = TypeVar("T")

_GRANT, _STOP = ", ".join(GRANT), ", ".join(STOP)
_PINS = f"SELECT {', '.join(PIN)} FROM pins WHERE server = ?"  # noqa: S608
_SERVERS = servers("pins", "?")
_PIN = f"INSERT OR REPLACE INTO pins ({', '.join(PIN)}) VALUES ({', '.join('?' * len(PIN))})"  # noqa: S608
_UNPIN = "DELETE FROM pins WHERE server = ? AND tool = ?"
_INSERT = f"INSERT INTO grants ({_GRANT}) VALUES ({', '.join('?' * len(GRANT))})"  # noqa: S608
_REVOKE = "UPDATE grants SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
_SUSPEND = "UPDATE grants SET suspended_at = ? WHERE id = ? AND revoked_at IS NULL AND suspended_at IS NULL"
_RESUME = "UPDATE grants SET suspended_at = NULL WHERE id = ? AND revoked_at IS NULL AND suspended_at IS NOT NULL"
_END = "UPDATE grants SET revoked_at = ? WHERE server = ? AND tool = ? AND revoked_at IS NULL"
_STOP_ALL = f"INSERT OR IGNORE INTO stops ({_STOP}) VALUES (?, ?, ?)"  # noqa: S608
_STOPPED = f"SELECT {_STOP} FROM stops"  # noqa: S608


class _Run(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], T], /, *, brief: bool = False) -> Awaitable[T]: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], tuple[T, list[Line]]], /) -> Awaitable[T]: ...


class SqlitePermissions:
    """The permissions in one store. Every method raises StoreError where it can't be used."""

    def __init__(self, run: _Run, write: _Write) -> None:
        """Take what runs work on the store's connection, and what does so in a transaction."""
        self._run, self._write = run, write

    async def pins(self, server: str) -> Mapping[str, Pin]:
        """Return the pins of a server, by tool."""

        def work(connection: sqlite3.Connection) -> list[Pin]:
            return [decode_pin(row) for row in connection.execute(_PINS, (storable(server),))]

        return {pin.tool: pin for pin in await self._run(work)}

    async def servers(self, *, limit: int = 1000) -> Sequence[PinnedServer]:
        """Return the servers that have pins, the newest first, at most `limit`."""

        def work(connection: sqlite3.Connection) -> list[PinnedServer]:
            return [decode_server(row) for row in connection.execute(_SERVERS, (limit,))]

        return await self._run(work)

    async def pin(self, pins: Sequence[Pin]) -> None:
        """Keep pins, all or none, each in place of the one of the same server and tool."""
        await self._many(_PIN, [encode_pin(each) for each in pins])

    async def unpin(self, server: str, tools: Sequence[str]) -> None:
        """Forget the pins of these tools of a server."""
        await self._many(_UNPIN, [(storable(server), storable(tool)) for tool in tools])

    async def grant(self, grant: Grant) -> None:
        """Keep a new grant. Raises ValueError: There is another one with this id."""

        def work(connection: sqlite3.Connection) -> tuple[None, list[Line]]:
            try:
                connection.execute(_INSERT, encode_grant(grant))
            except sqlite3.IntegrityError as error:
                raise ValueError(f"there is another grant {grant.id}; take a new id") from error
            return None, []

        await self._write(work)

    async def grants(
        self,
        *,
        subject: str | None = None,
        server: str | None = None,
        tool: str | None = None,
        active_at: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[Grant]:
        """Return grants, newest first, at most `limit`: those of a subject, server and tool; those `Grant.active`."""
        which, given = wanted(
            lambda _: "?", subject=subject, server=server, tool=tool, active_at=active_at, limit=limit
        )

        def work(connection: sqlite3.Connection) -> list[Grant]:
            return found(connection, which, given)

        # What may allow one call is a few rows; a page of all may be many.
        return await self._run(work, brief=None not in (subject, server, tool))

    async def use(self, grant_id: str, *, at: datetime) -> Grant | None:
        """Count one use of a grant, and return the grant as it is then; all of it is one commit.

        None, and nothing is written, where it is not `Grant.active`, where there is none, or while a stop stands.
        """

        def work(connection: sqlite3.Connection) -> tuple[Grant | None, list[Line]]:
            return used(connection, grant_id, at), []

        return await self._write(work)

    async def revoke(self, grant_id: str, *, at: datetime) -> bool:
        """End a grant for good; False where there is none, or it was revoked before."""
        return await self._changed(_REVOKE, micros(at), storable(grant_id)) == 1

    async def suspend(self, grant_id: str, *, at: datetime) -> bool:
        """Let a grant allow nothing until it is resumed; False where there is none, or it is revoked or suspended."""
        return await self._changed(_SUSPEND, micros(at), storable(grant_id)) == 1

    async def resume(self, grant_id: str) -> bool:
        """Let a suspended grant count again; False where there is none, or it is revoked or not suspended."""
        return await self._changed(_RESUME, storable(grant_id)) == 1

    async def end_grants(self, *, server: str, tool: str, at: datetime) -> int:
        """Revoke every grant for a tool, whoever's, also those suspended or expired; return how many those were."""
        return await self._changed(_END, micros(at), storable(server), storable(tool))

    async def stop(self, stop: Stop) -> bool:
        """Let no grant be used until this is lifted; False, and nothing is changed, where a stop stands already."""
        return await self._changed(_STOP_ALL, *encode_stop(stop), told=(STOP_CHANGED,)) == 1

    async def lift(self) -> bool:
        """End the stop; False where there is none."""
        return await self._changed("DELETE FROM stops", told=(STOP_CHANGED,)) == 1

    async def stopped(self) -> Stop | None:
        """Return the stop that stands, if any."""

        def work(connection: sqlite3.Connection) -> Stop | None:
            row = cast("tuple[object, ...] | None", connection.execute(_STOPPED).fetchone())
            return None if row is None else decode_stop(row)

        return await self._run(work, brief=True)

    async def _changed(self, sql: str, *given: Cell, told: Sequence[Line] = ()) -> int:
        def work(connection: sqlite3.Connection) -> tuple[int, list[Line]]:
            changed = connection.execute(sql, given).rowcount
            return changed, [*told] if changed else []

        return await self._write(work)

    async def _many(self, sql: str, rows: Sequence[tuple[Cell, ...]]) -> None:
        def work(connection: sqlite3.Connection) -> tuple[None, list[Line]]:
            connection.executemany(sql, rows)
            return None, []

        await self._write(work)
