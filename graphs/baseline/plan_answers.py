"""Plans in words: what they move, save and cost, how good they are, and what stands in their way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.baseline.results import Comparison, LineRow, NoPlan, PlanFigures, PlanProposed
from graphs.baseline.sentences import ROWS_SAID, instant, listed, rows_of, sentence
from tools.counted import counted

_SUBMIT = 'Say "submit" to send it to the approvers, or "why" to have a line explained.'
_UNITS_ARE_A_LIMIT = "The number of units that you named is the most; the solver chose how many are worth moving."
_ASSUMED = {
    "demand_percent": ("demand", "demand_of"),
    "supply_delay_days": ("supply", "supply_delay_of"),
    "service_level_percent": ("service level", None),
}
"""What a what-if may assume, in words, and the argument that says what it is about: without it, everything."""


def plan_words(plan: PlanProposed | NoPlan, arguments: Mapping[str, Any]) -> str:
    """A proposed plan, or why there is none."""
    if isinstance(plan, NoPlan):
        return f"There is no plan. {sentence(plan.note)} {_blocked(plan)} {_policy_costs(plan)}".strip()
    if not plan.lines:
        nothing = f"As of {instant(plan.as_of)} there is nothing worth moving. {sentence(plan.note)}"
        return " ".join(filter(None, (nothing, _left(plan), _blocked(plan), _policy_costs(plan))))
    parts = [
        f"As of {instant(plan.as_of)}, plan {plan.plan[:12]} has {_figures(plan)} It {_quality(plan)}",
        f"The most valuable lines: {rows_of(_line(line) for line in plan.top_lines)}",
        "" if plan.lines <= len(plan.top_lines[:ROWS_SAID]) else "There are more lines.",
        _UNITS_ARE_A_LIMIT if "units_max" in arguments else "",
        sentence(plan.note),
        _left(plan),
        f"Sites compete for the same stock in {counted(plan.contested_pools, 'case')}." if plan.contested_pools else "",
        _policy_costs(plan),
        _what_next(plan),
    ]
    return " ".join(part for part in parts if part)


def comparison_words(found: Comparison, arguments: Mapping[str, Any]) -> str:
    """Two plans side by side."""
    everywhere = [what for name, (what, of) in _ASSUMED.items() if name in arguments and not arguments.get(of or "")]
    late = found.purchase_orders_late
    parts = (
        f"As of {instant(found.as_of)}.\nAs things are: {_side(found.as_things_are)}\nWhat if: {_side(found.what_if)}\n",
        ""
        if late is None
        else f"It makes {counted(late, 'open purchase order') if late else 'no open purchase order'} late.",
        "That would change nothing." if found.as_things_are == found.what_if else "",
        f"What you assume about {listed(everywhere)} holds at every site." if everywhere else "",
        "Nothing of this is kept.",
    )
    return " ".join(part for part in parts if part)


def _side(side: PlanFigures | NoPlan) -> str:
    if isinstance(side, NoPlan):
        return f"there is no plan. {sentence(side.note)}"
    if not side.lines:
        return " ".join(filter(None, ("there is nothing worth moving.", sentence(side.note), _left(side))))
    return " ".join(filter(None, (f"a plan of {_figures(side)}", sentence(side.note), _left(side))))


def _figures(plan: PlanFigures) -> str:
    return (
        f"{counted(plan.lines, 'line')} with {counted(plan.units, 'unit')} on {counted(plan.departures, 'departure')}, goods"
        f" worth {plan.goods_value}. It saves {plan.saves} after {plan.costs_to_move} of moving cost. The expected fill"
        f" rate goes from {plan.fill_rate_before_percent} % to {plan.fill_rate_after_percent} %."
    )


def _quality(plan: PlanFigures) -> str:
    """What the solver may claim: only `optimal` claims to be the best."""
    if plan.status == "optimal":
        return "is the best possible."
    if plan.gap_percent is None:
        return "may not be the best possible."
    if not plan.gap_percent.strip("0."):
        return "is the best possible but for a trifle."
    return f"is at most {plan.gap_percent} % from the best possible."


def _left(plan: PlanFigures) -> str:
    """What had to leave and stays."""
    more = plan.left_behind_not_shown
    rest = f"The same holds for {counted(more, 'other SKU')} at a site." if more else ""
    return " ".join(filter(None, (*plan.left_behind, rest)))


def _line(line: LineRow) -> str:
    return (
        f"line {line.line_no}: {counted(line.units, 'unit')} of {line.sku} from {line.origin} to {line.destination} by"
        f" {line.by}, departs {line.departs}, arrives {line.arrives}, saves {line.saves}"
    )


def _policy_costs(plan: PlanProposed | NoPlan) -> str:
    return f"What the limits cost here: {' '.join(plan.concessions)}" if plan.concessions else ""


def _blocked(plan: PlanProposed | NoPlan) -> str:
    return " ".join(plan.conflicts)


def _what_next(plan: PlanProposed) -> str:
    if plan.violations:
        return f"It breaks policy and cannot be submitted: {' '.join(plan.violations[:ROWS_SAID])}"
    return _SUBMIT if plan.outcome == "permitted" else f"It goes no further: {plan.outcome.replace('_', ' ')}."
