"""Plans and their parts as plain JSON for answers: short, masked, and cut to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphs.names import Names
from policies.leaving import LeftBehind
from tools.counted import counted
from tools.money import money_text
from tools.plan_difference import Change, OnTheWay, PlanDifference
from tools.transfers import SolveStatus, TransferPlan

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
        "quality": quality_words(plan),
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


def quality_words(plan: TransferPlan) -> str:
    """How good the plan is, in words that claim no more than the solver has proved."""
    gap_ppm = plan.solver.gap_ppm
    match plan.solver.status:
        case SolveStatus.OPTIMAL:
            return "It is proved that no other plan for this request saves more."
        case SolveStatus.NOTHING_TO_MOVE:
            return "No transfer was found that earns more than it costs."
        case _ if gap_ppm is None:
            return "The plan keeps every limit, but how far it is from the best possible is not known."
        case _ if gap_ppm == 0:
            return "No other plan for this request saves more, but for less than a millionth."
        case _:
            return f"It is proved that no other plan for this request can be better by more than {gap_ppm / 1e4:.2f} %."


def said_of_plan(plan: TransferPlan) -> str:
    """What the plan moves, saves and costs, in a sentence or two."""
    name = f"Plan {plan.digest[:12]}"
    if not plan.lines:
        return f"{name} moves nothing."
    money = [plan.saving_minor, plan.transfer_cost_minor, plan.move_cost_minor, plan.fixed_cost_minor]
    saves, costs, by_line, by_departure = (money_text(amount, plan.currency) for amount in money)
    return (
        f"{name} has {counted(len(plan.lines), 'line')} with {counted(plan.units, 'unit')} on"
        f" {counted(len(plan.lanes), 'departure')}. It saves {saves} after {costs} of moving cost ({by_line} by line,"
        f" {by_departure} for departures), moves goods worth {money_text(plan.goods_value_minor, plan.currency)}, and takes"
        f" the expected fill rate from {_percent(plan.fill_rate.before_ppm)} % to {_percent(plan.fill_rate.after_ppm)} %."
    )


def difference_summary(found: PlanDifference, currency: str) -> dict[str, Any]:
    """A plan against another in figures and words: those of the first less those of the other."""
    saves = money_text(found.saving_minor, currency)
    costs = money_text(found.transfer_cost_minor, currency)
    if not found.changes:
        words = "Both move the same."
    else:
        words = (
            f"Against the other it has {_more(found.lines, 'line')} and {_more(found.units, 'unit')}, saves"
            f" {_more_money(found.saving_minor, currency)} and costs {_more_money(found.transfer_cost_minor, currency)} to move."
        )
    return {
        "lines": found.lines,
        "units": found.units,
        "departures": found.departures,
        "saves": saves,
        "costs_to_move": costs,
        "goods_value": money_text(found.goods_value_minor, currency),
        "words": words,
    }


def changes_summary(changes: Sequence[Change], names: tuple[Names, Names], most: int, currency: str) -> dict[str, Any]:
    """Lines that differ between two plans, the most valuable first; `names` are those of either plan's facts."""
    mine, theirs = names
    return {
        "count": len(changes),
        "lines": [
            {
                # What is masked in either plan's facts is masked here.
                "sku": next((name for names in (mine, theirs) if (name := names.sku(sku_id)) != sku_id), sku_id),
                "from": mine.site(change.way.origin),
                "to": mine.site(change.way.destination),
                "by": change.way.mode,
                "in_plan": _on_the_way(change.plan, currency),
                "in_other": _on_the_way(change.other, currency),
            }
            for change in changes[:most]
            for sku_id in (change.way.sku_id,)
        ],
    }


def _on_the_way(sent: OnTheWay | None, currency: str) -> dict[str, Any] | None:
    if sent is None:
        return None
    departs = ", ".join(day.isoformat() for day in sent.depart_on)
    return {"units": sent.units, "saves": money_text(sent.saving_minor, currency), "departs": departs}


def _more(number: int, what: str) -> str:
    return f"{counted(abs(number), what)} {'more' if number > 0 else 'fewer'}" if number else f"as many {what}s"


def _more_money(amount_minor: int, currency: str) -> str:
    if not amount_minor:
        return "as much"
    return f"{money_text(abs(amount_minor), currency)} {'more' if amount_minor > 0 else 'less'}"


def _percent(ppm: int) -> str:
    return f"{ppm / 1e4:.2f}"
