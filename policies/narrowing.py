"""Less of a plan: fewer packs or lines, valued anew, and what is left of a plan when the world has moved a little.

Whatever comes out of here is checked from scratch, and never holds more of a line than the plan that came in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from policies.approvals import Drift
from policies.limits import limits_of
from policies.rules import check
from policies.violations import Facts, Violation
from tools.inventory import LaneKey
from tools.money import money_text
from tools.planning import Move, Solution, UnsoundSolutionError, evaluate, make_plan
from tools.targets import BP
from tools.transfers import SolveStatus, TransferLine, TransferPlan
from tools.whatif import assumed

EDIT_VERSION = "edit/1"
ROUNDS_MAX = 8
CURABLE = frozenset(("source_protection", "lot_life"))
"""Rules that fewer units of the lines to blame satisfy again. What a truck or a dock lacks room for goes back as a whole."""
_OF_ITS_VALUE = ("lane_benefit", "adds_up", "line_benefit", "still_pays", "policy_in_force")
"""Rules about what a plan is worth, and under which policy it was worth that."""
_LINE = re.compile(r"^Line (\d+)")


@dataclass(frozen=True, slots=True)
class NarrowedLine:
    """A line that carries less than was decided on. Units."""

    line_no: int
    decided_units: int
    units: int


@dataclass(frozen=True, slots=True)
class Fresh:
    """What the world of now admits of a plan: nothing where there are violations, else the plan, or less of it.

    `saving_now_minor` is None where the plan needed no new value.
    """

    violations: tuple[Violation, ...] = ()
    narrowed: tuple[NarrowedLine, ...] = ()
    saving_now_minor: int | None = None

    def units_of(self, line: TransferLine) -> int:
        """What the line carries now."""
        return next((each.units for each in self.narrowed if each.line_no == line.line_no), line.units)


def with_packs(facts: Facts, plan: TransferPlan, packs_by_line: Mapping[int, int]) -> TransferPlan | tuple[str, ...]:
    """The plan with so many packs on each line, valued on these facts; or what stands against it, in sentences.

    Lines that are not named, or with 0 packs, are dropped. It claims no optimality.
    """
    kept = [(line, packs_by_line.get(line.line_no, 0)) for line in plan.lines]
    moves = tuple(Move(line.lane, line.sku_id, packs, line.depart_on) for line, packs in kept if packs)
    limits = limits_of(facts.policy, facts.snapshot, plan.request)
    found = evaluate(assumed(facts.snapshot, plan.request.overlays), limits, plan.request, moves)
    if found.breaches:
        return tuple(breach.words for breach in found.breaches)
    versions = plan.solver.versions if EDIT_VERSION in plan.solver.versions else (*plan.solver.versions, EDIT_VERSION)
    solution = Solution(SolveStatus.FEASIBLE, moves, found.objective, path="none", versions=versions)
    try:
        return make_plan(facts.snapshot, limits, plan.request, solution)
    except UnsoundSolutionError as unsound:
        return (str(unsound),)


def fresh(plan: TransferPlan, facts: Facts) -> Fresh:
    """Whether the plan may be carried out on the facts of now, as far as policy lets it drift.

    Without thresholds in the policy every violation counts. With them, lines that the
    world has outrun shrink as far as they may, the whole is checked again, and a plan
    that has lost too much of its units or its saving goes back.
    """
    violations = check(plan, facts)
    drift = facts.policy.approvals.drift if facts.policy.approvals else None
    if drift is None or (not violations and plan.snapshot_digest == facts.snapshot.digest):
        return Fresh(violations)
    packs = {line.line_no: line.packs for line in plan.lines}
    for _ in range(ROUNDS_MAX):
        if not violations:
            return _within(drift, plan, facts, packs)
        less = fewer_packs(drift, plan, violations, packs)
        if less is None:
            break
        packs, violations = less, checked_with(plan, less, facts)
    return Fresh(check(plan, facts))


def checked_with(plan: TransferPlan, packs: Mapping[int, int], facts: Facts) -> tuple[Violation, ...]:
    """What stands against the plan with so many packs on each line; lines have the plan's numbers."""
    smaller = with_packs(facts, plan, packs)
    if not isinstance(smaller, TransferPlan):
        found = tuple(each for each in check(_lines_with(plan, packs), facts) if each.rule not in _OF_ITS_VALUE)
        return found or tuple(Violation("recomputed", words) for words in smaller)
    number_by_key = {_key(line): line.line_no for line in plan.lines}
    numbers = {line.line_no: number_by_key[_key(line)] for line in smaller.lines}
    return tuple(_renumbered(violation, numbers) for violation in check(smaller, facts))


