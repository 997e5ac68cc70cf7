"""Recoveries of lost passkeys in a SQLite store, the erasure of a person, and lines of the log about people."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar, cast

from handoffs.core.errors import PersonRefused
from handoffs.core.passkey import Passkey
from handoffs.core.person import Directory
from handoffs.core.person_log import PersonEvent, recovered, recovery_asked, recovery_stopped
from handoffs.core.recovery import Recovery
from handoffs.core.rewriting import Erasure, Rewrite
from handoffs.core.storable import storable
from handoffs.store.people_rows import (
    PASSKEY,
    RECOVERY,
    Bytes,
    check_recovery,
    decode_directory,
    decode_recovery,
    encode_key,
    encode_line,
    encode_recovery,
    everybody,
)
from handoffs.store.values import micros
from handoffs.store.watches import UNKNOWN, Line

T = TypeVar("T")

_ALL = everybody("people", "absences")
_THERE = "SELECT name FROM people WHERE removed_at IS NULL"
_KEY = ", ".join(PASSKEY)
_ADD_KEY = f"INSERT INTO passkeys ({_KEY}) VALUES ({', '.join('?' * len(PASSKEY))})"  # noqa: S608
_REMOVE_KEYS = "UPDATE passkeys SET removed_at = ? WHERE person = ? AND removed_at IS NULL"
_RECOVERY = ", ".join(RECOVERY)
_ASK_RECOVERY = f"INSERT OR REPLACE INTO recoveries ({_RECOVERY}) VALUES ({', '.join('?' * len(RECOVERY))})"  # noqa: S608
_RECOVERIES = f"SELECT {_RECOVERY} FROM recoveries WHERE person IN ({_THERE})"  # noqa: S608
_RECOVER = "UPDATE recoveries SET used_at = ? WHERE person = ?"
_STOP_RECOVERY = "UPDATE recoveries SET stopped_at = ? WHERE person = ?"
_LINES_OF = "SELECT count(*) FROM events WHERE handoff_id = ?"
_LINE = "INSERT INTO events (handoff_id, name, at, details, leaf, salt) VALUES (?, ?, ?, ?, ?, ?)"


class _Run(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], T], /, *, brief: bool = False) -> Awaitable[T]: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], tuple[T, list[Line]]], /) -> Awaitable[T]: ...


class SqliteRecoveries:
    """The part of a store's people that recovers passkeys and erases."""

    def __init__(self, run: _Run, write: _Write) -> None:
        """Take what runs work on the store's connection, and what does so in a transaction."""
        self._run, self._write = run, write

    async def ask_recovery(self, digest: str, recovery: Recovery) -> None:
        """Keep a recovery, in place of the person's earlier one.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed, or a recovery of theirs is under way.
        """

        def work(connection: sqlite3.Connection) -> tuple[None, list[Line]]:
            directory = read_directory(connection)
            person = directory.named(recovery.person)
            check_recovery(recovery, _recoveries(connection, "AND person = ?", storable(person.name)))
            connection.execute(_ASK_RECOVERY, encode_recovery(recovery, digest))
            told = replace(recovery, asked_by=directory.told_as(recovery.asked_by, of=person))
            return None, [record(connection, recovery_asked(person, told))]

        await self._write(work)

    async def recovery(self, digest: str) -> Recovery | None:
        """Return a recovery, also a used, stopped or past one; None where there is none, or its person was removed."""
        found = await self._run(lambda each: _recoveries(each, "AND digest = ?", storable(digest)), brief=True)
        return found[0] if found else None

    async def recoveries(self, *, at: datetime) -> Sequence[Recovery]:
        """Return the recoveries that are under way."""
        return [each for each in await self.every_recovery() if each.under_way(at)]

    async def every_recovery(self) -> Sequence[Recovery]:
        """Return the last recovery of each person who is there, as it is."""
        return await self._run(_recoveries, brief=True)

    async def stop_recovery(self, person: str, *, by: str, at: datetime) -> bool:
        """Stop the recovery of a person that is under way; False where there is none."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            found = _recoveries(connection, "AND person = ?", storable(person))
            directory = read_directory(connection)
            there = directory.present(person)
            if there is None or not found or not found[0].under_way(at):
                return False, []
            connection.execute(_STOP_RECOVERY, (micros(at), storable(person)))
            told = recovery_stopped(there, by=directory.told_as(by, of=there), at=at)
            return True, [record(connection, told)]

        return await self._write(work)

    async def recover(self, digest: str, key: Passkey, *, at: datetime) -> bool:
        """Use a recovery up: this passkey takes the place of all of the person's, whose sessions end.

        False, and nothing is written, where it can't be used now, or it is of another person.

        Raises:
            PersonRefused: The credential id was enrolled before.
        """

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            found = _recoveries(connection, "AND digest = ?", storable(digest))
            person = read_directory(connection).present(key.person)
            if person is None or not found or found[0].person != person.name or not found[0].usable(at):
                return False, []
            connection.execute(_RECOVER, (micros(at), storable(person.name)))
            connection.execute(_REMOVE_KEYS, (micros(at), storable(person.name)))
            connection.execute("DELETE FROM inbox_sessions WHERE person = ?", (storable(person.name),))
            connection.execute("DELETE FROM invitations WHERE person = ?", (storable(person.name),))
            add_key(connection, key)
            return True, [record(connection, recovered(person, key, at))]

        return await self._write(work)

    async def erase(self, name: str, *, at: datetime, rewrite: Rewrite) -> Erasure:
        """Erase all that is kept about a person, in one transaction; `rewrite` says what changes in a handoff.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were erased before, or something open still names them.
        """
        from handoffs.store.sqlite.erasing import erase, forget_pages

        done = await self._write(lambda connection: erase(connection, read_directory(connection), name, at, rewrite))
        await self._run(forget_pages)
        return done


def read_directory(connection: sqlite3.Connection) -> Directory:
    """Return all people and absences."""
    return decode_directory(connection.execute(_ALL))


def record(connection: sqlite3.Connection, event: PersonEvent) -> Line:
    """Write a line of the log about a person."""
    (lines,) = cast("tuple[int]", connection.execute(_LINES_OF, (storable(event.person),)).fetchone())
    number = connection.execute(_LINE, encode_line(event, lines + 1)).lastrowid
    return cast("int", number), event.person, UNKNOWN


def add_key(connection: sqlite3.Connection, key: Passkey) -> None:
    """Add a passkey. Raises PersonRefused: it was enrolled before."""
    try:
        connection.execute(_ADD_KEY, encode_key(key))
    except sqlite3.IntegrityError as error:
        raise PersonRefused("This passkey was enrolled before: make another one.") from error


def _recoveries(connection: sqlite3.Connection, which: str = "", *given: Bytes) -> list[Recovery]:
    return [decode_recovery(row) for row in connection.execute(f"{_RECOVERIES} {which}", given)]
