"""How much of what one process can hold goes to one caller, so that none of them can use up all."""

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
    """The streams that are open, or what else lasts, by whose they are."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[str, int] = {}

    @contextmanager
    def another(self, subject: str, *, most: int, size: int = 1) -> Generator[None]:
        """Count one more, or as many as its `size`, while the block lasts. Raises MCPError: it would be too many."""
        if self._open.get(subject, 0) + size > share_of(most):
            raise MCPError(INTERNAL_ERROR, "Too many of your streams are open: end one, or look without a stream.")
        if not self.take(subject, most=most, size=size):
            raise MCPError(INTERNAL_ERROR, "Too many streams are open here: try again later, or look without one.")
        try:
            yield
        finally:
            self.give(subject, size=size)

    def take(self, subject: str, *, most: int, size: int = 1) -> bool:
        """Count as many more until they are given back; False, and nothing is counted, where that is too many."""
        own = self._open.get(subject, 0) + size
        if own > share_of(most) or sum(self._open.values()) + size > most:
            return False
        self._open[subject] = own
        return True

    def give(self, subject: str, *, size: int = 1) -> None:
        """Count them no longer."""
        self._open[subject] -= size
        if not self._open[subject]:
            del self._open[subject]


class Held(Generic[H]):
    """What is held for callers by its name, oldest first, and which of it makes room."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._holder: dict[str, H] = {}
        self._names: dict[H, dict[str, None]] = {}

    def add(self, name: str, holder: H) -> None:
        """Note it as the newest of its holder."""
        self.discard(name)
        self._holder[name] = holder
        self._names.setdefault(holder, {})[name] = None

    def discard(self, name: str) -> None:
        """Forget it, if it is there."""
        if name in self._holder:
            holder = self._holder.pop(name)
            del self._names[holder][name]
            if not self._names[holder]:
                del self._names[holder]

    def one_too_many(self, holder: H, *, most: int) -> str | None:
        """Return what makes room after something was added for `holder`; None where all has its place.

        Where it is the holder's own share that is used up, the oldest of it; else the oldest of whoever has most.
        """
        if len(self._names.get(holder, ())) > share_of(most):
            return next(iter(self._names[holder]))
        if len(self._holder) > most:
            return next(iter(max(self._names.values(), key=len)))
        return None
