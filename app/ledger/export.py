"""The ledger on paper: every event with its proof, to be checked by anybody without this service.

JSON Lines. The first line holds the signed checkpoint; each line after it an event in
the order of the whole ledger, as it was hashed, with the nodes that lead to the root.
Sealed words stay sealed. `docs/ledger_export.md` says how to check it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from sqlmodel import Session, col, select

from app.ledger.checkpoints import newest_checkpoint
from app.ledger.notes import VerifierKey
from app.ledger.tables import LeafRow, LedgerEvent, NodeRow
from app.ledger.tree import LEVELS_APART
from tools.merkle import inclusion_proof, leaf_hash, node_hash

FORMAT = "evenkeel.ledger-export/1"
_GROUP = 1 << LEVELS_APART


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    events: int
    note: str


def export_ledger(session: Session, verifier: VerifierKey, out: TextIO) -> Exported:
    """Write every event that the newest checkpoint covers. Raises NotFoundError before the first checkpoint."""
    checkpoint = newest_checkpoint(session)
    head = {"format": FORMAT, "checkpoint": checkpoint.note, "key": str(verifier), "size": checkpoint.size}
    out.write(json.dumps(head, ensure_ascii=False) + "\n")
    nodes = _Nodes(session, checkpoint.size)
    for first in range(0, checkpoint.size, _GROUP):
        for position, event in enumerate(_events(session, first, min(first + _GROUP, checkpoint.size)), start=first):
            proof = inclusion_proof(position, checkpoint.size, nodes.subtree)
            line = {
                "position": position, "stream": event.stream, "seq": event.seq, "prev": event.prev.hex(),
                "body": event.body.decode(), "hash": event.hash.hex(), "proof": [node.hex() for node in proof],
            }  # fmt: skip
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return Exported(checkpoint.size, checkpoint.note)


def _events(session: Session, first: int, end: int) -> Iterator[LedgerEvent]:
    """Events by position. Each is read without the session keeping it."""
    query = (
        select(LedgerEvent)
        .join(LeafRow, (col(LeafRow.stream) == LedgerEvent.stream) & (col(LeafRow.seq) == LedgerEvent.seq))
        .where(LeafRow.position >= first, LeafRow.position < end)
        .order_by(col(LeafRow.position))
    )
    found = session.exec(query).all()
    session.expunge_all()
    yield from found


class _Nodes:
    """Complete subtrees for proofs in order of position: the upper levels in memory, of the lower ones a few groups."""

    def __init__(self, session: Session, size: int) -> None:
        self._session = session
        self._groups: dict[int, list[list[bytes]]] = {}
        self._kept_group = size >> LEVELS_APART
        """The last group, which is not full; every proof may ask for parts of it."""
        query = select(NodeRow.hash).where(NodeRow.level == LEVELS_APART, NodeRow.index < self._kept_group)
        self._upper = _levels(list(session.exec(query.order_by(col(NodeRow.index))).all()))

    def subtree(self, level: int, index: int) -> bytes:
        """The root of a complete subtree."""
        if level >= LEVELS_APART:
            return self._upper[level - LEVELS_APART][index]
        group = index >> (LEVELS_APART - level)
        if group not in self._groups:
            self._groups = {each: rows for each, rows in self._groups.items() if each == self._kept_group}
            query = select(LeafRow.event_hash).where(LeafRow.position >= group * _GROUP)
            hashes = self._session.exec(query.order_by(col(LeafRow.position)).limit(_GROUP)).all()
            self._groups[group] = _levels([leaf_hash(each) for each in hashes])
        return self._groups[group][level][index - (group << (LEVELS_APART - level))]


def _levels(nodes: list[bytes]) -> list[list[bytes]]:
    """Every complete subtree over these nodes, by level."""
    levels = [nodes]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return levels
