"""The rule for handoffs that are too old; each engine removes them with their lines and secrets.

Open handoffs stay at any age. So do handoffs that the same question could still join, and the one of the
newest line of the log, whose number the log continues from.
"""

from dataclasses import dataclass
from datetime import datetime

from handoffs.store.values import micros

BATCH = 500
"""Handoffs that are removed in one transaction; other transactions run in between."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """The age from which handoffs are too old."""

    ended_before: datetime
    """A handoff must have ended before this time."""
    collected_or_before: datetime
    """An uncollected one must have ended before this time, since its agent may ask again."""

    def rule(self, handoffs: str, events: str) -> str:
        """Return the condition for rows that are too old, in SQL for both engines."""
        # A handoff ends after its creation, and `created_at` has an index.
        ended, collected = micros(self.ended_before), micros(self.collected_or_before)
        return f"""{handoffs}.state <> 'open' AND {handoffs}.created_at < {ended} AND {handoffs}.ended_at < {ended}
            AND ({handoffs}.collected_at IS NOT NULL OR {handoffs}.ended_at < {collected})
            AND {handoffs}.id <> (SELECT handoff_id FROM {events} ORDER BY number DESC LIMIT 1)"""  # noqa: S608
