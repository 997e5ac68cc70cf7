"""People, in a PostgreSQL store: who they are, and what signs them in. Each change is one transaction.

A statement may be run again after its connection broke. Where its result would differ then, the row has the number of
its last write, so that the second run says what the first would have said, and changes nothing more.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar, cast

from handoffs.core.errors import PersonRefused
from handoffs.core.ids import new_id
from handoffs.core.inbox_session import ID_PREFIX, LONGEST, Session
from handoffs.core.invitation import Invitation
from handoffs.core.passkey import Passkey
from handoffs.core.person import Absence, Directory, Person, PersonChange, name_taken
from handoffs.core.storable import storable
from handoffs.store.people_rows import (
    ABSENCE,
    INVITATION,
    PASSKEY,
    PERSON,
    SESSION,
    Bytes,
    decode_directory,
    decode_invitation,
    decode_key,
    decode_session,
    encode_absence,
    encode_groups,
    encode_key,
    encode_person,
    encode_session,
    everybody,
)
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.postgres.layout import lock_key
from handoffs.store.values import micros

T = TypeVar("T")

_SESSION, _KEY = ", ".join(SESSION), ", ".join(PASSKEY)


class PostgresPeople:
    """The people of one store. Every method raises StoreError where it can't be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        self._connections = connections
        schema = connections.address.schema
        self._lock = f"SELECT pg_advisory_xact_lock({lock_key('people', schema)})"
        names = ("people", "absences", "passkeys", "invitations", "inbox_sessions", "chats")
        people, absences, keys, invitations, sessions, chats = (f'"{schema}".{name}' for name in names)
        there = f"SELECT name FROM {people} WHERE removed_at IS NULL"  # noqa: S608
        self._all = everybody(people, absences)
        self._add = f"""INSERT INTO {people} AS there ({", ".join(PERSON)}, write_id)
            VALUES ({_marks(len(PERSON) + 1)}) ON CONFLICT (folded) DO UPDATE SET write_id = excluded.write_id
            WHERE there.write_id = excluded.write_id RETURNING true"""  # noqa: S608
        self._change = f"UPDATE {people} SET email = $1, member_of = $2, identities = $3 WHERE name = $4"  # noqa: S608
        self._remove = f"""WITH gone AS (UPDATE {people} SET removed_at = $1, write_id = $3
                WHERE name = $2 AND (removed_at IS NULL OR write_id = $3) RETURNING name),
            ended AS (DELETE FROM {sessions} WHERE person IN (SELECT name FROM gone)),
            withdrawn AS (DELETE FROM {invitations} WHERE person IN (SELECT name FROM gone)),
            back AS (DELETE FROM {absences} WHERE person IN (SELECT name FROM gone)),
            silent AS (DELETE FROM {chats} WHERE person IN (SELECT name FROM gone))
            SELECT true FROM gone"""  # noqa: S608
        self._away = f"""INSERT INTO {absences} ({", ".join(ABSENCE)}) VALUES ($1, $2, $3, $4)
            ON CONFLICT (person) DO UPDATE SET deputy = excluded.deputy, starts = excluded.starts,
                ends = excluded.ends"""  # noqa: S608
        self._is_away = f"SELECT true FROM {absences} WHERE person = $1"  # noqa: S608
        self._back = f"DELETE FROM {absences} WHERE person = $1"  # noqa: S608
        self._invite = f"""INSERT INTO {invitations} (person, digest, expires_at, write_id)
            SELECT name, $2, $3, $4 FROM {people} WHERE name = $1 AND removed_at IS NULL
            ON CONFLICT (person) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at,
                used_at = NULL, write_id = excluded.write_id RETURNING true"""  # noqa: S608
        self._invitation = f"""SELECT {", ".join(INVITATION)} FROM {invitations}
            WHERE digest = $1 AND person IN ({there})"""  # noqa: S608
        self._redeem = f"""UPDATE {invitations} SET used_at = $1, write_id = $3
            WHERE digest = $2 AND (used_at IS NULL OR write_id = $3) AND expires_at > $1 AND person IN ({there})
            RETURNING person"""  # noqa: S608
        self._outdated = f"DELETE FROM {sessions} WHERE started_at <= $1"  # noqa: S608
        # The id is random, and so the number of this write.
        self._begin = f"""INSERT INTO {sessions} AS there (digest, {_SESSION})
            SELECT $1, $2, name, $4, $5::bigint, $6::bigint, $7 FROM {people} WHERE name = $3 AND removed_at IS NULL
            ON CONFLICT (digest) DO UPDATE SET id = excluded.id WHERE there.id = excluded.id RETURNING true"""  # noqa: S608
        self._sessions = f"SELECT {_SESSION} FROM {sessions} WHERE started_at > $1 AND person IN ({there})"  # noqa: S608
        self._seen = f"UPDATE {sessions} SET seen_at = greatest(seen_at, $1) WHERE digest = $2"  # noqa: S608
        self._bind = f"""UPDATE {sessions} SET page_key = $1 WHERE digest = $2 AND page_key IN ('', $1)
            RETURNING true"""  # noqa: S608
        self._ids = f"SELECT id FROM {sessions} WHERE "  # noqa: S608
        self._end = f"DELETE FROM {sessions} WHERE id = ANY($1::text[])"  # noqa: S608
        self._add_key = f"""INSERT INTO {keys} AS there ({_KEY}, write_id) VALUES ({_marks(len(PASSKEY) + 1)})
            ON CONFLICT (credential_id) DO UPDATE SET write_id = excluded.write_id
            WHERE there.write_id = excluded.write_id RETURNING true"""  # noqa: S608
        self._keys = f"""SELECT {_KEY} FROM {keys} WHERE person = $1 AND removed_at IS NULL
            ORDER BY added_at, credential_id"""  # noqa: S608
        self._key = f"SELECT {_KEY} FROM {keys} WHERE credential_id = $1"  # noqa: S608
        self._use_key = f"""UPDATE {keys} SET sign_count = $1, last_used_at = greatest(last_used_at, $2), write_id = $4
            WHERE credential_id = $3 AND removed_at IS NULL AND active_from <= $2 AND person IN ({there})
                AND (sign_count < $1 OR (sign_count = 0 AND $1 = 0) OR write_id = $4) RETURNING true"""  # noqa: S608
        self._remove_key = f"""UPDATE {keys} SET removed_at = $1, write_id = $3
            WHERE credential_id = $2 AND (removed_at IS NULL OR write_id = $3) RETURNING true"""  # noqa: S608

    async def directory(self) -> Directory:
        """Return all people and absences, as they are at one moment; also those who were removed."""
        return await self._connections.run(self._read)

    async def add(self, person: Person) -> None:
        """Add a person. Raises PersonRefused: The name was given before, in upper or lower case."""
        write = _new_write()

        async def work(connection: Connection) -> None:
            if await connection.fetch(self._add, *map(encode_cell, encode_person(person)), write):
                return
            for each in (await self._read(connection)).people.values():
                if each.folded == person.folded:
                    raise name_taken(person.name, each)

        await self._connections.run(work)

    async def change(
        self,
        name: str,
        *,
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

        async def work(connection: Connection) -> Person:
            person = wanted.of((await self._read(connection)).named(name))
            lists = encode_groups(person.groups), encode_groups(person.identities)
            given = storable(person.email), *lists, person.name
            await connection.fetch(self._change, *map(encode_cell, given))
            return person

        return await self._in_turn(work)

    async def remove(self, name: str, *, at: datetime) -> bool:
        """Remove a person for good, with their sessions, invitation and absence; False where they are not there."""
        given = micros(at), encode_cell(storable(name)), _new_write()
        return bool(await self._in_turn(lambda connection: connection.fetch(self._remove, *given)))

    async def away(self, absence: Absence) -> None:
        """Keep an absence, in place of the person's earlier one. Raises as `Directory.check_absence`."""

        async def work(connection: Connection) -> None:
            (await self._read(connection)).check_absence(absence)
            await connection.fetch(self._away, *map(encode_cell, encode_absence(absence)))

        await self._in_turn(work)

    async def come_back(self, person: str) -> bool:
        """End a person's absence, also one to come; False where there is none."""
        # Asked first: a second run of the deletion would find nothing.
        away = await self._fetch(bool, self._is_away, storable(person))
        await self._fetch(bool, self._back, storable(person))
        return bool(away)

    async def invite(self, digest: str, person: str, *, expires_at: datetime) -> bool:
        """Keep an invitation, in place of the person's earlier one; False where the person is not there."""
        given = storable(person), storable(digest), micros(expires_at), _new_write()
        return bool(await self._fetch(bool, self._invite, *given))

    async def invitation(self, digest: str) -> Invitation | None:
        """Return an invitation, also a used or expired one; None where there is none, or its person was removed."""
        found = await self._fetch(_invitation_of, self._invitation, storable(digest))
        return found[0] if found else None

    async def redeem(self, digest: str, *, at: datetime) -> str | None:
        """Use up an invitation, and return its person; None, and nothing is written, where it can't be used."""
        found = await self._fetch(_text, self._redeem, micros(at), storable(digest), _new_write())
        return found[0] if found else None

    async def begin(self, digest: str, person: str, *, at: datetime, agent: str, page_key: str = "") -> Session | None:
        """Begin a session; None where the person is not there, or the digest was used before."""
        session = Session(
            id=new_id(ID_PREFIX), person=person, agent=storable(agent), started_at=at, seen_at=at, page_key=page_key
        )
        await self._fetch(bool, self._outdated, micros(at - LONGEST))
        begun = await self._fetch(bool, self._begin, storable(digest), *encode_session(session))
        return session if begun else None

    async def bind(self, digest: str, page_key: str) -> bool:
        """Give a session without a page's key this one; False where it has another, or there is no such session."""
        return bool(await self._fetch(bool, self._bind, storable(page_key), storable(digest)))

    async def session(self, digest: str, *, at: datetime) -> Session | None:
        """Return a session; None where it has ended, or its person was removed."""
        found = await self._fetch(
            _session_of, f"{self._sessions} AND digest = $2", micros(at - LONGEST), storable(digest)
        )
        return found[0] if found else None

    async def seen(self, digest: str, *, at: datetime) -> None:
        """Record when a session was last used."""
        await self._fetch(bool, self._seen, micros(at), storable(digest))

    async def sessions(self, person: str | None = None, *, at: datetime) -> Sequence[Session]:
        """Return the sessions of a person, or of all, that have not ended; the last used first."""
        only, given = ("", ()) if person is None else (" AND person = $2", (storable(person),))
        sql = f"{self._sessions}{only} ORDER BY seen_at DESC, id"
        return await self._fetch(_session_of, sql, micros(at - LONGEST), *given)

    async def end(self, session_id: str) -> bool:
        """End a session; False where there is none."""
        return await self._ended("id = $1", session_id) == 1

    async def end_all(self, person: str) -> int:
        """End all sessions of a person; return how many those were."""
        return await self._ended("person = $1", person)

    async def keys(self, person: str) -> Sequence[Passkey]:
        """Return the passkeys of a person that were not removed, the oldest first; also those not yet active."""
        return await self._fetch(_key_of, self._keys, storable(person))

    async def add_key(self, key: Passkey) -> None:
        """Add a passkey.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed, or the credential id was enrolled before.
        """
        write = _new_write()

        async def work(connection: Connection) -> None:
            (await self._read(connection)).named(key.person)
            if not await connection.fetch(self._add_key, *map(encode_cell, encode_key(key)), write):
                raise PersonRefused("This passkey was enrolled before: make another one.")

        await self._in_turn(work)

    async def key(self, credential_id: str) -> Passkey | None:
        """Return the passkey with this credential id, also a removed one, and one of a removed person."""
        found = await self._fetch(_key_of, self._key, storable(credential_id))
        return found[0] if found else None

    async def use_key(self, credential_id: str, *, sign_count: int, at: datetime) -> bool:
        """Record that a passkey has signed; False, and nothing is written, where it may not."""
        given = sign_count, micros(at), storable(credential_id), _new_write()
        return bool(await self._fetch(bool, self._use_key, *given))

    async def remove_key(self, credential_id: str, *, at: datetime) -> bool:
        """Let a passkey sign nothing from now on; False where there is none, or it was removed before."""
        return bool(await self._fetch(bool, self._remove_key, micros(at), storable(credential_id), _new_write()))

    async def _ended(self, which: str, value: str) -> int:
        # Asked first: a second run of the deletion would find nothing.
        ids = await self._fetch(_text, f"{self._ids}{which}", storable(value))
        if ids:
            await self._connections.run(lambda connection: connection.fetch(self._end, ids))
        return len(ids)

    async def _read(self, connection: Connection) -> Directory:
        return decode_directory([_decoded(row) for row in await connection.fetch(self._all)])

    async def _in_turn(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run what reads the directory and then writes by it: one process after the other."""

        async def whole(connection: Connection) -> T:
            async with connection.transaction():
                await connection.fetch(self._lock)
                return await work(connection)

        return await self._connections.run(whole)

    async def _fetch(self, read: Callable[[Row], T], sql: str, *parameters: Bytes) -> list[T]:
        given = [encode_cell(each) for each in parameters]

        async def work(connection: Connection) -> list[T]:
            return [read(row) for row in await connection.fetch(sql, *given)]

        return await self._connections.run(work)


def _marks(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))


def _decoded(row: Row) -> tuple[object, ...]:
    return tuple(map(decode_cell, row))


def _text(row: Row) -> str:
    return cast("str", decode_cell(row[0]))


def _invitation_of(row: Row) -> Invitation:
    return decode_invitation(_decoded(row))


def _session_of(row: Row) -> Session:
    return decode_session(_decoded(row))


def _key_of(row: Row) -> Passkey:
    return decode_key(_decoded(row))


def _new_write() -> int:
    return secrets.randbits(63)
