"""The machine's clock, with protection against wrong settings.

The wall clock can be set: by hand, by a time server, by a virtual machine that wakes up. The time since the machine was
started can't be set, and goes on during sleep. The difference of the two is constant for each start (`offset`), and the
store keeps it. If a process finds another difference, one of the clocks is wrong, and it is not known which. Then the
earlier of the two times counts, so that no question ends before its time is over by both.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from handoffs.core.ports import Alarm

TOLERATED = timedelta(minutes=1)
"""How much two clocks may differ that count as equal."""

BELIEVED_AFTER = timedelta(hours=1)
"""How long a clock that was set must go on like that until it is believed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Both clocks, read at the same time."""

    wall: datetime
    since_boot: timedelta

    @property
    def offset(self) -> timedelta:
        """The difference of the clocks: the machine's start, by the wall clock."""
        return self.wall - _EPOCH - self.since_boot


def read_clocks() -> Reading | None:
    """Return both clocks; None if the machine does not count the time since its start."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None  # on Linux only
    since_boot = timedelta(microseconds=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)
    return Reading(wall=datetime.now(UTC), since_boot=since_boot)


def boot_id() -> str:
    """Return an id of this start of the machine; empty if there is none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


class SystemClock:
    """The machine's clock."""

    def __init__(self, read: Callable[[], Reading | None] = read_clocks) -> None:
        """Take the function that reads the clocks."""
        self.read = read
        self._offset: timedelta | None = None
        self._astray_since: Reading | None = None

    def now(self) -> datetime:
        """Return the time in UTC; if the clock was set since its offset was kept, the earlier of the two times."""
        reading = self.read()
        if reading is None:
            return datetime.now(UTC)
        if self._offset is None:
            return reading.wall
        if abs(reading.offset - self._offset) <= TOLERATED:
            self._agrees()
            return reading.wall
        return self._earlier(reading, self._offset)

    def settle(self, offset: timedelta) -> None:
        """Use this offset, which the store has kept for this start of the machine, or which comes from its server."""
        self._offset = offset
        self._astray_since = None
        self.now()

    def limit(self, seconds: float | None) -> AbstractContextManager[object]:
        """Return a block that is left, without an error, after `seconds`; None sets no limit."""
        return anyio.move_on_after(seconds)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await anyio.sleep(seconds)

    def monotonic(self) -> float:
        """Return seconds since some moment, by a clock that can't be set."""
        return time.monotonic()

    def alarm(self, seconds: float, ring: Callable[[], None]) -> "Alarm":
        """Schedule `ring` to be called once after `seconds`."""
        import asyncio  # whoever needs it here runs in it: a command that only reads the clock starts without

        return asyncio.get_running_loop().call_later(seconds, ring)

    def _agrees(self) -> None:
        if self._astray_since is not None:
            self._astray_since = None
            _warn("This machine's clock is right again.")

    def _earlier(self, reading: Reading, offset: timedelta) -> datetime:
        since = self._astray_since
        if since is None or abs(reading.offset - since.offset) > TOLERATED:
            self._astray_since = reading
            away = round((reading.offset - offset).total_seconds() / 60)
            _warn(
                "This machine's clock is %d minutes %s of where it was. Until it is right again, or has stayed so for "
                "an hour, no question ends by it. Check the time of this machine.",
                abs(away),
                "ahead" if away > 0 else "behind",
            )
        elif reading.since_boot - since.since_boot >= BELIEVED_AFTER:
            self._offset, self._astray_since = reading.offset, None
            return reading.wall
        return min(reading.wall, _EPOCH + reading.since_boot + offset)


def _warn(message: str, *details: object) -> None:
    import logging  # most processes have no such trouble

    logging.getLogger(__name__).warning(message, *details)
