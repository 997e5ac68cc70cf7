"""Builds the tree of a store's log, up to its last leaf, and reads it.

Any number of processes may build it at once: each step counts only if the tree is still as it was read.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from handoffs.core.errors import NotFound
from handoffs.core.leaf import leaf_of, new_salt
from handoffs.core.leaves import Grown, Leaf, Leaves, Tile
from handoffs.core.person import is_of_person
from handoffs.core.person_log import PersonEvent, person_leaf
from handoffs.core.sentences import say_n
from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.merkle import HASH, WIDTH, Frontier, Tree, leaf_hash
from handoffs.proof.recorded import LinedStore, lined, recorded
from handoffs.proof.refused import ProofRefused

T = TypeVar("T")

STEP = 1000
"""How many leaves are taken up at once: it takes some ten milliseconds."""


class LoggedStore(LinedStore, Protocol):
    """A store with the leaves of its events."""

    @property
    def leaves(self) -> Leaves:
        """The leaves, and the tree over them."""
        ...


class _Wanted(Exception):
    """A tile that was not read yet."""

    def __init__(self, level: int, place: int) -> None:
        super().__init__()
        self.level, self.place = level, place


class StoreTiles:
    """The tiles of a store's tree, for work that can't wait: what it needs is read, and it is done again."""

    def __init__(self, leaves: Leaves) -> None:
        """Take where the tiles are."""
        self._leaves = leaves
        self._read: dict[tuple[int, int], bytes] = {}

    def get(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile."""
        found = self._read.get((level, index))
        if found is None:
            raise _Wanted(level, index)
        if len(found) < width * HASH:
            raise ProofRefused(f"The tree in the store lacks hashes of its tile {index} on level {level}.")
        return found[: width * HASH]

    async def run(self, work: Callable[["StoreTiles"], T]) -> T:
        """Return what `work` returns, once all tiles that it needs were read. Raises ProofRefused or StoreError."""
        while True:
            try:
                return work(self)
            except _Wanted as wanted:
                tile = await self._leaves.tile(wanted.level, wanted.place)
                if tile is None:
                    raise ProofRefused(
                        f"The tree in the store lacks its tile {wanted.place} on level {wanted.level}."
                    ) from None
                self._read[wanted.level, wanted.place] = tile.hashes


async def grow(store: LoggedStore) -> Grown:
    """Build the tree up to the last leaf that there is, and return how far that is.

    Raises:
        ProofRefused: The tree in the store was changed: its last tiles do not go together.
        StoreError: The store can't be used.
    """
    while (grown := await _step(store)) is None:
        pass
    return grown


async def head(store: LoggedStore, origin: str, grown: Grown) -> Checkpoint:
    """Return the head of the tree as it was then. Raises ProofRefused or StoreError."""
    root = await StoreTiles(store.leaves).run(lambda tiles: Tree(grown.size, tiles).root())
    return Checkpoint(origin=origin, size=grown.size, root=root)


def head_line(checkpoint: Checkpoint) -> str:
    """Return a head as a line for people: how many entries, and the root in base64."""
    root = b64encode(checkpoint.root).decode()
    return say_n("{count:,} entry, root {root}", "{count:,} entries, root {root}", checkpoint.size, root=root)


async def head_now(store: LoggedStore) -> str:
    """Return the head of all that was recorded until now, as `head_line` does; in words if it can't be had."""
    try:
        return head_line(await head(store, "-", await grow(store)))
    except ProofRefused:
        return "it can't be continued; `handoffs log verify` says why"


