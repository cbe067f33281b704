"""Approved lines that have waited: every rule again on the facts of now, as if their units were not promised yet.

A plan is decided on as a whole. What is left of it then is lines that travel, each an
order of its own: so one that the world has outrun is taken out, and the others are
judged as what they are without it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policies.approvals import Drift
from policies.narrowing import CURABLE, checked_with, departure_of, fewer_packs, with_packs
from policies.violations import Facts, Violation
from tools.targets import BP
from tools.transfers import TransferPlan

_ASKED_OF_NEW_PLANS = frozenset(("fresh_stock", "approval_tier", "policy_in_force"))
"""Rules that say whether a plan may be put forward. What was decided on counts that were fresh then is not lost for their age."""

_IN_GENERAL = {
    "source_protection": "the sending site needs its stock itself by now",
    "lot_life": "too little of it would arrive with life enough left",
}


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of waiting lines: the packs of those that go, and why each of the others does not, in sentences."""

    packs: Mapping[int, int]
    against: Mapping[int, tuple[str, ...]]


def remains(plan: TransferPlan, waiting: Mapping[int, int], on_the_way: Collection[int], facts: Facts) -> Remains:
    """Judge the waiting lines of an approved plan. `waiting` has their packs; lines `on_the_way` have paid for their departures.

    The snapshot of `facts` promises nothing to the waiting lines. Lines lose packs as far as the policy lets them; one
    that a rule blames otherwise is taken out, and the rest is asked again. Where those that go have lost more than
    policy admits, none goes.
    """
    against = defaultdict[int, list[str]](list)
    kept = {line_no: packs for line_no, packs in waiting.items() if packs}
    for line_no, words in _other_packs(plan, kept, facts):
        against[line_no].append(words)
        del kept[line_no]
    paid = frozenset(departure_of(line) for line in plan.lines if line.line_no in on_the_way)
    drift = facts.policy.approvals.drift if facts.policy.approvals else None
    while kept:
        found = [each for each in checked_with(plan, kept, facts) if _counts(each, plan, paid, kept)]
        if not found:
            found = list(_drift(drift, plan, kept, facts)) if drift is not None else []
            _blame(found, kept, against)
            break
        hard = [each for each in found if each.rule not in CURABLE]
        if not hard:
            kept, hard = _with_less(drift, plan, found, kept)
        _blame(hard, kept, against)
    return Remains(kept, {line_no: tuple(words) for line_no, words in against.items()})


def _with_less(
    drift: Drift | None, plan: TransferPlan, found: Sequence[Violation], kept: dict[int, int]
) -> tuple[dict[int, int], list[Violation]]:
    """The packs of which fewer cure what was found, all of it where that can be; and what they do not cure."""
    if drift is None:
        return kept, list(found)
    if (less := fewer_packs(drift, plan, tuple(found), kept)) is not None:
        return less, []
    hard = list[Violation]()
    for each in found:
        less = fewer_packs(drift, plan, (each,), kept)
        kept, hard = (kept, [*hard, each]) if less is None else (less, hard)
    return kept, hard


def _blame(found: Iterable[Violation], kept: dict[int, int], against: dict[int, list[str]]) -> None:
    """Take out the lines that these blame; all of them for what is said of the whole."""
    blamed = [(line_no, _words(each, line_no)) for each in found for line_no in each.line_nos or sorted(kept)]
    for line_no, words in blamed:
        against[line_no].append(words)
        kept.pop(line_no, None)


def _words(violation: Violation, line_no: int) -> str:
    """Why a line does not go, for everybody who may see its order: without figures of a site's stock, which not all of them may."""
    if violation.rule in _IN_GENERAL:
        return f"Line {line_no}: {_IN_GENERAL[violation.rule]}."
    if {"allowed", "found"} <= violation.numbers.keys():
        return f"Line {line_no}: there is no room for it any more ({violation.rule.replace('_', ' ')})."
    return violation.words


def _other_packs(plan: TransferPlan, kept: Mapping[int, int], facts: Facts) -> Iterator[tuple[int, str]]:
    """Lines whose packs are not what they were: so many of them are other units now."""
    for line in plan.lines:
        sku = facts.snapshot.sku_by_id.get(line.sku_id)
        was = line.units // line.packs
        if line.line_no in kept and (sku is None or sku.pack_size != was):
            now = "is not known any more" if sku is None else f"has packs of {sku.pack_size:,} now and not of {was:,}"
            yield line.line_no, f"Line {line.line_no}: {line.sku_id} {now}."


def _counts(violation: Violation, plan: TransferPlan, paid: frozenset[object], kept: Mapping[int, int]) -> bool:
    """Whether it stands against lines that were decided on: not where their departure travels anyway, or for what only new plans are asked."""
    if violation.rule in _ASKED_OF_NEW_PLANS or (violation.rule == "data_quality" and not violation.line_nos):
        return False
    about = [line for line in plan.lines if line.line_no in (violation.line_nos or kept)]
    if violation.rule == "lane_benefit":
        return not any(departure_of(line) in paid for line in about)
    return violation.rule != "adds_up" or not any(departure_of(line) in paid for line in about)


def _drift(drift: Drift, plan: TransferPlan, kept: Mapping[int, int], facts: Facts) -> Iterator[Violation]:
    """Whether the lines that go have lost more of their units or of their saving than policy admits."""
    now = with_packs(facts, plan, kept)
    if not isinstance(now, TransferPlan):
        return
    decided = [line for line in plan.lines if line.line_no in kept]
    units, saving = sum(line.units for line in decided), sum(line.saving_minor for line in decided)
    lost_units, lost_saving = units - now.units, saving - sum(line.saving_minor for line in now.lines)
    if lost_units * BP > drift.plan_shrink_max_bp * units:
        yield Violation("drift_units", "More of the units that wait cannot be moved any more than policy admits.")
    if lost_saving * BP > drift.saving_drop_max_bp * saving:
        share = drift.saving_drop_max_bp / 100
        yield Violation(
            "drift_saving", f"What waits has lost more than the {share:g} % of its saving that policy admits."
        )
