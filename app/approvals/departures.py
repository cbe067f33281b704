"""Departures that an edit leaves too little on: which lines still travel there, and what to do about it, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from policies.narrowing import departure_of
from policies.violations import Violation
from tools.inventory import LaneKey
from tools.transfers import TransferPlan

Departure = tuple[LaneKey, date]


def what_to_do(plan: TransferPlan, edited: TransferPlan, violations: Iterable[Violation]) -> Iterator[str]:
    """For each departure of the edited plan that does not pay: its lines, by their numbers in the plan that was edited."""
    travels_on = {line.line_no: departure_of(line) for line in edited.lines}
    units = {(departure_of(line), line.sku_id): line.units for line in edited.lines}
    for violation in violations:
        if violation.rule != "lane_benefit" or not violation.line_nos:
            continue
        there = travels_on[violation.line_nos[0]]
        lines = [line for line in plan.lines if departure_of(line) == there]
        left = [line.line_no for line in lines if (there, line.sku_id) in units]
        less = [line.line_no for line in lines if units.get((there, line.sku_id), 0) < line.units]
        yield _words(left, less)


def _words(left: list[int], less: list[int]) -> str:
    """`left` still travel; of `less` the edit took something away."""
    is_some_dropped = not set(less) <= set(left)
    drop = f"drop {'it' if len(left) == 1 else 'them'}{' as well' if is_some_dropped else ''}"
    way_out = f"{drop}, or keep {_named(less)} as planned" if less else drop
    same = "on the same departure" if is_some_dropped else "on it"
    return f"{_named(left).capitalize()} {'travels' if len(left) == 1 else 'travel'} {same}: {way_out}."


def _named(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    return f"lines {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
