"""How a cell differs in PostgreSQL: its texts can't hold a zero, which is spelled U+0001 `0`, and U+0001 U+0001 `1`."""

from handoffs.core.model import Handoff, Outline
from handoffs.store.postgres.driver import Row
from handoffs.store.rows import COLUMNS, Cell, decode, decode_outline

_WIDTH = len(COLUMNS)


def put(cell: Cell) -> Cell:
    """Return a cell as it is stored."""
    if isinstance(cell, str) and ("\0" in cell or "\1" in cell):
        return cell.replace("\1", "\1" + "1").replace("\0", "\1" + "0")
    return cell


def got(cell: object) -> object:
    """Return a cell as it was before."""
    if isinstance(cell, str) and "\1" in cell:
        return cell.replace("\1" + "0", "\0").replace("\1" + "1", "\1")
    return cell


def handoff_of(row: Row) -> Handoff:
    """Return the handoff that a row of `COLUMNS`, and whatever follows them, holds. Raises Unreadable."""
    return decode(tuple(map(got, row[:_WIDTH])))


def outline_of(row: Row) -> Outline:
    """Return the outline that a row of `OUTLINE` holds. Raises Unreadable."""
    return decode_outline(tuple(map(got, row)))
