"""Who in this process waits for which handoff to change. How they are woken is the engine's affair."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeAlias

import anyio

Line: TypeAlias = tuple[int, str]
"""A line of the log, as far as a waiter minds: its number, and the handoff it is about."""


class Watch:
    """Hears of changes from the moment it was made."""

    def __init__(self) -> None:
        self._woken = anyio.Event()

    async def changed(self) -> None:
        """Return when something may have changed since the last time this returned. May return for nothing."""
        woken = self._woken
        await woken.wait()
        # Before anything else can run, so no wake-up falls between; left as it is by whoever is cancelled.
        if self._woken is woken:
            self._woken = anyio.Event()

    def wake(self) -> None:
        """Let `changed` return."""
        self._woken.set()


class Watches:
    """The watches of one store."""

    def __init__(self) -> None:
        self._of: dict[str | None, set[Watch]] = {}

    def __bool__(self) -> bool:
        """Return whether anybody watches."""
        return bool(self._of)

    @contextmanager
    def watch(self, handoff_id: str | None) -> Generator[Watch]:
        """Return a watch on one handoff or on all, for as long as the block runs."""
        watch = Watch()
        self._of.setdefault(handoff_id, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._of[handoff_id]
            watches.discard(watch)
            if not watches:
                del self._of[handoff_id]

    def wake(self, handoff_id: str) -> None:
        """Wake whoever watches this handoff, or all."""
        for key in (handoff_id, None):
            for watch in self._of.get(key, ()):
                watch.wake()

    def wake_all(self) -> None:
        """Wake everybody."""
        for watches in self._of.values():
            for watch in watches:
                watch.wake()
