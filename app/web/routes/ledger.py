"""Checkpoints and proofs for auditors, and the lineage of transfers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from app.ledger.checkpoints import newest_checkpoint, prove_growth, prove_position
from app.ledger.keys import signer
from app.ledger.views import CheckpointView, GrowthView, ProofView, proof_view, require_auditor
from app.lineage import LineageView, lineage
from app.web.dependencies import Caller, InService, InSession

router = APIRouter(tags=["ledger"])
Number = Annotated[int, Path(ge=0, le=2**53)]


@router.get("/ledger/checkpoint")
def read_checkpoint(service: InService, session: InSession, caller: Caller) -> CheckpointView:
    """The newest signed checkpoint, and the key that verifies it."""
    require_auditor(caller)
    row = newest_checkpoint(session)
    return CheckpointView(size=row.size, note=row.note, key=str(signer(service.settings).verifier))


@router.get("/ledger/positions/{position}/proof")
def prove_inclusion(session: InSession, caller: Caller, position: Number) -> ProofView:
    """The proof that the event at a position is in the ledger that the newest checkpoint stands for."""
    require_auditor(caller)
    return proof_view(prove_position(session, position))


@router.get("/ledger/growth/{position}/proof")
def prove_consistency(session: InSession, caller: Caller, position: Number) -> GrowthView:
    """The proof that the ledger of an earlier checkpoint, of so many events, is the beginning of that of the newest one."""
    require_auditor(caller)
    newest = newest_checkpoint(session)
    proof = [node.hex() for node in prove_growth(session, position, newest.size)]
    return GrowthView(older=position, newer=newest.size, proof=proof, checkpoint=newest.note)


@router.get("/lineage/{transfer_id}")
def read_lineage(session: InSession, caller: Caller, transfer_id: UUID) -> LineageView:
    """Where a transfer comes from, from its signals to its decision, and what became of it."""
    return lineage(session, caller, transfer_id)
