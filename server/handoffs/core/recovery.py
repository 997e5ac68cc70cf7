"""A recovery: how a person who has lost all passkeys sets up a new one, by a link that works after a delay only.

The delay is what protects the person: meanwhile the inbox tells everybody of it, and who still has a passkey of that
name stops it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

DEFAULT_DELAY = timedelta(hours=48)
LEAST_DELAY = timedelta(hours=24)
"""No recovery begins sooner: a person who is away for a night must see it in time."""
LONGEST_DELAY = timedelta(days=30)

GOOD_FOR = timedelta(hours=72)
"""How long the link works once the delay is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """The last recovery that was asked for a person. Times are in UTC."""

    person: str
    asked_by: str
    asked_at: datetime
    begins_at: datetime
    """From when on the link works."""
    ends_at: datetime
    used_at: datetime | None = None
    stopped_at: datetime | None = None

    def under_way(self, now: datetime) -> bool:
        """Say whether it waits for its time or to be used: not used, not stopped, not over."""
        return self.used_at is None and self.stopped_at is None and now < self.ends_at

    def usable(self, now: datetime) -> bool:
        """Say whether its link can be used."""
        return self.under_way(now) and self.begins_at <= now
