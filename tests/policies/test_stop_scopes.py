"""Stops: what each holds, by hand and by properties, and what it is called."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.approvals import SkuClass
from policies.rules import check
from policies.stops import STOPPABLE, Stop, classes_of, stop_holding
from tests.builders import a_sku
from tests.policies.checking import facts_of, plan_on
from tools.inventory import LaneKey, Temperature

LANE = LaneKey("S1", "S2", "van")
MILK = a_sku("MILK", category="dairy", temperature=Temperature.CHILLED)
GAS = a_sku("GAS", category="fuel", hazmat=True)
SECRET = a_sku("NEW", sensitive=True, temperature=Temperature.FROZEN)
PLAIN = a_sku("PLAIN")
EVERY_LANE = tuple(
    LaneKey(a, b, mode) for a in ("S1", "S2", "S3") for b in ("S1", "S2", "S3") if a != b for mode in ("van", "rail")
)
EVERY_SKU = (MILK, GAS, SECRET, PLAIN)


@pytest.mark.parametrize(
    ("stop", "words", "held", "free"),
    [
        (Stop(), "everything", [(LANE, PLAIN), (LaneKey("S9", "S8", "rail"), None)], []),
        (Stop(site_id="S1"), "everything from or to S1", [(LANE, PLAIN), (LaneKey("S3", "S1", "van"), PLAIN)],
         [(LaneKey("S2", "S3", "van"), PLAIN), (LaneKey("S10", "S2", "van"), PLAIN)]),
        (Stop(origin="S1", destination="S2"), "everything from S1 to S2", [(LANE, PLAIN), (LANE._replace(mode="rail"), GAS)],
         [(LaneKey("S2", "S1", "van"), PLAIN), (LaneKey("S1", "S3", "van"), PLAIN)]),
        (Stop(origin="S1", destination="S2", mode="van"), "everything from S1 to S2 by van", [(LANE, PLAIN)],
         [(LANE._replace(mode="rail"), PLAIN)]),
        (Stop(sku_class="hazmat"), "hazmat SKUs", [(LANE, GAS), (LANE, None)], [(LANE, MILK), (LANE, PLAIN)]),
        (Stop(sku_class="chilled"), "chilled SKUs", [(LANE, MILK)], [(LANE, SECRET), (LANE, PLAIN)]),
        (Stop(sku_class="frozen"), "frozen SKUs", [(LANE, SECRET)], [(LANE, MILK)]),
        (Stop(sku_class="sensitive"), "sensitive SKUs", [(LANE, SECRET)], [(LANE, MILK), (LANE, GAS)]),
        (Stop(sku_class="category/dairy"), "SKUs of category dairy", [(LANE, MILK)], [(LANE, GAS), (LANE, PLAIN)]),
        (Stop(site_id="S2", sku_class="hazmat"), "hazmat SKUs from or to S2", [(LANE, GAS)],
         [(LANE, MILK), (LaneKey("S1", "S3", "van"), GAS)]),
        (Stop(origin="S1", destination="S2", sku_class="category/dairy"), "SKUs of category dairy from S1 to S2",
         [(LANE, MILK)], [(LANE, GAS), (LaneKey("S1", "S3", "van"), MILK)]),
    ],
    ids=lambda value: value.words if isinstance(value, Stop) else "",
)  # fmt: skip
def test_a_stop_holds_what_it_says_and_nothing_else(stop: Stop, words: str, held: list, free: list) -> None:  # type: ignore[type-arg]
    assert stop.words == words
    assert [stop.holds(*each) for each in held] == [True] * len(held)
    assert [stop.holds(*each) for each in free] == [False] * len(free)


@pytest.mark.parametrize(
    "parts",
    [
        {"origin": "S1"}, {"destination": "S1"}, {"mode": "van"}, {"origin": "S1", "destination": "S1"},
        {"site_id": "S1", "origin": "S1", "destination": "S2"}, {"site_id": "S1", "mode": "van"},
        {"sku_class": "A"}, {"sku_class": "dangerous"}, {"sku_class": "category/"}, {"sku_class": ""},
    ],
)  # fmt: skip
def test_a_stop_that_names_no_part_of_the_network_cannot_be_made(parts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"lane|class"):
        Stop(**parts)


@st.composite
def some_stop(draw: st.DrawFn) -> Stop:
    """Any stop over a small network."""
    sku_class = draw(st.sampled_from([None, *STOPPABLE, "category/dairy", "category/none"]))
    site = draw(st.sampled_from(["S1", "S2", "S3"]))
    lane = draw(st.sampled_from(EVERY_LANE))
    where = draw(st.sampled_from([{}, {"site_id": site}, {"origin": lane.origin, "destination": lane.destination}]))
    mode = {"mode": lane.mode} if "origin" in where and draw(st.booleans()) else {}
    return Stop(**where, **mode, sku_class=sku_class)


@given(st.lists(some_stop(), max_size=4), st.sampled_from(EVERY_LANE), st.sampled_from(EVERY_SKU))
def test_a_transfer_is_held_by_the_first_stop_that_holds_it_and_every_further_stop_holds_no_less(
    stops, lane, sku
) -> None:  # type: ignore[no-untyped-def]
    found = stop_holding(stops, lane, sku)
    assert found == next((stop for stop in stops if stop.holds(lane, sku)), None)
    assert stop_holding([*stops, Stop()], lane, sku) is not None
    assert stop_holding((), lane, sku) is None


@given(some_stop(), st.sampled_from(EVERY_LANE), st.sampled_from(EVERY_SKU))
def test_what_is_stated_can_only_narrow_a_stop(stop: Stop, lane: LaneKey, sku) -> None:  # type: ignore[no-untyped-def]
    for wider in (replace(stop, sku_class=None), replace(stop, site_id=None), replace(stop, mode=None), Stop()):
        assert wider.holds(lane, sku) or not stop.holds(lane, sku)
    assert stop.holds_everything == (stop.words == "everything")


@given(some_stop(), st.sampled_from(EVERY_LANE))
def test_a_sku_that_nobody_knows_is_held_wherever_some_sku_might_be(stop: Stop, lane: LaneKey) -> None:
    assert stop.holds(lane, None) or not any(stop.holds(lane, sku) for sku in EVERY_SKU)


def test_the_classes_of_a_sku_are_what_its_master_data_says() -> None:
    assert classes_of(MILK) == {SkuClass.CHILLED, "category/dairy"}
    assert classes_of(GAS) == {SkuClass.HAZMAT, "category/fuel"}
    assert classes_of(SECRET) == {SkuClass.SENSITIVE, SkuClass.FROZEN} | classes_of(PLAIN)


def test_a_plan_that_moves_what_is_stopped_goes_nowhere_and_its_lines_are_to_blame() -> None:
    facts = facts_of()
    plan = plan_on(facts)
    line = plan.lines[0]
    stopped = check(plan, replace(facts, stops=(Stop(site_id=line.origin),)))
    assert {violation.rule for violation in stopped} == {"kill_switch"}
    touching = tuple(each.line_no for each in plan.lines if line.origin in each.lane[:2])
    assert tuple(no for violation in stopped for no in violation.line_nos) == touching
    assert f"everything from or to {line.origin} is stopped" in stopped[0].words
    assert check(plan, replace(facts, stops=(Stop(sku_class="hazmat"),))) == ()
