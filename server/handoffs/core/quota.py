"""How much one caller may ask of people, so that a runaway agent buries neither them nor the questions of others."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from handoffs.core.errors import QuotaUsedUp

WINDOW = timedelta(minutes=1)
"""Over which new questions are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a caller has used, in the moment in which another question is to be opened."""

    open: int
    """Questions that are open and not past their deadline."""
    bytes: int
    """Of their messages and forms."""
    first_deadline: datetime | None
    """When the first of them expires."""
    full_since: datetime | None
    """Of the last as many as a minute allows, when the first was opened; None where that is longer ago than one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """The most that each caller may have. To join a question that is there is always allowed."""

    open: int = 1_000
    per_minute: int = 600
    bytes: int = 50_000_000

    def check(self, usage: Usage, *, size: int, now: datetime) -> None:
        """Let a new question of `size` bytes pass. Raises QuotaUsedUp: it is one too many."""
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
    # Rounded up: who comes at the minute that was named finds it free.
    return (
        f", or after {usage.first_deadline + timedelta(minutes=1):%Y-%m-%d %H:%M} UTC, when the first will have expired"
    )
