"""People, in a PostgreSQL store: who they are, and what signs them in. Each change is one transaction.

A statement may be run again after its connection broke. Where its result would differ then, the row has the number of
its last write, so that the second run says what the first would have said, and changes nothing more. What has a line in
the log is found again by the number of the write in that line.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar, cast

import anyio.to_thread

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
    RECOVERY,
    SESSION,
    check_name,
    decode_invitation,
    decode_key,
    decode_session,
    encode_absence,
    encode_groups,
    encode_person,
    encode_session,
)
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.postgres.person_lines import decoded_row, marks, new_write
from handoffs.store.postgres.recoveries import PostgresRecoveries
from handoffs.store.values import micros

T = TypeVar("T")

_SESSION, _KEY, _RECOVERY = ", ".join(SESSION), ", ".join(PASSKEY), ", ".join(RECOVERY)


class PostgresPeople(PostgresRecoveries):
    """The people of one store. Every method raises StoreError where it can't be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        super().__init__(connections)
        schema = connections.address.schema
        names = ("people", "absences", "passkeys", "invitations", "inbox_sessions", "recoveries", "chats")
        people, absences, keys, invitations, sessions, recoveries, chats = (f'"{schema}".{name}' for name in names)
        there = f"SELECT name FROM {people} WHERE removed_at IS NULL"  # noqa: S608
        self._add = f"""INSERT INTO {people} ({", ".join(PERSON)}, write_id)
            VALUES ({marks(len(PERSON) + 1)})"""  # noqa: S608
        self._change = f"UPDATE {people} SET email = $1, member_of = $2, identities = $3 WHERE name = $4"  # noqa: S608
        self._remove = f"""WITH gone AS (UPDATE {people} SET removed_at = $1 WHERE name = $2 RETURNING name),
            ended AS (DELETE FROM {sessions} WHERE person IN (SELECT name FROM gone)),
            withdrawn AS (DELETE FROM {invitations} WHERE person IN (SELECT name FROM gone)),
            forgotten AS (DELETE FROM {recoveries} WHERE person IN (SELECT name FROM gone)),
            back AS (DELETE FROM {absences} WHERE person IN (SELECT name FROM gone)),
            silent AS (DELETE FROM {chats} WHERE person IN (SELECT name FROM gone))
            SELECT true FROM gone"""  # noqa: S608
        self._away = f"""INSERT INTO {absences} ({", ".join(ABSENCE)}) VALUES ($1, $2, $3, $4)
            ON CONFLICT (person) DO UPDATE SET deputy = excluded.deputy, starts = excluded.starts,
                ends = excluded.ends"""  # noqa: S608
        self._back = f"DELETE FROM {absences} WHERE person = $1 RETURNING true"  # noqa: S608
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
        self._keys = f"""SELECT {_KEY} FROM {keys} WHERE person = $1 AND removed_at IS NULL
            ORDER BY added_at, credential_id"""  # noqa: S608
        self._key = f"SELECT {_KEY} FROM {keys} WHERE credential_id = $1"  # noqa: S608
        self._use_key = f"""UPDATE {keys} SET sign_count = $1, last_used_at = greatest(last_used_at, $2), write_id = $4
            WHERE credential_id = $3 AND removed_at IS NULL AND active_from <= $2 AND person IN ({there})
                AND (sign_count < $1 OR (sign_count = 0 AND $1 = 0) OR write_id = $4) RETURNING true"""  # noqa: S608
        self._remove_key = f"UPDATE {keys} SET removed_at = $1 WHERE credential_id = $2"  # noqa: S608
        self._every_key = f"SELECT {_KEY} FROM {keys}"  # noqa: S608

    async def directory(self) -> Directory:
        """Return all people and absences, as they are at one moment; also those who were removed."""
        return await self._connections.run(self.read)

    async def add(self, person: Person) -> None:
        """Add a person. Raises PersonRefused: The name was given before, in upper or lower case."""
        write = new_write()

        async def work(connection: Connection) -> None:
            if await self.was_done(connection, person.id, write):
                return
            directory = await self.read(connection)
            await anyio.to_thread.run_sync(check_name, person, directory)
            await connection.fetch(self._add, *map(encode_cell, encode_person(person)), write)
            await self.record(connection, added(person), write)

        await self.in_turn(work)

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
        write = new_write()

        wanted = PersonChange(email=email, join=join, leave=leave, identify=identify, disown=disown)

        async def work(connection: Connection) -> Person:
            before = (await self.read(connection)).named(name)
            person = wanted.of(before)
            if person == before:  # also after a first run
                return person
            lists = encode_groups(person.groups), encode_groups(person.identities)
            given = storable(person.email), *lists, person.name
            await connection.fetch(self._change, *map(encode_cell, given))
            await self.record(connection, changed(person, at), write)
            return person

        return await self.in_turn(work)

    async def remove(self, name: str, *, at: datetime) -> bool:
        """Remove a person for good, with their sessions, invitation and absence; False where they are not there."""
        write = new_write()

        async def work(connection: Connection) -> bool:
            person = (await self.read(connection)).people.get(name)
            if person is None or not person.present:
                return person is not None and await self.was_done(connection, person.id, write)
            await connection.fetch(self._remove, micros(at), encode_cell(storable(name)))
            await self.record(connection, removed(person, at), write)
            return True

        return await self.in_turn(work)

    async def away(self, absence: Absence, *, at: datetime) -> None:
        """Keep an absence, in place of the person's earlier one. Raises as `Directory.check_absence`."""
        write = new_write()

        async def work(connection: Connection) -> None:
            directory = await self.read(connection)
            there = directory.people.get(absence.person)
            if there is not None and await self.was_done(connection, there.id, write):
                return
            person, deputy = directory.check_absence(absence)
            await connection.fetch(self._away, *map(encode_cell, encode_absence(absence)))
            await self.record(connection, gone_away(person, absence, deputy=deputy, at=at), write)

        await self.in_turn(work)

    async def come_back(self, person: str, *, at: datetime) -> bool:
        """End a person's absence, also one to come; False where there is none."""
        write = new_write()

        async def work(connection: Connection) -> bool:
            there = (await self.read(connection)).people.get(person)
            if there is None:
                return False
            if not await connection.fetch(self._back, encode_cell(storable(person))):
                return await self.was_done(connection, there.id, write)
            await self.record(connection, come_back(there, at), write)
            return True

        return await self.in_turn(work)

    async def invite(self, digest: str, person: str, *, expires_at: datetime) -> bool:
        """Keep an invitation, in place of the person's earlier one; False where the person is not there."""
        given = storable(person), storable(digest), micros(expires_at), new_write()
        return bool(await self.fetch(bool, self._invite, *given))

    async def invitation(self, digest: str) -> Invitation | None:
        """Return an invitation, also a used or expired one; None where there is none, or its person was removed."""
        found = await self.fetch(_invitation_of, self._invitation, storable(digest))
        return found[0] if found else None

    async def redeem(self, digest: str, *, at: datetime) -> str | None:
        """Use up an invitation, and return its person; None, and nothing is written, where it can't be used."""
        found = await self.fetch(_text, self._redeem, micros(at), storable(digest), new_write())
        return found[0] if found else None

    async def begin(self, digest: str, person: str, *, at: datetime, agent: str, page_key: str = "") -> Session | None:
        """Begin a session; None where the person is not there, or the digest was used before."""
        session = Session(
            id=new_id(ID_PREFIX), person=person, agent=storable(agent), started_at=at, seen_at=at, page_key=page_key
        )
        await self.fetch(bool, self._outdated, micros(at - LONGEST))
        begun = await self.fetch(bool, self._begin, storable(digest), *encode_session(session))
        return session if begun else None

    async def bind(self, digest: str, page_key: str) -> bool:
        """Give a session without a page's key this one; False where it has another, or there is no such session."""
        return bool(await self.fetch(bool, self._bind, storable(page_key), storable(digest)))

    async def session(self, digest: str, *, at: datetime) -> Session | None:
        """Return a session; None where it has ended, or its person was removed."""
        found = await self.fetch(
            _session_of, f"{self._sessions} AND digest = $2", micros(at - LONGEST), storable(digest)
        )
        return found[0] if found else None

    async def seen(self, digest: str, *, at: datetime) -> None:
        """Record when a session was last used."""
        await self.fetch(bool, self._seen, micros(at), storable(digest))

    async def sessions(self, person: str | None = None, *, at: datetime) -> Sequence[Session]:
        """Return the sessions of a person, or of all, that have not ended; the last used first."""
        only, given = ("", ()) if person is None else (" AND person = $2", (storable(person),))
        sql = f"{self._sessions}{only} ORDER BY seen_at DESC, id"
        return await self.fetch(_session_of, sql, micros(at - LONGEST), *given)

    async def end(self, session_id: str) -> bool:
        """End a session; False where there is none."""
        return await self._ended("id = $1", session_id) == 1

    async def end_all(self, person: str) -> int:
        """End all sessions of a person; return how many those were."""
        return await self._ended("person = $1", person)

    async def keys(self, person: str) -> Sequence[Passkey]:
        """Return the passkeys of a person that were not removed, the oldest first; also those not yet active."""
        return await self.fetch(_key_of, self._keys, storable(person))

    async def add_key(self, key: Passkey) -> None:
        """Add a passkey.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed, or the credential id was enrolled before.
        """
        write = new_write()

        async def work(connection: Connection) -> None:
            person = (await self.read(connection)).named(key.person)
            if await self.was_done(connection, person.id, write):
                return
            await self.enrol(connection, key, write)
            await self.record(connection, key_added(person, key), write)

        await self.in_turn(work)

    async def key(self, credential_id: str) -> Passkey | None:
        """Return the passkey with this credential id, also a removed one, and one of a removed person."""
        found = await self.fetch(_key_of, self._key, storable(credential_id))
        return found[0] if found else None

    async def use_key(self, credential_id: str, *, sign_count: int, at: datetime) -> bool:
        """Record that a passkey has signed; False, and nothing is written, where it may not."""
        given = sign_count, micros(at), storable(credential_id), new_write()
        return bool(await self.fetch(bool, self._use_key, *given))

    async def remove_key(self, credential_id: str, *, at: datetime) -> bool:
        """Let a passkey sign nothing from now on; False where there is none, or it was removed before."""
        write = new_write()

        async def work(connection: Connection) -> bool:
            rows = await connection.fetch(self._key, encode_cell(storable(credential_id)))
            key = _key_of(rows[0]) if rows else None
            person = None if key is None else (await self.read(connection)).people.get(key.person)
            if key is None or person is None:
                return False
            if key.removed_at is not None:
                return await self.was_done(connection, person.id, write)
            await connection.fetch(self._remove_key, micros(at), encode_cell(storable(credential_id)))
            await self.record(connection, key_removed(person, credential_id, at), write)
            return True

        return await self.in_turn(work)

    async def every_key(self) -> Sequence[Passkey]:
        """Return the passkeys of all people, also removed ones."""
        return await self.fetch(_key_of, self._every_key)

    async def _ended(self, which: str, value: str) -> int:
        # Asked first: a second run of the deletion would find nothing.
        ids = await self.fetch(_text, f"{self._ids}{which}", storable(value))
        if ids:
            await self._connections.run(lambda connection: connection.fetch(self._end, ids))
        return len(ids)


def _text(row: Row) -> str:
    return cast("str", decode_cell(row[0]))


def _invitation_of(row: Row) -> Invitation:
    return decode_invitation(decoded_row(row))


def _session_of(row: Row) -> Session:
    return decode_session(decoded_row(row))


def _key_of(row: Row) -> Passkey:
    return decode_key(decoded_row(row))
