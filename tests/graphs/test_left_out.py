"""What is to stay out of a plan stays out of it, whatever it is named by."""

from __future__ import annotations

from tests.graphs.conftest import Day
from tools.catalog import ProposePlan


def test_a_category_that_is_left_out_stands_for_its_skus(day: Day) -> None:
    request = day.desk(plan=False).plan_request(ProposePlan(without=("drinks", "S2")))
    assert request.overlays.excluded_skus == ("P1",)
    assert request.overlays.excluded_sites == ("S2",)
