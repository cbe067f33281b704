"""Merkle trees: the known answers of RFC 6962, and no proof but the right one is believed."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.merkle import (
    EMPTY_ROOT,
    Frontier,
    Subtree,
    complete_root,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    range_root,
)

# The test vectors of Certificate Transparency's reference implementation.
ENTRIES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                            "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 70)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


def over(hashes: list[bytes]) -> Subtree:
    return lambda level, index: complete_root(hashes[index << level : (index + 1) << level])


def root_of(size: int) -> bytes:
    return range_root(0, size, over(leaves(size)))


def test_the_roots_are_the_known_ones() -> None:
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT == Frontier().root == range_root(0, 0, over([]))
    hashes = [leaf_hash(entry) for entry in ENTRIES]
    growing = Frontier()
    for size, root in enumerate(ROOTS, start=1):
        growing.add(hashes[size - 1])
        assert growing.root.hex() == root
        assert range_root(0, size, over(hashes)).hex() == root


def test_known_proofs() -> None:
    hashes = [leaf_hash(entry) for entry in ENTRIES]
    proof = inclusion_proof(5, 8, over(hashes))
    assert [node.hex()[:16] for node in proof] == ["bc1a0643b12e4d2d", "ca854ea128ed050b", "d37ee418976dd957"]
    proof = consistency_proof(6, 8, over(hashes))
    assert [node.hex()[:16] for node in proof] == ["0ebc5d3437fbe2db", "ca854ea128ed050b", "d37ee418976dd957"]


def test_a_leaf_and_a_node_never_have_the_same_hash() -> None:
    left, right = leaves(2)
    assert leaf_hash(left + right) != node_hash(left, right)


@given(size=SIZES, data=st.data())
def test_every_entry_is_included_at_its_own_place_only(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    proof = inclusion_proof(index, size, over(hashes))
    assert is_included(hashes[index], index, size, proof, root_of(size))
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index)) if size > 1 else size
    assert not is_included(hashes[index], other, size, proof, root_of(size))
    assert not is_included(leaf_hash(b"another"), index, size, proof, root_of(size))
    assert not is_included(hashes[index], index, size, [*proof, proof[0] if proof else b""], root_of(size))
    for dropped in range(len(proof)):
        assert not is_included(hashes[index], index, size, proof[:dropped] + proof[dropped + 1 :], root_of(size))


@given(older=SIZES, grown=st.integers(0, 70))
def test_a_tree_is_the_beginning_of_what_it_grows_into_and_of_nothing_else(older: int, grown: int) -> None:
    newer = older + grown
    proof = consistency_proof(older, newer, over(leaves(newer)))
    assert is_consistent(older, root_of(older), newer, root_of(newer), proof)
    assert not is_consistent(older, leaf_hash(b"another"), newer, root_of(newer), proof)
    assert not is_consistent(older, root_of(older), newer, leaf_hash(b"another"), proof)
    assert not is_consistent(older, root_of(older), newer, root_of(newer), [*proof, root_of(1)])
    for dropped in range(len(proof)):
        assert not is_consistent(older, root_of(older), newer, root_of(newer), proof[:dropped] + proof[dropped + 1 :])


@given(older=st.integers(1, 40), grown=st.integers(1, 40), changed=st.integers(0, 39))
def test_a_changed_past_is_never_consistent(older: int, grown: int, changed: int) -> None:
    newer, changed = older + grown, changed % older
    hashes = leaves(newer)
    hashes[changed] = leaf_hash(b"rewritten")
    root = range_root(0, newer, over(hashes))
    assert not is_consistent(older, root_of(older), newer, root, consistency_proof(older, newer, over(hashes)))


def test_proofs_of_nothing_are_refused() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="no entry"):
            inclusion_proof(index, size, over(leaves(3)))
        assert not is_included(leaf_hash(b"0"), index, size, [], root_of(1))
    for older, newer in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="begin"):
            consistency_proof(older, newer, over(leaves(3)))
        assert not is_consistent(older, EMPTY_ROOT, newer, root_of(3), [])
    with pytest.raises(ValueError, match="complete"):
        complete_root(leaves(3))


def test_a_growing_tree_and_its_pieces_have_one_root() -> None:
    growing, hashes = Frontier(), leaves(300)
    for leaf, size in zip(hashes, range(1, 301), strict=True):
        growing.add(leaf)
        assert growing.size == size
        assert growing.root == range_root(0, size, over(hashes))
    roots = [root_of(size) for size in range(1, 40)]
    assert all(first != second for first, second in pairwise(roots))


@given(pieces=st.lists(st.integers(0, 40), max_size=8))
def test_a_tree_that_grows_by_many_leaves_at_once_is_the_same_tree(pieces: list[int]) -> None:
    growing, hashes, done = Frontier(), leaves(sum(pieces)), 0
    for size in pieces:
        growing.extend(hashes[done : done + size])
        done += size
        assert (growing.size, growing.root) == (done, range_root(0, done, over(hashes)))
        one = Frontier()
        for leaf in hashes[:done]:
            one.add(leaf)
        assert growing._peaks == one._peaks
