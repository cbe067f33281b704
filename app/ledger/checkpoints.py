"""Making checkpoints and keeping them where the database's administrator cannot write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session, col, select

from app.db.database import Database, database_now
from app.errors import ConflictError, InvalidError, NotFoundError
from app.ledger.notes import FIRST, Checkpoint, Signer, VerifierKey, notes_in
from app.ledger.tables import CheckpointRow, LeafRow
from app.ledger.tree import BrokenTreeError, grow, place, root_at, subtree_of
from tools.merkle import consistency_proof, inclusion_proof

_TAIL_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Made:
    """The newest checkpoint; `new` is False when nothing has happened since."""

    size: int
    note: str
    new: bool


class ForkedError(ConflictError):
    """The ledger does not begin with what was anchored outside: it was changed, or an old backup was put back."""

    def __init__(self, anchored: Checkpoint, path: Path) -> None:
        super().__init__(
            "ledger_forked",
            f"the ledger no longer begins with the {anchored.size:,} events that were anchored on {anchored.made_at.isoformat()}",
            f"run `evenkeel verify --against {path}`; after a backup was put back knowingly, move that file away",
        )


def make_checkpoint(database: Database, signer: Signer, path: Path) -> Made | None:
    """Sign the root over every event there is, keep it, and append it to the file. None for an empty ledger.

    Raises ForkedError where the ledger does not follow from what the file holds. A
    checkpoint that did not reach the file before a crash does so with the next one.
    """
    with database.transaction() as session:
        size = place(session)
        anchored = last_anchored(path, signer.verifier)
        if anchored is not None and (anchored.size > size or not _begins_with(session, anchored)):
            raise ForkedError(anchored, path)
        grow(session, size)
        if size == 0:
            return None
        last = session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)).one_or_none()
        new = last is None or last.size < size
        if last is None or last.size < size:
            last = _signed(session, signer, size, last)
        made = Made(last.size, last.note, new)
    with database.transaction() as session:
        place(session)  # for its lock: one writer of the file at a time
        _anchor(session, signer.verifier, path)
    return made


def _begins_with(session: Session, anchored: Checkpoint) -> bool:
    try:
        return root_at(session, anchored.size) == anchored.root
    except BrokenTreeError:
        return False


def _signed(session: Session, signer: Signer, size: int, before: CheckpointRow | None) -> CheckpointRow:
    previous = FIRST if before is None else signer.verifier.opened(before.note).digest
    checkpoint = Checkpoint(size, root_at(session, size), database_now(session), previous)
    row = CheckpointRow(
        size=size, root=checkpoint.root, made_at=checkpoint.made_at, note=signer.note(checkpoint)
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _anchor(session: Session, verifier: VerifierKey, path: Path) -> None:
    """Append what the file does not hold yet, and have it on the disk before anybody relies on it."""
    anchored = last_anchored(path, verifier)
    query = select(CheckpointRow.note).order_by(col(CheckpointRow.size))
    if anchored is not None:
        query = query.where(col(CheckpointRow.size) > anchored.size)
    notes = session.exec(query).all()
    if not notes:
        return
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = not is_new and not path.read_bytes().endswith(b"\n")  # the line that a crash has left half-written ends here
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, ("\n" * torn + "".join(f"{note}\n" for note in notes)).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def last_anchored(path: Path, verifier: VerifierKey) -> Checkpoint | None:
    """The last checkpoint in the file. Raises InvalidError for one that this key has not signed."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        notes = list(notes_in(file.read().decode(errors="replace")))
    return verifier.opened(notes[-1]) if notes else None


def read_checkpoints(path: Path, verifier: VerifierKey) -> list[Checkpoint]:
    """Every checkpoint of a file that was kept outside. Raises InvalidError for a file without any, or not signed."""
    try:
        notes = list(notes_in(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as failed:
        raise InvalidError(
            "checkpoint_file", f"{path} cannot be read: {failed}", "give a file of checkpoints"
        ) from failed
    if not notes:
        raise InvalidError("checkpoint_file", f"{path} holds no checkpoint", "give a file of checkpoints")
    return [verifier.opened(note) for note in notes]


@dataclass(frozen=True, slots=True)
class Proof:
    """That an event is in the ledger that a checkpoint stands for."""

    stream: str
    seq: int
    position: int
    event_hash: bytes
    nodes: tuple[bytes, ...]
    size: int
    note: str


def newest_checkpoint(session: Session) -> CheckpointRow:
    """The last one that was made. Raises NotFoundError before the first."""
    row = session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)).one_or_none()
    if row is None:
        raise NotFoundError("no_checkpoint", "there is no checkpoint yet", "make one: `evenkeel checkpoint`")
    return row


def prove_event(session: Session, stream: str, seq: int) -> Proof:
    """The proof of an event against the newest checkpoint. Raises NotFoundError for an event that it does not cover."""
    leaf = session.exec(select(LeafRow).where(LeafRow.stream == stream, LeafRow.seq == seq)).one_or_none()
    return _proof(session, leaf, f"event {seq} of {stream}")


def prove_position(session: Session, position: int) -> Proof:
    """As `prove_event`, of the event at a position."""
    return _proof(session, session.get(LeafRow, position), f"position {position}")


def _proof(session: Session, leaf: LeafRow | None, what: str) -> Proof:
    checkpoint = newest_checkpoint(session)
    if leaf is None or leaf.position >= checkpoint.size:
        raise NotFoundError("event_not_covered", f"no checkpoint covers {what}", "make one: `evenkeel checkpoint`")
    nodes = inclusion_proof(leaf.position, checkpoint.size, subtree_of(session))
    return Proof(leaf.stream, leaf.seq, leaf.position, leaf.event_hash, tuple(nodes), checkpoint.size, checkpoint.note)


def prove_growth(session: Session, older: int, newer: int) -> list[bytes]:
    """The nodes that show that the ledger of `newer` events begins with that of `older`. Raises InvalidError."""
    if newer > newest_checkpoint(session).size:
        raise InvalidError("size", f"no checkpoint covers {newer:,} events", "make one: `evenkeel checkpoint`")
    try:
        return consistency_proof(older, newer, subtree_of(session))
    except ValueError as wrong:
        raise InvalidError("size", str(wrong), "give the sizes of two checkpoints, the older one first") from wrong
