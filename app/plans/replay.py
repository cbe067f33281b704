"""Making a stored plan again from its snapshot, its policy and its request, and saying where it comes out otherwise."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from app.approvals.edits import edited_plan
from app.plans.provenance import ProvenanceView, provenance_view
from app.plans.store import read_plan, read_snapshot
from app.stock.installation import planning_now
from graphs.planning import Draft, draft, draft_beside
from policies.library import released
from policies.narrowing import EDIT_VERSION
from policies.rules import Facts
from tools.canonical import canonical_json
from tools.differences import differences
from tools.transfers import TransferPlan

DIFFERENCES_MAX = 200
"""So many differences are listed."""


class DifferenceView(BaseModel):
    """A place in the plan, what was stored and what was made again."""

    where: str
    stored: Any
    made: Any


class Replay(BaseModel):
    """How a plan that was made again compares with the stored one, byte by byte of the canonical form."""

    plan: str
    byte_equal: bool
    made: str | None
    note: str
    differences: list[DifferenceView]
    differences_not_listed: int
    provenance: ProvenanceView | None


def replay(session: Session, digest: str) -> Replay:
    """Make a stored plan again. Raises NotFoundError for one that is not there, DamagedError for one that was changed."""
    stored = read_plan(session, digest)
    made = _made_again(session, stored)
    before, after = (None if plan is None else plan.model_dump(mode="json") for plan in (stored, made.plan))
    found = [] if after is None else list(differences(before, after))
    equal = after is not None and canonical_json(before) == canonical_json(after)
    return Replay(
        plan=stored.digest,
        byte_equal=equal,
        made=None if made.plan is None else made.plan.digest,
        note=made.note if made.plan is not None else f"No plan was made: {made.status}. {made.note}".strip(),
        differences=[DifferenceView(where=d.where, stored=d.one, made=d.other) for d in found[:DIFFERENCES_MAX]],
        differences_not_listed=max(len(found) - DIFFERENCES_MAX, 0),
        provenance=provenance_view(session, digest),
    )


def _made_again(session: Session, stored: TransferPlan) -> Draft:
    """The plan as the drafter would make it, beside the plan that it was based on where there was one.

    What a person edited is no solver's choice: its lines are evaluated again instead.
    """
    facts = _facts(session, stored)
    if EDIT_VERSION in stored.solver.versions:
        return Draft(edited_plan(facts, *_before_edit(stored)), stored.solver.status)
    if stored.request.based_on is None:
        return draft(facts, stored.request)
    base = read_plan(session, stored.request.based_on)
    return draft_beside(facts, stored.request, base, before=read_snapshot(session, base.snapshot_digest))


def _before_edit(stored: TransferPlan) -> tuple[TransferPlan, dict[int, int]]:
    """A plan that editing every line to what it is makes into the stored one."""
    versions = stored.solver.versions[: stored.solver.versions.index(EDIT_VERSION)]
    plan = stored.model_copy(update={"solver": stored.solver.model_copy(update={"versions": versions})})
    return plan, {line.line_no: line.packs for line in stored.lines}


def _facts(session: Session, plan: TransferPlan) -> Facts:
    snapshot = read_snapshot(session, plan.snapshot_digest)
    return Facts(snapshot, released(plan.policy_digest), planning_now(session))
