"""Cells in PostgreSQL. Its texts can't hold U+0000: it is stored as U+0001 `0`, and U+0001 as U+0001 `1`."""

from typing import overload

from handoffs.core.model import Handoff, Outline
from handoffs.store.people_rows import Bytes
from handoffs.store.postgres.driver import Row
from handoffs.store.rows import COLUMNS, decode, decode_outline
from handoffs.store.values import Cell

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
