"""The tree as RFC 6962 defines it, without tiles and without haste; and tiles in memory."""

from hashlib import sha256

from handoffs.proof.merkle import Frontier, leaf_hash


def root_of(leaves: list[bytes]) -> bytes:
    """MTH(D) of section 2.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def path_of(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D) of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*path_of(index, leaves[:k]), root_of(leaves[k:])]
    return [*path_of(index - k, leaves[k:]), root_of(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D, b) of section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), root_of(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), root_of(leaves[:k])]


class MemoryTiles:
    """Tiles in memory, at one size of the tree."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.frontier = Frontier()
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.read: list[tuple[int, int, int]] = []
        for each in leaves:
            self.append(each)

    def append(self, leaf: bytes) -> None:
        """Append an entry."""
        for level, index, hashes in self.frontier.append(leaf_hash(leaf)):
            self.tiles[level, index] = hashes

    def get(self, level: int, index: int, width: int) -> bytes:
        """Return the hashes of a tile."""
        self.read.append((level, index, width))
        last = {(at, number): hashes for at, number, hashes in self.frontier.partial()}
        found = self.tiles.get((level, index)) or last[level, index]
        assert len(found) >= width * 32
        return found[: width * 32]


def leaves_of(size: int) -> list[bytes]:
    """Some leaves."""
    return [b"entry %d" % number for number in range(size)]
