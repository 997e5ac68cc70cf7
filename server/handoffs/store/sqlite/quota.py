"""Counts a caller's usage in a SQLite store, before another question is opened."""

import sqlite3
from typing import cast

from handoffs.core.model import Handoff
from handoffs.core.quota import WINDOW, Quota
from handoffs.core.storable import storable
from handoffs.store.quotas import usage_of
from handoffs.store.rows import question_size
from handoffs.store.values import micros

_USED = """SELECT count(*), coalesce(sum(size), 0), min(deadline), (
        SELECT created_at FROM handoffs WHERE subject = ?1 AND created_at > ?3
        ORDER BY created_at DESC LIMIT 1 OFFSET ?4)
    FROM handoffs WHERE state = 'open' AND subject = ?1 AND deadline > ?2"""


def check_quota(connection: sqlite3.Connection, handoff: Handoff, quota: Quota) -> None:
    """Return if the quota allows a new handoff. Raises QuotaUsedUp."""
    now = handoff.created_at
    used = (storable(handoff.caller.subject), micros(now), micros(now - WINDOW), quota.per_minute - 1)
    row = cast("tuple[object, ...]", connection.execute(_USED, used).fetchone())
    quota.check(usage_of(row), size=question_size(handoff), now=now)
