"""What a gate remembers, in a PostgreSQL store: pins, grants and the stop. Each change is one statement.

A statement may be run again after its connection broke. The row has the number of its last write, so that the second
run says what the first would have said, and changes nothing more. Where another process used the same grant between
the two, one use is counted twice: never is one counted too few.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar, cast

from handoffs.core.grant import Grant, Pin, PinnedServer, Stop
from handoffs.core.storable import storable
from handoffs.store.permission_rows import (
    GRANT,
    PIN,
    STOP,
    active,
    decode_grant,
    decode_pin,
    decode_server,
    decode_stop,
    encode_grant,
    encode_pin,
    encode_stop,
    servers,
    wanted,
)
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.values import Cell, micros
from handoffs.store.watches import STOP_CHANGED

T = TypeVar("T")

_GRANT, _STOP = ", ".join(GRANT), ", ".join(STOP)


class PostgresPermissions:
    """The permissions in one store. Every method raises StoreError where it can't be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        self._connections = connections
        pins, grants, stops = (f'"{connections.address.schema}".{table}' for table in ("pins", "grants", "stops"))
        self._pins = f"SELECT {', '.join(PIN)} FROM {pins} WHERE server = $1"  # noqa: S608
        self._servers = servers(pins, "$1")
        replaced = ", ".join(f"{name} = excluded.{name}" for name in PIN[2:])
        # In one order, so that two who pin the same tools at once wait for one another and not each for the other.
        self._pin = f"""INSERT INTO {pins} ({", ".join(PIN)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS new
            ORDER BY 1, 2
            ON CONFLICT (server, tool) DO UPDATE SET {replaced}"""  # noqa: S608
        self._unpin = f"DELETE FROM {pins} WHERE server = $1 AND tool = ANY($2::text[])"  # noqa: S608
        self._select = f"SELECT {_GRANT} FROM {grants}"  # noqa: S608
        marks = ", ".join(f"${number}" for number in range(1, len(GRANT) + 2))
        again = "ON CONFLICT ({}) DO UPDATE SET write_id = excluded.write_id WHERE there.write_id = excluded.write_id"
        self._grant = f"""INSERT INTO {grants} AS there ({_GRANT}, write_id) VALUES ({marks})
            {again.format("id")} RETURNING true"""  # noqa: S608
        # $1: when, $2: the grant, $3: the write. The last use is not refused to the write that took it.
        usable = active("$1").replace("uses_left > 0", "uses_left > 0 OR write_id = $3")
        once = "CASE WHEN write_id = $3 THEN 0 ELSE 1 END"
        self._use = f"""UPDATE {grants} SET uses = uses + {once}, uses_left = uses_left - {once},
                last_used_at = greatest(last_used_at, $1), write_id = $3
            WHERE id = $2 AND {usable} AND NOT EXISTS (SELECT FROM {stops}) RETURNING {_GRANT}"""  # noqa: S608
        change = f"UPDATE {grants} SET write_id = $1, "  # noqa: S608
        self._revoke = (
            f"{change} revoked_at = $3 WHERE id = $2 AND (revoked_at IS NULL OR write_id = $1) RETURNING true"
        )
        self._suspend = f"""{change} suspended_at = $3 WHERE id = $2 AND revoked_at IS NULL
            AND (suspended_at IS NULL OR write_id = $1) RETURNING true"""
        self._resume = f"""{change} suspended_at = NULL WHERE id = $2 AND revoked_at IS NULL
            AND (suspended_at IS NOT NULL OR write_id = $1) RETURNING true"""
        self._end = f"""{change} revoked_at = $2 WHERE server = $3 AND tool = $4
            AND (revoked_at IS NULL OR write_id = $1) RETURNING true"""
        number, _, _ = STOP_CHANGED
        notify = f"SELECT true FROM told, pg_notify('{connections.address.schema}', '{number} ')"  # noqa: S608
        self._stop = f"""WITH told AS (INSERT INTO {stops} AS there ({_STOP}, write_id) VALUES ($1, $2, $3, $4)
            {again.format("one")} RETURNING true) {notify}"""  # noqa: S608
        self._standing = f"SELECT write_id FROM {stops}"  # noqa: S608
        self._lift = f"WITH told AS (DELETE FROM {stops} WHERE write_id = $1 RETURNING true) {notify}"  # noqa: S608
        self._stopped = f"SELECT {_STOP} FROM {stops}"  # noqa: S608

    async def pins(self, server: str) -> Mapping[str, Pin]:
        """Return the pins of a server, by tool."""
        found = await self._fetch(lambda row: decode_pin(_decoded(row)), self._pins, storable(server))
        return {pin.tool: pin for pin in found}

    async def servers(self, *, limit: int = 1000) -> Sequence[PinnedServer]:
        """Return the servers that have pins, the newest first, at most `limit`."""
        return await self._fetch(lambda row: decode_server(_decoded(row)), self._servers, limit)

    async def pin(self, pins: Sequence[Pin]) -> None:
        """Keep pins, all or none, each in place of the one of the same server and tool."""
        rows = [encode_pin(each) for each in {(each.server, each.tool): each for each in pins}.values()]
        if rows:
            columns = [list(map(encode_cell, column)) for column in zip(*rows, strict=True)]
            await self._fetch(_decoded, self._pin, *columns)

    async def unpin(self, server: str, tools: Sequence[str]) -> None:
        """Forget the pins of these tools of a server."""
        await self._fetch(_decoded, self._unpin, storable(server), [encode_cell(storable(each)) for each in tools])

    async def grant(self, grant: Grant) -> None:
        """Keep a new grant. Raises ValueError: There is another one with this id."""
        if not await self._fetch(_decoded, self._grant, *encode_grant(grant), _new_write()):
            raise ValueError(f"there is another grant {grant.id}; take a new id")

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
            lambda number: f"${number}", subject=subject, server=server, tool=tool, active_at=active_at, limit=limit
        )
        return await self._fetch(_grant_of, f"{self._select} {which}", *given)

    async def use(self, grant_id: str, *, at: datetime) -> Grant | None:
        """Count one use of a grant, and return the grant as it is then; all of it is one commit.

        None, and nothing is written, where it is not `Grant.active`, where there is none, or while a stop stands.
        """
        used = await self._fetch(_grant_of, self._use, micros(at), storable(grant_id), _new_write())
        return used[0] if used else None

    async def revoke(self, grant_id: str, *, at: datetime) -> bool:
        """End a grant for good; False where there is none, or it was revoked before."""
        return bool(await self._fetch(_decoded, self._revoke, _new_write(), storable(grant_id), micros(at)))

    async def suspend(self, grant_id: str, *, at: datetime) -> bool:
        """Let a grant allow nothing until it is resumed; False where there is none, or it is revoked or suspended."""
        return bool(await self._fetch(_decoded, self._suspend, _new_write(), storable(grant_id), micros(at)))

    async def resume(self, grant_id: str) -> bool:
        """Let a suspended grant count again; False where there is none, or it is revoked or not suspended."""
        return bool(await self._fetch(_decoded, self._resume, _new_write(), storable(grant_id)))

    async def end_grants(self, *, server: str, tool: str, at: datetime) -> int:
        """Revoke every grant for a tool, whoever's, also those suspended or expired; return how many those were."""
        ended = await self._fetch(_decoded, self._end, _new_write(), micros(at), storable(server), storable(tool))
        return len(ended)

    async def stop(self, stop: Stop) -> bool:
        """Let no grant be used until this is lifted; False, and nothing is changed, where a stop stands already."""
        return bool(await self._fetch(_decoded, self._stop, *encode_stop(stop), _new_write()))

    async def lift(self) -> bool:
        """End the stop; False where there is none."""
        # The one that is there now: not one that comes while the connection breaks.
        standing = await self._fetch(lambda row: cast("int", row[0]), self._standing)
        for write in standing:
            await self._fetch(_decoded, self._lift, write)
        return bool(standing)

    async def stopped(self) -> Stop | None:
        """Return the stop that stands, if any."""
        found = await self._fetch(lambda row: decode_stop(_decoded(row)), self._stopped)
        return found[0] if found else None

    async def _fetch(self, read: Callable[[Row], T], sql: str, *parameters: Cell | list[Cell]) -> list[T]:
        given = [each if isinstance(each, list) else encode_cell(each) for each in parameters]

        async def work(connection: Connection) -> list[T]:
            return [read(row) for row in await connection.fetch(sql, *given)]

        return await self._connections.run(work)


def _decoded(row: Row) -> tuple[object, ...]:
    return tuple(map(decode_cell, row))


def _grant_of(row: Row) -> Grant:
    return decode_grant(_decoded(row))


def _new_write() -> int:
    return secrets.randbits(63)
