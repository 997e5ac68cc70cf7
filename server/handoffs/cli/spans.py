"""Parsing of spans of time: 90d, 12h, 45m."""

import re
from datetime import timedelta

_SPAN = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_MOST = timedelta(days=3_650)


def span(written: str) -> timedelta | None:
    """Return a span of up to ten years; None when the text is invalid, or 0."""
    found = _SPAN.fullmatch(written.strip().lower())
    length = int(found[1]) * _UNITS[found[2]] if found else timedelta(0)
    return length if timedelta(0) < length <= _MOST else None
