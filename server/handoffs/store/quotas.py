"""What a caller has used, as a store counts it before it opens another question."""

import sqlite3
from collections.abc import Sequence
from typing import cast

from handoffs.core.model import Handoff
from handoffs.core.quota import WINDOW, Quota, Usage
from handoffs.store.rows import micros, moment, question_size, storable

_USED = """SELECT count(*), coalesce(sum(size), 0), min(deadline), (
        SELECT created_at FROM handoffs WHERE subject = ?1 AND created_at > ?3
        ORDER BY created_at DESC LIMIT 1 OFFSET ?4)
    FROM handoffs WHERE state = 'open' AND subject = ?1 AND deadline > ?2"""


def check_quota(connection: sqlite3.Connection, handoff: Handoff, quota: Quota) -> None:
    """Let a new handoff pass, in a SQLite store. Raises QuotaUsedUp: its subject has as much as it may."""
    now = handoff.created_at
    used = (storable(handoff.caller.subject), micros(now), micros(now - WINDOW), quota.per_minute - 1)
    row = cast("tuple[object, ...]", connection.execute(_USED, used).fetchone())
    quota.check(usage_of(row), size=question_size(handoff), now=now)


def usage_of(row: Sequence[object]) -> Usage:
    """Return what a row says: how many are open, their bytes, the first deadline, and when the minute's first came."""
    count, held, first, full = cast("tuple[int, int, int | None, int | None]", row)
    return Usage(
        open=count,
        bytes=held,
        first_deadline=None if first is None else moment(first),
        full_since=None if full is None else moment(full),
    )
