"""What a process remembers to save work, and may forget: of clients that never come back nobody tells us."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 10_000
"""How many things are remembered; the one that was noted longest ago makes room."""


class BoundedCache(dict[K, V]):
    """A dictionary that holds what was noted last, and no more than `most`."""

    def __init__(self, *, most: int = MOST) -> None:
        """Begin with nothing."""
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        """Note it, as the newest."""
        self.pop(key, None)
        super().__setitem__(key, value)
        while len(self) > self._most:
            del self[next(iter(self))]
