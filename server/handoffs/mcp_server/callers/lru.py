"""Bounded caches. Clients vanish without notice, so the oldest entries are evicted."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_ENTRIES = 10_000
"""How many entries a cache holds; the one set longest ago is evicted."""


class BoundedCache(dict[K, V]):
    """A dictionary that holds the entries that were set last, and no more than `most`."""

    def __init__(self, *, most: int = MAX_ENTRIES) -> None:
        """Begin with no entries."""
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        """Set an entry, as the newest."""
        self.pop(key, None)
        super().__setitem__(key, value)
        while len(self) > self._most:
            del self[next(iter(self))]
