"""What a plan is put down to, as people see it."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, select

from app.approvals.predecessors import predecessors
from app.approvals.tables import ApprovalRequest, Decision
from app.ledger.tables import LedgerEvent
from app.plans.store import ASKED, read_provenance
from graphs.state import MADE_AGAIN_AFTER


class MadeAgain(BaseModel):
    """The request that came to nothing before the plan was made again, and who rejected it; nobody where it was outrun."""

    plan_digest: str
    approval_id: UUID
    requested_by: str
    rejected_by: str | None

    @property
    def words(self) -> str:
        """In some words."""
        plan = f"plan {self.plan_digest[:12]} (request {str(self.approval_id)[:8]} of {self.requested_by})"
        if self.rejected_by is None:
            return f"made again after the world had moved on from {plan}"
        return f"made again after {self.rejected_by} rejected {plan}"


class Asked(BaseModel):
    """How a plan was asked for. Without an llm nobody formed the request in words; temperatures are in thousandths.

    A plan that was made again was asked for by nobody anew: it is put down to what asked for the first one.
    """

    llm: str | None
    temperature_e3: int | None
    prompt_digest: str | None
    catalogue_digest: str | None
    made_again: MadeAgain | None = None

    @property
    def asked_words(self) -> str:
        """How it was asked for, in some words."""
        first = self._first_words
        return first if self.made_again is None else f"{self.made_again.words}, first {first}"

    @property
    def _first_words(self) -> str:
        if self.llm is None:
            return "asked for without any language model"
        warmth = "" if self.temperature_e3 is None else f" at temperature {self.temperature_e3 / 1_000:g}"
        digests = (("prompt", self.prompt_digest), ("tools", self.catalogue_digest))
        given = "".join(f", {name} {digest[:12]}" for name, digest in digests if digest)
        return f"asked for through {self.llm}{warmth}{given}"


class EditedPlan(BaseModel):
    """A plan that was edited into another one, whose request that was, and how it was asked for, if that was recorded."""

    plan_digest: str
    approval_id: UUID
    requested_by: str
    asked: Asked | None

    @property
    def words(self) -> str:
        """In some words."""
        how = "nothing says how that was asked for" if self.asked is None else f"which was {self.asked.asked_words}"
        return f"edited from plan {self.plan_digest[:12]} of {self.requested_by}, {how}"


class ProvenanceView(Asked):
    """What a plan is put down to: who asked for it, what solved it, and the plans that it was edited from, the nearest first."""

    solver_versions: list[str]
    recorded_at: datetime
    edited_from: list[EditedPlan] = []

    @property
    def origin(self) -> EditedPlan | None:
        """The plan that it all began with, where it is an edit that nobody asked for in words itself."""
        if self.llm is not None or not self.edited_from:
            return None
        told = [each for each in self.edited_from if each.asked is not None and each.asked.llm is not None]
        return (told or self.edited_from)[-1]

    @property
    def asked_through(self) -> str:
        """The llm that it was asked for through, by whoever asked for the first one of several plans."""
        first: Asked | None = self if self.origin is None else self.origin.asked
        return "not recorded" if first is None else first.llm or "no language model"

    @property
    def words(self) -> str:
        """In one line."""
        solvers = f"solved by {', '.join(self.solver_versions) or 'no solver'}"
        return f"{self.asked_words if self.origin is None else self.origin.words}; {solvers}"


def provenance_view(session: Session, digest: str, last_attempt: int | None = None) -> ProvenanceView | None:
    """What a plan is put down to; None for a plan from before this was recorded. It names no site and no SKU."""
    row = read_provenance(session, digest)
    if row is None:
        return None
    return ProvenanceView(
        **row.model_dump(exclude={"plan_digest"}),
        made_again=_made_again(session, digest),
        edited_from=[_edited(session, request) for request in predecessors(session, digest, last_attempt)],
    )


def _edited(session: Session, request: ApprovalRequest) -> EditedPlan:
    row = read_provenance(session, request.plan_digest)
    asked = None
    if row is not None:
        asked = Asked(**row.model_dump(include=set(ASKED)), made_again=_made_again(session, request.plan_digest))
    return EditedPlan(
        plan_digest=request.plan_digest, approval_id=request.approval_id, requested_by=request.requested_by, asked=asked
    )


def _made_again(session: Session, digest: str) -> MadeAgain | None:
    """After which request a plan was made again, as the ledger tells of its proposal."""
    proposed = session.exec(select(LedgerEvent.body).where(LedgerEvent.key == f"plan/{digest}/proposed")).one_or_none()
    after = None if proposed is None else json.loads(proposed)["facts"].get(MADE_AGAIN_AFTER)
    if after is None:
        return None
    request = session.get_one(ApprovalRequest, UUID(after))
    decision = session.get(Decision, request.approval_id)
    return MadeAgain(
        plan_digest=request.plan_digest, approval_id=request.approval_id, requested_by=request.requested_by,
        rejected_by=None if decision is None else decision.decided_by,
    )  # fmt: skip
