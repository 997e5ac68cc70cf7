"""The tokens of callers, beside the handoffs in a SQLite store: all its processes see new and revoked ones."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar, cast

from handoffs.core.token import Token
from handoffs.store.values import micros, moment
from handoffs.store.watches import Line

T = TypeVar("T")

COLUMNS = ("name", "digest", "created_at", "expires_at", "revoked_at", "used_at")

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM tokens"  # noqa: S608
# The name of an expired or revoked token may be used again.
_ADD = """INSERT INTO tokens (name, digest, created_at, expires_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, created_at = excluded.created_at,
        expires_at = excluded.expires_at, revoked_at = NULL, used_at = NULL
    WHERE revoked_at IS NOT NULL OR tokens.expires_at <= excluded.created_at"""
_REVOKE = "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"
_USED = "UPDATE tokens SET used_at = ? WHERE digest = ?"

_Row = tuple[str, str, int, int | None, int | None, int | None]


class _Run(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], tuple[T, list[Line]]], /) -> Awaitable[T]: ...


class SqliteTokens:
    """The tokens in one store. Every method raises StoreError if the store can't be used."""

    def __init__(self, run: _Run, write: _Write) -> None:
        """Take two functions: `run` runs work on the store's connection, `write` in a transaction."""
        self._run, self._write = run, write

    async def add(self, token: Token) -> bool:
        """Add a token. Returns False, and changes nothing, if a valid token has this name."""
        row = (token.name, token.digest, micros(token.created_at), _stored(token.expires_at))
        return await self._changed(_ADD, row)

    async def find(self, digest: str) -> Token | None:
        """Return the token with this digest, valid or not."""

        def work(connection: sqlite3.Connection) -> Token | None:
            row = connection.execute(f"{_SELECT} WHERE digest = ?", (digest,)).fetchone()
            return None if row is None else token_of(row)

        return await self._run(work)

    async def all(self) -> Sequence[Token]:
        """Return all tokens, also expired and revoked ones, by name."""

        def work(connection: sqlite3.Connection) -> list[Token]:
            return [token_of(row) for row in connection.execute(f"{_SELECT} ORDER BY name")]

        return await self._run(work)

    async def revoke(self, name: str, *, at: datetime) -> bool:
        """Revoke the token of this name. Returns False if there is none, or it was revoked before."""
        return await self._changed(_REVOKE, (micros(at), name))

    async def used(self, digest: str, *, at: datetime) -> None:
        """Record when a token was last used."""
        await self._changed(_USED, (micros(at), digest))

    async def _changed(self, sql: str, row: tuple[str | int | None, ...]) -> bool:
        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            return connection.execute(sql, row).rowcount == 1, []

        return await self._write(work)


def token_of(row: Sequence[object]) -> Token:
    """Return the token of a row of `COLUMNS`."""
    name, digest, created_at, *times = cast("_Row", tuple(row))
    expires_at, revoked_at, used_at = (None if each is None else moment(each) for each in times)
    return Token(
        name=name,
        digest=digest,
        created_at=moment(created_at),
        expires_at=expires_at,
        revoked_at=revoked_at,
        used_at=used_at,
    )


def _stored(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
