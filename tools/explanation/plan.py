"""A plan explained as a whole: which limits hold its lines, and how many lines no limit holds."""

from __future__ import annotations

from dataclasses import dataclass

from tools.explanation import words
from tools.inventory import Snapshot
from tools.planning import Limits, moves_of
from tools.planning.room import Constraint, Room
from tools.transfers import TransferPlan
from tools.whatif import assumed

LINES_SEEN = 200
"""The limits of so many lines, the most valuable, are looked at."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A kind of limit that binds: the limit as it stands for the most valuable line, and how many lines it holds."""

    constraint: Constraint
    lines: int


@dataclass(frozen=True, slots=True)
class PlanBindings:
    """What binds the lines that were looked at: the kind that holds the most lines first."""

    seen: int
    free: int
    bindings: tuple[Binding, ...]
    currency: str

    @property
    def words(self) -> tuple[str, ...]:
        """One sentence for each kind of limit, and one for the lines that no limit holds. Every number is one of these here."""
        said = [
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
        binding = {each.code: each for each in room.of_line(lane, sku, depart_on=line.depart_on) if each.binding}
        free += not binding
        for code, constraint in binding.items():
            first.setdefault(code, constraint)
            count[code] = count.get(code, 0) + 1
    found = [Binding(first[code], count[code]) for code in sorted(count, key=lambda code: (-count[code], code))]
    return PlanBindings(len(ranked), free, tuple(found), plan.currency)
