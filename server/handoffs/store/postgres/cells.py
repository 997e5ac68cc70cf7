"""Cells in PostgreSQL. Its texts can't hold U+0000: it is stored as U+0001 `0`, and U+0001 as U+0001 `1`."""

from collections.abc import Sequence
from typing import cast, overload

from handoffs.core.events import Entry, Event
from handoffs.core.model import Handoff, Outline
from handoffs.store.people_rows import Bytes
from handoffs.store.postgres.driver import Row
from handoffs.store.rows import COLUMNS, decode, decode_event, decode_outline, encode_event
from handoffs.store.values import Cell
from handoffs.store.watches import UNKNOWN, Line

_WIDTH = len(COLUMNS)


@overload
def encode_cell(cell: Cell) -> Cell: ...


@overload
def encode_cell(cell: Bytes) -> Bytes: ...


def encode_cell(cell: Bytes) -> Bytes:
    """Return a cell as it is stored."""
    if isinstance(cell, str) and ("\0" in cell or "\1" in cell):
        return cell.replace("\1", "\1" + "1").replace("\0", "\1" + "0")
    return cell


def decode_cell(cell: object) -> object:
    """Return a stored cell as it was."""
    if isinstance(cell, str) and "\1" in cell:
        return cell.replace("\1" + "0", "\0").replace("\1" + "1", "\1")
    return cell


def handoff_of(row: Row) -> Handoff:
    """Return the handoff of a row of `COLUMNS`, which may be followed by other cells. Raises Unreadable."""
    return decode(tuple(map(decode_cell, row[:_WIDTH])))


def outline_of(row: Row) -> Outline:
    """Return the outline of a row of `OUTLINE`. Raises Unreadable."""
    return decode_outline(tuple(map(decode_cell, row)))


def lines_of(states: Sequence[Handoff], events: Sequence[Event], write: int) -> tuple[list[object], ...]:
    """Return events as the parameters of `_Logged`: six columns, and the number of their write."""
    rows = [tuple(map(encode_cell, encode_event(*each))) for each in zip(states, events, strict=True)]
    return (*(list(column) for column in zip(*rows, strict=True)), cast("list[object]", write))


def line_of(row: Row) -> Line:
    """Return the number and the handoff of a line of the log."""
    return cast("int", row[0]), cast("str", decode_cell(row[1])), UNKNOWN


def text_of(row: Row) -> str:
    """Return the text of a row of one cell."""
    return cast("str", decode_cell(row[0]))


def entry_of(row: Row) -> Entry:
    """Return a line of the log. Raises Unreadable."""
    return decode_event(tuple(map(decode_cell, row)))
