"""People, in a SQLite store: who they are, and what signs them in. Each change is one transaction."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar, cast

from handoffs.core.ids import new_id
from handoffs.core.inbox_session import ID_PREFIX, LONGEST, Session
from handoffs.core.invitation import Invitation
from handoffs.core.passkey import Passkey
from handoffs.core.person import Absence, Directory, Person, PersonChange
from handoffs.core.person_log import added, changed, come_back, gone_away, key_added, key_removed, removed
from handoffs.core.storable import storable
from handoffs.store.people_rows import (
    ABSENCE,
    INVITATION,
    PASSKEY,
    PERSON,
    SESSION,
    Bytes,
    check_name,
    decode_invitation,
    decode_key,
    decode_session,
    encode_absence,
    encode_groups,
    encode_person,
    encode_session,
)
from handoffs.store.sqlite.recoveries import SqliteRecoveries, add_key, read_directory, record
from handoffs.store.values import micros
from handoffs.store.watches import Line

T = TypeVar("T")

_THERE = "SELECT name FROM people WHERE removed_at IS NULL"
_ADD = f"INSERT INTO people ({', '.join(PERSON)}) VALUES ({', '.join('?' * len(PERSON))})"  # noqa: S608
_CHANGE = "UPDATE people SET email = ?, member_of = ?, identities = ? WHERE name = ?"
_REMOVE = "UPDATE people SET removed_at = ? WHERE name = ? AND removed_at IS NULL"
_OF_THOSE_THERE = ("inbox_sessions", "invitations", "absences", "recoveries", "chats")
_FORGET = tuple(f"DELETE FROM {table} WHERE person = ?" for table in _OF_THOSE_THERE)  # noqa: S608
_AWAY = f"INSERT OR REPLACE INTO absences ({', '.join(ABSENCE)}) VALUES (?, ?, ?, ?)"  # noqa: S608
_BACK = "DELETE FROM absences WHERE person = ?"
_INVITE = f"""INSERT OR REPLACE INTO invitations (person, digest, expires_at)
    SELECT name, ?2, ?3 FROM people WHERE name = ?1 AND name IN ({_THERE})"""  # noqa: S608
_INVITATION = f"SELECT {', '.join(INVITATION)} FROM invitations WHERE digest = ? AND person IN ({_THERE})"  # noqa: S608
_REDEEM = f"""UPDATE invitations SET used_at = ?1
    WHERE digest = ?2 AND used_at IS NULL AND expires_at > ?1 AND person IN ({_THERE}) RETURNING person"""  # noqa: S608
_SESSION = ", ".join(SESSION)
_BEGIN = f"""INSERT OR IGNORE INTO inbox_sessions (digest, {_SESSION})
    SELECT ?, ?, name, ?, ?, ?, ? FROM people WHERE name = ? AND name IN ({_THERE})"""  # noqa: S608
_SESSIONS = f"SELECT {_SESSION} FROM inbox_sessions WHERE started_at > ? AND person IN ({_THERE})"  # noqa: S608
_BIND = "UPDATE inbox_sessions SET page_key = ?1 WHERE digest = ?2 AND page_key IN ('', ?1)"
_KEY = ", ".join(PASSKEY)
_KEYS = f"SELECT {_KEY} FROM passkeys WHERE person = ? AND removed_at IS NULL ORDER BY added_at, credential_id"  # noqa: S608
_USE_KEY = f"""UPDATE passkeys SET sign_count = ?1, last_used_at = max(coalesce(last_used_at, ?2), ?2)
    WHERE credential_id = ?3 AND removed_at IS NULL AND active_from <= ?2 AND person IN ({_THERE})
        AND (sign_count < ?1 OR (sign_count = 0 AND ?1 = 0))"""  # noqa: S608
_REMOVE_KEY = "UPDATE passkeys SET removed_at = ? WHERE credential_id = ? AND removed_at IS NULL RETURNING person"


class SqlitePeople(SqliteRecoveries):
    """The people of one store. Every method raises StoreError where it can't be used."""

    async def directory(self) -> Directory:
        """Return all people and absences, as they are at one moment; also those who were removed."""
        return await self._run(read_directory)

    async def add(self, person: Person) -> None:
        """Add a person. Raises PersonRefused: The name was given before, in upper or lower case."""

        def work(connection: sqlite3.Connection) -> tuple[None, list[Line]]:
            check_name(person, read_directory(connection))
            connection.execute(_ADD, encode_person(person))
            return None, [record(connection, added(person))]

        await self._write(work)

    async def change(
        self,
        name: str,
        *,
        at: datetime,
        email: str | None = None,
        join: frozenset[str] = frozenset(),
        leave: frozenset[str] = frozenset(),
        identify: frozenset[str] = frozenset(),
        disown: frozenset[str] = frozenset(),
    ) -> Person:
        """Change the email address (None: keep it), groups and identities of a person; return them as they are then.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed.
        """

        wanted = PersonChange(email=email, join=join, leave=leave, identify=identify, disown=disown)

        def work(connection: sqlite3.Connection) -> tuple[Person, list[Line]]:
            before = read_directory(connection).named(name)
            person = wanted.of(before)
            if person == before:
                return person, []
            lists = encode_groups(person.groups), encode_groups(person.identities)
            connection.execute(_CHANGE, (storable(person.email), *lists, person.name))
            return person, [record(connection, changed(person, at))]

        return await self._write(work)

    async def remove(self, name: str, *, at: datetime) -> bool:
        """Remove a person for good, with their sessions, invitation and absence; False where they are not there."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            person = read_directory(connection).present(name)
            if person is None:
                return False, []
            connection.execute(_REMOVE, (micros(at), storable(name)))
            for forget in _FORGET:
                connection.execute(forget, (storable(name),))
            return True, [record(connection, removed(person, at))]

        return await self._write(work)

    async def away(self, absence: Absence, *, at: datetime) -> None:
        """Keep an absence, in place of the person's earlier one. Raises as `Directory.check_absence`."""

        def work(connection: sqlite3.Connection) -> tuple[None, list[Line]]:
            person, deputy = read_directory(connection).check_absence(absence)
            connection.execute(_AWAY, encode_absence(absence))
            return None, [record(connection, gone_away(person, absence, deputy=deputy, at=at))]

        await self._write(work)

    async def come_back(self, person: str, *, at: datetime) -> bool:
        """End a person's absence, also one to come; False where there is none."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            found = connection.execute(_BACK, (storable(person),)).rowcount == 1
            there = read_directory(connection).people.get(person) if found else None
            return found, [] if there is None else [record(connection, come_back(there, at))]

        return await self._write(work)

    async def invite(self, digest: str, person: str, *, expires_at: datetime) -> bool:
        """Keep an invitation, in place of the person's earlier one; False where the person is not there."""
        return await self._changed(_INVITE, storable(person), storable(digest), micros(expires_at)) == 1

    async def invitation(self, digest: str) -> Invitation | None:
        """Return an invitation, also a used or expired one; None where there is none, or its person was removed."""

        def work(connection: sqlite3.Connection) -> Invitation | None:
            row = connection.execute(_INVITATION, (storable(digest),)).fetchone()
            return None if row is None else decode_invitation(row)

        return await self._run(work, brief=True)

    async def redeem(self, digest: str, *, at: datetime) -> str | None:
        """Use up an invitation, and return its person; None, and nothing is written, where it can't be used."""

        def work(connection: sqlite3.Connection) -> tuple[str | None, list[Line]]:
            rows = connection.execute(_REDEEM, (micros(at), storable(digest))).fetchall()
            return (cast("str", rows[0][0]) if rows else None), []

        return await self._write(work)

    async def begin(self, digest: str, person: str, *, at: datetime, agent: str, page_key: str = "") -> Session | None:
        """Begin a session; None where the person is not there, or the digest was used before."""
        session = Session(
            id=new_id(ID_PREFIX), person=person, agent=storable(agent), started_at=at, seen_at=at, page_key=page_key
        )

        def work(connection: sqlite3.Connection) -> tuple[Session | None, list[Line]]:
            connection.execute("DELETE FROM inbox_sessions WHERE started_at <= ?", (micros(at - LONGEST),))
            session_id, name, *rest = encode_session(session)
            begun = connection.execute(_BEGIN, (storable(digest), session_id, *rest, name)).rowcount == 1
            return (session if begun else None), []

        return await self._write(work)

    async def bind(self, digest: str, page_key: str) -> bool:
        """Give a session without a page's key this one; False where it has another, or there is no such session."""
        return await self._changed(_BIND, storable(page_key), storable(digest)) == 1

    async def session(self, digest: str, *, at: datetime) -> Session | None:
        """Return a session; None where it has ended, or its person was removed."""
        found = await self._sessions("AND digest = ?", micros(at - LONGEST), storable(digest))
        return found[0] if found else None

    async def seen(self, digest: str, *, at: datetime) -> None:
        """Record when a session was last used."""
        await self._changed(
            "UPDATE inbox_sessions SET seen_at = max(seen_at, ?) WHERE digest = ?", micros(at), storable(digest)
        )

    async def sessions(self, person: str | None = None, *, at: datetime) -> Sequence[Session]:
        """Return the sessions of a person, or of all, that have not ended; the last used first."""
        only, given = ("", ()) if person is None else ("AND person = ?", (storable(person),))
        return await self._sessions(f"{only} ORDER BY seen_at DESC, id", micros(at - LONGEST), *given)

    async def end(self, session_id: str) -> bool:
        """End a session; False where there is none."""
        return await self._changed("DELETE FROM inbox_sessions WHERE id = ?", storable(session_id)) == 1

    async def end_all(self, person: str) -> int:
        """End all sessions of a person; return how many those were."""
        return await self._changed("DELETE FROM inbox_sessions WHERE person = ?", storable(person))

    async def keys(self, person: str) -> Sequence[Passkey]:
        """Return the passkeys of a person that were not removed, the oldest first; also those not yet active."""
        return await self._keys(_KEYS, person)

    async def add_key(self, key: Passkey) -> None:
        """Add a passkey.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed, or the credential id was enrolled before.
        """

        def work(connection: sqlite3.Connection) -> tuple[None, list[Line]]:
            person = read_directory(connection).named(key.person)
            add_key(connection, key)
            return None, [record(connection, key_added(person, key))]

        await self._write(work)

    async def key(self, credential_id: str) -> Passkey | None:
        """Return the passkey with this credential id, also a removed one, and one of a removed person."""
        found = await self._keys(f"SELECT {_KEY} FROM passkeys WHERE credential_id = ?", credential_id)  # noqa: S608
        return found[0] if found else None

    async def use_key(self, credential_id: str, *, sign_count: int, at: datetime) -> bool:
        """Record that a passkey has signed; False, and nothing is written, where it may not."""
        return await self._changed(_USE_KEY, sign_count, micros(at), storable(credential_id)) == 1

    async def remove_key(self, credential_id: str, *, at: datetime) -> bool:
        """Let a passkey sign nothing from now on; False where there is none, or it was removed before."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            rows = connection.execute(_REMOVE_KEY, (micros(at), storable(credential_id))).fetchall()
            person = read_directory(connection).people.get(cast("str", rows[0][0])) if rows else None
            return bool(rows), [] if person is None else [record(connection, key_removed(person, credential_id, at))]

        return await self._write(work)

    async def every_key(self) -> Sequence[Passkey]:
        """Return the passkeys of all people, also removed ones."""

        def work(connection: sqlite3.Connection) -> list[Passkey]:
            return [decode_key(row) for row in connection.execute(f"SELECT {_KEY} FROM passkeys")]  # noqa: S608

        return await self._run(work)

    async def _keys(self, sql: str, which: str) -> list[Passkey]:
        def work(connection: sqlite3.Connection) -> list[Passkey]:
            return [decode_key(row) for row in connection.execute(sql, (storable(which),))]

        return await self._run(work, brief=True)

    async def _sessions(self, which: str, *given: Bytes) -> list[Session]:
        def work(connection: sqlite3.Connection) -> list[Session]:
            return [decode_session(row) for row in connection.execute(f"{_SESSIONS} {which}", given)]

        return await self._run(work, brief=True)

    async def _changed(self, sql: str, *given: Bytes) -> int:
        def work(connection: sqlite3.Connection) -> tuple[int, list[Line]]:
            return connection.execute(sql, given).rowcount, []

        return await self._write(work)
