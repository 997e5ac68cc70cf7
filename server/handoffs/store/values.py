"""How single values are stored: times are whole microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Cell: TypeAlias = str | int | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Unreadable(ValueError):
    """This version can't have written such a row."""


def micros(at: datetime) -> int:
    """Return a timezone-aware time as it is stored."""
    return (at - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """Return a stored time as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=stored)
