"""Spans of time, as they are typed: 90d, 12h, 45m."""

import re
from datetime import timedelta

_SPAN = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_MOST = timedelta(days=3_650)


def span(written: str) -> timedelta | None:
    """Return a span of up to ten years; None where it is none, or nothing."""
    found = _SPAN.fullmatch(written.strip().lower())
    length = int(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    return length if timedelta(0) < length <= _MOST else None
