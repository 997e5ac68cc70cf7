"""The callers of a PostgreSQL store: their tokens, and what they use of their quota."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar, cast

from handoffs.core.model import Handoff
from handoffs.core.quota import WINDOW, Quota
from handoffs.core.storable import storable
from handoffs.core.token import Token
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.quotas import usage_of
from handoffs.store.rows import question_size
from handoffs.store.values import Cell, micros, moment

T = TypeVar("T")

_TOKEN = "name, digest, created_at, expires_at, revoked_at, used_at"  # noqa: S105


class PostgresTokens:
    """The tokens in one store. Every method raises StoreError if the store can't be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        self._connections = connections
        table = f'"{connections.address.schema}".tokens'
        # Each statement may run again after its connection broke, with the same result. The name of an expired or
        # revoked token may be used again.
        self._add = f"""INSERT INTO {table} AS there (name, digest, created_at, expires_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, created_at = excluded.created_at,
                expires_at = excluded.expires_at, revoked_at = NULL, used_at = NULL
            WHERE there.revoked_at IS NOT NULL OR there.expires_at <= excluded.created_at
                OR there.digest = excluded.digest
            RETURNING true"""  # noqa: S608
        self._find = f"SELECT {_TOKEN} FROM {table} WHERE digest = $1"  # noqa: S608
        self._all = f'SELECT {_TOKEN} FROM {table} ORDER BY name COLLATE "C"'  # noqa: S608
        self._revoke = f"""UPDATE {table} SET revoked_at = $1
            WHERE name = $2 AND (revoked_at IS NULL OR revoked_at = $1) RETURNING true"""  # noqa: S608
        self._used = f"UPDATE {table} SET used_at = $1 WHERE digest = $2"  # noqa: S608

    async def add(self, token: Token) -> bool:
        """Add a token. Returns False, and changes nothing, if a valid token has this name."""
        expires_at = None if token.expires_at is None else micros(token.expires_at)
        return bool(
            await self._fetch(_whole, self._add, token.name, token.digest, micros(token.created_at), expires_at)
        )

    async def find(self, digest: str) -> Token | None:
        """Return the token with this digest, valid or not."""
        found = await self._fetch(_token, self._find, digest)
        return found[0] if found else None

    async def all(self) -> Sequence[Token]:
        """Return all tokens, also expired and revoked ones, by name."""
        return await self._fetch(_token, self._all)

    async def revoke(self, name: str, *, at: datetime) -> bool:
        """Revoke the token of this name. Returns False if there is none, or it was revoked before."""
        return bool(await self._fetch(_whole, self._revoke, micros(at), name))

    async def used(self, digest: str, *, at: datetime) -> None:
        """Record when a token was last used."""
        await self._fetch(_whole, self._used, micros(at), digest)

    async def _fetch(self, read: Callable[[Row], T], sql: str, *parameters: Cell) -> list[T]:
        async def work(connection: Connection) -> list[T]:
            return [read(row) for row in await connection.fetch(sql, *map(encode_cell, parameters))]

        return await self._connections.run(work)


def limits(handoff: Handoff, quota: Quota) -> tuple[Cell, ...]:
    """Return the parameters of the statement `open_counted` for a caller's quota."""
    most = quota.open, quota.bytes, quota.per_minute - 1
    return *most, question_size(handoff), micros(handoff.created_at - WINDOW)


async def check(connection: Connection, usage: str, handoff: Handoff, quota: Quota) -> None:
    """Return if the quota allows a new handoff. Raises QuotaUsedUp."""
    now = handoff.created_at
    asked = encode_cell(storable(handoff.caller.subject)), micros(now), micros(now - WINDOW), quota.per_minute - 1
    (row,) = await connection.fetch(usage, *asked)
    quota.check(usage_of(row), size=question_size(handoff), now=now)


def _whole(row: Row) -> Row:
    return row


def _token(row: Row) -> Token:
    name, digest, created_at, *times = row
    expires_at, revoked_at, used_at = (None if each is None else moment(cast("int", each)) for each in times)
    return Token(
        name=cast("str", decode_cell(name)),
        digest=cast("str", decode_cell(digest)),
        created_at=moment(cast("int", created_at)),
        expires_at=expires_at,
        revoked_at=revoked_at,
        used_at=used_at,
    )
