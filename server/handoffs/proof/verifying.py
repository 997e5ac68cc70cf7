"""Verifies the folder of a log offline, with nothing but public keys.

From the signed root downwards: the tiles at the right edge must lead to the root, each full tile must have the hash
that the tile above it has for it, and each entry the hash that its tile has. So what differs is found where it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from handoffs.core.untrusted import inert_line
from handoffs.proof.checkpoint import Checkpoint, opened
from handoffs.proof.decisions import DECISIONS, Found, check
from handoffs.proof.entry_checks import EntryChecks
from handoffs.proof.merkle import HASH, WIDTH, Frontier, Tree, folded, width_of
from handoffs.proof.notes import VerifierKey
from handoffs.proof.passkeys import PinnedKeys
from handoffs.proof.proof_checks import verify_consistency
from handoffs.proof.refused import ProofRefused
from handoffs.proof.tiles import CHECKPOINT, TILES, FolderTiles, bundle_path, read_path, tile_path

MAX_PROBLEMS = 100
"""After so many, no more entries are looked at."""

_ADDED = "it was added, or an export was cut off in the middle. Exporting again completes it."


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a log."""

    place: str
    """A path in the folder, or `entry 17`."""
    what: str

    def __str__(self) -> str:
        words = self.what if self.what.startswith(f"{self.place} ") else f"{self.place}: {self.what}"
        # File names and entries of a folder that was tampered with may hold anything.
        return inert_line(words)


@dataclass(kw_only=True, slots=True)
class Report:
    """What was verified, and what is wrong."""

    checkpoint: Checkpoint | None = None
    signers: tuple[VerifierKey, ...] = ()
    since: Checkpoint | None = None
    """The old checkpoint, if the log continues it."""
    handoffs: int = 0
    people: int = 0
    erased_people: int = 0
    """How many of them were erased."""
    erased: list[int] = field(default_factory=list[int])
    """The numbers of the lines that lost words when a person was erased."""
    decisions: int = 0
    """How many decisions were checked word by word."""
    closed: int = 0
    """In how many of them words were erased, or kept back."""
    signed: int = 0
    """How many of them are signed with passkeys."""
    problems: list[Problem] = field(default_factory=list[Problem])

    def add(self, found: Found) -> None:
        """Count a decision."""
        self.decisions += 1
        self.closed += bool(found.closed)
        self.signed += bool(found.signed_by)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_folder(
    folder: Path, keys: Sequence[VerifierKey], since: bytes | None = None, *, pinned: PinnedKeys | None = None
) -> Report:
    """Return what is wrong with the log in a folder; `since` is a signed checkpoint that was kept elsewhere.

    `pinned` are the passkeys that count, by person; without them, those that the decisions name.
    """
    report = Report()
    tiles = FolderTiles(folder)
    try:
        raw = tiles.checkpoint()
        if raw is None:
            raise ProofRefused("there is none.")
        signed = opened(raw, keys)
    except ProofRefused as wrong:
        report.problems.append(Problem(CHECKPOINT, str(wrong)))
        return report
    report.checkpoint, report.signers = signed.checkpoint, signed.signers
    walk = _Walk(tiles, signed.checkpoint, report.problems)
    walk.run()
    report.handoffs, report.people = walk.entries.handoffs, walk.entries.people
    report.erased_people = walk.entries.erased_people
    report.problems += _strangers(folder, tiles, signed.checkpoint.size)
    _decisions(folder / DECISIONS, tiles, signed.checkpoint.size, walk.entries, report, pinned)
    if since is not None:
        try:
            report.since = _continued(since, keys, signed.checkpoint, tiles)
        except ProofRefused as wrong:
            report.problems.append(Problem("since", str(wrong)))
    return report


