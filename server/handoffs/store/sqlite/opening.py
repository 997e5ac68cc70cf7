"""Opens a handoff in a SQLite file, or joins one, inside a transaction."""

import sqlite3
from dataclasses import replace
from datetime import datetime

from handoffs.core.events import Opened
from handoffs.core.lifecycle import expiry
from handoffs.core.model import Handoff, earlier_of
from handoffs.core.quota import Quota
from handoffs.store.sqlite import queries, writing
from handoffs.store.sqlite.quota import check_quota
from handoffs.store.transition import transition_of
from handoffs.store.watches import Line


def open_or_join(
    connection: sqlite3.Connection,
    handoff: Handoff,
    *,
    collect_after: datetime,
    opened: Opened | None = None,
    quota: Quota | None = None,
) -> tuple[Handoff, list[Line]]:
    """Return the stored or the joined handoff, and the lines of the log that were written; see `SqliteStore.open`."""
    lines: list[Line] = []
    decided: list[Handoff] = []
    for found in queries.alike(connection, handoff.fingerprint, collect_after):
        there = found
        if there.overdue(handoff.created_at):
            there = writing.write(connection, transition_of(there, [expiry(there)]), lines)
        if there.joined_by(handoff, since=collect_after):
            return there, lines
        if there.decided:
            decided.append(there)
    if quota is not None:
        check_quota(connection, handoff, quota)
    fresh = replace(handoff, earlier=earlier_of(decided))
    writing.insert(connection, fresh)
    lines.append(writing.log(connection, fresh, opened or Opened(at=handoff.created_at)))
    return fresh, lines
