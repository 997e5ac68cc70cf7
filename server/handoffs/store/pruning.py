"""What is too old to be kept any longer; each engine removes it with its lines and its secrets.

One that is open stays, however old. So does one that the same question could still join, and the one that the newest
line of the log is about: the numbers of the log go on behind it.
"""

from dataclasses import dataclass
from datetime import datetime

from handoffs.store.rows import micros

BATCH = 500
"""How many are removed in one transaction; in between, others get their turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """What is too old."""

    ended_before: datetime
    """When a handoff must have ended."""
    collected_or_before: datetime
    """When one must have ended that the agent was never given, since it may ask again."""

    def rule(self, handoffs: str, events: str) -> str:
        """Return what is true of a row that is too old, in the SQL of both engines."""
        # Nothing ends before it is made, and for when it was made there is an index.
        ended, collected = micros(self.ended_before), micros(self.collected_or_before)
        return f"""{handoffs}.state <> 'open' AND {handoffs}.created_at < {ended} AND {handoffs}.ended_at < {ended}
            AND ({handoffs}.collected_at IS NOT NULL OR {handoffs}.ended_at < {collected})
            AND {handoffs}.id <> (SELECT handoff_id FROM {events} ORDER BY number DESC LIMIT 1)"""  # noqa: S608
