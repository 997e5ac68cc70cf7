"""The two queries that decide whether a grant allows a call, on a connection to a SQLite store.

They are all that `handoffs hook` needs of a store where a grant answers, so this module imports little.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from handoffs.core.grant import Grant
from handoffs.core.storable import storable
from handoffs.store.permission_rows import GRANT, active, decode_grant
from handoffs.store.values import Cell, micros

_GRANT = ", ".join(GRANT)
_USE = f"""UPDATE grants SET uses = uses + 1, uses_left = uses_left - 1,
        last_used_at = max(coalesce(last_used_at, ?1), ?1)
    WHERE id = ?2 AND {active("?1")} AND NOT EXISTS (SELECT 1 FROM stops) RETURNING {_GRANT}"""  # noqa: S608
_WAITS = "SELECT 1 FROM handoffs WHERE state = 'open' AND substr(tool_use, 1, length(?1)) = ?1 LIMIT 1"


def found(connection: sqlite3.Connection, which: str, given: Sequence[Cell]) -> list[Grant]:
    """Return the grants that `permission_rows.wanted` describes."""
    return [decode_grant(row) for row in connection.execute(f"SELECT {_GRANT} FROM grants {which}", given)]  # noqa: S608


def used(connection: sqlite3.Connection, grant_id: str, at: datetime) -> Grant | None:
    """Count one use of a grant, and return it as it is then; None where it can't be used. Needs a transaction."""
    # All of its rows are fetched: until then the statement is not done.
    rows = connection.execute(_USE, (micros(at), storable(grant_id))).fetchall()
    return decode_grant(rows[0]) if rows else None


def is_asked(connection: sqlite3.Connection, tool_uses: str) -> bool:
    """Say whether a question is open that a tool use asked whose id begins so."""
    return connection.execute(_WAITS, (storable(tool_uses),)).fetchone() is not None
