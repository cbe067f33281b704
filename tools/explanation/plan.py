"""A plan explained as a whole: which limits hold its lines, and how many lines no limit holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tools.explanation import words
from tools.inventory import Snapshot
from tools.planning import Limits, moves_of
from tools.planning.room import Constraint, Room
from tools.transfers import TransferPlan
from tools.whatif import assumed

LINES_SEEN = 200
"""The limits of so many lines, the most valuable, are looked at."""
_WHOLE = "the plan"
"""What limits on the plan as a whole say they are about."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A kind of limit that binds: the limit as it stands for the most valuable line, and how many lines it holds."""

    constraint: Constraint
    lines: int


@dataclass(frozen=True, slots=True)
class PlanBindings:
    """What binds the plan as a whole, and the lines that were looked at: the kind that holds the most lines first."""

    seen: int
    free: int
    totals: tuple[Constraint, ...]
    bindings: tuple[Binding, ...]
    currency: str

    @property
    def words(self) -> tuple[str, ...]:
        """One sentence for each kind of limit, and one for the lines that no limit holds. Every number is one of these here."""
        said = [
            f"The plan as a whole is at a limit or near one: {words.of_limit(each, self.currency)}."
            for each in self.totals
        ]
        said += [
            f"{'One line is' if each.lines == 1 else f'{each.lines:,} lines are'} held by a limit of this kind:"
            f" {words.of_limit(each.constraint, self.currency)}."
            for each in self.bindings
        ]
        if self.free:
            lines = "One line is" if self.free == 1 else f"{self.free:,} lines are"
            said.append(f"{lines} held by no limit: a pack more would not pay.")
        return tuple(said)


def bindings_of(snapshot: Snapshot, limits: Limits, plan: TransferPlan) -> PlanBindings:
    """The limits that keep the plan's lines from being a pack larger, or smaller where a least quantity holds one."""
    facts, moves = assumed(snapshot, plan.request.overlays), moves_of(plan)
    room = Room(facts, limits, plan.request, moves)
    ranked = sorted(plan.lines, key=lambda line: (-line.saving_minor, line.line_no))[:LINES_SEEN]
    first: dict[str, Constraint] = {}
    count: dict[str, int] = {}
    free = 0
    for line in ranked:
        lane, sku = facts.lane_by_key[line.lane], facts.sku_by_id[line.sku_id]
        all_of_it = room.of_line(lane, sku, depart_on=line.depart_on)
        binding = {each.code: each for each in all_of_it if each.binding and each.where != _WHOLE}
        free += not binding
        for code, constraint in binding.items():
            first.setdefault(code, constraint)
            count[code] = count.get(code, 0) + 1
    found = [Binding(first[code], count[code]) for code in sorted(count, key=lambda code: (-count[code], code))]
    return PlanBindings(len(ranked), free, tuple(_totals(limits, plan)), tuple(found), plan.currency)


def _totals(limits: Limits, plan: TransferPlan) -> Iterator[Constraint]:
    """The limits of policy and request on the plan as a whole that it has used up to nine tenths or more."""
    asked = plan.request.overlays
    for code, unit, most, used in (
        ("plan_lines", "lines", limits.lines_max, len(plan.lines)),
        ("request_lines", "lines", asked.max_lines, len(plan.lines)),
        ("plan_units", "units", limits.units_max, plan.units),
        ("request_units", "units", asked.max_units, plan.units),
        ("plan_goods_value", "minor", limits.goods_value_max_minor, plan.goods_value_minor),
        ("transport_budget", "minor", asked.transport_budget_minor, plan.transfer_cost_minor),
    ):
        if most is not None and used * 10 >= most * 9:
            yield Constraint(code, _WHOLE, unit, most, used, most - used, needs=1)
