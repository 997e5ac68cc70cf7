"""Writes a store's log down, for others to check: the folder of it, and one decision with all that belongs to it.

The secrets in the arguments of a held call are kept back, with all texts that may hold them, unless they are wanted.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from handoffs.core.deciders import content_digest
from handoffs.core.decision import Assertion, Decision
from handoffs.core.document import redacted
from handoffs.core.errors import NotFound
from handoffs.core.events import Erased
from handoffs.core.leaf import words_of
from handoffs.core.leaves import Grown, Leaf
from handoffs.core.model import Handoff, State
from handoffs.core.voting import content_of
from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.decisions import DECISIONS, VERSION
from handoffs.proof.erasing import ERASED_SALT
from handoffs.proof.export import FolderWriter
from handoffs.proof.files import put
from handoffs.proof.growing import Indices, LoggedStore, grow, head, inclusion
from handoffs.proof.merkle import WIDTH
from handoffs.proof.notes import SigningKey
from handoffs.proof.people_checks import PeopledStore
from handoffs.proof.recorded import Recorded, lined_with_files, recorded
from handoffs.proof.refused import ProofRefused

_HELD = frozenset({"message", "form", "arguments", "values"})
"""What may hold the secrets of a held call."""
_STEP = 1000
_GONE: Mapping[str, object] = {}
_NAMED = re.compile(r'"handoff":"([A-Za-z0-9_]+)","state":')


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What an export did."""

    checkpoint: Checkpoint
    written: int
    """How many files of the log were written."""
    decisions: int
    """How many decisions were written."""


async def signed_head(store: LoggedStore, key: SigningKey) -> tuple[Checkpoint, bytes]:
    """Return the head of the log with all that was recorded until now, and the same, signed.

    Raises:
        ProofRefused: The tree in the store was changed.
        StoreError: The store can't be used.
    """
    checkpoint = await head(store, key.verifier.name, await grow(store))
    return checkpoint, checkpoint.signed(key)


async def export(
    store: PeopledStore, folder: Path, key: SigningKey, *, server_id: str, words: bool = True, secret: bool = False
) -> Exported:
    """Write the log into a folder, or what is new of it, with each decision, if the `words` are wanted.

    Raises:
        ProofRefused: The folder, or the tree in the store, does not go with the log.
        OSError: A file can't be written.
        StoreError: The store can't be used.
    """
    await anyio.to_thread.run_sync(lambda: folder.mkdir(mode=0o700, parents=True, exist_ok=True))
    writer = await anyio.to_thread.run_sync(FolderWriter, folder)
    grown = await grow(store)
    checkpoint = await head(store, key.verifier.name, grown)
    if writer.size > checkpoint.size:
        raise ProofRefused(f"{folder} has {writer.size} entries, and the log has {checkpoint.size}: it was cut off.")
    number, indices = await _number_of(store, writer.size), Indices(store.leaves)
    # An export without words was the last one: then those of all entries are wanted.
    changed = await _handoffs(store, number) if words and not (folder / DECISIONS).is_dir() else dict[str, None]()
    while writer.size < checkpoint.size:
        leaves = await store.leaves.after(number, limit=min(WIDTH, checkpoint.size - writer.size))
        if not leaves or not all(leaf.text for leaf in leaves):
            raise ProofRefused("Leaves of the log are gone from the store: it was changed by hand.")
        indices.know(leaves, writer.size)
        await anyio.to_thread.run_sync(writer.append, [leaf.text.encode() for leaf in leaves])
        number = leaves[-1].number
        changed |= dict.fromkeys(leaf.handoff_id or _named(leaf.text) for leaf in leaves)
    decisions = 0
    # Before the checkpoint: an export that is cut off writes them again.
    for handoff_id in changed:
        path = folder / DECISIONS / f"{handoff_id}.json"
        told = await _decided(store, handoff_id, grown, indices, server_id, secret=secret) if words else _GONE
        if told is _GONE:  # what an earlier export wrote of it has not all entries
            await anyio.to_thread.run_sync(_remove, path)
        elif told:
            await anyio.to_thread.run_sync(_put, path, told)
            decisions += 1
    await anyio.to_thread.run_sync(writer.publish, checkpoint.signed(key))
    return Exported(checkpoint=checkpoint, written=writer.written, decisions=decisions)


async def proof_of(
    store: PeopledStore, handoff: Handoff, key: SigningKey, *, server_id: str, secret: bool = False
) -> dict[str, object]:
    """Return one decision with the proofs that it is in the log. Raises NotFound, ProofRefused or StoreError."""
    while True:
        grown = await grow(store)
        whole = await decision(
            store, handoff, grown, Indices(store.leaves), server_id=server_id, secret=secret, paths=True
        )
        if whole is not None:
            break
        handoff = await store.get(handoff.id)  # it was decided since the tree was built
    if not whole["events"]:
        raise ProofRefused(f"{handoff.id} ended before the log began: it has no entries.")
    checkpoint = await head(store, key.verifier.name, grown)
    return whole | {"log": {"vkey": str(key.verifier), "checkpoint": checkpoint.signed(key).decode()}}


