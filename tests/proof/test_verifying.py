"""Folders that were tampered with: each is found, and the place named."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.export import FolderWriter
from handoffs.proof.merkle import Frontier, folded, leaf_hash
from handoffs.proof.notes import Note, SigningKey
from handoffs.proof.tiles import bundled, entries_of
from handoffs.proof.verifying import MAX_PROBLEMS, Report, verify_folder
from tests.proof.sample_log import KEY, ORIGIN, export, signed, some

ENTRIES = some(600)
OTHER_KEY = SigningKey(ORIGIN, bytes(32))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is right."""
    folder = tmp_path_factory.mktemp("whole")
    export(folder, ENTRIES)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def verified(folder: Path, since: bytes | None = None) -> Report:
    return verify_folder(folder, [KEY.verifier], since)


def said(folder: Path, since: bytes | None = None) -> list[str]:
    return [str(each) for each in verified(folder, since).problems]


def rebundle(folder: Path, name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path = folder / "tile/entries" / name
    entries = entries_of(path.read_bytes())
    assert entries is not None
    path.write_bytes(bundled(change(entries)))


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_folder_that_is_right_is_right(whole: Path) -> None:
    report = verified(whole)
    assert report.ok
    assert (report.handoffs, report.signers, report.since) == (150, (KEY.verifier,), None)
    assert report.checkpoint is not None
    assert report.checkpoint.size == 600


@pytest.mark.parametrize("size", [0, 1, 4, 255, 256, 257, 512, 600])
def test_an_older_head_is_continued(tmp_path: Path, whole: Path, size: int) -> None:
    report = verified(whole, signed(ENTRIES[:size]))
    assert report.problems == []
    assert report.since is not None
    assert report.since.size == size
    export(tmp_path, ENTRIES[:size])
    assert verified(tmp_path).problems == []


def test_a_larger_log_is_verified_over_three_levels(tmp_path: Path) -> None:
    entries = some(66_100)
    export(tmp_path, entries)
    assert verified(tmp_path, signed(entries[:40_000])).problems == []
    assert (tmp_path / "tile/2/000.p/1").exists()
    flip(tmp_path / "tile/1/000", 5)
    assert "tile/1/000: it is not the tile that tile/2/000.p/1 has the hash of." in said(tmp_path)
    flip(tmp_path / "tile/1/000", 5)
    flip(tmp_path / "tile/0/100", 5)
    assert said(tmp_path) == ["tile/0/100: it is not the tile that tile/1/000 has the hash of."]


@pytest.mark.parametrize("at", [0, 17, 255, 256, 599])
def test_a_changed_entry_is_named(folder: Path, at: int) -> None:
    name = ("000", "001", "002.p/88")[at // 256]

    def change(entries: list[bytes]) -> list[bytes]:
        entries[at % 256] = entries[at % 256].replace(b'"channel":"inbox"', b'"channel":"terminal"')
        entries[at % 256] = entries[at % 256].replace(b'"transport":"stdio"', b'"transport":"http"')
        entries[at % 256] = entries[at % 256].replace(b"toolu", b"tolou").replace(b"19:30", b"19:31")
        return entries

    rebundle(folder, name, change)
    [only] = said(folder)
    assert only.startswith(f"entry {at}: it was changed: tile/entries/{name} does not have the entry that tile/0/")


def test_any_changed_byte_of_any_file_is_found(whole: Path, tmp_path: Path) -> None:
    chosen = random.Random(7)
    for path in sorted(path for path in whole.rglob("*") if path.is_file()):
        for _ in range(4):
            copy = tmp_path / "copy"
            shutil.copytree(whole, copy)
            flip(copy / path.relative_to(whole), chosen.randrange(path.stat().st_size))
            assert not verified(copy).ok, path
            shutil.rmtree(copy)


def test_a_missing_entry_is_found_where_it_was(folder: Path) -> None:
    rebundle(folder, "001", lambda entries: [*entries[:3], *entries[4:]])
    assert said(folder) == ["tile/entries/001 has 255 entries instead of 256."]


def test_a_missing_entry_of_a_log_that_was_signed_again_is_found(tmp_path: Path) -> None:
    """With the key, the tree fits; what is left does not follow."""
    export(tmp_path, [*ENTRIES[:402], *ENTRIES[403:]])
    handoff = "h_00000000000000000100"
    assert said(tmp_path) == [f"entry 402: {handoff} has version 4 after 2: entries are missing or not in order."]
    assert "since: The log of 599 entries does not begin with the one of 500: it was rewritten." in said(
        tmp_path, signed(ENTRIES[:500])
    )


def test_swapped_entries_are_found(folder: Path) -> None:
    rebundle(folder, "000", lambda entries: [entries[0], entries[2], entries[1], *entries[3:]])
    problems = said(folder)
    assert [each.split(":")[0] for each in problems] == ["entry 1", "entry 2", "entry 1", "entry 2", "entry 3"]
    assert "it was changed" in problems[0]
    assert "entries are missing or not in order" in problems[2]


def test_an_added_entry_is_found(folder: Path) -> None:
    rebundle(folder, "002.p/88", lambda entries: [*entries, ENTRIES[0]])
    assert said(folder) == ["tile/entries/002.p/88 has 89 entries instead of 88."]


def test_added_files_are_found(folder: Path) -> None:
    shutil.copy(folder / "tile/0/000", folder / "tile/0/003")
    (folder / "tile/0/003.txt").write_text("more")
    (folder / "tile/entries/002.p/12").write_bytes(bundled(ENTRIES[:12]))
    (folder / "tile/0/002.p/12").write_bytes(b"".join(map(leaf_hash, ENTRIES[512:524])))
    problems = said(folder)
    assert problems[:2] == [
        "tile/0/003: nothing signs what is after the 600 entries: it was added, or an export was cut off in the "
        "middle. Exporting again completes it.",
        "tile/0/003.txt: it is no file of a log: it was added.",
    ]
    assert problems[2:] == ["tile/entries/002.p/12: the newer, longer one does not begin with what it has."]


def test_what_a_folder_says_is_harmless_on_a_terminal(folder: Path) -> None:
    (folder / "tile/\x1b[2J\u202e.txt").touch()
    assert said(folder) == ["tile/␛[2J⟨U+202E⟩.txt: it is no file of a log: it was added."]


def test_entries_cut_off_at_the_end_are_found(folder: Path) -> None:
    (folder / "tile/entries/002.p/88").unlink()
    assert said(folder) == ["tile/entries/002.p/88 is missing."]
    shutil.rmtree(folder / "tile/0/002.p")
    shutil.rmtree(folder / "tile/entries/002.p")
    assert said(folder)[0] == "tile/0/002.p/88 is missing."


def test_a_log_cut_off_with_an_older_head_is_found_by_a_newer_one(folder: Path, tmp_path: Path) -> None:
    export(tmp_path / "short", ENTRIES[:500])
    assert said(tmp_path / "short") == []
    assert said(tmp_path / "short", (folder / "checkpoint").read_bytes()) == [
        "since: The log had 600 entries and has 500 now: it was cut off, or is an older copy."
    ]


def test_a_changed_size_or_root_is_found(folder: Path) -> None:
    note = (folder / "checkpoint").read_bytes()
    (folder / "checkpoint").write_bytes(note.replace(b"\n600\n", b"\n599\n"))
    assert said(folder) == [
        f"checkpoint: The signature of {ORIGIN} is not valid: the text or the signature was changed."
    ]
    for entries in (ENTRIES[:599], [*ENTRIES[:599], ENTRIES[0]]):
        (folder / "checkpoint").write_bytes(signed(entries))
        problems = said(folder)
        if len(entries) == 600:
            assert problems[0].startswith("checkpoint: the last tiles do not lead to the root of 600 entries")
        else:
            assert problems[0] == "tile/0/002.p/87 is missing."


def test_a_wrong_key_a_missing_and_a_malformed_checkpoint_are_said(folder: Path) -> None:
    wrong = verify_folder(folder, [OTHER_KEY.verifier])
    assert wrong.checkpoint is None
    assert [each.place for each in wrong.problems] == ["checkpoint"]
    assert "None of the given keys signed it" in wrong.problems[0].what
    (folder / "checkpoint").write_bytes(b"handoffs.example/log\n600\n")
    assert said(folder) == ["checkpoint: The note has no signatures: it ends before them, or was cut."]
    (folder / "checkpoint").unlink()
    assert said(folder) == ["checkpoint: there is none."]
    assert said(folder / "nowhere") == ["checkpoint: there is none."]


def test_a_history_rewritten_and_signed_again_needs_an_old_head(folder: Path, tmp_path: Path) -> None:
    changed = [entry.replace(b"19:30", b"19:31") if at == 300 else entry for at, entry in enumerate(ENTRIES)]
    assert changed != ENTRIES
    export(tmp_path / "new", [*changed, *some(604)[600:]])
    assert said(tmp_path / "new") == []
    head = (folder / "checkpoint").read_bytes()
    assert said(tmp_path / "new", head) == [
        "since: The log of 604 entries does not begin with the one of 600: it was rewritten."
    ]
    # What is before the change is the same.
    assert said(tmp_path / "new", signed(ENTRIES[:300])) == []
    export(tmp_path / "same size", changed)
    assert said(tmp_path / "same size", head) == ["since: Two logs of 600 entries differ."]


def test_an_old_head_that_can_not_be_believed_is_refused(folder: Path) -> None:
    head = (folder / "checkpoint").read_bytes()
    for since, words in (
        (b"", "since: The note has no signatures"),
        (head.replace(b"600", b"500"), "since: The signature of handoffs.example/log is not valid"),
        (signed(ENTRIES[:500], OTHER_KEY), "since: None of the given keys signed it"),
    ):
        [only] = said(folder, since)
        assert only.startswith(words)
    other = SigningKey("other.example/log", bytes(32))
    report = verify_folder(folder, [KEY.verifier, other.verifier], signed(ENTRIES, other, "other.example/log"))
    assert [str(each) for each in report.problems] == [
        "since: The old checkpoint is of the log other.example/log, not of handoffs.example/log."
    ]
    assert report.since is None


def test_a_tile_changed_together_with_its_entries_is_found(folder: Path) -> None:
    """Whoever has no key can keep the levels together, but not the root."""
    rebundle(folder, "000", lambda entries: [entries[0].replace(b"19:30", b"19:31"), *entries[1:]])
    entries = entries_of((folder / "tile/entries/000").read_bytes())
    assert entries is not None
    hashes = b"".join(map(leaf_hash, entries))
    (folder / "tile/0/000").write_bytes(hashes)
    assert said(folder) == ["tile/0/000: it is not the tile that tile/1/000.p/2 has the hash of."]
    above = (folder / "tile/1/000.p/2").read_bytes()
    (folder / "tile/1/000.p/2").write_bytes(folded(hashes) + above[32:])
    assert said(folder) == [
        "checkpoint: the last tiles do not lead to the root of 600 entries: one of them or the size was changed, or "
        "the log was rewritten."
    ]


def test_a_file_from_another_log_is_found(folder: Path, tmp_path: Path) -> None:
    later = some(1_112)[512:]
    export(tmp_path / "other", later)
    for name in ("tile/0/000", "tile/entries/000"):
        shutil.copy(tmp_path / "other" / name, folder / name)
    assert said(folder)[0] == "tile/0/000: it is not the tile that tile/1/000.p/2 has the hash of."


def test_a_size_beyond_all_measure_ends_at_once(tmp_path: Path) -> None:
    head = Checkpoint(origin=ORIGIN, size=2**62, root=bytes(32))
    tmp_path.joinpath("checkpoint").write_bytes(head.signed(KEY))
    report = verified(tmp_path)
    assert 0 < len(report.problems) <= MAX_PROBLEMS


def test_after_a_hundred_problems_no_more_is_looked_at(folder: Path) -> None:
    rebundle(folder, "000", lambda entries: entries[::-1])
    assert len(verified(folder).problems) == MAX_PROBLEMS


def test_a_witness_is_among_those_who_signed(folder: Path) -> None:
    other = SigningKey("other.example", bytes(32))
    note = Note.parse((folder / "checkpoint").read_bytes())
    (folder / "checkpoint").write_bytes(note.signed(other.sign(note.text)).dumps())
    report = verify_folder(folder, [other.verifier, KEY.verifier])
    assert report.signers == (KEY.verifier, other.verifier)
    assert report.ok


def test_the_writer_and_the_reader_agree_on_every_size(tmp_path: Path) -> None:
    entries = some(520)
    writer, frontier = FolderWriter(tmp_path), Frontier()
    for size, entry in enumerate(entries, 1):
        writer.append([entry])
        frontier.append(leaf_hash(entry))
        if size % 37 == 0 or size in {255, 256, 257, 512, 513}:
            writer.publish(Checkpoint(origin=ORIGIN, size=size, root=frontier.root).signed(KEY))
            assert verified(tmp_path).problems == []
