"""The day on which the suite's samples take place: one place for all of them.

No sample may care which day it is, nor meet the machine's clock. `make test` shows it: it runs everything that uses
this module with the day ten years back, and with the day ten years ahead.
"""

import os
from datetime import UTC, date, datetime, time, timedelta

DAY = date.fromisoformat(os.environ.get("SAMPLES_DAY", "2026-11-22"))


def at(hour: int, minute: int = 0, second: int = 0, *, days: int = 0) -> datetime:
    """Return this time of the day, in UTC; or of another, so many `days` later."""
    return datetime.combine(DAY + timedelta(days=days), time(hour, minute, second), UTC)


def stamped(hour: int, minute: int = 0, second: int = 0, *, days: int = 0) -> str:
    """Return that time as it is shown and sent: `2026-11-22T19:30:00Z`."""
    return at(hour, minute, second, days=days).strftime("%Y-%m-%dT%H:%M:%SZ")
