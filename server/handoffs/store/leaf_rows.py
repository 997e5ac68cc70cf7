"""Lines of the log with their leaves as rows, for who verifies the log: most processes need none of it."""

from typing import cast

from handoffs.core.leaves import Leaf, Lined
from handoffs.store.rows import decode_event


def lines_with_leaves(events: str, began: str) -> str:
    """Return the columns that `lined` reads, of the table of events, in SQL for both engines.

    What stands before the beginning of the log, in the table `began`, has no leaf.
    """
    after = f"number > coalesce((SELECT number FROM {began}), 0)"  # noqa: S608
    return f"SELECT number, handoff_id, name, at, details, CASE WHEN {after} THEN leaf ELSE '' END, salt FROM {events}"  # noqa: S608


def lined(row: tuple[object, ...]) -> Lined:
    """Return the line of the log of a row of `lines_with_leaves`, with its leaf. Raises Unreadable."""
    *line, text, salt = cast("tuple[object, object, object, object, object, str, str]", row)
    entry = decode_event(tuple(line))
    leaf = Leaf(number=entry.number, handoff_id=entry.handoff_id, text=text, salt=salt) if text else None
    return Lined(entry=entry, leaf=leaf)
