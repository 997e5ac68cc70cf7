"""Erases a person from a PostgreSQL store, in one transaction.

All rows of handoffs that change are locked first, and the numbers of lines after: a server that records an event holds
one row, and then waits for the numbers, so the two never wait for each other.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import cast

import anyio.to_thread

from handoffs.core.person import Directory, Person, mark_of
from handoffs.core.person_erasure import recogniser_of
from handoffs.core.person_log import PersonEvent, erased
from handoffs.core.rewriting import Erasure, Rewrite, Rewritten
from handoffs.core.storable import storable
from handoffs.store.leaf_rows import lined, lines_with_leaves
from handoffs.store.people_rows import words_gone
from handoffs.store.postgres.cells import decode_cell, encode_cell, handoff_of
from handoffs.store.postgres.driver import Connection
from handoffs.store.postgres.layout import lock_key
from handoffs.store.rows import CHANGING, COLUMNS, decode_event, encode_changing, encode_event
from handoffs.store.values import micros

_Record = Callable[[Connection, PersonEvent, int], Awaitable[None]]


class PostgresErasing:
    """Erases a person, in a transaction that has the lock of people."""

    def __init__(self, schema: str, rewrite: Rewrite) -> None:
        """Take where the tables are, and what says what changes in a handoff."""
        self._rewrite = rewrite
        names = ("handoffs", "events", "people", "absences", "grants", "stops", "recoveries", "log_began")
        handoffs, events, people, absences, grants, stops, recoveries, began = (f'"{schema}".{name}' for name in names)
        # Names stand there as JSON strings. Where another text holds the same characters, nothing is found to change.
        self._naming = f"""SELECT {", ".join(COLUMNS)} FROM {handoffs}
            WHERE ended_by = $1 OR position($2 IN deciders) > 0 OR position($3 IN deciders) > 0
                OR position($2 IN votes) > 0
                OR id IN (SELECT handoff_id FROM {events} WHERE position($2 IN details) > 0)
            ORDER BY id FOR UPDATE"""  # noqa: S608
        self._lines = f"{lines_with_leaves(events, began)} WHERE handoff_id = $1 ORDER BY number"
        changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(CHANGING, 1))
        of = len(CHANGING)
        self._update = f"UPDATE {handoffs} SET {changes}, deciders = ${of + 1} WHERE id = ${of + 2}"  # noqa: S608
        self._files = f'DELETE FROM "{schema}".attachments WHERE handoff_id = $1'  # noqa: S608
        self._line = f"UPDATE {events} SET details = $1, salt = $2 WHERE number = $3"  # noqa: S608
        self._log_lock = f"SELECT pg_advisory_xact_lock({lock_key('log', schema)})"
        self._new_line = f"""INSERT INTO {events} (number, handoff_id, name, at, details, leaf, salt, write_id)
            VALUES (nextval('"{schema}".events_number'), $1, $2, $3, $4, $5, $6, $7)
            RETURNING pg_notify('{schema}', number || ' ' || handoff_id)"""  # noqa: S608
        self._of_person = f"""SELECT number, handoff_id, name, at, details FROM {events}
            WHERE handoff_id = $1 ORDER BY number"""  # noqa: S608
        self._person = f"""UPDATE {people} SET folded = $1, name = $1, email = '', member_of = '[]', identities = '[]',
            handle = '', erased = $2, removed_at = coalesce(removed_at, $3) WHERE name = $4"""  # noqa: S608
        self._granted = tuple(
            f"UPDATE {table} SET {column} = $1 WHERE {column} = $2 RETURNING true"  # noqa: S608
            for table, column in ((grants, "granted_by"), (stops, "stopped_by"))
        )
        self._others = tuple(
            f"UPDATE {table} SET {column} = $1 WHERE {column} = $2"  # noqa: S608
            for table, column in ((absences, "deputy"), (recoveries, "asked_by"))
        )
        kept_of = ("passkeys", "inbox_sessions", "invitations", "absences", "recoveries", "chats")
        self._kept_of = tuple(f'DELETE FROM "{schema}".{table} WHERE person = $1' for table in kept_of)  # noqa: S608
        # What is left of chats that are gone: the person's, also where they were removed before.
        of_chats = (("chat_messages", "chat", "id"), ("chat_codes", "chat", "id"), ("chat_holds", "account", "account"))
        self._kept_of_chats = tuple(
            f'DELETE FROM "{schema}".{table} WHERE {column} NOT IN (SELECT {of} FROM "{schema}".chats)'  # noqa: S608
            for table, column, of in of_chats
        )

    async def erase(
        self,
        connection: Connection,
        directory: Directory,
        name: str,
        *,
        at: datetime,
        write: int,
        record: _Record,
    ) -> Erasure:
        """Erase a person; return what was erased. Raises PersonNotFound or PersonRefused."""
        person = directory.to_erase(name)
        stored, mark = encode_cell(storable(person.name)), mark_of(person.id)
        found = [
            each
            for row in await connection.fetch(self._naming, stored, json.dumps(stored), json.dumps(person.name.lower()))
            if (each := await self._rewritten(connection, person, row)) is not None
        ]
        await connection.fetch(self._log_lock)
        for each in found:
            await self._write(connection, each, write)
        grants = 0
        for sql in self._granted:
            grants += len(await connection.fetch(sql, mark, stored))
        for sql in self._others:
            await connection.fetch(sql, mark, stored)
        for sql in self._kept_of:
            await connection.fetch(sql, stored)
        for sql in self._kept_of_chats:
            await connection.fetch(sql)
        others = [each.erased for each in directory.people.values()]
        recogniser = await anyio.to_thread.run_sync(recogniser_of, person.folded, others)
        await connection.fetch(self._person, mark, recogniser, micros(at), stored)
        rows = await connection.fetch(self._of_person, person.id)
        entries = [decode_event(tuple(map(decode_cell, row))) for row in rows]
        for number, details in words_gone(entries):
            await connection.fetch(self._line, details, "", number)
        await record(connection, erased(person, at), write)
        lines = len(entries) + sum(len(each.lines) for each in found)
        return Erasure(person=person.id, handoffs=len(found), lines=lines, grants=grants)

    async def _rewritten(self, connection: Connection, person: Person, row: object) -> Rewritten | None:
        handoff = handoff_of(cast("tuple[object, ...]", row))
        rows = await connection.fetch(self._lines, encode_cell(storable(handoff.id)))
        return self._rewrite(person, handoff, [lined(tuple(map(decode_cell, each))) for each in rows])

    async def _write(self, connection: Connection, found: Rewritten, write: int) -> None:
        after = found.after
        deciders = "" if after.question.deciders is None else after.question.deciders.dumps()
        given = (*encode_changing(after), deciders, storable(after.id))
        await connection.fetch(self._update, *map(encode_cell, given))
        if not after.attachments:
            await connection.fetch(self._files, encode_cell(storable(after.id)))
        for each in found.lines:
            await connection.fetch(self._line, encode_cell(each.details), each.salt, each.number)
        await connection.fetch(self._new_line, *map(encode_cell, encode_event(after, found.event)), write)
