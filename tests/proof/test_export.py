from pathlib import Path

import pytest

from handoffs.proof.export import FolderWriter
from handoffs.proof.notes import SigningKey
from handoffs.proof.refused import ProofRefused
from handoffs.proof.tiles import FolderTiles
from handoffs.proof.verifying import verify_folder
from tests.proof.naive import root_of
from tests.proof.sample_log import KEY, export, signed, some

ENTRIES = some(1_100)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_an_export_has_the_files_of_the_specification(tmp_path: Path) -> None:
    assert export(tmp_path, ENTRIES[:600]) == 8
    assert {name: len(content) // 32 for name, content in files(tmp_path).items() if name.startswith("tile/0")} == {
        "tile/0/000": 256,
        "tile/0/001": 256,
        "tile/0/002.p/88": 88,
    }
    assert set(files(tmp_path)) - {"tile/0/000", "tile/0/001", "tile/0/002.p/88"} == {
        "checkpoint", "tile/1/000.p/2", "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88",
    }  # fmt: skip
    signed_ = (tmp_path / "checkpoint").read_bytes()
    assert signed_ == signed(ENTRIES[:600])
    assert verify_folder(tmp_path, [KEY.verifier]).checkpoint.root == root_of(ENTRIES[:600])  # type: ignore[union-attr]


@pytest.mark.parametrize("sizes", [(0, 1, 2, 255, 256, 257, 511, 512, 1_100), (1_100,), (300, 300, 301), (256, 1_024)])
def test_an_export_in_steps_gives_the_files_of_one_at_once(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        export(tmp_path / "steps", ENTRIES[:size])
        assert verify_folder(tmp_path / "steps", [KEY.verifier]).problems == []
    export(tmp_path / "once", ENTRIES[: sizes[-1]])
    once, steps = files(tmp_path / "once"), files(tmp_path / "steps")
    assert once.items() <= steps.items()
    assert all(".p/" in name for name in steps.keys() - once.keys())


def test_a_later_export_writes_only_what_is_new(tmp_path: Path) -> None:
    export(tmp_path, ENTRIES[:600])
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    assert export(tmp_path, ENTRIES[:600]) == 0
    # The last tile and bundle, and the checkpoint.
    assert export(tmp_path, ENTRIES[:601]) == 3
    # A full tile and bundle in place of the partial ones, three partial tiles or bundles, and the checkpoint.
    assert export(tmp_path, ENTRIES[:800]) == 6
    assert not list(tmp_path.glob("tile/*/002.p"))
    for name in ("tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"):
        assert (tmp_path / name).stat().st_mtime_ns == before[name]


class Cut(Exception):
    """The process ends here."""


class CutWriter(FolderWriter):
    """A writer whose process ends before the file after `left` more."""

    left = 0

    def _put(self, path: Path, content: bytes) -> None:
        if self.left == 0:
            (path.parent).mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.01234567").write_bytes(content[: len(content) // 2])
            raise Cut
        self.left -= 1
        super()._put(path, content)


def test_an_export_cut_off_anywhere_leaves_what_was_and_goes_on(tmp_path: Path) -> None:
    left, cut = 0, True
    while cut:
        folder = tmp_path / str(left)
        export(folder, ENTRIES[:300])
        writer = CutWriter(folder)
        writer.left = left
        try:
            writer.append(ENTRIES[300:1_050])
            writer.publish(signed(ENTRIES[:1_050]))
            cut = False
        except Cut:
            assert (folder / "checkpoint").read_bytes() == signed(ENTRIES[:300])
            report = verify_folder(folder, [KEY.verifier])
            assert report.checkpoint is not None
            assert report.checkpoint.size == 300
            # What no checkpoint signs yet is pointed out, and nothing else.
            assert all("an export was cut off" in each.what for each in report.problems)
            assert [FolderTiles(folder).entry(at, 300) for at in (0, 299)] == [ENTRIES[0], ENTRIES[299]]
            # By then the log is longer.
            export(folder, ENTRIES)
        assert verify_folder(folder, [KEY.verifier]).problems == []
        left += 1
    assert left == 10 + 1  # it was cut off before each of ten files, and then not


def test_what_was_left_of_an_export_is_not_taken_for_another_log(tmp_path: Path) -> None:
    """The history was rewritten between an export that was cut off and the next."""
    writer = FolderWriter(tmp_path)
    writer.append(ENTRIES[:300])
    rewritten = [ENTRIES[1], *ENTRIES[1:300]]
    with pytest.raises(ProofRefused, match=r"tile/0/000 holds something else.*Export to an empty folder"):
        export(tmp_path, rewritten)
    assert not (tmp_path / "checkpoint").exists()


def test_a_checkpoint_of_other_entries_is_not_published(tmp_path: Path) -> None:
    export(tmp_path, ENTRIES[:300])
    before = files(tmp_path)
    for wrong in ([ENTRIES[1], *ENTRIES[1:310]], ENTRIES[:309], ENTRIES[:299]):
        writer = FolderWriter(tmp_path)
        writer.append(ENTRIES[300:310])
        with pytest.raises(ProofRefused, match=r"is not that of the 310 in the folder.*rewritten"):
            writer.publish(signed(wrong))
    other = SigningKey("handoffs.example/other", bytes(32))
    writer = FolderWriter(tmp_path)
    with pytest.raises(ProofRefused, match=r"holds the log handoffs.example/log, not handoffs.example/other"):
        writer.publish(signed(ENTRIES[:300], other, other.verifier.name))
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tile/0/001.p/44", "its last tiles do not lead to the root"),
        ("tile/1/000.p/1", "its last tiles do not lead to the root"),
        ("tile/entries/001.p/44", "its last entries do not have the hashes of their tile"),
        ("checkpoint", "its last tiles do not lead to the root"),
    ],
)
def test_a_folder_that_was_changed_is_not_continued(tmp_path: Path, name: str, said: str) -> None:
    export(tmp_path, ENTRIES[:300])
    path = tmp_path / name
    if name == "checkpoint":
        path.write_bytes(signed([*ENTRIES[:299], ENTRIES[0]]))
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ProofRefused, match=said):
        FolderWriter(tmp_path)
    path.unlink()
    if name != "checkpoint":
        with pytest.raises(ProofRefused, match=f"{name} is missing"):
            FolderWriter(tmp_path)


def test_an_entry_that_is_too_long_is_refused(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path)
    with pytest.raises(ProofRefused, match="65536 bytes"):
        writer.append([*ENTRIES[:255], bytes(65_536)])
