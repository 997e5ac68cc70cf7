"""Limits on the questions of one caller, so that a runaway agent does not bury people and the questions of others."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from handoffs.core.errors import QuotaUsedUp

WINDOW = timedelta(minutes=1)
"""The window in which new questions are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a caller uses at the moment in which it opens another question."""

    open: int
    """Open questions, without those past their deadline."""
    bytes: int
    """The size of their messages and forms."""
    first_deadline: datetime | None
    """When the next of them expires."""
    full_since: datetime | None
    """When the oldest of the last `per_minute` questions was opened; None if that is more than a minute ago."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """The limits of each caller. Joining an existing question is always allowed."""

    open: int = 1_000
    per_minute: int = 600
    bytes: int = 50_000_000

    def check(self, usage: Usage, *, size: int, now: datetime) -> None:
        """Return if a new question of `size` bytes fits. Raises QuotaUsedUp if it is one too many."""
        if usage.full_since is not None:
            left = usage.full_since + WINDOW - now
            seconds = max(1, -(-left // timedelta(seconds=1)))
            raise QuotaUsedUp(
                f"You have asked {self.per_minute:,} new questions within a minute, which is the most. Nothing was "
                f"stored: try again in {seconds} seconds, or ask one question instead of many.",
                again_at=usage.full_since + WINDOW,
            )
        if usage.open >= self.open:
            raise QuotaUsedUp(
                f"{usage.open:,} of your questions are open, which is the most. Nothing was stored: try again when "
                f"one has been answered{_or_expires(usage)}.",
                again_at=usage.first_deadline,
            )
        if usage.bytes + size > self.bytes:
            raise QuotaUsedUp(
                f"Your open questions hold {usage.bytes:,} bytes, and with this one's {size:,} they would have more "
                f"than {self.bytes:,}, which is the most. Nothing was stored: try again when one has been "
                f"answered{_or_expires(usage)}; or ask in fewer words.",
                again_at=usage.first_deadline,
            )


def _or_expires(usage: Usage) -> str:
    if usage.first_deadline is None:
        return ""
    # Rounded up, so that a caller that returns at this minute finds room.
    return (
        f", or after {usage.first_deadline + timedelta(minutes=1):%Y-%m-%d %H:%M} UTC, when the first will have expired"
    )
