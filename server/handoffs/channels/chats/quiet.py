"""Quiet hours: when a person is not told. They are written `22:00-07:00 Europe/Berlin`; without a zone, in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from handoffs.channels.chats.service import ChatRefused
from handoffs.core.sentences import say

EXAMPLE = "22:00-07:00 Europe/Berlin"

_WRITTEN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})(?:\s+([A-Za-z0-9_+/-]{1,60}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quiet:
    """Hours of each day, by a clock on the wall."""

    starts: time
    ends: time
    zone: tzinfo

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end in which a moment falls; None where it falls in none."""
        local = now.astimezone(self.zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            starts = datetime.combine(day, self.starts, self.zone)
            ends = datetime.combine(day + timedelta(days=self.ends <= self.starts), self.ends, self.zone)
            if starts.astimezone(UTC) <= now < ends.astimezone(UTC):
                return ends.astimezone(UTC)
        return None


def read_quiet(written: str) -> Quiet | None:
    """Return quiet hours as a person wrote them; None for no text.

    Raises:
        ChatRefused: They can't be read.
    """
    if not written.strip():
        return None
    found = _WRITTEN.fullmatch(written.strip())
    try:
        if found is None:
            raise ValueError(written)
        starts, ends = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
        zone = UTC if found[5] is None else ZoneInfo(found[5])
    except (ValueError, KeyError, OSError):  # an unknown zone is a KeyError, the name of a folder an OSError
        raise ChatRefused(
            say("Write quiet hours like this: {example}. Or leave them empty.", example=EXAMPLE)
        ) from None
    if starts == ends:
        raise ChatRefused(say("Quiet hours begin and end at different times. Turn the channel off to hear nothing."))
    return Quiet(starts=starts, ends=ends, zone=zone)
