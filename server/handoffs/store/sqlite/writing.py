"""Writes handoffs and lines of the log into a SQLite file, inside a transaction."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from itertools import starmap
from typing import cast

from handoffs.core.errors import StoreError
from handoffs.core.events import Answered, Event
from handoffs.core.model import Handoff
from handoffs.core.storable import storable
from handoffs.store.rows import CHANGING, COLUMNS, encode, encode_changing, encode_event
from handoffs.store.transition import Transition
from handoffs.store.watches import Line

_INSERT = f"INSERT INTO handoffs ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_UPDATE = f"UPDATE handoffs SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE id = ? AND version = ?"  # noqa: S608
_INSERT_CONTENT = "INSERT INTO attachments (handoff_id, number, data) VALUES (?, ?, ?)"
_INSERT_EVENT = "INSERT INTO events (handoff_id, name, at, details, leaf, salt) VALUES (?, ?, ?, ?, ?, ?)"


def insert(connection: sqlite3.Connection, handoff: Handoff) -> None:
    """Write a new handoff. Raises ValueError: another one has this id."""
    try:
        connection.execute(_INSERT, encode(handoff))
    except sqlite3.IntegrityError as error:
        raise ValueError(f"there is another handoff {handoff.id}; take a new id") from error


def write(connection: sqlite3.Connection, transition: Transition, lines: list[Line]) -> Handoff:
    """Write a transition and its lines of the log. Returns the handoff after it."""
    if transition.events and not change(connection, transition, lines):
        raise StoreError(
            f"{transition.before.id} was changed by another process inside a transaction: move its "
            "file from the network to a local disk."
        )
    return transition.after


def change(connection: sqlite3.Connection, transition: Transition, lines: list[Line]) -> bool:
    """Write a transition. Returns False, and writes nothing, if the handoff has changed meanwhile."""
    before = transition.before
    row = (*encode_changing(transition.after), storable(before.id), before.version)
    if connection.execute(_UPDATE, row).rowcount != 1:
        return False
    lines.extend(starmap(partial(log, connection), zip(transition.states, transition.events, strict=True)))
    return True


def keep_contents(connection: sqlite3.Connection, transition: Transition, contents: Sequence[bytes]) -> None:
    """Write the bytes of the files of an answer, if these events ended the handoff with it."""
    if contents and any(event.name == Answered.name for event in transition.events):
        rows = [(storable(transition.after.id), number, content) for number, content in enumerate(contents, 1)]
        connection.executemany(_INSERT_CONTENT, rows)


def log(connection: sqlite3.Connection, handoff: Handoff, event: Event) -> Line:
    """Write a line of the log with its leaf; `handoff` is as the event left it."""
    number = connection.execute(_INSERT_EVENT, encode_event(handoff, event)).lastrowid
    return cast("int", number), handoff.id, handoff.version
