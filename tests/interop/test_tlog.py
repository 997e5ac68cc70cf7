"""Another program verifies our logs: signature, inclusion, consistency; and refuses those that were tampered with."""

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handoffs.proof.merkle import Tree
from handoffs.proof.notes import SigningKey
from handoffs.proof.tiles import FolderTiles, bundled, entries_of
from tests.proof.naive import root_of
from tests.proof.sample_log import KEY, ORIGIN, export, signed, some

ENTRIES = some(70_000)
"""More than a tile of the second level has hashes for."""
SIZE, OLD = len(ENTRIES), 40_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that was exported in three steps; beside it the key, and an older checkpoint."""
    place = tmp_path_factory.mktemp("tlog")
    for size in (300, OLD, SIZE):
        export(place / "log", ENTRIES[:size])
    (place / "key").write_text(f"{KEY.verifier}\n")
    (place / "old").write_bytes(signed(ENTRIES[:OLD]))
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


class Program:
    """The program, run in one place."""

    def __init__(self, path: str, place: Path) -> None:
        self._path, self._place = path, place

    def run(self, command: str, *words: str) -> dict[str, Any]:
        """Return what it says of a command."""
        done = subprocess.run(
            [self._path, command, *words],
            cwd=self._place, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said = json.loads(done.stdout)
        assert (done.returncode == 0) is said["ok"], done.stderr
        return said

    def tiles(self, command: str, *words: str) -> dict[str, Any]:
        """Return what it says of the folder."""
        return self.run(command, "--tiles", "log", "--vkey-file", "key", *words)

    def inclusion(self, index: int) -> bool:
        """Say whether it finds an entry in the folder, and reads it as it is."""
        said = self.tiles("verify-inclusion", "--index", str(index), "--entry-out", "found")
        return said["ok"] and (self._place / "found").read_bytes() == ENTRIES[index]

    def audit(self) -> str:
        """Return what it says of all tiles and entries in the folder: `ok`, or its error."""
        return self.audit_of(SIZE, root_of(ENTRIES))

    def audit_of(self, size: int, root: bytes) -> str:
        """The same of a log of this size and root."""
        python = Path(self._path).with_name("python")
        done = subprocess.run(
            [python, "-c", AUDIT, "log", str(size), root.hex()],
            cwd=self._place, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


AUDIT = """
import sys
from aics_tlog.tiles import FileSystemTileReader
from aics_tlog.verified import audit_tiles
audit_tiles(FileSystemTileReader(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3]))
print("ok")
"""


def test_the_checkpoint_is_verified(aics_tlog: str, whole: Path) -> None:
    said = Program(aics_tlog, whole).tiles("verify-checkpoint", "--origin", ORIGIN)
    assert (said["ok"], said["log_ok"], said["tiles_ok"]) == (True, True, True)
    assert (said["size"], said["root"]) == (SIZE, b64encode(root_of(ENTRIES)).decode())


@pytest.mark.parametrize("index", [0, 17, 255, 256, 65_535, 65_536, SIZE - 1])
def test_inclusion_is_verified(aics_tlog: str, place: Path, index: int) -> None:
    program = Program(aics_tlog, place)
    assert program.inclusion(index)
    for leaf, ok in ((ENTRIES[index], True), (ENTRIES[index - 1], False)):
        (place / "leaf").write_bytes(leaf)
        assert program.tiles("verify-inclusion", "--index", str(index), "--leaf", "leaf")["ok"] is ok


def test_the_whole_folder_is_verified(aics_tlog: str, place: Path) -> None:
    program = Program(aics_tlog, place)
    assert program.audit() == "ok"
    change_entry(place / "log")
    assert "tile/entries/000 does not match" in program.audit()


def test_consistency_is_verified(aics_tlog: str, whole: Path) -> None:
    said = Program(aics_tlog, whole).tiles("verify-consistency", "--old-checkpoint", "old")
    assert (said["ok"], said["old_size"], said["new_size"]) == (True, OLD, SIZE)


def test_our_proofs_are_verified(aics_tlog: str, place: Path) -> None:
    program, tree = Program(aics_tlog, place), Tree(SIZE, FolderTiles(place / "log"))

    def proof(hashes: list[bytes]) -> str:
        (place / "proof").write_text("".join(f"{b64encode(each).decode()}\n" for each in hashes))
        return "proof"

    root, old_root = (b64encode(tree.root(size)).decode() for size in (SIZE, OLD))
    (place / "leaf").write_bytes(ENTRIES[12_345])
    for index, ok in ((12_345, True), (12_346, False)):
        said = program.run(
            "verify-inclusion", "--leaf", "leaf", "--index", str(index), "--size", str(SIZE), "--root", root,
            "--proof", proof(tree.inclusion(12_345)),
        )  # fmt: skip
        assert said["ok"] is ok
    for old, ok in ((OLD, True), (OLD - 1, False)):
        said = program.run(
            "verify-consistency", "--old-size", str(old), "--new-size", str(SIZE), "--old-root", old_root,
            "--new-root", root, "--proof", proof(tree.consistency(OLD)),
        )  # fmt: skip
        assert said["ok"] is ok


def change_entry(log: Path) -> None:
    path = log / "tile/entries/000"
    entries = entries_of(path.read_bytes())
    assert entries is not None
    entries[17] = entries[17].replace(b"19:30", b"19:31")
    path.write_bytes(bundled(entries))


def change_tile(log: Path) -> None:
    path = log / "tile/0/000"
    content = bytearray(path.read_bytes())
    content[17 * 32] ^= 1
    path.write_bytes(content)


def change_size(log: Path) -> None:
    path = log / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"\n%d\n" % SIZE, b"\n%d\n" % (SIZE - 1)))


def sign_with_another_key(log: Path) -> None:
    (log / "checkpoint").write_bytes(signed(ENTRIES, SigningKey(ORIGIN, bytes(32))))


def sign_other_entries(log: Path) -> None:
    (log / "checkpoint").write_bytes(signed([ENTRIES[1], *ENTRIES[1:]]))


@pytest.mark.parametrize(
    "tamper", [change_entry, change_tile, change_size, sign_with_another_key, sign_other_entries]
)  # fmt: skip
def test_a_folder_that_was_tampered_with_is_refused(
    aics_tlog: str, place: Path, tamper: Callable[[Path], None]
) -> None:
    tamper(place / "log")
    assert not Program(aics_tlog, place).inclusion(17)


def test_a_history_rewritten_and_signed_again_is_refused(aics_tlog: str, place: Path) -> None:
    shutil.rmtree(place / "log")
    export(place / "log", [ENTRIES[0].replace(b"19:30", b"19:31"), *ENTRIES[1:]])
    program = Program(aics_tlog, place)
    assert program.tiles("verify-checkpoint")["ok"]
    assert not program.tiles("verify-consistency", "--old-checkpoint", "old")["ok"]
