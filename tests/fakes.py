"""Small stand-ins for what a test can't wait for. Time only: everything else in the tests is real."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from tests.days import at


@dataclass(eq=False)
class FakeAlarm:
    """What a clock is going to call."""

    among: "list[FakeAlarm]"
    due: datetime
    ring: Callable[[], None]

    def cancel(self) -> None:
        if self in self.among:
            self.among.remove(self)


class FakeClock:
    """A clock that stands until it is put forward; what was limited to end by then, ends."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = self._began = now or at(12)
        self._limits: list[tuple[datetime, anyio.CancelScope]] = []
        self._sleeps: set[anyio.CancelScope] = set()
        self._alarms: list[FakeAlarm] = []

    def now(self) -> datetime:
        return self._now

    @contextmanager
    def limit(self, seconds: float | None) -> Generator[anyio.CancelScope]:
        with anyio.CancelScope() as scope:
            if seconds is None:
                yield scope
                return
            due = self._now + timedelta(seconds=seconds)
            if due <= self._now:
                scope.cancel()
            self._limits.append((due, scope))
            try:
                yield scope
            finally:
                self._limits.remove((due, scope))

    async def sleep(self, seconds: float) -> None:
        with self.limit(seconds) as scope:
            self._sleeps.add(scope)
            try:
                await anyio.sleep_forever()
            finally:
                self._sleeps.discard(scope)

    def monotonic(self) -> float:
        return (self._now - self._began).total_seconds()

    def alarm(self, seconds: float, ring: Callable[[], None]) -> FakeAlarm:
        alarm = FakeAlarm(self._alarms, self._now + timedelta(seconds=seconds), ring)
        self._alarms.append(alarm)
        return alarm

    def forward(self, seconds: float) -> None:
        """Put the clock forward."""
        self._now += timedelta(seconds=seconds)
        for alarm in list(self._alarms):
            if alarm.due <= self._now and alarm in self._alarms:
                alarm.cancel()
                alarm.ring()
        for due, scope in list(self._limits):
            if due <= self._now:
                scope.cancel()

    def forward_to_next(self, *, within: float) -> None:
        """Put the clock forward to what is due next, if that is within so many seconds.

        It stands while what was due is still being ended: a slow machine sees no more of this time than a quick one.
        """
        dues = [due for due, _ in self._limits] + [alarm.due for alarm in self._alarms]
        seconds = (min(dues) - self._now).total_seconds() if dues else 0.0
        if 0 < seconds <= within:
            self.forward(seconds)

    def forward_to_next_sleep(self, *, within: float) -> None:
        """Put the clock forward to the end of the next sleep, if that is within so many seconds and before all limits.

        So it stands while there is a limit to what is being done: a slow machine takes no more of this time for it.
        """
        sleeps = [due for due, scope in self._limits if scope in self._sleeps]
        seconds = (min(sleeps) - self._now).total_seconds() if sleeps else 0.0
        if 0 < seconds <= within and not self.is_limited(within=seconds):
            self.forward(seconds)

    def is_limited(self, *, within: float) -> bool:
        """Say whether something, other than a sleep, ends within so many seconds."""
        until = self._now + timedelta(seconds=within)
        return any(due <= until for due, scope in self._limits if scope not in self._sleeps)

    @property
    def waiting(self) -> int:
        """How many blocks are limited at this moment, and how many alarms are set."""
        return len(self._limits) + len(self._alarms)
