"""Verifies the log in a store: the leaves against the tree, and what the store says against the leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from handoffs.core.errors import NotFound
from handoffs.core.events import Entry
from handoffs.core.leaf import SALT_BYTES, committed_in, opened_by, words_of
from handoffs.core.leaves import Grown, Leaf, Lined
from handoffs.core.model import Cursor, Handoff
from handoffs.core.person import is_of_person
from handoffs.proof.checkpoint import opened
from handoffs.proof.entry_checks import EntryChecks
from handoffs.proof.erasing import ERASED_SALT, rest_differs, rests
from handoffs.proof.growing import LoggedStore, StoreTiles, grow, head
from handoffs.proof.merkle import HASH, WIDTH, Frontier, Tree, leaf_hash
from handoffs.proof.notes import VerifierKey
from handoffs.proof.people_checks import PeopledStore, check_people
from handoffs.proof.proof_checks import verify_consistency
from handoffs.proof.recorded import Recorded, lined_with_files, recorded, with_kept_files
from handoffs.proof.refused import ProofRefused
from handoffs.proof.replaying import replayed
from handoffs.proof.verifying import MAX_PROBLEMS, Problem, Report

_PAGE = 200
_NO_WORD = '""'


class WholeStore(PeopledStore, Protocol):
    """A store whose handoffs and people can be gone through."""

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first."""
        ...


async def verify_store(
    store: WholeStore, origin: str, keys: Sequence[VerifierKey], since: bytes | None = None
) -> Report:
    """Return what is wrong with the log in a store; `since` is a signed checkpoint that was kept elsewhere.

    Raises:
        StoreError: The store can't be used.
    """
    report, seen = Report(), _Seen()
    try:
        grown = await grow(store)
        report.checkpoint = await head(store, origin, grown)
        await _leaves(store, grown, report, seen)
    except ProofRefused as wrong:
        report.problems.append(Problem("the tree", str(wrong)))
    else:
        await _continued(store, report, since, keys)
    await _people(store, report, seen)
    await _handoffs(store, report, seen)
    return report


