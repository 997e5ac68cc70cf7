"""The folder of a log (C2SP tlog-tiles): `checkpoint`, tiles of hashes, and bundles of entries, as static files.

    checkpoint
    tile/0/000            256 hashes of 32 bytes
    tile/0/001.p/44       the last tile, which is not full
    tile/entries/000      256 entries, each after its length in two bytes
    tile/entries/001.p/44

Numbers of tiles are written in groups of three digits, all but the last with an `x`: 1234067 is `x001/x234/067`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from handoffs.core.leaf import MAX_LEAF
from handoffs.proof.merkle import HASH, WIDTH
from handoffs.proof.refused import ProofRefused

CHECKPOINT = "checkpoint"
TILES = "tile"
ENTRIES = "entries"

_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile."""
    return _path(str(level), index, width)


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Return the path of a bundle of entries."""
    return _path(ENTRIES, index, width)


def read_path(path: str) -> tuple[int | None, int, int] | None:
    """Return level, index and width of a path, the level None for entries; None if it is no path of a log."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level, width = found["level"], int(found["width"] or WIDTH)
    index = int(found["number"].replace("x", "").replace("/", ""))
    if width > WIDTH or _path(level, index, width) != path:
        return None
    return None if level == ENTRIES else int(level), index, width


def bundled(entries: Sequence[bytes]) -> bytes:
    """Return a bundle. Raises ProofRefused: an entry is too long."""
    for each in entries:
        if len(each) > MAX_LEAF:
            raise ProofRefused(f"An entry has {len(each)} bytes; {MAX_LEAF} is the most.")
    return b"".join([len(each).to_bytes(2) + each for each in entries])


def entries_of(bundle: bytes) -> list[bytes] | None:
    """Return the entries of a bundle; None if it ends in the middle of one."""
    found: list[bytes] = []
    at, end = 0, len(bundle)
    while at < end - 1:
        start = at + 2
        at = start + (bundle[at] << 8 | bundle[at + 1])
        found.append(bundle[start:at])
    return found if at == end else None


class FolderTiles:
    """Reads the tiles and entries of a folder when they are asked for. Nothing of them is verified."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint; None if there is none. Raises ProofRefused."""
        return self._file(CHECKPOINT)

    def get(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile. Raises ProofRefused."""
        path, found, whole = self._shortest(str(level), index, width)
        if len(found) != whole * HASH:
            raise ProofRefused(f"{path} has {len(found)} bytes instead of {whole * HASH}.")
        return found[: width * HASH]

    def bundle(self, index: int, width: int) -> list[bytes]:
        """Return the first `width` entries of a bundle. Raises ProofRefused."""
        path, found, whole = self._shortest(ENTRIES, index, width)
        entries = entries_of(found)
        if entries is None:
            raise ProofRefused(f"{path} ends in the middle of an entry.")
        if len(entries) != whole:
            raise ProofRefused(f"{path} has {len(entries)} entries instead of {whole}.")
        return entries[:width]

    def entry(self, index: int, size: int) -> bytes:
        """Return one entry of a log of this size. Raises ProofRefused."""
        bundle, at = divmod(index, WIDTH)
        if not 0 <= index < size:
            raise ProofRefused(f"There is no entry {index} in a log of {size}.")
        return self.bundle(bundle, min(WIDTH, size - bundle * WIDTH))[at]

    def _shortest(self, level: str, index: int, width: int) -> tuple[str, bytes, int]:
        """Return path and content of a file that begins with so many hashes or entries, and how many it should have.

        The partial file may have been deleted once the tile was full.
        """
        for whole in (width, WIDTH):
            path = _path(level, index, whole)
            if (found := self._file(path)) is not None:
                return path, found, whole
        raise ProofRefused(f"{_path(level, index, width)} is missing.")

    def _file(self, path: str) -> bytes | None:
        try:
            with open(f"{self._folder}/{path}", "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as wrong:
            raise ProofRefused(f"{path} can't be read: {wrong.strerror}.") from None


def _path(level: str, index: int, width: int) -> str:
    rest, last = divmod(index, 1_000)
    number = f"{last:03}"
    while rest:
        rest, group = divmod(rest, 1_000)
        number = f"x{group:03}/{number}"
    return f"{TILES}/{level}/{number}" + ("" if width == WIDTH else f".p/{width}")
