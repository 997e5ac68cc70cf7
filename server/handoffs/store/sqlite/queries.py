"""The queries of a SQLite store. Each blocks; see `worker` for the thread."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from handoffs.core.errors import NotFound
from handoffs.core.events import Entry
from handoffs.core.model import Cursor, Handoff, OpenCount, Outline
from handoffs.core.storable import storable
from handoffs.store.rows import (
    COLUMNS,
    OUTLINE,
    decode,
    decode_deadline,
    decode_event,
    decode_open_count,
    decode_outline,
    encode_cursor,
)
from handoffs.store.values import micros
from handoffs.store.watches import UNKNOWN, Line

SELECT = f"SELECT {', '.join(COLUMNS)} FROM handoffs"  # noqa: S608
"""All columns of a handoff, in the order of `rows.decode`."""

_OUTLINES = f"SELECT {', '.join(OUTLINE)} FROM handoffs"  # noqa: S608
_ENTRIES = "SELECT number, handoff_id, name, at, details FROM events"
_LAST = "SELECT coalesce(max(number), 0) FROM events"
_COUNT_OPEN = f"SELECT count(*), min(deadline), ({_LAST}) FROM handoffs WHERE state = 'open'"  # noqa: S608

# A cursor's time and id. If no handoff has that id, its rowid is null, and the comparison is by time alone.
_AFTER = "(created_at, rowid) < (?, (SELECT rowid FROM handoffs WHERE id = ?))"
_NEWEST_FIRST = "ORDER BY created_at DESC, rowid DESC LIMIT ?"


def find(connection: sqlite3.Connection, handoff_id: str) -> Handoff:
    """Return one handoff by its whole id. Raises NotFound."""
    found = get_all(connection, [handoff_id])
    if not found:
        raise NotFound(handoff_id)
    return found[0]


def get_all(connection: sqlite3.Connection, handoff_ids: Sequence[str]) -> list[Handoff]:
    """Return the handoffs with these ids, in this order, without those that do not exist."""
    rows = [connection.execute(f"{SELECT} WHERE id = ?", (storable(each),)).fetchone() for each in handoff_ids]
    return [decode(row) for row in cast("list[tuple[object, ...] | None]", rows) if row is not None]


def content(connection: sqlite3.Connection, handoff_id: str, number: int) -> bytes | None:
    """Return the bytes of a file of an answer; None if there are none."""
    sql = "SELECT data FROM attachments WHERE handoff_id = ? AND number = ?"
    found = cast("tuple[bytes] | None", connection.execute(sql, (storable(handoff_id), number)).fetchone())
    return None if found is None else found[0]


def alike(connection: sqlite3.Connection, fingerprint: str, since: datetime) -> list[Handoff]:
    """Return the handoffs of the same question, newest first: open, also if overdue, or ended since then."""
    sql = f"""{SELECT} WHERE fingerprint = ? AND (state = 'open' OR ended_at >= ?)
        ORDER BY created_at DESC, rowid DESC"""
    return [decode(row) for row in connection.execute(sql, (storable(fingerprint), micros(since)))]


def ids(connection: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """Return the ids that start with `prefix`, in order."""
    # A range: LIKE would take `_` for any character, and could not use the index.
    start = storable(prefix)
    sql = "SELECT id FROM handoffs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    return [cast("str", row[0]) for row in connection.execute(sql, (start, start + chr(0x10FFFF), limit))]


def newest(
    connection: sqlite3.Connection, *, open_only: bool, before: Cursor | None, skip: int, limit: int
) -> list[Handoff]:
    """Return handoffs, newest first: those after `before`, without the first `skip`."""
    only = "state = 'open' AND" if open_only else ""
    sql = f"{SELECT} WHERE {only} {_AFTER} {_NEWEST_FIRST} OFFSET ?"
    return [decode(row) for row in connection.execute(sql, (*encode_cursor(before), limit, skip))]


def newest_of(connection: sqlite3.Connection, subject: str, *, open_only: bool, limit: int) -> list[Handoff]:
    """Return the handoffs of one subject, newest first."""
    only = "AND state = 'open'" if open_only else ""
    sql = f"{SELECT} WHERE subject = ? {only} {_NEWEST_FIRST}"
    return [decode(row) for row in connection.execute(sql, (storable(subject), limit))]


def ended_of_action(connection: sqlite3.Connection, subject: str, digest: str, *, limit: int) -> list[Handoff]:
    """Return the ended handoffs of one subject about the same action, newest first."""
    only = "action_digest <> '' AND action_digest = ? AND subject = ? AND state <> 'open'"
    sql = f"{SELECT} WHERE {only} {_NEWEST_FIRST}"
    return [decode(row) for row in connection.execute(sql, (digest, storable(subject), limit))]


def is_stopped(connection: sqlite3.Connection) -> bool:
    """Return whether a stop of everything stands."""
    return connection.execute("SELECT 1 FROM stops").fetchone() is not None


def outlines(
    connection: sqlite3.Connection, *, ended_only: bool, since: datetime, before: Cursor | None, limit: int
) -> list[Outline]:
    """Return outlines, newest first: those after `before`, created at `since` or later."""
    only = "AND state <> 'open'" if ended_only else ""
    sql = f"{_OUTLINES} WHERE {_AFTER} AND created_at >= ? {only} {_NEWEST_FIRST}"
    return [decode_outline(row) for row in connection.execute(sql, (*encode_cursor(before), micros(since), limit))]


def count_open(connection: sqlite3.Connection) -> OpenCount:
    """Return the number of open handoffs, the next deadline, and the newest line of the log."""
    return decode_open_count(connection.execute(_COUNT_OPEN).fetchone())


def has_chats(connection: sqlite3.Connection) -> bool:
    """Return whether there is a chat."""
    return connection.execute("SELECT 1 FROM chats LIMIT 1").fetchone() is not None


def next_deadline(connection: sqlite3.Connection) -> datetime | None:
    """Return when the next open handoff expires; None where none is open."""
    return decode_deadline(connection.execute("SELECT min(deadline) FROM handoffs WHERE state = 'open'").fetchone())


def overdue(connection: sqlite3.Connection, now: datetime, limit: int) -> list[str]:
    """Return the ids of open handoffs whose deadline has passed, the longest overdue first."""
    sql = "SELECT id FROM handoffs WHERE state = 'open' AND deadline <= ? ORDER BY deadline LIMIT ?"
    return [cast("str", row[0]) for row in connection.execute(sql, (micros(now), limit))]


def log(connection: sqlite3.Connection, *, handoff_id: str | None, after: int, limit: int) -> list[Entry]:
    """Return lines of the audit log after line number `after`, in order, of one handoff or all."""
    of, which = ("", ()) if handoff_id is None else ("handoff_id = ? AND", (storable(handoff_id),))
    sql = f"{_ENTRIES} WHERE {of} number > ? ORDER BY number LIMIT ?"
    return [decode_event(row) for row in connection.execute(sql, (*which, after, limit))]


def last_line(connection: sqlite3.Connection) -> int:
    """Return the number of the newest line of the log; 0 for an empty log."""
    return cast("tuple[int]", connection.execute(_LAST).fetchone())[0]


def lines_after(connection: sqlite3.Connection, number: int) -> list[Line]:
    """Return the lines of the log after a number."""
    rows = connection.execute("SELECT number, handoff_id FROM events WHERE number > ?", (number,)).fetchall()
    return [(*line, UNKNOWN) for line in cast("list[tuple[int, str]]", rows)]


def data_version(connection: sqlite3.Connection) -> int:
    """Return a number that differs once another connection has committed."""
    return cast("tuple[int]", connection.execute("PRAGMA data_version").fetchone())[0]
