"""Fair shares: limits for each caller on what one process holds, so that no caller can use up all."""

from collections.abc import Generator, Hashable
from contextlib import contextmanager
from typing import Generic, TypeVar

from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR

H = TypeVar("H", bound=Hashable)


def share_of(most: int) -> int:
    """Return how many of `most` one caller may have: a quarter."""
    return max(1, most // 4)


class Slots:
    """Counts of open streams, or of waiting calls, by caller."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[str, int] = {}

    @contextmanager
    def slot(self, subject: str, *, most: int, size: int = 1) -> Generator[None]:
        """Acquire `size` slots while the block lasts. Raises MCPError when too few are free."""
        if self._open.get(subject, 0) + size > share_of(most):
            raise MCPError(INTERNAL_ERROR, "Too many of your streams are open: end one, or look without a stream.")
        if not self.acquire(subject, most=most, size=size):
            raise MCPError(INTERNAL_ERROR, "Too many streams are open here: try again later, or look without one.")
        try:
            yield
        finally:
            self.release(subject, size=size)

    def acquire(self, subject: str, *, most: int, size: int = 1) -> bool:
        """Acquire `size` slots until they are released; return False, and acquire none, when too few are free."""
        own = self._open.get(subject, 0) + size
        if own > share_of(most) or sum(self._open.values()) + size > most:
            return False
        self._open[subject] = own
        return True

    def release(self, subject: str, *, size: int = 1) -> None:
        """Release `size` slots."""
        self._open[subject] -= size
        if not self._open[subject]:
            del self._open[subject]


class EvictionOrder(Generic[H]):
    """Names of held objects by their holder, oldest first, and which of them is evicted next."""

    def __init__(self) -> None:
        """Begin with no names."""
        self._holder: dict[str, H] = {}
        self._names: dict[H, dict[str, None]] = {}

    def add(self, name: str, holder: H) -> None:
        """Add a name as the newest of its holder, or make it the newest."""
        self.discard(name)
        self._holder[name] = holder
        self._names.setdefault(holder, {})[name] = None

    def discard(self, name: str) -> None:
        """Remove a name, if it is there."""
        if name in self._holder:
            holder = self._holder.pop(name)
            del self._names[holder][name]
            if not self._names[holder]:
                del self._names[holder]

    def to_evict(self, holder: H, *, most: int) -> str | None:
        """Return the name to evict after one was added for `holder`; None while all fit.

        That is the holder's oldest when its own share is used up, else the oldest of the holder with the most names.
        """
        if len(self._names.get(holder, ())) > share_of(most):
            return next(iter(self._names[holder]))
        if len(self._holder) > most:
            return next(iter(max(self._names.values(), key=len)))
        return None
