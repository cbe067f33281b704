"""What an edited plan would be, without asking for it: its figures, what stands against it, and who would have to sign it.

Nothing is stored, and nobody is bound by the answer: the edit itself is checked again when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session

from app.approvals.departures import what_to_do
from app.approvals.freshness import facts_to_check_on
from app.approvals.needs import needed_now
from policies.narrowing import with_packs
from policies.rules import check
from policies.tiers import tier_of
from tools.transfers import TransferPlan


@dataclass(frozen=True, slots=True)
class EditCheck:
    """`against` are sentences, empty where the edit may be sent; `plan` is what would be asked for, if it can be valued."""

    against: tuple[str, ...]
    plan: TransferPlan | None
    tier: str = ""
    signatures: int = 0


def check_edit(session: Session, plan: TransferPlan, packs_by_line: Mapping[int, int]) -> EditCheck:
    """The plan with so many packs on these lines and all others as they are, checked from scratch on the facts of now."""
    wanted = {line.line_no: line.packs for line in plan.lines} | dict(packs_by_line)
    senseless = _senseless(plan, packs_by_line, wanted)
    if senseless:
        return EditCheck((senseless,), None)
    facts = facts_to_check_on(session)
    edited = with_packs(facts, plan, wanted)
    if not isinstance(edited, TransferPlan):
        return EditCheck(tuple(edited), None)
    tier = tier_of(facts.policy, edited, facts.snapshot)
    violations = check(edited, facts)
    against = (*(each.words for each in violations), *what_to_do(plan, edited, violations))
    if tier is None:
        return EditCheck(against or ("No kind of approval admits the plan.",), edited)
    return EditCheck(against, edited, tier.name, needed_now(session, edited, tier, facts).approvals)


def _senseless(plan: TransferPlan, packs_by_line: Mapping[int, int], wanted: Mapping[int, int]) -> str:
    """Why an edit is none; "" for one that takes something away and leaves something."""
    has = {line.line_no: line.packs for line in plan.lines}
    for number, packs in sorted(packs_by_line.items()):
        if number not in has:
            return f"The plan has no line {number}."
        if not 0 <= packs <= has[number]:
            return f"Line {number} has {has[number]:,} packs; an edit only takes away."
    if not any(wanted.values()):
        return "Nothing is left of the plan. Reject it instead."
    return "Nothing is changed yet." if wanted == has else ""
