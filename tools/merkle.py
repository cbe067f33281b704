"""Merkle trees over a growing list, after RFC 6962: one root for all entries, and short proofs against it.

Leaves and inner nodes are hashed under different first bytes, so that neither can
pass for the other. The tree over n entries is two complete trees side by side,
each split again at the largest power of two: growing never changes what is complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

EMPTY_ROOT = hashlib.sha256().digest()

Subtree = Callable[[int, int], bytes]
"""The root of the complete subtree `index` of 2 ** `level` leaves: of leaves `index << level` and on."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that grows leaf by leaf, kept as the roots of its complete subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append the hash of one more entry."""
        self.size += 1
        peaks, merges = self._peaks, self.size
        while not merges & 1:
            leaf = hashlib.sha256(b"\1" + peaks.pop() + leaf).digest()
            merges >>= 1
        peaks.append(leaf)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append the hashes of many entries, level by level: the same tree as one by one, with less work for each."""
        nodes, sha256, before = list(leaves), hashlib.sha256, self.size
        self.size += len(nodes)
        peaks: list[bytes] = []
        while nodes:
            if before & 1:
                nodes.insert(0, self._peaks.pop())
            if len(nodes) & 1:
                peaks.append(nodes.pop())
            pairs = iter(nodes)
            nodes = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            before >>= 1
        self._peaks += reversed(peaks)

    @property
    def root(self) -> bytes:
        """The root over everything so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def complete_root(nodes: Sequence[bytes]) -> bytes:
    """The root over a power of two of subtrees of one size. Raises ValueError for another number."""
    if len(nodes) < 1 or len(nodes) & (len(nodes) - 1):
        raise ValueError(f"{len(nodes)} subtrees make no complete tree")
    while len(nodes) > 1:
        nodes = [node_hash(nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
    return nodes[0]


def range_root(start: int, end: int, subtree: Subtree) -> bytes:
    """The root over the leaves from `start` to before `end`, where `start` is where a subtree begins."""
    size = end - start
    if size == 0:
        return EMPTY_ROOT
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return subtree(level, start >> level)
    split = _split(size)
    return node_hash(range_root(start, start + split, subtree), range_root(start + split, end, subtree))


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The nodes that lead from entry `index` to the root over `size` entries, the lowest first. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"there is no entry {index} among {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(range_root(middle, end, subtree))
            end = middle
        else:
            proof.append(range_root(start, middle, subtree))
            start = middle
    return proof[::-1]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the hash of entry `index` to the root over `size` entries."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for node in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(node, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(older: int, newer: int, subtree: Subtree) -> list[bytes]:
    """The nodes that show that the tree over `older` entries is the beginning of that over `newer`. Raises ValueError."""
    if not 0 < older <= newer:
        raise ValueError(f"a tree over {newer} entries does not begin with one over {older}")
    proof: list[bytes] = []
    start, end, is_whole = 0, newer, True
    while end > older:
        middle = start + _split(end - start)
        if older <= middle:
            proof.append(range_root(middle, end, subtree))
            end = middle
        else:
            proof.append(range_root(start, middle, subtree))
            start, is_whole = middle, False
    if not is_whole:
        proof.append(range_root(start, end, subtree))
    return proof[::-1]


def is_consistent(older: int, older_root: bytes, newer: int, newer_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the older tree is the beginning of the newer one."""
    if older == newer:
        return not proof and older_root == newer_root
    if not 0 < older < newer or not proof:
        return False
    nodes = list(proof)
    if older & (older - 1) == 0:
        nodes.insert(0, older_root)
    at, last = older - 1, newer - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, node)
        at, last = at >> 1, last >> 1
    return last == 0 and old == older_root and new == newer_root


def _split(size: int) -> int:
    """The largest power of two below `size`: where RFC 6962 divides a tree in two."""
    return 1 << ((size - 1).bit_length() - 1)