async def _people(store: WholeStore, report: Report, seen: "_Seen") -> None:
    """Compare what the store says of its people with the lines about them."""
    checked = await check_people(store)
    report.people = checked.people
    report.erased_people = len(checked.erased)
    report.problems += [Problem(place, what) for place, what in checked.problems]
    if not seen.whole:
        return
    for number in sorted(each for each in seen.alive if is_of_person(each)):
        seen.alive.discard(number)
        if number not in checked.numbers:
            report.problems.append(Problem(number, "they have lines in the log, and were removed by hand."))


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What the leaves say, for what the store says."""

    entries: EntryChecks = field(default_factory=EntryChecks)
    whole: bool = False
    """Whether all of them were read."""
    number: int = -1
    """Of the last one."""
    alive: set[str] = field(default_factory=set[str])
    """The handoffs that have lines in the store."""


async def _leaves(store: LoggedStore, grown: Grown, report: Report, seen: _Seen) -> None:
    """Compare the leaves with the tree, and each with the one before."""
    frontier, entries, number, tile = Frontier(), seen.entries, -1, b""
    while frontier.size < grown.size and len(report.problems) < MAX_PROBLEMS:
        found = await store.leaves.after(number, limit=min(WIDTH, grown.size - frontier.size))
        if not found:
            raise ProofRefused(f"The store has {frontier.size} leaves, and the tree {grown.size}: some are gone.")
        place = frontier.size // WIDTH
        kept = await store.leaves.tile(0, place)
        tile = b"" if kept is None else kept.hashes
        texts = [leaf.text.encode() for leaf in found]
        for at, text in enumerate(texts):
            if leaf_hash(text) != tile[at * HASH : (at + 1) * HASH]:
                report.problems.append(
                    Problem(f"line {found[at].number}", "its leaf is not the one that the tree has the hash of.")
                )
        report.problems += [
            Problem(f"line {found[index - frontier.size].number}", f"{what}.")
            for index, what in entries.check(frontier.size, texts)
        ]
        for text in texts:
            frontier.append(leaf_hash(text))
        number = found[-1].number
        seen.alive |= {leaf.handoff_id for leaf in found if leaf.handoff_id}
    report.handoffs = entries.handoffs
    seen.whole, seen.number = frontier.size == grown.size and not report.problems, number
    if report.checkpoint is not None and not report.problems and frontier.root != report.checkpoint.root:
        raise ProofRefused("The leaves do not lead to the root of the tree: leaves or tiles were changed.")


async def _continued(store: LoggedStore, report: Report, since: bytes | None, keys: Sequence[VerifierKey]) -> None:
    """Check that the log begins with the entries of the old checkpoint."""
    now = report.checkpoint
    if since is None or now is None:
        return
    try:
        old = report.since = opened(since, keys).checkpoint
        if old.size > now.size:
            raise ProofRefused(f"The log had {old.size} entries and has {now.size} now: it was cut off.")
        proof = await StoreTiles(store.leaves).run(lambda tiles: Tree(now.size, tiles).consistency(old.size))
        verify_consistency(old.size, old.root, now.size, now.root, proof)
    except ProofRefused as wrong:
        report.problems.append(Problem("since", str(wrong)))


async def _handoffs(store: WholeStore, report: Report, seen: _Seen) -> None:
    """Compare what the store says of each handoff with its leaves."""
    before: Cursor | None = None
    older = 0
    while len(report.problems) < MAX_PROBLEMS:
        page = await store.newest(open_only=False, before=before, limit=_PAGE)
        lines: dict[str, list[Lined]] = {handoff.id: [] for handoff in page}
        for each in await store.leaves.lines(list(lines)):
            lines[each.entry.handoff_id].append(each)
        for handoff in page:
            seen.alive.discard(handoff.id)
            found, without = _compared(await with_kept_files(store, handoff), lines[handoff.id], seen)
            if found or len(lines[handoff.id]) != handoff.version:  # it may have changed between two reads
                try:
                    handoff, _ = await lined_with_files(store, handoff)
                    found, without = _compared(handoff, await store.leaves.lines([handoff.id]), seen)
                except NotFound:  # it was removed meanwhile
                    continue
            report.problems += [Problem(handoff.id, each) for each in found]
            report.decisions += 1
            report.erased += _erased(lines[handoff.id])
            older += without
        if len(page) < _PAGE:
            break
        before = Cursor(created_at=page[-1].created_at, id=page[-1].id)
    if len(report.problems) >= MAX_PROBLEMS:
        return
    if seen.whole and older > seen.entries.older:
        said = f"{older:,} lines have no leaf"
        if seen.entries.older:
            said += f", and only {seen.entries.older:,} are older than the log"
        report.problems.append(Problem("the log", f"{said}: lines were added by hand."))
    for handoff_id in sorted(seen.alive):
        if await store.leaves.of(handoff_id) and not await _is_there(store, handoff_id):
            report.problems.append(Problem(handoff_id, "it has lines in the log, and was removed by hand."))


async def _is_there(store: LoggedStore, handoff_id: str) -> bool:
    try:
        await store.get(handoff_id)
    except NotFound:
        return False
    return True


def _compared(handoff: Handoff, lines: Sequence[Lined], seen: _Seen) -> tuple[list[str], int]:
    """Return how a handoff differs from its leaves, and how many of its lines have none."""
    entries = [each.entry for each in lines]
    leaves = [each.leaf for each in lines if each.leaf is not None]
    found = differences(handoff, entries, leaves)
    if not found and seen.whole:
        versions = [at for at, entry in enumerate(entries, 1) if entry.number <= seen.number]
        logged = seen.entries.versions(handoff.id)
        if logged is not None and logged[1] != (versions[-1] if versions else 0):
            found = ["the log has an entry of it that is not among its lines: it was added by hand."]
    return found, len(entries) - len(leaves)


def differences(handoff: Handoff, entries: Sequence[Entry], leaves: Sequence[Leaf]) -> list[str]:
    """Return in words how a handoff differs from its leaves."""
    found: list[str] = []
    by_number = {leaf.number: leaf for leaf in leaves if leaf.text}
    try:
        events, left = list(recorded(handoff, entries)), rests(entries)
    except ValueError as wrong:
        return [f"{wrong}."]
    if not events:
        return ["it has no line in the log: it was added by hand."]
    for each in events:
        leaf = by_number.get(each.number)
        if leaf is None:
            continue
        try:
            differ = _differs(leaf, each, left.get(each.after.version))
        except ValueError as wrong:
            found.append(f"line {each.number}: its leaf can't be read: {wrong}.")
            continue
        if differ:
            found.append(f"line {each.number} ({each.event.name}): {', '.join(differ)} is not what the log has.")
    last = events[-1].after
    if (last.state, last.version) != (handoff.state, handoff.version):
        found.append(
            f"it is {handoff.state.value} in version {handoff.version}, and by the log {last.state.value} in version "
            f"{last.version}."
        )
    if not found:
        found += replayed(handoff, events, by_number)
    return found


def _erased(lines: Sequence[Lined]) -> list[int]:
    """Return the numbers of the lines whose words were erased."""
    return [each.entry.number for each in lines if each.leaf is not None and each.leaf.salt.startswith(ERASED_SALT)]


def _differs(leaf: Leaf, each: Recorded, left: str | None) -> list[str]:
    """Return the names of what is not as a leaf has it. Raises ValueError: it can't be read."""
    text = leaf.text.encode()
    if leaf.salt.startswith(ERASED_SALT):
        # Nothing opens what it commits to: what is left is committed to in the line of the erasure.
        differ = [name for name in opened_by(text, each.after, each.event, bytes(SALT_BYTES)) if name != "committed"]
        gone = committed_in(text)
        found = [name for name in differ if name not in gone]
        return [*found, "what is left of it"] if rest_differs(each, leaf.salt, left) else found
    salt = bytes.fromhex(leaf.salt or "00" * SALT_BYTES)
    differ = [name for name in opened_by(text, each.after, each.event, salt) if name not in each.unkept]
    if leaf.salt:
        return differ
    # Nothing opens the commitments: so the words should be gone, too.
    committed, words = committed_in(text), words_of(each.after, each.event)
    kept = {name for name in committed if words.get(name, _NO_WORD) != _NO_WORD}
    return sorted(name for name in differ if name not in committed or name in kept)