class Indices:
    """Which entry of the log each leaf is. What was read of a tile is kept, since the next leaf is most often in it."""

    def __init__(self, leaves: Leaves) -> None:
        """Take the leaves; nothing is read yet."""
        self._leaves = leaves
        self._known: dict[int, int] = {}

    def know(self, leaves: Sequence[Leaf], first: int) -> None:
        """Record that these leaves are the entries from `first` on."""
        self._known |= {leaf.number: index for index, leaf in enumerate(leaves, first) if leaf.handoff_id}

    async def of(self, leaf: Leaf) -> int:
        """Return the index of a leaf. Raises ProofRefused: the tree does not have it."""
        if leaf.number not in self._known and (tile := await self._leaves.tile_of(leaf.number)) is not None:
            beside = await self._leaves.after(tile.first_number - 1, limit=WIDTH)
            for at, each in enumerate(beside):
                if tile.hashes[at * HASH : (at + 1) * HASH] == leaf_hash(each.text.encode()):
                    self._known[each.number] = tile.place * WIDTH + at
        index = self._known.get(leaf.number)
        if index is None:
            raise ProofRefused(f"The leaf of line {leaf.number} is not the one that the tree has the hash of.")
        return index


async def inclusion(leaves: Leaves, index: int, size: int) -> list[bytes]:
    """Return the proof that an entry is in the log of this size. Raises ProofRefused or StoreError."""
    return await StoreTiles(leaves).run(lambda tiles: Tree(size, tiles).inclusion(index))


async def _step(store: LoggedStore) -> Grown | None:
    """Take up the next leaves. Returns None if there may be more."""
    leaves = store.leaves
    before = await leaves.grown()
    new = await leaves.after(before.number, limit=STEP)
    if not new:
        return before
    whole, made = await _with_texts(store, new)
    if not whole:
        return before
    frontier = await StoreTiles(leaves).run(lambda tiles: Frontier.read(before.size, tiles))
    first = 0
    if before.size % WIDTH:
        tile = await leaves.tile(0, before.size // WIDTH)
        first = 0 if tile is None else tile.first_number
    tiles: list[Tile] = []
    for leaf in whole:
        first = leaf.number if frontier.size % WIDTH == 0 else first
        tiles += [_tile(each, first) for each in frontier.append(leaf_hash(leaf.text.encode()))]
    tiles += [_tile(each, first) for each in frontier.partial()]
    after = Grown(size=frontier.size, number=whole[-1].number)
    await leaves.grow(before, after, tiles, made)
    return None


async def _with_texts(store: LoggedStore, leaves: Sequence[Leaf]) -> tuple[list[Leaf], list[Leaf]]:
    """Return the leaves with their texts, and those that had to be made: a server of an earlier version wrote none."""
    whole: list[Leaf] = []
    made: list[Leaf] = []
    for leaf in leaves:
        if leaf.text:
            whole.append(leaf)
            continue
        salt = new_salt()
        try:
            text = await _made(store, leaf, salt)
        except NotFound:
            if any(each.number == leaf.number for each in await store.leaves.after(leaf.number - 1, limit=1)):
                raise ProofRefused(
                    f"Line {leaf.number} is of {leaf.handoff_id}, which is not there: it was added by hand, or the "
                    "question was removed by hand."
                ) from None
            break  # it was removed meanwhile
        except ValueError as wrong:
            raise ProofRefused(f"The log of {leaf.handoff_id} can't be read: {wrong}.") from None
        made.append(replace(leaf, text=text, salt=salt.hex()))
        whole.append(made[-1])
    return whole, made


async def _made(store: LoggedStore, leaf: Leaf, salt: bytes) -> str:
    """Return the leaf of a line without one. Raises NotFound or ValueError: there is no such line."""
    if is_of_person(leaf.handoff_id):
        for version, entry in enumerate(await store.log(handoff_id=leaf.handoff_id), 1):
            if entry.number == leaf.number:
                return person_leaf(PersonEvent.of(entry), version=version, salt=salt).decode()
        raise NotFound(leaf.handoff_id)
    handoff, entries = await lined(store, await store.get(leaf.handoff_id))
    found = [each for each in recorded(handoff, entries) if each.number == leaf.number]
    if not found:
        raise NotFound(leaf.handoff_id)
    return leaf_of(found[0].after, found[0].event, salt=salt).decode()


def _tile(full: tuple[int, int, bytes], first: int) -> Tile:
    level, place, hashes = full
    return Tile(level=level, place=place, hashes=hashes, first_number=first if level == 0 else 0)