def _lines_with(plan: TransferPlan, packs: Mapping[int, int]) -> TransferPlan:
    """These lines alone, with so many packs and no new value: enough to see what keeps them from having one."""
    lines = tuple(
        line.model_copy(
            update={"packs": packs[line.line_no], "units": packs[line.line_no] * (line.units // line.packs)}
        )
        for line in plan.lines
        if packs.get(line.line_no)
    )
    # A copy would keep the sums that the plan has worked out.
    return TransferPlan.model_construct(
        **{name: getattr(plan, name) for name in TransferPlan.model_fields} | {"lines": lines}
    )


def _renumbered(violation: Violation, numbers: Mapping[int, int]) -> Violation:
    line_nos = tuple(numbers[line_no] for line_no in violation.line_nos)
    words = _LINE.sub(lambda found: f"Line {numbers[int(found[1])]}", violation.words)
    return Violation(violation.rule, words, violation.numbers, line_nos)


def _within(drift: Drift, plan: TransferPlan, facts: Facts, packs: Mapping[int, int]) -> Fresh:
    """The plan with so many packs, if it has not lost more than it may."""
    now = with_packs(facts, plan, packs)
    if not isinstance(now, TransferPlan):
        return Fresh(tuple(Violation("recomputed", words) for words in now))
    lost_units, lost_saving = plan.units - now.units, plan.saving_minor - now.saving_minor
    found = []
    if lost_units * BP > drift.plan_shrink_max_bp * plan.units:
        words = f"{lost_units:,} of {plan.units:,} units cannot be moved any more; policy admits {_share(drift.plan_shrink_max_bp)}."
        found.append(Violation("drift_units", words, {"lost": lost_units, "units": plan.units}))
    if lost_saving * BP > drift.saving_drop_max_bp * plan.saving_minor:
        words = (
            f"It would save {money_text(now.saving_minor, plan.currency)} now and not"
            f" {money_text(plan.saving_minor, plan.currency)}; policy admits a drop of {_share(drift.saving_drop_max_bp)}."
        )
        found.append(Violation("drift_saving", words, {"saving_minor": now.saving_minor, "was": plan.saving_minor}))
    if found:
        return Fresh(tuple(found))
    everything = {line.line_no: line.packs for line in plan.lines}
    return Fresh((), _narrowed(plan, packs, everything), now.saving_minor)


def _narrowed(plan: TransferPlan, packs: Mapping[int, int], before: Mapping[int, int]) -> tuple[NarrowedLine, ...]:
    """Lines with fewer packs than before."""
    less = [line for line in plan.lines if packs.get(line.line_no, 0) < before.get(line.line_no, 0)]
    return tuple(
        NarrowedLine(line.line_no, line.units, packs[line.line_no] * (line.units // line.packs)) for line in less
    )


def fewer_packs(
    drift: Drift, plan: TransferPlan, violations: tuple[Violation, ...], packs: Mapping[int, int]
) -> dict[int, int] | None:
    """Fewer packs on a line that each violation blames; None where no fewer packs would help, or a line may lose no more."""
    less = dict(packs)
    for violation in violations:
        if violation.rule not in CURABLE:
            return None
        lines = sorted((plan.lines[number - 1] for number in violation.line_nos), key=lambda each: -each.line_no)
        # What another violation has taken off these lines counts for this one as well.
        over = _over(violation) - sum((packs[each.line_no] - less[each.line_no]) * _pack_units(each) for each in lines)
        for line in lines:
            pack_units = _pack_units(line)
            off = min(-(-over // pack_units), less[line.line_no] - _least_packs(drift, line)) if over > 0 else 0
            less[line.line_no] -= max(off, 0)
            over -= max(off, 0) * pack_units
        if over > 0:
            return None
    return less if less != packs else None


def _pack_units(line: TransferLine) -> int:
    return line.units // line.packs


def _over(violation: Violation) -> int:
    """Units by which the lines to blame exceed what the rule admits."""
    numbers = violation.numbers
    if violation.rule == "source_protection":
        return numbers["sent_units"] - max(numbers["available_units"] - numbers["protected_units"], 0)
    return numbers["found"] - numbers["allowed"]


def _least_packs(drift: Drift, line: TransferLine) -> int:
    """The fewest packs that a line may be shrunk to."""
    return max(-(-line.packs * (BP - drift.line_shrink_max_bp) // BP), 1)


def departure_of(line: TransferLine) -> tuple[LaneKey, date]:
    """The departure that a line travels on."""
    return line.lane, line.depart_on


def _key(line: TransferLine) -> tuple[object, ...]:
    return (departure_of(line), line.sku_id)


def _share(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"