async def decision(
    store: PeopledStore,
    handoff: Handoff,
    grown: Grown,
    indices: Indices,
    *,
    server_id: str,
    secret: bool = False,
    paths: bool = False,
) -> dict[str, object] | None:
    """Return one decision as `decisions` describes it, by a log of this size; with `paths`, with the proofs for it.

    Returns None if it is decided, and was not yet in a log of this size. Raises NotFound: it was removed meanwhile.
    """
    handoff, entries = await lined_with_files(store, handoff)
    leaves = {leaf.number: leaf for leaf in await store.leaves.of(handoff.id) if leaf.number <= grown.number}
    closed = frozenset[str]() if secret or redacted(handoff) == handoff else _HELD
    try:
        events = [each for each in recorded(handoff, entries) if each.number in leaves]
    except ValueError as wrong:
        raise ProofRefused(f"The log of {handoff.id} can't be read: {wrong}.") from None
    if (events[-1].after.state if events else State.OPEN) is not handoff.state and entries[-1].number > grown.number:
        return None
    told: list[object] = []
    for each in events:
        leaf = leaves[each.number]
        index = await indices.of(leaf)
        proof = {"path": list(map(_base64, await inclusion(store.leaves, index, grown.size)))} if paths else {}
        told.append(
            {
                "index": index,
                "leaf": leaf.text,
                "salt": "" if leaf.salt.startswith(ERASED_SALT) else leaf.salt,
                "words": _words(each, leaf, closed),
                **proof,
            }
        )
    # What was signed has words that were erased, of somebody else, too.
    erased = any(each.event.name == Erased.name for each in events)
    signatures: Sequence[object] = [] if closed or erased else await _signatures(store, handoff, server_id)
    return {"v": VERSION, "handoff": handoff.id, "events": told, "signatures": signatures}


def _words(each: Recorded, leaf: Leaf, closed: frozenset[str]) -> dict[str, str]:
    if not leaf.salt or leaf.salt.startswith(ERASED_SALT):
        return {}
    hidden = closed | each.unkept
    return {name: word for name, word in words_of(each.after, each.event).items() if name not in hidden}


async def _signatures(store: PeopledStore, handoff: Handoff, server_id: str) -> Sequence[object]:
    found: list[object] = []
    content = None if handoff.values is None else content_of(handoff, handoff.values)
    if content is None:
        return found
    digest = content_digest(handoff.fingerprint, content, handoff.other, handoff.attachments)
    for vote in handoff.votes:
        if not vote.proof or vote.digest != digest:  # a vote for something else was signed, too: it decided nothing
            continue
        try:
            assertion = Assertion.loads(vote.proof)
        except ValueError:
            continue
        known = await store.people.key(assertion.credential_id)
        signed = Decision(
            handoff=handoff, values=content, other=handoff.other, attachments=handoff.attachments,
            person=vote.person, for_=vote.for_, server_id=server_id, ticket=assertion.ticket,
        ).signed.decode()  # fmt: skip
        public_key = "" if known is None else _base64url(known.public_key)
        found.append({"person": vote.person, "signed": signed, "assertion": vote.proof, "public_key": public_key})
    return found


async def _number_of(store: LoggedStore, size: int) -> int:
    """Return the number of the event whose leaf is the last of a log of this size; -1 for an empty one."""
    if size == 0:
        return -1
    place, at = divmod(size - 1, WIDTH)
    tile = await store.leaves.tile(0, place)
    beside: Sequence[Leaf] = [] if tile is None else await store.leaves.after(tile.first_number - 1, limit=at + 1)
    if len(beside) <= at:
        raise ProofRefused("The tree in the store lacks leaves that the folder has: it was changed by hand.")
    return beside[at].number


async def _decided(
    store: PeopledStore, handoff_id: str, grown: Grown, indices: Indices, server_id: str, *, secret: bool
) -> Mapping[str, object]:
    """Return a decision as it is written down; `_GONE` if its words were pruned, an empty one if it is still open."""
    try:
        handoff = await store.get(handoff_id)
        if handoff.state is State.OPEN:
            return {}
        return await decision(store, handoff, grown, indices, server_id=server_id, secret=secret) or {}
    except NotFound:
        return _GONE


async def _handoffs(store: LoggedStore, last: int) -> dict[str, None]:
    """Return the ids of all handoffs with leaves up to this number."""
    found, number = dict[str, None](), -1
    while number < last:
        leaves = await store.leaves.after(number, limit=_STEP)
        found |= dict.fromkeys(leaf.handoff_id for leaf in leaves if leaf.handoff_id and leaf.number <= last)
        number = leaves[-1].number if leaves else last
    return found


def _named(leaf: str) -> str:
    """Return of which handoff a leaf is whose event was removed; "-" if of none."""
    named = _NAMED.search(leaf)
    return named[1] if named else "-"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _put(path: Path, whole: Mapping[str, object]) -> None:
    put(path, f"{json.dumps(whole, indent=1)}\n".encode(), private=True)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _base64url(data: bytes) -> str:
    return b64encode(data, altchars=b"-_").rstrip(b"=").decode()
