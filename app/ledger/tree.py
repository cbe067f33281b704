"""The order over all events, and the Merkle tree over it.

A sequence number says nothing about the order of commits: a transaction may draw 7 and
commit after the one that drew 8. So positions are not drawn while events are appended.
They are given afterwards, by one placer at a time, to events that have committed; what
commits later comes behind. Nothing ever slips in below a position that was given, and
within a stream the order is that of its sequence.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

from app.errors import ConflictError
from tools.merkle import Subtree, complete_root, leaf_hash, range_root

LEVELS_APART = 8
"""Roots of complete subtrees are kept for every eighth level: a proof needs 255 leaves at most, not all of them."""
PLACED_MAX = 20_000
_GROUP = 1 << LEVELS_APART
_LOCK_KEY = 0x6C6564676572  # "ledger"

_PLACE = text("""
    with taken as (
      delete from ledger_unplaced where no in (select no from ledger_unplaced order by no limit :most)
      returning no, stream, seq
    ), before as (select coalesce(max(position), -1) as last from ledger_leaf)
    insert into ledger_leaf (position, stream, seq, event_hash)
    select before.last + row_number() over (order by taken.no), stream, seq, event.hash
    from taken join ledger_event event using (stream, seq), before
    returning position
""")


def place(session: Session) -> int:
    """Give every committed event its position, in one transaction that does nothing else. Returns the size of the tree.

    The lock is taken by a statement of its own: only what follows it sees what the placer before has done.
    """
    connection = session.connection()
    connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    while len(connection.execute(_PLACE, {"most": PLACED_MAX}).all()) == PLACED_MAX:
        pass
    size: int = connection.execute(text("select coalesce(max(position), -1) + 1 from ledger_leaf")).scalar_one()
    return size


_KEPT = text("select coalesce(max(index), -1) + 1 from ledger_node where level = :level")
_KEEP = text("insert into ledger_node (level, index, hash) values (:level, :index, :hash)")


def grow(session: Session, size: int) -> None:
    """Keep the roots of the subtrees that have become complete. The caller holds the placer's lock."""
    connection = session.connection()
    level = LEVELS_APART
    while size >> level:
        kept = connection.execute(_KEPT, {"level": level}).scalar_one()
        for index in range(kept, size >> level):
            root = complete_root(_hashes(session, level - LEVELS_APART, index * _GROUP, _GROUP))
            connection.execute(_KEEP, {"level": level, "index": index, "hash": root})
        level += LEVELS_APART


_LEAVES = text("select event_hash from ledger_leaf where position >= :first and position < :end order by position")
_NODES = text("select hash from ledger_node where level = :level and index >= :first and index < :end order by index")


def _hashes(session: Session, level: int, first: int, count: int) -> list[bytes]:
    """The roots of subtrees side by side, of a level that is kept."""
    connection = session.connection()
    span = {"first": first, "end": first + count}
    if level:
        found = [bytes(each) for each in connection.execute(_NODES, {"level": level, **span}).scalars()]
    else:
        found = [leaf_hash(bytes(each)) for each in connection.execute(_LEAVES, span).scalars()]
    if len(found) != count:
        raise BrokenTreeError(level, first, count - len(found))
    return found


def subtree_of(session: Session) -> Subtree:
    """Reads complete subtrees of the tree as it is kept. Everything up to the last checkpoint can be asked for."""

    def subtree(level: int, index: int) -> bytes:
        kept = level - level % LEVELS_APART
        return complete_root(_hashes(session, kept, index << (level - kept), 1 << (level - kept)))

    return subtree


def root_at(session: Session, size: int) -> bytes:
    """The root over the first `size` events."""
    return range_root(0, size, subtree_of(session))


class BrokenTreeError(ConflictError):
    """Leaves or nodes are missing that have been there: somebody has deleted them."""

    def __init__(self, level: int, first: int, missing: int) -> None:
        super().__init__(
            "broken_tree", f"{missing} nodes of level {level} of the ledger's tree are missing from number {first} on",
            "run `evenkeel verify --against` a checkpoint that was kept outside",
        )  # fmt: skip
