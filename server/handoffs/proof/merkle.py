"""The Merkle tree of the log (RFC 6962, section 2.1). `proof_checks` verifies the proofs that it makes.

The hashes of complete subtrees are kept in tiles (C2SP tlog-tiles): a tile has up to 256 hashes of one height, and
the heights are 0, 8, 16 and so on, called levels. `Frontier` appends with the right edge of the tree in memory.
`Tree` reads only the tiles that a proof needs, a few for each level.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Protocol

from handoffs.proof.refused import ProofRefused

HASH = 32
"""The bytes of a hash."""
WIDTH = 256
"""The hashes of a full tile."""
EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""

_HEIGHT = 8
"""The height of a tile: 2**8 is WIDTH."""
_CACHED = 32
"""How many tiles a tree keeps in memory, of at most 8 KB each: one proof reads a few of them again and again."""


class Tiles(Protocol):
    """Where the tiles of a tree are read from."""

    def get(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile. Raises ProofRefused if they are not there."""
        ...


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return sha256(b"\1" + left + right).digest()


def folded(hashes: bytes) -> bytes:
    """Return the root of a complete subtree from all its hashes of one height: 1, 2, 4, … or 256 of them."""
    while len(hashes) > HASH:
        hashes = b"".join([sha256(b"\1" + hashes[at : at + 64]).digest() for at in range(0, len(hashes), 64)])
    return hashes


def joined(peaks: Sequence[bytes]) -> bytes:
    """Return the root of a tree from its complete subtrees, the largest first."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def width_of(size: int, level: int, index: int) -> int:
    """Return how many hashes a tile has in a tree of this size; 0 if there is no such tile."""
    return max(0, min(WIDTH, (size >> _HEIGHT * level) - index * WIDTH))


def tiles_of(size: int) -> Iterable[tuple[int, int, int]]:
    """Return level, index and width of each tile of a tree, the lowest level first."""
    level = 0
    while hashes := size >> _HEIGHT * level:
        for index in range((hashes + WIDTH - 1) // WIDTH):
            yield level, index, width_of(size, level, index)
        level += 1


class Frontier:
    """The right edge of a growing tree: the peaks, and the hashes of the last tile of each level.

    An append costs one hash of a node on average, and at most one for each height. The root costs one for each peak.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        self._edge: list[bytearray] = []

    @classmethod
    def read(cls, size: int, tiles: Tiles) -> "Frontier":
        """Return the frontier of a tree that exists, from the last tile of each level. Raises ProofRefused."""
        made = cls()
        made.size = size
        level = 0
        while hashes := size >> _HEIGHT * level:
            width = hashes % WIDTH
            made._edge.append(bytearray(tiles.get(level, hashes // WIDTH, width) if width else b""))
            level += 1
        for edge in reversed(made._edge):
            made._peaks += _peaks_of(bytes(edge))
        return made

    @property
    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return joined(self._peaks)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Append the hash of a leaf; return level, index and hashes of the tiles that became full with it."""
        full: list[tuple[int, int, bytes]] = []
        node, height, rest = leaf, 0, self.size
        self._keep(0, leaf, full)
        while rest & 1:
            node = node_hash(self._peaks.pop(), node)
            rest >>= 1
            height += 1
            if height % _HEIGHT == 0:
                self._keep(height // _HEIGHT, node, full)
        self._peaks.append(node)
        self.size += 1
        return full

    def partial(self) -> list[tuple[int, int, bytes]]:
        """Return level, index and hashes of the last tile of each level that has one which is not full."""
        return [
            (level, self.size >> _HEIGHT * (level + 1), bytes(edge)) for level, edge in enumerate(self._edge) if edge
        ]

    def _keep(self, level: int, node: bytes, full: list[tuple[int, int, bytes]]) -> None:
        if level == len(self._edge):
            self._edge.append(bytearray())
        edge = self._edge[level]
        edge += node
        if len(edge) == WIDTH * HASH:
            full.append((level, self.size >> _HEIGHT * (level + 1), bytes(edge)))
            edge.clear()


class Tree:
    """A tree of which the tiles can be read; it makes proofs for itself and for each smaller size that it had."""

    def __init__(self, size: int, tiles: Tiles) -> None:
        self.size = size
        self._tiles = tiles
        self._read: dict[tuple[int, int], bytes] = {}

    def root(self, size: int | None = None) -> bytes:
        """Return the root, now or when the tree had this size. Raises ProofRefused."""
        return self._range(0, self._checked(size))

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the proof that a leaf is in the tree (RFC 6962, 2.1.1). Raises ProofRefused."""
        end = self._checked(size)
        if not 0 <= index < end:
            raise ProofRefused(f"There is no entry {index} in a log of {end}.")
        start, proof = 0, list[bytes]()
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        return proof[::-1]

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """Return the proof that the tree begins with the one of size `old` (RFC 6962, 2.1.2). Raises ProofRefused."""
        end = self._checked(size)
        if not 0 <= old <= end:
            raise ProofRefused(f"A log of {end} entries does not begin with one of {old}.")
        if old in {0, end}:
            return []
        start, proof = 0, list[bytes]()
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        # The verifier has the old root already if the whole old tree is one subtree.
        return [*([] if start == 0 else [self._range(start, end)]), *proof[::-1]]

    def _checked(self, size: int | None) -> int:
        if size is not None and not 0 <= size <= self.size:
            raise ProofRefused(f"The log has {self.size} entries, not {size}.")
        return self.size if size is None else size

    def _range(self, start: int, end: int) -> bytes:
        """Return the root over the leaves from `start` to `end`, as the tree above cuts them."""
        peaks: list[bytes] = []
        while start < end:
            height = (end - start).bit_length() - 1
            peaks.append(self._node(height, start >> height))
            start += 1 << height
        return joined(peaks)

    def _node(self, height: int, index: int) -> bytes:
        level, above = divmod(height, _HEIGHT)
        first, hashes = index << above, 1 << above
        tile, at = divmod(first, WIDTH)
        if (found := self._read.get((level, tile))) is None:
            if len(self._read) == _CACHED:
                self._read.clear()
            found = self._tiles.get(level, tile, width_of(self.size, level, tile))
            self._read[level, tile] = found
        return folded(found[at * HASH : (at + hashes) * HASH])


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _peaks_of(hashes: bytes) -> list[bytes]:
    """Return the roots of the complete subtrees over some hashes of one level, the largest first."""
    peaks: list[bytes] = []
    at, count = 0, len(hashes) // HASH
    while at < count:
        length = 1 << (count - at).bit_length() - 1
        peaks.append(folded(hashes[at * HASH : (at + length) * HASH]))
        at += length
    return peaks
