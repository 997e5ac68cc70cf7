"""The offset of the machine's clock in a SQLite store, for each start of the machine; see `handoffs.clock`."""

import sqlite3
from datetime import timedelta
from typing import cast

from handoffs.clock import BELIEVED_AFTER, TOLERATED, Reading, SystemClock, boot_id
from handoffs.store.sqlite.file import transaction

_MICROSECOND = timedelta(microseconds=1)
_DRIFT = timedelta(seconds=10)  # smaller changes are not written


def settle(connection: sqlite3.Connection, clock: SystemClock) -> None:
    """Give the clock the offset that the store keeps for this start of the machine."""
    reading, boot = clock.read(), boot_id()
    if reading is None or not boot:
        return
    offset = known_offset(connection, reading, boot)
    if offset is None:
        try:
            with transaction(connection):
                offset = keep_offset(connection, reading, boot)
        except sqlite3.Error:
            return  # a full disk, a read-only file: reading must still work
    clock.settle(offset)


def known_offset(connection: sqlite3.Connection, reading: Reading, boot: str) -> timedelta | None:
    """Return the stored offset if it is of this start and has hardly moved; None if `keep_offset` is needed."""
    there = _kept(connection)
    offset = reading.offset // _MICROSECOND
    same = there is not None and there[0] == boot and there[2] is None and _apart(offset, there[1]) <= _DRIFT
    return reading.offset if same else None


def keep_offset(connection: sqlite3.Connection, reading: Reading, boot: str) -> timedelta:
    """Return the offset for this start of the machine; store it if there is none, or if it has moved.

    An offset that differs from the stored one is used once it was seen an hour ago and still holds. Needs a
    transaction.
    """
    offset, since_boot = reading.offset // _MICROSECOND, reading.since_boot // _MICROSECOND
    there = _kept(connection)
    if there is None or there[0] != boot:
        connection.execute("DELETE FROM clock")
        connection.execute("INSERT INTO clock (boot, kept) VALUES (?, ?)", (boot, offset))
        return reading.offset
    _, kept, rival, since = there
    if _apart(offset, kept) <= TOLERATED:
        if _apart(offset, kept) > _DRIFT or rival is not None:
            connection.execute("UPDATE clock SET kept = ?, rival = NULL, rival_since = NULL", (offset,))
        return reading.offset
    if rival is None or since is None or _apart(offset, rival) > TOLERATED:
        connection.execute("UPDATE clock SET rival = ?, rival_since = ?", (offset, since_boot))
    elif _apart(since_boot, since) >= BELIEVED_AFTER:
        connection.execute("UPDATE clock SET kept = ?, rival = NULL, rival_since = NULL", (offset,))
        return reading.offset
    return kept * _MICROSECOND


def _kept(connection: sqlite3.Connection) -> tuple[str, int, int | None, int | None] | None:
    row = connection.execute("SELECT boot, kept, rival, rival_since FROM clock").fetchone()
    return cast("tuple[str, int, int | None, int | None] | None", row)


def _apart(one: int, other: int) -> timedelta:
    return abs(one - other) * _MICROSECOND
