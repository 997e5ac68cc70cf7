"""The leaves that a store keeps, and the tree over them as far as it was built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from handoffs.core.events import Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """A leaf, as a store keeps it."""

    number: int
    """Of its event. Leaves stand in the log in the order of these numbers; the first may have the number 0."""
    handoff_id: str = ""
    """Empty where its event was removed, or it never had one."""
    text: str
    """See `core.leaf`. Empty where a server of an earlier version recorded the event: see `proof.growing`."""
    salt: str = ""
    """In hexadecimal digits; empty once it was erased."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lined:
    """A line of the log with its leaf."""

    entry: Entry
    leaf: Leaf | None
    """None for a line that is older than the log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grown:
    """How far the tree was built."""

    size: int = 0
    """How many leaves it has."""
    number: int = -1
    """Of the event of its last leaf."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """The hashes of a tile of the tree, see `proof.merkle`; the last tile of a level may have fewer than 256."""

    level: int
    place: int
    hashes: bytes
    first_number: int
    """On level 0: the number of the event of its first leaf. Else 0."""


class Leaves(Protocol):
    """The leaves of one store. Every method raises StoreError where it can't be used."""

    async def grown(self) -> Grown:
        """Return how far the tree was built."""
        ...

    async def after(self, number: int, *, limit: int) -> Sequence[Leaf]:
        """Return the leaves of later events, in order, at most `limit`."""
        ...

    async def of(self, handoff_id: str) -> Sequence[Leaf]:
        """Return the leaves of one handoff, in order."""
        ...

    async def lines(self, handoff_ids: Sequence[str]) -> Sequence[Lined]:
        """Return all lines of some handoffs with their leaves, in order."""
        ...

    async def tile(self, level: int, place: int) -> Tile | None:
        """Return a tile, as wide as it is."""
        ...

    async def tile_of(self, number: int) -> Tile | None:
        """Return the tile of level 0 that has the leaf of this event; None if the tree was not built that far."""
        ...

    async def grow(self, before: Grown, after: Grown, tiles: Sequence[Tile], made: Sequence[Leaf]) -> bool:
        """Write the tiles of a tree that grew, and the leaves that were `made` for events without one.

        Returns False, and writes nothing, if the tree is not as it was `before`: another process was faster.
        """
        ...
