"""Writes the folder of a log, and continues one: only tiles and bundles that are new.

Files appear whole or not at all, and a file that is there is never changed; the checkpoint is replaced last. A reader
finds everything that the checkpoint promises at any moment, also after a crash. The files are not forced to the disk:
the store can write them again.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.files import put
from handoffs.proof.merkle import EMPTY, HASH, WIDTH, Frontier, leaf_hash
from handoffs.proof.notes import Note
from handoffs.proof.refused import ProofRefused
from handoffs.proof.tiles import CHECKPOINT, FolderTiles, bundle_path, bundled, tile_path


class FolderWriter:
    """Appends to the log in a folder: `append` the entries after `size`, then `publish` their checkpoint."""

    def __init__(self, folder: Path) -> None:
        """Read where the log in the folder ends; a folder that is empty or missing begins one.

        Raises:
            ProofRefused: What is there does not go together.
        """
        self._folder = folder
        tiles = FolderTiles(folder)
        raw = tiles.checkpoint()
        head = Checkpoint(origin="", size=0, root=EMPTY) if raw is None else Checkpoint.parse(Note.parse(raw).text)
        self._origin = head.origin
        self._frontier = Frontier.read(head.size, tiles)
        if self._frontier.root != head.root:
            raise ProofRefused(f"{folder} was changed: its last tiles do not lead to the root of its checkpoint.")
        width = head.size % WIDTH
        self._bundle = tiles.bundle(head.size // WIDTH, width) if width else []
        if width and b"".join(map(leaf_hash, self._bundle)) != tiles.get(0, head.size // WIDTH, width):
            raise ProofRefused(f"{folder} was changed: its last entries do not have the hashes of their tile.")
        self._full: list[str] = []
        self._written = 0

    @property
    def size(self) -> int:
        """How many entries are in the folder, those that were appended included."""
        return self._frontier.size

    @property
    def written(self) -> int:
        """How many files were written; those that were there with the same bytes do not count."""
        return self._written

    def append(self, entries: Iterable[bytes]) -> None:
        """Write the tiles and bundles that become full with these entries. Raises ProofRefused or OSError."""
        for entry in entries:
            self._bundle.append(entry)
            for level, index, hashes in self._frontier.append(leaf_hash(entry)):
                self._create_full(tile_path(level, index), hashes)
            if len(self._bundle) == WIDTH:
                self._create_full(bundle_path(self.size // WIDTH - 1), bundled(self._bundle))
                self._bundle = []

    def publish(self, signed: bytes) -> None:
        """Write the tiles that are not full, and the signed checkpoint in place of the old one.

        Raises:
            ProofRefused: The checkpoint is not that of the entries, or of another log than the one in the folder.
            OSError: A file can't be written.
        """
        head = Checkpoint.parse(Note.parse(signed).text)
        if self._origin not in {"", head.origin}:
            raise ProofRefused(f"The folder holds the log {self._origin}, not {head.origin}: export to an empty one.")
        if (head.size, head.root) != (self.size, self._frontier.root):
            raise ProofRefused(
                f"The checkpoint of {head.size} entries is not that of the {self.size} in the folder: they are of "
                "another log, or the log was rewritten."
            )
        for level, index, hashes in self._frontier.partial():
            self._create(tile_path(level, index, len(hashes) // HASH), hashes)
        if self._bundle:
            self._create(bundle_path(self.size // WIDTH, len(self._bundle)), bundled(self._bundle))
        self._origin = head.origin
        path = self._folder / CHECKPOINT
        if not path.exists() or path.read_bytes() != signed:
            self._put(path, signed)
        for name in self._full:  # readers of an older checkpoint take the full tile
            shutil.rmtree(self._folder / f"{name}.p", ignore_errors=True)
        self._full = []

    def _create_full(self, name: str, content: bytes) -> None:
        self._create(name, content)
        self._full.append(name)

    def _create(self, name: str, content: bytes) -> None:
        path = self._folder / name
        try:
            kept = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            self._put(path, content)
            return
        if kept != content:
            raise ProofRefused(f"{path} holds something else: it is of another log. Export to an empty folder.")

    def _put(self, path: Path, content: bytes) -> None:
        put(path, content)
        self._written += 1
