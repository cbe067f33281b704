"""From a tool's result to plain sentences. Every number in them is read from the result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

ROWS_SAID = 5


def answer(tool: str, content: str) -> str:
    """What a tool has found, in words. A result that cannot be read is said to be one."""
    try:
        result = json.loads(content)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        return "I got an answer that I cannot read. Please try again."
    if "error" in result:
        return f"That did not work: {result['error']}."
    say = _ANSWERS.get(tool)
    return say(result) if say else "I got an answer to something that I did not ask."


def is_sound_plan(content: str) -> bool:
    """Whether a proposed plan moves something and breaks no rule: what may be submitted."""
    try:
        result = json.loads(content)
    except ValueError:
        return False
    return isinstance(result, dict) and bool(result.get("lines")) and not result.get("violations")


def _imbalances(result: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{number} {kind}" for kind, number in result["counts"].items())
    if not counts:
        return f"As of {_day(result)} nothing is out of balance there.{_held(result)}"
    rows = "; ".join(
        f"{row['sku']} at {row['site']}: {row['kind']} of {row['units']} units, {row['at_stake']} at stake"
        f"{_cover(row['days_of_cover'])}"
        for row in result["imbalances"][:ROWS_SAID]
    )
    return f"As of {_day(result)}: {counts}. Most at stake: {rows}.{_held(result)}"


def _held(result: Mapping[str, Any]) -> str:
    held = result.get("held_back_for_bad_data")
    return f" {held} stock positions are held back for bad data." if held else ""


def _cover(days: int | None) -> str:
    return "" if days is None else f", {days} days of cover"


def _coverage(result: Mapping[str, Any]) -> str:
    rows = result["rows"]
    if not rows:
        return f"As of {_day(result)} there is no stock and no demand to speak of there."
    said = "; ".join(
        f"{row['sku']} at {row['site']}: {row['available_units']} available, {row['demand_a_day']} a day"
        f"{_cover(row['days_of_cover'])}, needs {row['needs_units']} for the {row['days_until_supply']} days until its"
        f" regular supply, runs out before with {row['stock_out_percent']} %"
        for row in rows[:ROWS_SAID]
    )
    return f"As of {_day(result)}, shortest cover first: {said}."


def _plan(result: Mapping[str, Any]) -> str:
    note = f" {result['note']}" if result.get("note") else ""
    if "plan" not in result:
        return f"There is no plan.{note}"
    if not result["lines"]:
        return f"There is nothing worth moving.{note}{_concessions(result)}"
    lines = "; ".join(_line(line) for line in result["top_lines"][:ROWS_SAID])
    refused = " ".join(result.get("violations", [])[:ROWS_SAID])
    closing = f" It breaks policy: {refused}" if refused else " Say submit to send it to the approvers."
    return f"{_figures(result)} Most valuable: {lines}.{note}{_concessions(result)}{closing}"


def _figures(plan: Mapping[str, Any]) -> str:
    gap = "" if plan["gap_percent"] is None else f", at most {plan['gap_percent']} % from the best possible"
    return (
        f"The plan moves {plan['units']} units in {plan['lines']} lines on {plan['departures']} departures. It saves"
        f" {plan['saves']} after {plan['costs_to_move']} of moving cost{gap}. Expected fill rate:"
        f" {plan['fill_rate_before_percent']} % before, {plan['fill_rate_after_percent']} % after."
    )


def _line(line: Mapping[str, Any]) -> str:
    return (
        f"line {line['line_no']}: {line['units']} {line['sku']} from {line['from']} to {line['to']} by {line['by']},"
        f" arriving {line['arrives']}, saves {line['saves']}"
    )


def _concessions(result: Mapping[str, Any]) -> str:
    found = result.get("concessions", [])
    return f" What policy costs here: {' '.join(found)}" if found else ""


def _what_if(result: Mapping[str, Any]) -> str:
    return (
        f"As of {_day(result)}. As things are: {_side(result['as_things_are'])} What if: {_side(result['what_if'])}"
        " Nothing was kept."
    )


def _side(side: Mapping[str, Any]) -> str:
    if "lines" not in side:
        return f"no plan. {side.get('note', '')}".strip()
    note = f" {side['note']}" if side.get("note") else ""
    return _figures(side) + note if side["lines"] else f"nothing worth moving.{note}"


def _explanation(result: Mapping[str, Any]) -> str:
    return (
        f"Line {result['line_no']} moves {result['units']} {result['sku']} from {result['from']} to {result['to']}."
        f" {result['words']}"
    )


def _status(result: Mapping[str, Any]) -> str:
    waiting = "; ".join(
        f"plan {row['plan']} by {row['requested_by']}, {row['lines']} lines, saves {row['saves']}, expires"
        f" {row['expires_at']}"
        for row in result["waiting"][:ROWS_SAID]
    )
    orders = "; ".join(
        f"{row['units']} {row['sku']} from {row['from']} to {row['to']}: {row['state'].replace('_', ' ')}, arriving"
        f" {row['arrives']}"
        for row in result["orders"][:ROWS_SAID]
    )
    waits = f"Waiting for a decision: {waiting}." if waiting else "No plan waits for a decision."
    under_way = f"Latest transfer orders: {orders}." if orders else "There are no transfer orders yet."
    return f"{waits} {under_way}"


def _policy(result: Mapping[str, Any]) -> str:
    stopped = " The kill switch is engaged." if result["kill_switch_engaged"] else ""
    return " ".join(result["policy"].splitlines()) + stopped


def _submitted(result: Mapping[str, Any]) -> str:
    if result.get("submitted"):
        return f"The plan waits for a decision, approval request {result['approval']}, until {result['expires_at']}."
    return f"The plan was not submitted. {result.get('note', '')}".strip()


def _day(result: Mapping[str, Any]) -> str:
    return str(result["as_of"])[:10]


_ANSWERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "find_imbalances": _imbalances,
    "coverage": _coverage,
    "propose_plan": _plan,
    "what_if": _what_if,
    "explain_line": _explanation,
    "status": _status,
    "policy": _policy,
    "submit_plan": _submitted,
}