class _Walk:
    """One walk through a folder, from the highest level of tiles down to the entries."""

    def __init__(self, tiles: FolderTiles, head: Checkpoint, problems: list[Problem]) -> None:
        self._tiles, self._head, self._problems = tiles, head, problems
        self.entries = EntryChecks()

    def run(self) -> None:
        """Check all of it, up to MAX_PROBLEMS problems."""
        size = self._head.size
        self._edge()
        above: dict[int, bytes] = {}
        for level in range((size.bit_length() - 1) // 8, 0, -1):
            above = self._level(level, above)
        for index in range((size + WIDTH - 1) // WIDTH):
            if len(self._problems) >= MAX_PROBLEMS:
                return
            self._bundle(index, self._tile(0, index, above))

    def _edge(self) -> None:
        """Compare the root with the last tiles of all levels: they lead to it."""
        try:
            root = Frontier.read(self._head.size, self._tiles).root
        except ProofRefused:
            return  # the walk says it of each file
        if root != self._head.root:
            self._add(
                CHECKPOINT,
                f"the last tiles do not lead to the root of {self._head.size} entries: one of them or the size was "
                "changed, or the log was rewritten.",
            )

    def _level(self, level: int, above: dict[int, bytes]) -> dict[int, bytes]:
        """Return the tiles of a level by index, those that are right."""
        count = ((self._head.size >> 8 * level) + WIDTH - 1) // WIDTH
        right: dict[int, bytes] = {}
        for index in range(count):
            if len(self._problems) >= MAX_PROBLEMS:
                break
            if (found := self._tile(level, index, above)) is not None:
                right[index] = found
        return right

    def _tile(self, level: int, index: int, above: dict[int, bytes]) -> bytes | None:
        """Return the hashes of a tile if they are those that the tile above it promises."""
        width = width_of(self._head.size, level, index)
        try:
            found = self._tiles.get(level, index, width)
        except ProofRefused as wrong:
            self._add(tile_path(level, index, width), str(wrong))
            return None
        parent, at = divmod(index, WIDTH)
        promised = above.get(parent)
        if width == WIDTH and promised is not None and folded(found) != promised[at * HASH : (at + 1) * HASH]:
            over = tile_path(level + 1, parent, width_of(self._head.size, level + 1, parent))
            self._add(tile_path(level, index), f"it is not the tile that {over} has the hash of.")
            return None
        return found

    def _bundle(self, index: int, hashes: bytes | None) -> None:
        """Compare the entries of a bundle with the hashes of their tile, and look at each."""
        first = index * WIDTH
        width = min(WIDTH, self._head.size - first)
        try:
            entries = self._tiles.bundle(index, width)
        except ProofRefused as wrong:
            self._add(bundle_path(index, width), str(wrong))
            return
        found = b"".join([sha256(b"\0" + entry).digest() for entry in entries])
        if hashes is not None and found != hashes:
            for at in range(width):
                if found[at * HASH : (at + 1) * HASH] != hashes[at * HASH : (at + 1) * HASH]:
                    self._add(
                        f"entry {first + at}",
                        f"it was changed: {bundle_path(index, width)} does not have the entry that "
                        f"{tile_path(0, index, width)} has the hash of at {at}.",
                    )
        for number, what in self.entries.check(first, entries):
            self._add(f"entry {number}", f"{what}.")

    def _add(self, place: str, what: str) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(place, what))


def _decisions(
    folder: Path, tiles: FolderTiles, size: int, entries: EntryChecks, report: Report, pinned: PinnedKeys | None
) -> None:
    """Check each decision that is written down beside the log."""

    def entry(index: int, _leaf: str, _event: Mapping[str, object]) -> bytes:
        return tiles.entry(index, size)

    for path in sorted(folder.glob("*.json")):
        if len(report.problems) >= MAX_PROBLEMS:
            return
        name = f"{DECISIONS}/{path.name}"
        try:
            found = check(path.read_bytes(), entry, pinned=pinned, versions=entries.versions)
        except OSError as wrong:
            report.problems.append(Problem(name, f"it can't be read: {wrong.strerror}."))
            continue
        if not found.problems and path.stem != found.handoff:
            found.problems.append(f"it is of {found.handoff}")
        report.problems += [Problem(name, f"{each}.") for each in found.problems]
        report.add(found)


def _continued(since: bytes, keys: Sequence[VerifierKey], head: Checkpoint, tiles: FolderTiles) -> Checkpoint:
    """Return the old checkpoint, once the log is known to begin with its entries. Raises ProofRefused."""
    old = opened(since, keys).checkpoint
    if old.origin != head.origin:
        raise ProofRefused(f"The old checkpoint is of the log {old.origin}, not of {head.origin}.")
    if old.size > head.size:
        raise ProofRefused(
            f"The log had {old.size} entries and has {head.size} now: it was cut off, or is an older copy."
        )
    proof = Tree(head.size, tiles).consistency(old.size)
    verify_consistency(old.size, old.root, head.size, head.root, proof)
    return old


def _strangers(folder: Path, tiles: FolderTiles, size: int) -> list[Problem]:
    """Return the files among the tiles that the log does not have."""
    found: list[Problem] = []
    for path in sorted((folder / TILES).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.name.startswith("."):
            continue
        read = read_path(name)
        if read is None:
            found.append(Problem(name, "it is no file of a log: it was added."))
            continue
        level, index, width = read
        exists = width_of(size, level or 0, index)
        if width > exists:
            found.append(Problem(name, f"nothing signs what is after the {size} entries: {_ADDED}"))
        elif width < exists and not _is_prefix(tiles, level, index, width, exists):
            found.append(Problem(name, "the newer, longer one does not begin with what it has."))
    return found[:MAX_PROBLEMS]


def _is_prefix(tiles: FolderTiles, level: int | None, index: int, width: int, exists: int) -> bool:
    try:
        if level is None:
            return tiles.bundle(index, width) == tiles.bundle(index, exists)[:width]
        return tiles.get(level, index, width) == tiles.get(level, index, exists)[: width * HASH]
    except ProofRefused:
        return False
