"""Bounded caches. Clients vanish without notice, so the oldest entries are evicted."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_ENTRIES = 10_000
"""How many entries a cache holds; the one set longest ago is evicted."""


class BoundedCache(dict[K, V]):
    """A dictionary that holds the `MAX_ENTRIES` entries that were set last."""

    def __setitem__(self, key: K, value: V) -> None:
        """Set an entry, as the newest."""
        self.pop(key, None)
        super().__setitem__(key, value)
        while len(self) > MAX_ENTRIES:
            del self[next(iter(self))]
