"""Who in this process waits for which handoff to change. How they are woken is the engine's affair."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import anyio

UNKNOWN = sys.maxsize
"""In place of a version: the handoff has changed, and what to is not known."""

Line: TypeAlias = tuple[int, str, int]
"""A line of the log, as far as a waiter minds: its number, the handoff it is about, and its version since, or UNKNOWN.
"""

MAX_HEARD = 1_000
"""How many handoffs one watch names at once; more than that are all."""


class _News:
    """What a watch has heard since it was last asked."""

    __slots__ = ("heard", "woken")

    def __init__(self) -> None:
        self.woken = anyio.Event()
        self.heard: dict[str, int] | None = {}


class Watch:
    """Hears of changes from the moment it was made."""

    def __init__(self) -> None:
        self._news = _News()

    async def changed(self) -> Mapping[str, int] | None:
        """Return the handoffs that may have changed since the last time this returned; None says any of them may.

        Each with its version, where that is known: who has seen it has missed nothing. May return for nothing.
        """
        news = self._news
        await news.woken.wait()
        # Before anything else can run, so no wake-up falls between; left as it is by whoever is cancelled.
        if self._news is news:
            self._news = _News()
        return news.heard

    def wake(self, handoff_id: str | None = None, version: int = UNKNOWN) -> None:
        """Let `changed` return, with this handoff among what it names; None is all of them."""
        news = self._news
        if handoff_id is None or (news.heard is not None and len(news.heard) >= MAX_HEARD):
            news.heard = None
        elif news.heard is not None:
            news.heard[handoff_id] = max(version, news.heard.get(handoff_id, 0))
        news.woken.set()


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

    def wake(self, handoff_id: str, version: int = UNKNOWN) -> None:
        """Wake whoever watches this handoff, or all."""
        for key in (handoff_id, None):
            for watch in self._of.get(key, ()):
                watch.wake(handoff_id, version)

    def wake_all(self) -> None:
        """Wake everybody."""
        for watches in self._of.values():
            for watch in watches:
                watch.wake()
