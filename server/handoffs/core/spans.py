"""A length of time in words, as people are told of it on a page and in a terminal."""

from datetime import timedelta


def span(length: timedelta) -> str:
    """Return how long something is, in its largest unit: `5 min`. What has passed already is `0 s`."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
