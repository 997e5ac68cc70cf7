"""Verifies the log in a store: the leaves against the tree, and what the store says against the leaves."""

from collections.abc import Sequence
from typing import Protocol

from handoffs.core.events import Entry
from handoffs.core.leaf import opened_by
from handoffs.core.leaves import Grown, Leaf
from handoffs.core.model import Cursor, Handoff
from handoffs.proof.checkpoint import opened
from handoffs.proof.entry_checks import EntryChecks
from handoffs.proof.growing import LoggedStore, StoreTiles, grow, head
from handoffs.proof.merkle import HASH, WIDTH, Frontier, Tree, leaf_hash
from handoffs.proof.notes import VerifierKey
from handoffs.proof.proof_checks import verify_consistency
from handoffs.proof.recorded import recorded
from handoffs.proof.refused import ProofRefused
from handoffs.proof.verifying import MAX_PROBLEMS, Problem, Report

_PAGE = 200
_MOST_LINES = 100_000


class WholeStore(LoggedStore, Protocol):
    """A store whose handoffs can be gone through."""

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
    report = Report()
    try:
        grown = await grow(store)
        report.checkpoint = await head(store, origin, grown)
        await _leaves(store, grown, report)
        if since is not None:
            report.since = opened(since, keys).checkpoint
            await _continued(store, report)
    except ProofRefused as wrong:
        report.problems.append(Problem("the tree" if report.since is None else "since", str(wrong)))
    await _handoffs(store, report)
    return report


async def _leaves(store: LoggedStore, grown: Grown, report: Report) -> None:
    """Compare the leaves with the tree, and each with the one before."""
    frontier, entries, number, tile = Frontier(), EntryChecks(), -1, b""
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
    report.handoffs = entries.handoffs
    if report.checkpoint is not None and not report.problems and frontier.root != report.checkpoint.root:
        raise ProofRefused("The leaves do not lead to the root of the tree: leaves or tiles were changed.")


async def _continued(store: LoggedStore, report: Report) -> None:
    """Check that the log begins with the entries of the old checkpoint. Raises ProofRefused."""
    old, now = report.since, report.checkpoint
    if old is None or now is None:
        return
    if old.size > now.size:
        raise ProofRefused(f"The log had {old.size} entries and has {now.size} now: it was cut off.")
    proof = await StoreTiles(store.leaves).run(lambda tiles: Tree(now.size, tiles).consistency(old.size))
    verify_consistency(old.size, old.root, now.size, now.root, proof)


async def _handoffs(store: WholeStore, report: Report) -> None:
    """Compare what the store says of each handoff with its leaves."""
    before: Cursor | None = None
    while len(report.problems) < MAX_PROBLEMS:
        page = await store.newest(open_only=False, before=before, limit=_PAGE)
        for handoff in page:
            found, closed = await _compared(store, handoff)
            if found:  # it may have changed between two reads
                found, closed = await _compared(store, await store.get(handoff.id))
            report.problems += [Problem(handoff.id, each) for each in found]
            report.decisions += 1
            report.closed += closed
        if len(page) < _PAGE:
            return
        before = Cursor(created_at=page[-1].created_at, id=page[-1].id)


async def _compared(store: LoggedStore, handoff: Handoff) -> tuple[list[str], bool]:
    """Return how a handoff differs from its leaves, and whether words of it were erased."""
    leaves = await store.leaves.of(handoff.id)
    entries = await store.log(handoff_id=handoff.id, limit=_MOST_LINES)
    return differences(handoff, entries, leaves), any(not leaf.salt for leaf in leaves)


def differences(handoff: Handoff, entries: Sequence[Entry], leaves: Sequence[Leaf]) -> list[str]:
    """Return in words how a handoff differs from its leaves."""
    found: list[str] = []
    by_number = {leaf.number: leaf for leaf in leaves}
    try:
        events = list(recorded(handoff, entries))
    except ValueError as wrong:
        return [f"{wrong}."]
    if not events:
        return ["it has no line in the log: it was added by hand."]
    for each in events:
        leaf = by_number.get(each.number)
        if leaf is None or not leaf.salt:
            continue
        try:
            differ = [
                name
                for name in opened_by(leaf.text.encode(), each.after, each.event, bytes.fromhex(leaf.salt))
                if name not in each.unkept
            ]
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
    return found
