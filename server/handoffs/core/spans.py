"""A length of time in words, as people are told of it on a page and in a terminal."""

from datetime import timedelta


def span(length: timedelta) -> str:
    """Return how long something is, in its largest unit: `5 min`. What has passed already is `0 s`."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def left(length: timedelta) -> str:
    """Return how much time is left, to the nearest minute: of a day that has just begun to run, `24 h`."""
    seconds = max(-(-length // timedelta(seconds=1)), 0)
    minutes = (seconds + 30) // 60
    if 24 * 60 <= minutes < 48 * 60:
        return f"{minutes // 60} h"
    return span(timedelta(minutes=minutes)) if seconds >= 60 else f"{seconds} s"
