"""What auditors see of checkpoints and proofs. Hashes are in hex."""

from __future__ import annotations

from pydantic import BaseModel

from app.auth.roles import Act, Principal
from app.ledger.checkpoints import Proof


class CheckpointView(BaseModel):
    """The newest checkpoint as a signed note, and the key that verifies it."""

    size: int
    note: str
    key: str


class ProofView(BaseModel):
    """That an event stands at its position in the ledger of the checkpoint. `proof` leads from the event to the root."""

    stream: str
    seq: int
    position: int
    hash: str
    proof: list[str]
    size: int
    checkpoint: str


class GrowthView(BaseModel):
    """That the ledger of `newer` events begins with the one of `older`."""

    older: int
    newer: int
    proof: list[str]
    checkpoint: str


def proof_view(proof: Proof) -> ProofView:
    """A proof of inclusion."""
    return ProofView(
        stream=proof.stream, seq=proof.seq, position=proof.position, hash=proof.event_hash.hex(),
        proof=[node.hex() for node in proof.nodes], size=proof.size, checkpoint=proof.note,
    )  # fmt: skip


def require_auditor(principal: Principal) -> None:
    """Raise ForbiddenError unless they may verify, and see everything: a ledger cannot be cut to a part of the network."""
    principal.require(Act.VERIFY)
    principal.require_everything("the ledger")
