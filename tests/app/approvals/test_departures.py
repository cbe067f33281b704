"""What is said of a departure that an edit leaves too little on."""

from __future__ import annotations

import pytest

from app.approvals.departures import what_to_do
from policies.violations import Violation
from tests.builders import a_line, a_plan
from tools.transfers import TransferPlan


def a_plan_of(*units: int) -> TransferPlan:
    """A plan of lines of so many units of P1, P2 and so on, all on one departure; none for a SKU with 0 units."""
    sent = [(f"P{number}", count) for number, count in enumerate(units, 1) if count]
    return a_plan(*(a_line(line_no=at, sku_id=sku_id, units=count) for at, (sku_id, count) in enumerate(sent, 1)))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ((0, 4, 0), "Line 2 travels on the same departure: drop it as well, or keep lines 1 and 3 as planned."),
        ((0, 4, 4), "Lines 2 and 3 travel on the same departure: drop them as well, or keep line 1 as planned."),
        ((0, 2, 0), "Line 2 travels on the same departure: drop it as well, or keep lines 1, 2 and 3 as planned."),
        ((2, 2, 2), "Lines 1, 2 and 3 travel on it: drop them, or keep lines 1, 2 and 3 as planned."),
        ((4, 4, 4), "Lines 1, 2 and 3 travel on it: drop them."),
    ],
)
def test_the_lines_that_are_left_on_it_are_named_by_their_numbers_before_the_edit(
    after: tuple[int, int, int], words: str
) -> None:
    plan, edited = a_plan_of(4, 4, 4), a_plan_of(*after)
    broken = Violation("lane_benefit", "It does not pay.", line_nos=tuple(line.line_no for line in edited.lines))
    assert list(what_to_do(plan, edited, [broken, Violation("size", "Too much.", line_nos=(1,))])) == [words]
