"""Small stand-ins for what a test can't wait for. Time only: everything else in the tests is real."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import anyio


class FakeClock:
    """A clock that stands until it is put forward; what was limited to end by then, ends."""

    def __init__(self, now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)) -> None:
        self._now = now
        self._limits: list[tuple[datetime, anyio.CancelScope]] = []

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
        with self.limit(seconds):
            await anyio.sleep_forever()

    def forward(self, seconds: float) -> None:
        """Put the clock forward."""
        self._now += timedelta(seconds=seconds)
        for due, scope in list(self._limits):
            if due <= self._now:
                scope.cancel()

    @property
    def waiting(self) -> int:
        """How many blocks are limited at this moment."""
        return len(self._limits)
