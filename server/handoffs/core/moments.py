"""Dates and times as people type them, read as the one moment that is meant (RFC 3339).

A time without a zone is no moment yet. A caller that knows the person's zone passes it as `Zone`: the offset is added,
and the result has to be shown to the person. A local time that occurs twice (at the end of summer time) or never (at
its beginning) is refused with the moments that it may mean; no guess is made.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from handoffs.core.sentences import say

Zone: TypeAlias = Callable[[datetime], datetime]
"""Adds the offset to a local time with its `fold`: `datetime.astimezone` for this machine's zone, or
`lambda at: at.replace(tzinfo=ZoneInfo("Europe/Berlin"))` for a named one."""

EXAMPLE = "2026-11-22T19:30:00Z"

_WRITTEN = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:[Tt]| +)(?P<clock>\d\d:\d\d)(?P<seconds>:\d\d)?(?P<fraction>\.\d+)?"
    r" ?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Unclear(ValueError):
    """A time that is no moment, or could be several: `meant`. The message is for the person."""

    def __init__(self, message: str, *meant: str) -> None:
        self.meant = meant
        super().__init__(message)


class OutOfRange(ValueError):
    """A time whose year, here or in UTC, can't be reckoned with. The message is for the person."""

    def __init__(self) -> None:
        super().__init__(say("must lie between the years 1 and 9999, in UTC, too"))


def is_moment(text: str) -> bool:
    """Return whether a text is a date and time of RFC 3339, with its zone."""
    return _MOMENT.fullmatch(text) is not None and _exists(text)


def is_written(text: str) -> bool:
    """Return whether a text is a date and time that a person or an agent may write, with or without a zone."""
    return _parts(text) is not None


def read_moment(text: str, zone: Zone | None = None) -> str:
    """Return the moment that a text means, as RFC 3339: unchanged if it is one, else completed.

    Raises:
        Unclear: The text has no zone and `zone` is None, or the time occurs twice or never in this zone.
        OutOfRange: There is no such moment in the zone, or in UTC.
        ValueError: The text is no date and time. The message is for the person.
    """
    typed = text.strip()
    if is_moment(typed):
        return typed
    parts = _parts(typed)
    if parts is None:
        raise ValueError(say("must be a date and time, like {example}", example=EXAMPLE))
    local, offset, fraction = parts
    if offset:
        return local.isoformat() + fraction + offset
    if zone is None:
        raise Unclear(
            say(
                "has no time zone: end it with Z for UTC, or with an offset, like {example}",
                example=f"{local.isoformat()}+02:00",
            )
        )
    try:
        meant = moments(local, zone)
    except (ValueError, OverflowError):  # in UTC or in the zone it is a year that Python's times can't hold
        raise OutOfRange from None
    if len(meant) == 1:
        return _stamped(meant[0], fraction)
    shown = [_stamped(each, fraction) for each in meant]
    one, other = shown
    if local.replace(tzinfo=None) == meant[0].replace(tzinfo=None):
        twice = say("occurs twice that day, because the clocks go back: write {one} or {other}", one=one, other=other)
        raise Unclear(twice, *shown)
    never = say("does not exist that day, because the clocks go forward: write {one} or {other}", one=one, other=other)
    raise Unclear(never, *shown)


def in_utc(moment: str) -> str:
    """Return a moment, as `is_moment` accepts it, in UTC: with `Z`."""
    fraction = re.search(r"\.\d+", moment)
    written = "" if fraction is None else fraction[0]
    try:
        at = datetime.fromisoformat(moment.upper().replace(written, "")).astimezone(UTC)
    except OverflowError:  # there is no year 0
        return moment
    return at.replace(tzinfo=None).isoformat() + written + "Z"


def moments(local: datetime, zone: Zone) -> list[datetime]:
    """Return the moments that a local time may mean: one, or two in order.

    Two if it occurs twice: both; or if it never occurs: one hour before and one after.
    """
    first, second = (zone(local.replace(fold=fold)) for fold in (0, 1))
    offsets = [each.utcoffset() or timedelta() for each in (first, second)]
    if offsets[0] == offsets[1]:
        return [first]
    # In a gap, a fixed zone returns the time unchanged, with an offset that does not hold then: convert it once more.
    return [_at(moment, zone, offsets) for moment in sorted((local - each).replace(tzinfo=UTC) for each in offsets)]


def _at(moment: datetime, zone: Zone, offsets: list[timedelta]) -> datetime:
    """Return the moment in the zone's local time; its offset then is one of `offsets`."""
    for offset in offsets:
        local = (moment + offset).replace(tzinfo=None)
        first, second = (zone(local.replace(fold=fold)) for fold in (0, 1))
        # A named zone returns a time that does not exist unchanged, with the earlier offset first.
        exists = (first.utcoffset() or timedelta()) >= (second.utcoffset() or timedelta())
        for there in (first, second):
            if exists and there.utcoffset() == offset and there.replace(tzinfo=None, fold=0) == local:
                return there
    return moment


def _parts(text: str) -> tuple[datetime, str, str] | None:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    fraction = match["fraction"] or ""
    if fraction and not match["seconds"]:
        return None
    offset = (match["zone"] or "").upper()
    if len(offset) == 5:
        offset = f"{offset[:3]}:{offset[3:]}"
    seconds = match["seconds"] or ":00"
    if not _exists(f"{match['date']}T{match['clock']}{seconds}{offset}"):
        return None
    return datetime.fromisoformat(f"{match['date']}T{match['clock']}{seconds}"), offset, fraction


def _exists(text: str) -> bool:
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def _stamped(at: datetime, fraction: str) -> str:
    local = at.replace(tzinfo=None).isoformat()
    return local + fraction + at.isoformat().removeprefix(local)
