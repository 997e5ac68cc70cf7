"""The watches of this process: which waiter waits for which handoff. The engine wakes them."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import anyio

UNKNOWN = sys.maxsize
"""In place of a version: the handoff has changed, but its new version is not known."""

Line: TypeAlias = tuple[int, str, int]
"""A line of the log for waiters: its number, its handoff, and the handoff's version after it, or UNKNOWN."""

STOP_CHANGED: Line = (0, "", UNKNOWN)
"""In place of a line: everything was stopped, or that was lifted. It wakes the watches of all handoffs."""

MAX_HEARD = 1_000
"""The most handoffs that one watch reports at once; above that, it reports all."""


class _News:
    """The changes since a watch was last read."""

    __slots__ = ("heard", "woken")

    def __init__(self) -> None:
        self.woken = anyio.Event()
        self.heard: dict[str, int] | None = {}


class Watch:
    """Reports changes since it was made."""

    def __init__(self) -> None:
        self._news = _News()

    async def changed(self) -> Mapping[str, int] | None:
        """Return the handoffs that may have changed since the last call; None if any of them may have.

        Each comes with its version if that is known: a caller that has seen it has missed nothing. May return without a
        change.
        """
        news = self._news
        await news.woken.wait()
        # Before other code can run, so that no wake-up is lost; a cancelled caller leaves it unchanged.
        if self._news is news:
            self._news = _News()
        return news.heard

    def wake(self, handoff_id: str | None = None, version: int = UNKNOWN) -> None:
        """Let `changed` return, with this handoff among its result; None stands for all."""
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
        """Return whether there are any watches."""
        return bool(self._of)

    @contextmanager
    def watch(self, handoff_id: str | None) -> Generator[Watch]:
        """Yield a watch on one handoff or on all, for the length of the block."""
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
        """Wake the watches of this handoff, and those of all."""
        for key in (handoff_id, None):
            for watch in self._of.get(key, ()):
                watch.wake(handoff_id, version)

    def wake_all(self) -> None:
        """Wake all watches."""
        for watches in self._of.values():
            for watch in watches:
                watch.wake()
