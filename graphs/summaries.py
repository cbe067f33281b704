"""Plans and their parts as plain JSON for answers: short, masked, and cut to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphs.names import Names
from policies.leaving import LeftBehind
from tools.money import money_text
from tools.transfers import TransferPlan

LINES_SHOWN = 20
LEFT_SHOWN = 5


def plan_summary(plan: TransferPlan, names: Names, note: str = "", left: Sequence[LeftBehind] = ()) -> dict[str, Any]:
    """What a person needs to see of a plan before asking for more. `left` is what it leaves behind."""
    ranked = sorted(plan.lines, key=lambda line: (-line.saving_minor, line.line_no))
    return {
        "plan": plan.digest,
        "as_of": plan.planned_on.isoformat(),
        "lines": len(plan.lines),
        "units": plan.units,
        "departures": len(plan.lanes),
        "saves": money_text(plan.saving_minor, plan.currency),
        "saves_until_regular_supply": money_text(plan.whole_horizon_saving_minor, plan.currency),
        "costs_to_move": money_text(plan.transfer_cost_minor, plan.currency),
        "goods_value": money_text(plan.goods_value_minor, plan.currency),
        "fill_rate_before_percent": _percent(plan.fill_rate.before_ppm),
        "fill_rate_after_percent": _percent(plan.fill_rate.after_ppm),
        "status": plan.solver.status,
        "gap_percent": None if plan.solver.gap_ppm is None else f"{plan.solver.gap_ppm / 1e4:.2f}",
        "top_lines": [
            {
                "line_no": line.line_no,
                "sku": names.sku(line.sku_id),
                "units": line.units,
                "from": line.origin,
                "to": line.destination,
                "by": line.mode,
                "departs": line.depart_on.isoformat(),
                "arrives": line.arrive_on.isoformat(),
                "saves": money_text(line.saving_minor, plan.currency),
            }
            for line in ranked[:LINES_SHOWN]
        ],
        "lines_not_shown": max(len(plan.lines) - LINES_SHOWN, 0),
        "note": note,
        **left_summary(left, names),
    }


def left_summary(left: Sequence[LeftBehind], names: Names) -> dict[str, Any]:
    """What had to leave a site and stays, the most urgent in words; nothing where all of it leaves."""
    if not left:
        return {}
    said = [names.words(each.words) for each in left[:LEFT_SHOWN]]
    return {"left_behind": said, "left_behind_not_shown": len(left) - len(said)}


def _percent(ppm: int) -> str:
    return f"{ppm / 1e4:.2f}"
