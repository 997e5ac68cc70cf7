"""Erases a person from a SQLite store, in one transaction."""

import json
import sqlite3
from datetime import datetime

from handoffs.core.leaves import Lined
from handoffs.core.model import Handoff
from handoffs.core.person import Directory, Person, mark_of
from handoffs.core.person_erasure import recogniser_of
from handoffs.core.person_log import erased
from handoffs.core.rewriting import Erasure, Rewrite, Rewritten
from handoffs.core.storable import storable
from handoffs.store.leaf_rows import lined, lines_with_leaves
from handoffs.store.people_rows import encode_line, words_gone
from handoffs.store.rows import CHANGING, decode, decode_event, encode_changing
from handoffs.store.sqlite.queries import SELECT
from handoffs.store.sqlite.writing import log
from handoffs.store.values import micros
from handoffs.store.watches import UNKNOWN, Line

# Names stand there as JSON strings. Where another text holds the same characters, `rewrite` finds nothing to change.
_NAMING = f"""{SELECT} WHERE ended_by = ?1 OR instr(deciders, ?2) OR instr(deciders, ?3) OR instr(votes, ?2)
    OR id IN (SELECT handoff_id FROM events WHERE instr(details, ?2))"""  # noqa: S608
_LINES = f"{lines_with_leaves('events', 'log_began')} WHERE handoff_id = ? ORDER BY number"
_UPDATE = f"""UPDATE handoffs SET {", ".join(f"{name} = ?" for name in CHANGING)}, deciders = ?
    WHERE id = ?"""  # noqa: S608
_LINE = "UPDATE events SET details = ?, salt = ? WHERE number = ?"
_OF_PERSON = "SELECT number, handoff_id, name, at, details FROM events WHERE handoff_id = ? ORDER BY number"
_NEW_LINE = "INSERT INTO events (handoff_id, name, at, details, leaf, salt) VALUES (?, ?, ?, ?, ?, ?)"
_PERSON = """UPDATE people SET folded = ?1, name = ?1, email = '', member_of = '[]', identities = '[]', handle = '',
    erased = ?2, removed_at = coalesce(removed_at, ?3) WHERE name = ?4"""
_KEPT_OF = ("passkeys", "inbox_sessions", "invitations", "absences", "recoveries", "chats")
# What is left of chats that are gone: the person's, also where they were removed before.
_KEPT_OF_CHATS = tuple(
    f"DELETE FROM {table} WHERE {column} NOT IN (SELECT {of} FROM chats)"  # noqa: S608
    for table, column, of in (
        ("chat_messages", "chat", "id"),
        ("chat_codes", "chat", "id"),
        ("chat_holds", "account", "account"),
    )
)


def erase(
    connection: sqlite3.Connection, directory: Directory, name: str, at: datetime, rewrite: Rewrite
) -> tuple[Erasure, list[Line]]:
    """Erase a person; return what was erased, and the new lines. Raises PersonNotFound or PersonRefused."""
    person = directory.to_erase(name)
    connection.execute("PRAGMA secure_delete = ON")  # overwrites what is removed: else it stays in the file for a while
    told: list[Line] = []
    changed = 0
    for handoff in _naming(connection, person):
        found = rewrite(person, handoff, _lines(connection, handoff))
        if found is not None:
            told.append(_write(connection, found))
            changed += len(found.lines)
    handoffs = len(told)
    mark, stored = mark_of(person.id), storable(person.name)
    grants = connection.execute("UPDATE grants SET granted_by = ? WHERE granted_by = ?", (mark, stored)).rowcount
    grants += connection.execute("UPDATE stops SET stopped_by = ? WHERE stopped_by = ?", (mark, stored)).rowcount
    connection.execute("UPDATE absences SET deputy = ? WHERE deputy = ?", (mark, stored))
    connection.execute("UPDATE recoveries SET asked_by = ? WHERE asked_by = ?", (mark, stored))
    for table in _KEPT_OF:
        connection.execute(f"DELETE FROM {table} WHERE person = ?", (stored,))  # noqa: S608
    for forget in _KEPT_OF_CHATS:
        connection.execute(forget)
    connection.execute(
        _PERSON,
        (mark, recogniser_of(person.folded, (each.erased for each in directory.people.values())), micros(at), stored),
    )
    entries = [decode_event(row) for row in connection.execute(_OF_PERSON, (person.id,)).fetchall()]
    for number, details in words_gone(entries):
        connection.execute(_LINE, (details, "", number))
    event = erased(person, at)
    number = connection.execute(_NEW_LINE, encode_line(event, len(entries) + 1)).lastrowid
    told.append((number or 0, person.id, UNKNOWN))
    return Erasure(person=person.id, handoffs=handoffs, lines=changed + len(entries), grants=grants), told


def forget_pages(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log, which still holds what was erased; as far as no other program reads it."""
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _naming(connection: sqlite3.Connection, person: Person) -> list[Handoff]:
    name = storable(person.name)
    given = name, json.dumps(name), json.dumps(name.lower())
    return [decode(row) for row in connection.execute(_NAMING, given).fetchall()]


def _lines(connection: sqlite3.Connection, handoff: Handoff) -> list[Lined]:
    return [lined(row) for row in connection.execute(_LINES, (storable(handoff.id),)).fetchall()]


def _write(connection: sqlite3.Connection, found: Rewritten) -> Line:
    after = found.after
    deciders = "" if after.question.deciders is None else after.question.deciders.dumps()
    connection.execute(_UPDATE, (*encode_changing(after), deciders, storable(after.id)))
    if not after.attachments:
        connection.execute("DELETE FROM attachments WHERE handoff_id = ?", (storable(after.id),))
    connection.executemany(_LINE, [(each.details, each.salt, each.number) for each in found.lines])
    return log(connection, after, found.event)
