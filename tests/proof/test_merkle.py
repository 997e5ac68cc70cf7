import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoffs.proof.merkle import EMPTY, Frontier, Tree, leaf_hash, tiles_of
from handoffs.proof.proof_checks import verify_consistency, verify_inclusion
from handoffs.proof.refused import ProofRefused
from tests.proof.naive import MemoryTiles, leaves_of, path_of, root_of, subproof

EDGES = [0, 1, 2, 255, 256, 257, 511, 512, 513, 600]


def tree_of(size: int) -> Tree:
    return Tree(size, MemoryTiles(leaves_of(size)))


def test_the_root_of_every_size_is_the_naive_one() -> None:
    frontier, leaves = Frontier(), leaves_of(600)
    assert frontier.root == EMPTY
    tree = tree_of(600)
    for size, leaf in enumerate(leaves, 1):
        frontier.append(leaf_hash(leaf))
        if size % 7 == 0 or size in EDGES:
            expected = root_of(leaves[:size])
            assert frontier.root == expected
            assert tree.root(size) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=300))
def test_the_root_of_any_leaves_is_the_naive_one(leaves: list[bytes]) -> None:
    tiles = MemoryTiles(leaves)
    assert tiles.frontier.root == root_of(leaves) == Tree(len(leaves), tiles).root()


@pytest.mark.parametrize("size", EDGES)
def test_a_frontier_that_is_read_goes_on_as_the_one_that_was_kept(size: int) -> None:
    kept = MemoryTiles(leaves_of(size))
    read = Frontier.read(size, kept)
    assert read.root == kept.frontier.root
    assert read.partial() == kept.frontier.partial()
    for number in range(300):
        leaf = leaf_hash(b"later %d" % number)
        assert read.append(leaf) == kept.frontier.append(leaf)
    assert read.root == kept.frontier.root


def test_the_tiles_of_a_size_are_those_of_the_specification() -> None:
    found = [(level, width) for level, _, width in tiles_of(70_000)]
    assert found.count((0, 256)) == 273
    assert [each for each in found if each != (0, 256)] == [(0, 112), (1, 256), (1, 17), (2, 1)]
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_inclusion_of_every_entry_in_every_size_up_to_70() -> None:
    leaves = leaves_of(70)
    tree = tree_of(70)
    for size in range(1, 71):
        root = root_of(leaves[:size])
        for index in range(size):
            proof = tree.inclusion(index, size)
            assert proof == path_of(index, leaves[:size])
            verify_inclusion(leaf_hash(leaves[index]), index, size, proof, root)


def test_consistency_of_all_pairs_of_sizes_up_to_70() -> None:
    leaves = leaves_of(70)
    tree = tree_of(70)
    for size in range(71):
        for old in range(size + 1):
            proof = tree.consistency(old, size)
            assert proof == (subproof(old, leaves[:size]) if old else [])
            verify_consistency(old, root_of(leaves[:old]), size, root_of(leaves[:size]), proof)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_proofs_in_larger_trees_hold_and_read_few_tiles(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 1_500))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    tiles = MemoryTiles(leaves_of(size))
    tree = Tree(size, tiles)
    root, old_root = tree.root(), tree.root(old)
    tiles.read.clear()
    verify_inclusion(leaf_hash(b"entry %d" % index), index, size, tree.inclusion(index), root)
    assert len({each[:2] for each in tiles.read}) <= 4
    verify_consistency(old, old_root, size, root, tree.consistency(old))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_proof_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    tree, leaves = tree_of(size), leaves_of(size)
    index, root = data.draw(st.integers(0, size - 1)), tree.root()
    proof = tree.inclusion(index)
    leaf = leaf_hash(leaves[index])
    place = data.draw(st.integers(0, len(proof) - 1))
    other = [*proof[:place], leaf_hash(b"other"), *proof[place + 1 :]]
    elsewhere = data.draw(st.integers(-1, size).filter(lambda each: each != index))
    for wrong in (
        lambda: verify_inclusion(leaf_hash(b"other"), index, size, proof, root),
        lambda: verify_inclusion(leaf, elsewhere, size, proof, root),
        lambda: verify_inclusion(leaf, index, size, other, root),
        lambda: verify_inclusion(leaf, index, size, proof[:-1], root),
        lambda: verify_inclusion(leaf, index, size, [*proof, proof[0]], root),
        lambda: verify_inclusion(leaf, index, size, proof, leaf_hash(b"other")),
    ):
        with pytest.raises(ProofRefused):
            wrong()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_history_that_was_rewritten_or_cut_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, size - 1))
    tree, other = tree_of(size), leaf_hash(b"other")
    old_root, root, proof = tree.root(old), tree.root(), tree.consistency(old)
    place = data.draw(st.integers(0, len(proof) - 1))
    for wrong in (
        lambda: verify_consistency(old, other, size, root, proof),
        lambda: verify_consistency(old, old_root, size, other, proof),
        lambda: verify_consistency(old, old_root, size, root, proof[:-1]),
        lambda: verify_consistency(old, old_root, size, root, [*proof, other]),
        lambda: verify_consistency(old, old_root, size, root, [*proof[:place], other, *proof[place + 1 :]]),
        lambda: verify_consistency(size, root, old, old_root, proof),
        lambda: verify_consistency(size, root, size, old_root, []),
        lambda: verify_consistency(size, root, size, root, proof),
        lambda: verify_consistency(0, other, size, root, []),
    ):
        with pytest.raises(ProofRefused):
            wrong()


def test_what_a_tree_does_not_have_is_said() -> None:
    tree = tree_of(3)
    with pytest.raises(ProofRefused, match="There is no entry 3 in a log of 3"):
        tree.inclusion(3)
    with pytest.raises(ProofRefused, match="The log has 3 entries, not 4"):
        tree.root(4)
    with pytest.raises(ProofRefused, match="A log of 2 entries does not begin with one of 3"):
        tree.consistency(3, 2)
