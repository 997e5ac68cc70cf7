"""Recoveries of lost passkeys in a PostgreSQL store, and the erasure of a person. Each change is one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from handoffs.core.errors import PersonRefused
from handoffs.core.passkey import Passkey
from handoffs.core.person_log import recovered, recovery_asked, recovery_stopped
from handoffs.core.recovery import Recovery
from handoffs.core.rewriting import Erasure, Rewrite
from handoffs.core.storable import storable
from handoffs.store.people_rows import (
    PASSKEY,
    RECOVERY,
    check_recovery,
    decode_recovery,
    encode_key,
    encode_recovery,
)
from handoffs.store.postgres.cells import encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.postgres.person_lines import PersonLines, decoded_row, marks, new_write
from handoffs.store.values import micros

_KEY, _RECOVERY = ", ".join(PASSKEY), ", ".join(RECOVERY)


class PostgresRecoveries(PersonLines):
    """The part of a store's people that recovers passkeys and erases."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        super().__init__(connections)
        schema = connections.address.schema
        names = ("people", "passkeys", "invitations", "inbox_sessions", "recoveries")
        people, keys, invitations, sessions, recoveries = (f'"{schema}".{name}' for name in names)
        there = f"SELECT name FROM {people} WHERE removed_at IS NULL"  # noqa: S608
        self._add_key = f"""INSERT INTO {keys} ({_KEY}, write_id) VALUES ({marks(len(PASSKEY) + 1)})
            ON CONFLICT DO NOTHING RETURNING true"""  # noqa: S608
        self._remove_keys = f"UPDATE {keys} SET removed_at = $1 WHERE person = $2 AND removed_at IS NULL"  # noqa: S608
        written = ", ".join(f"{name} = excluded.{name}" for name in RECOVERY)
        self._ask_recovery = f"""INSERT INTO {recoveries} ({_RECOVERY}, write_id)
            VALUES ({marks(len(RECOVERY) + 1)}) ON CONFLICT (person) DO UPDATE SET {written}"""  # noqa: S608
        self._recoveries = f"SELECT {_RECOVERY} FROM {recoveries} WHERE person IN ({there})"  # noqa: S608
        self._stop_recovery = f"UPDATE {recoveries} SET stopped_at = $1 WHERE person = $2"  # noqa: S608
        self._recover = f"""WITH used AS (UPDATE {recoveries} SET used_at = $1 WHERE person = $2 RETURNING person),
            withdrawn AS (DELETE FROM {invitations} WHERE person IN (SELECT person FROM used))
            DELETE FROM {sessions} WHERE person IN (SELECT person FROM used)"""  # noqa: S608

    async def ask_recovery(self, digest: str, recovery: Recovery) -> None:
        """Keep a recovery, in place of the person's earlier one.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed, or a recovery of theirs is under way.
        """
        write = new_write()

        async def work(connection: Connection) -> None:
            directory = await self.read(connection)
            person = directory.named(recovery.person)
            if await self.was_done(connection, person.id, write):
                return
            check_recovery(recovery, await self._recoveries_in(connection, "person", person.name))
            await connection.fetch(self._ask_recovery, *map(encode_cell, encode_recovery(recovery, digest)), write)
            told = replace(recovery, asked_by=directory.told_as(recovery.asked_by, of=person))
            await self.record(connection, recovery_asked(person, told), write)

        await self.in_turn(work)

    async def recovery(self, digest: str) -> Recovery | None:
        """Return a recovery, also a used, stopped or past one; None where there is none, or its person was removed."""
        found = await self._connections.run(lambda connection: self._recoveries_in(connection, "digest", digest))
        return found[0] if found else None

    async def recoveries(self, *, at: datetime) -> Sequence[Recovery]:
        """Return the recoveries that are under way."""
        return [each for each in await self.every_recovery() if each.under_way(at)]

    async def every_recovery(self) -> Sequence[Recovery]:
        """Return the last recovery of each person who is there, as it is."""
        return await self.fetch(_recovery_of, self._recoveries)

    async def stop_recovery(self, person: str, *, by: str, at: datetime) -> bool:
        """Stop the recovery of a person that is under way; False where there is none."""
        write = new_write()

        async def work(connection: Connection) -> bool:
            directory = await self.read(connection)
            there = directory.present(person)
            if there is None:
                return False
            if await self.was_done(connection, there.id, write):
                return True
            found = await self._recoveries_in(connection, "person", person)
            if not found or not found[0].under_way(at):
                return False
            await connection.fetch(self._stop_recovery, micros(at), encode_cell(storable(person)))
            await self.record(connection, recovery_stopped(there, by=directory.told_as(by, of=there), at=at), write)
            return True

        return await self.in_turn(work)

    async def recover(self, digest: str, key: Passkey, *, at: datetime) -> bool:
        """Use a recovery up: this passkey takes the place of all of the person's, whose sessions end.

        False, and nothing is written, where it can't be used now, or it is of another person.

        Raises:
            PersonRefused: The credential id was enrolled before.
        """
        write = new_write()

        async def work(connection: Connection) -> bool:
            person = (await self.read(connection)).present(key.person)
            if person is None:
                return False
            if await self.was_done(connection, person.id, write):
                return True
            found = await self._recoveries_in(connection, "digest", digest)
            if not found or found[0].person != person.name or not found[0].usable(at):
                return False
            name = encode_cell(storable(person.name))
            await connection.fetch(self._recover, micros(at), name)
            await connection.fetch(self._remove_keys, micros(at), name)
            await self.enrol(connection, key, write)
            await self.record(connection, recovered(person, key, at), write)
            return True

        return await self.in_turn(work)

    async def erase(self, name: str, *, at: datetime, rewrite: Rewrite) -> Erasure:
        """Erase all that is kept about a person, in one transaction; `rewrite` says what changes in a handoff.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were erased before, or something open still names them.
        """
        from handoffs.store.postgres.erasing import PostgresErasing

        erasing, write = PostgresErasing(self._connections.address.schema, rewrite), new_write()
        told: Erasure | None = None

        async def work(connection: Connection) -> Erasure:
            nonlocal told
            if told is not None and await self.was_done(connection, told.person, write):
                return told  # the connection broke after the commit
            directory = await self.read(connection)
            told = await erasing.erase(connection, directory, name, at=at, write=write, record=self.record)
            return told

        return await self.in_turn(work)

    async def enrol(self, connection: Connection, key: Passkey, write: int) -> None:
        """Add a passkey. Raises PersonRefused: it was enrolled before."""
        if not await connection.fetch(self._add_key, *map(encode_cell, encode_key(key)), write):
            raise PersonRefused("This passkey was enrolled before: make another one.")

    async def _recoveries_in(self, connection: Connection, column: str, value: str) -> list[Recovery]:
        sql = f"{self._recoveries} AND {column} = $1"
        return [_recovery_of(row) for row in await connection.fetch(sql, encode_cell(storable(value)))]


def _recovery_of(row: Row) -> Recovery:
    return decode_recovery(decoded_row(row))
