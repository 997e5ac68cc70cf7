from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.proof.refused import ProofRefused
from handoffs.proof.tiles import FolderTiles, bundle_path, bundled, entries_of, read_path, tile_path
from tests.proof.sample_log import export, some


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (999, 256, "tile/0/999"),
        (1_000, 256, "tile/0/x001/000"),
        (1_234_067, 256, "tile/0/x001/x234/067"),
        (1_234_067, 1, "tile/0/x001/x234/067.p/1"),
        (999_999_999, 255, "tile/0/x999/x999/999.p/255"),
        (1_000_000_000, 256, "tile/0/x001/x000/x000/000"),
    ],
)
def test_paths_are_those_of_the_specification(index: int, width: int, path: str) -> None:
    assert tile_path(0, index, width) == path
    assert read_path(path) == (0, index, width)
    assert bundle_path(index, width) == path.replace("/0/", "/entries/", 1)
    assert read_path(bundle_path(index, width)) == (None, index, width)


@given(st.integers(0, 63), st.integers(0, 2**60), st.integers(1, 256))
def test_every_path_is_read_as_it_was_written(level: int, index: int, width: int) -> None:
    assert read_path(tile_path(level, index, width)) == (level, index, width)


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "tile/0", "tile/0/0", "tile/0/1000", "tile/0/x000/001", "tile/00/000", "tile/64/000",
     "tile/-1/000", "tile/0/001/000", "tile/0/x001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/300",
     "tile/0/000.p/01", "tile/0/000.p", "tile/0/000/", "tile/0/../000", "tile/0/\u0661\u0661\u0661", "tile/entry/000"],
)  # fmt: skip
def test_other_paths_are_no_files_of_a_log(path: str) -> None:
    assert read_path(path) is None


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    assert entries_of(bundled(entries)) == entries


def test_an_entry_has_at_most_65535_bytes() -> None:
    longest = [bytes(65_535)]
    assert entries_of(bundled(longest)) == longest
    with pytest.raises(ProofRefused, match="65536 bytes; 65535 is the most"):
        bundled([bytes(65_536)])


@pytest.mark.parametrize("cut", [b"\0", b"\0\1", b"\0\1a\0", b"\0\1a\0\2b", b"\xff\xffaa"])
def test_a_bundle_that_was_cut_is_none(cut: bytes) -> None:
    assert entries_of(cut) is None


def test_a_folder_is_read_at_each_size_that_it_had(tmp_path: Path) -> None:
    entries = some(600)
    export(tmp_path, entries)
    tiles = FolderTiles(tmp_path)
    assert not (tmp_path / "tile/0/001.p").exists()
    whole = tiles.get(0, 1, 256)
    assert tiles.get(0, 1, 44) == whole[: 44 * 32]
    assert tiles.bundle(1, 44) == entries[256:300]
    assert [tiles.entry(index, 600) for index in (0, 255, 256, 599)] == [entries[at] for at in (0, 255, 256, 599)]
    assert tiles.entry(299, 300) == entries[299]
    for index in (-1, 600):
        with pytest.raises(ProofRefused, match=f"There is no entry {index} in a log of 600"):
            tiles.entry(index, 600)


def test_files_that_are_missing_or_of_a_wrong_size_are_named(tmp_path: Path) -> None:
    export(tmp_path, some(300))
    tiles = FolderTiles(tmp_path)
    with pytest.raises(ProofRefused, match=r"^tile/0/001.p/45 is missing\.$"):
        tiles.get(0, 1, 45)
    (tmp_path / "tile/0/000").write_bytes(bytes(100))
    with pytest.raises(ProofRefused, match=r"^tile/0/000 has 100 bytes instead of 8192\.$"):
        tiles.get(0, 0, 44)
    whole = (tmp_path / "tile/entries/000").read_bytes()
    (tmp_path / "tile/entries/000").write_bytes(whole[:-1])
    with pytest.raises(ProofRefused, match=r"^tile/entries/000 ends in the middle of an entry\.$"):
        tiles.bundle(0, 256)
    (tmp_path / "tile/entries/000").write_bytes(whole + b"\0\0")
    with pytest.raises(ProofRefused, match=r"^tile/entries/000 has 257 entries instead of 256\.$"):
        tiles.bundle(0, 256)
    (tmp_path / "tile/entries/000").unlink()
    (tmp_path / "tile/entries/000").mkdir()
    with pytest.raises(ProofRefused, match=r"^tile/entries/000 can't be read: Is a directory\.$"):
        tiles.bundle(0, 256)
    (tmp_path / "checkpoint").unlink()
    assert tiles.checkpoint() is None
