"""Checks of proofs: that an entry is in a tree, and that a tree begins with an older one.

These are the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2. They share no code with those that make the proofs.
"""

from collections.abc import Sequence

from handoffs.proof.merkle import EMPTY, node_hash
from handoffs.proof.refused import ProofRefused


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the hash `leaf` is entry `index` of the tree of this size and root. Raises ProofRefused."""
    if not 0 <= index < size:
        raise ProofRefused(f"There is no entry {index} in a log of {size}.")
    if len(proof) != (wanted := _length(index, size)):
        raise ProofRefused(
            f"The proof of entry {index} in a log of {size} has {len(proof)} hashes instead of {wanted}."
        )
    node, last = leaf, size - 1
    for each in proof:
        if index & 1 or index == last:
            node = node_hash(each, node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, each)
        index, last = index >> 1, last >> 1
    if node != root:
        raise ProofRefused("The proof does not lead to the root: it is of another entry, another place or another log.")


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of this size and root begins with the old one. Raises ProofRefused."""
    if not 0 <= old_size <= size:
        raise ProofRefused(f"A log of {size} entries does not begin with one of {old_size}: it was cut off.")
    if old_size in {0, size}:
        if proof:
            raise ProofRefused("The proof of consistency should be empty.")
        if old_root != (EMPTY if old_size == 0 else root):
            raise ProofRefused(f"Two logs of {old_size} entries differ." if old_size else "The old root is of no tree.")
        return
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    first, last = old_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    if not path:
        raise ProofRefused("The proof of consistency is empty.")
    old = new = path[0]
    for each in path[1:]:
        if last == 0:
            raise ProofRefused("The proof of consistency is too long.")
        if first & 1 or first == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new = node_hash(new, each)
        first, last = first >> 1, last >> 1
    if last != 0:
        raise ProofRefused("The proof of consistency is too short.")
    if old != old_root or new != root:
        raise ProofRefused(f"The log of {size} entries does not begin with the one of {old_size}: it was rewritten.")


def _length(index: int, size: int) -> int:
    """Return the length of an inclusion proof."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()
