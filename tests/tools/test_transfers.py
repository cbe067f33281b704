from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders import (
    TODAY,
    a_forecast,
    a_lane,
    a_line,
    a_load,
    a_plan,
    a_position,
    a_site,
    a_sku,
    a_snapshot,
    in_days,
    limits_for,
)
from tools.inventory import LaneKey, SiteSku
from tools.planning import make_plan, solve
from tools.rejections import Rejection, RejectionCode, request_after_rejection
from tools.transfers import (
    DemandChange,
    FillRate,
    LaneRef,
    LineRef,
    Overlays,
    PlanRequest,
    Scope,
    SolveStatus,
    TransferLine,
    TransferPlan,
    UnitCap,
)

IDS = st.sampled_from(["S1", "S2", "S3", "DC-1"])
LANES = st.builds(LaneRef, origin=IDS, destination=IDS, mode=st.sampled_from([None, "van"]))
LINES = st.builds(LineRef, sku_id=IDS, origin=IDS, destination=IDS)
CAPS = st.builds(UnitCap, site_id=IDS, sku_id=IDS, units=st.integers(0, 9))
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "excluded_lanes": st.lists(LANES, max_size=4).map(tuple),
        "excluded_sites": st.lists(IDS, max_size=4).map(tuple),
        "excluded_lines": st.lists(LINES, max_size=4).map(tuple),
        "receive_caps": st.lists(CAPS, max_size=4).map(tuple),
    },
)


# Plan requests


@given(changes=CHANGES)
def test_adding_the_same_overlays_again_changes_nothing(changes):
    once = PlanRequest().with_overlays(**changes)
    assert once.with_overlays(**changes) == once


@given(first=CHANGES, second=CHANGES)
def test_the_order_in_which_overlays_come_makes_no_difference(first, second):
    one, other = PlanRequest().with_overlays(**first), PlanRequest().with_overlays(**second)
    assert one.with_overlays(**second) == other.with_overlays(**first)


@given(changes=CHANGES)
def test_added_overlays_keep_everything_that_was_asked_for(changes):
    before = PlanRequest(
        scope=Scope(skus=("P1",)), within_days=3, overlays=Overlays(excluded_sites=("S9",), max_units=7)
    )
    after = before.with_overlays(**changes)
    assert (after.scope, after.within_days, after.overlays.max_units) == (before.scope, 3, 7)
    assert set(after.overlays.excluded_sites) == {"S9", *changes.get("excluded_sites", ())}


def test_a_limit_replaces_the_one_before():
    assert PlanRequest().with_overlays(max_units=7).with_overlays(max_units=5).overlays.max_units == 5


@pytest.mark.parametrize(
    "changes", [{"max_unit": 5}, {"max_units": "5"}, {"max_units": -1}, {"excluded_sites": ["S1"]}]
)
def test_overlays_that_do_not_exist_or_fit_are_refused(changes):
    with pytest.raises(ValidationError):
        PlanRequest().with_overlays(**changes)


@pytest.mark.parametrize("units", [True, "5", 5.0, 5.5, None, -1, 1_000_000_001])
def test_units_are_integers_and_nothing_that_looks_like_one(units):
    with pytest.raises(ValidationError):
        UnitCap(site_id="S1", sku_id="P1", units=units)
    with pytest.raises(ValidationError):
        a_line(units=1, packs=units)


@pytest.mark.parametrize("units", ["5", "5.0", "true", '"5"'])
def test_units_in_json_are_integers_too(units):
    document = f'{{"site_id": "S1", "sku_id": "P1", "units": {units}}}'
    if units == "5":
        assert UnitCap.model_validate_json(document).units == 5
    else:
        with pytest.raises(ValidationError):
            UnitCap.model_validate_json(document)


@pytest.mark.parametrize("name", ["", " S1", "S1 ", "Ѕ1", "-S1", "S" * 41, "S1\n", "S1→S2"])
def test_an_id_that_could_be_mistaken_for_another_is_refused(name):
    with pytest.raises(ValidationError):
        LineRef(sku_id="P1", origin=name, destination="S2")


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        PlanRequest.model_validate_json('{"scope": {}, "approve": true}')


def test_values_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        PlanRequest().within_days = 3


@pytest.mark.parametrize(
    ("ref", "covers"),
    [
        (LaneRef(origin="S1", destination="S2"), True),
        (LaneRef(origin="S1", destination="S2", mode="van"), True),
        (LaneRef(origin="S1", destination="S2", mode="truck"), False),
        (LaneRef(origin="S2", destination="S1"), False),
        (LaneRef(origin="S1", destination="S3"), False),
    ],
)
def test_a_lane_without_a_mode_means_every_mode(ref, covers):
    assert ref.covers(LaneKey("S1", "S2", "van")) is covers


@given(changes=CHANGES)
def test_a_request_survives_storage(changes):
    request = PlanRequest(scope=Scope(categories=("tea",)), within_days=2).with_overlays(**changes)
    assert PlanRequest.model_validate_json(json.dumps(request.model_dump(mode="json"))) == request


# Plans


def test_the_same_content_has_the_same_digest_and_any_change_another():
    assert a_plan().digest == a_plan().digest
    changed = [
        a_plan(a_line(units=6)),
        a_plan(a_line(depart_on=in_days(2))),
        a_plan(a_line(mode="truck")),
        a_plan(goods_value_minor=1),
        a_plan(planned_on=in_days(1)),
        a_plan(fill_rate=FillRate(before_ppm=0, after_ppm=1)),
        a_plan(request=PlanRequest(within_days=9)),
        a_plan(snapshot_digest="f" * 64),
        a_plan(policy_digest="f" * 64),
        a_plan(solver=a_plan().solver.model_copy(update={"status": SolveStatus.WITHIN_GAP})),
    ]
    assert len({plan.digest for plan in (a_plan(), *changed)}) == 11


def test_a_plan_survives_storage_with_its_digest():
    plan = a_plan(a_line(1, 5), a_line(2, 3, sku_id="P2"))
    again = TransferPlan.model_validate_json(json.dumps(plan.model_dump(mode="json")))
    assert (again, again.digest) == (plan, plan.digest)


def test_a_plan_whose_money_does_not_add_up_is_not_a_plan():
    with pytest.raises(ValidationError, match="line savings minus lane costs are 3090, the plan says 3091"):
        a_plan(saving_minor=3_091)


@pytest.mark.parametrize("numbers", [(2,), (1, 1), (2, 1), (1, 3), (0,)])
def test_the_lines_of_a_plan_are_numbered_from_one_without_a_gap(numbers):
    with pytest.raises(ValidationError):
        a_plan(*(a_line(number, sku_id=f"P{place}") for place, number in enumerate(numbers)))


def test_sums_and_ends_of_a_plan():
    lines = (a_line(1, 5), a_line(2, 3, sku_id="P2"), a_line(3, 4, destination="S3"))
    plan = a_plan(*lines)
    assert plan.units == 12
    assert plan.sites == {"S1", "S2", "S3"}
    assert plan.transfer_cost_minor == 3 * 50 + 2 * 500
    assert plan.sent_units == {SiteSku("S1", "P1"): 9, SiteSku("S1", "P2"): 3}
    assert plan.received_units == {SiteSku("S2", "P1"): 5, SiteSku("S2", "P2"): 3, SiteSku("S3", "P1"): 4}
    assert (lines[0].lane, a_load(lines[0]).lane) == (LaneKey("S1", "S2", "van"),) * 2
    assert lines[2].ref == LineRef(sku_id="P1", origin="S1", destination="S3")


def test_the_id_of_a_transfer_order_is_permanent_and_its_own():
    plan = a_plan(a_line(1), a_line(2, sku_id="P2"))
    assert plan.transfer_id(1) == a_plan(a_line(1), a_line(2, sku_id="P2")).transfer_id(1)
    assert len({plan.transfer_id(1), plan.transfer_id(2), a_plan().transfer_id(1)}) == 3


def test_a_line_moves_at_least_one_unit():
    with pytest.raises(ValidationError):
        a_line(units=0)


# Rejections


def three_lines():
    """P1 from S1 to S2 and S3, P2 from S1 to S2; the solver's own plan, with the facts and limits it is made on."""
    snapshot = a_snapshot(
        sites=[a_site(site) for site in ("S1", "S2", "S3")],
        skus=(a_sku("P1"), a_sku("P2")),
        lanes=(a_lane("S1", "S2"), a_lane("S1", "S3"), a_lane("S1", "S2", "truck", cost_fixed_e4=900_000)),
        positions=[a_position("S1", sku, 40) for sku in ("P1", "P2")],
        forecasts=[a_forecast("S2", "P1", 2), a_forecast("S3", "P1", 2), a_forecast("S2", "P2", 2)],
        replenishments=(),
    )
    limits = replace(limits_for("P1", "P2"), line_charge_minor=50)
    plan = make_plan(snapshot, limits, PlanRequest(), solve(snapshot, limits, PlanRequest()))
    assert [(line.sku_id, line.destination, line.mode) for line in plan.lines] == [
        ("P1", "S2", "van"),
        ("P2", "S2", "van"),
        ("P1", "S3", "van"),
    ]
    return snapshot, limits, plan


def plan_after(rejection):
    """The rejected plan, and the next one."""
    snapshot, limits, plan = three_lines()
    request = request_after_rejection(plan, rejection)
    return plan, make_plan(snapshot, limits, request, solve(snapshot, limits, request))


def rejected(code, **fields):
    return Rejection(code=code, words="because", **fields)


def carried(plan):
    return {(line.sku_id, line.destination, line.mode) for line in plan.lines}


def test_after_a_lane_is_unavailable_nothing_travels_on_it():
    _, after = plan_after(rejected(RejectionCode.LANE_UNAVAILABLE, line_nos=(1,)))
    assert {line.mode for line in after.lines if line.destination == "S2"} <= {"truck"}
    assert ("P1", "S3", "van") in carried(after)


def test_after_a_site_is_frozen_nothing_touches_it():
    _, after = plan_after(rejected(RejectionCode.SITE_FROZEN, sites=("S3",)))
    assert after.lines
    assert "S3" not in after.sites


def test_after_a_sku_is_frozen_it_does_not_move():
    _, after = plan_after(rejected(RejectionCode.SKU_FROZEN, skus=("P1",)))
    assert {line.sku_id for line in after.lines} == {"P2"}


def test_a_line_that_is_not_wanted_does_not_come_back_by_another_mode():
    _, after = plan_after(rejected(RejectionCode.LINE_UNWANTED, line_nos=(1, 3)))
    assert {(line.sku_id, line.destination) for line in after.lines} == {("P2", "S2")}


def test_after_too_many_units_there_are_no_more_than_the_limit():
    before, after = plan_after(rejected(RejectionCode.TOO_MANY_UNITS, limit=10))
    assert before.units > 10
    assert 0 < after.units <= 10


def test_after_too_many_lines_there_are_no_more_than_the_limit():
    _, after = plan_after(rejected(RejectionCode.TOO_MANY_LINES, limit=1))
    assert len(after.lines) == 1


def test_after_too_expensive_transport_costs_no_more_than_the_limit():
    before, after = plan_after(rejected(RejectionCode.TOO_EXPENSIVE, limit=700))
    assert before.transfer_cost_minor > 700
    assert 0 < after.transfer_cost_minor <= 700


def test_after_doubtful_data_the_lines_sites_and_skus_named_stay_out():
    _, after = plan_after(rejected(RejectionCode.DATA_DOUBTFUL, line_nos=(2,)))
    assert {(line.sku_id, line.destination) for line in after.lines} == {("P1", "S2"), ("P1", "S3")}
    _, after = plan_after(rejected(RejectionCode.DATA_DOUBTFUL, sites=("S3",), skus=("P2",)))
    assert {(line.sku_id, line.destination) for line in after.lines} == {("P1", "S2")}


def test_a_reason_without_a_meaning_leaves_nothing_to_plan():
    _, _, plan = three_lines()
    assert request_after_rejection(plan, rejected(RejectionCode.OTHER)) is None


@pytest.mark.parametrize("code", [code for code in RejectionCode if code is not RejectionCode.OTHER])
def test_every_reason_with_a_meaning_gives_another_request_and_keeps_the_first(code):
    _, _, plan = three_lines()
    plan = plan.model_copy(update={"request": PlanRequest(within_days=9, overlays=Overlays(excluded_sites=("S9",)))})
    request = request_after_rejection(plan, rejected(code, line_nos=(1,), sites=("S2",), skus=("P1",), limit=1))
    assert request != plan.request
    assert request.within_days == 9
    assert "S9" in request.overlays.excluded_sites


def test_words_change_no_number():
    _, _, plan = three_lines()
    quiet, loud = (
        Rejection(code=RejectionCode.TOO_MANY_LINES, words=words, limit=2) for words in ("two", "no: move 9000 units")
    )
    assert request_after_rejection(plan, quiet) == request_after_rejection(plan, loud)


def test_a_line_that_the_plan_does_not_have_is_refused():
    _, _, plan = three_lines()
    with pytest.raises(ValueError, match="the plan has 3 lines; there is no line 4"):
        request_after_rejection(plan, rejected(RejectionCode.LINE_UNWANTED, line_nos=(1, 4)))


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("lane_unavailable", "line_nos"),
        ("line_unwanted", "line_nos"),
        ("site_frozen", "sites"),
        ("sku_frozen", "skus"),
        ("too_many_units", "limit"),
        ("too_many_lines", "limit"),
        ("too_expensive", "limit"),
        ("data_doubtful", "line_nos, sites or skus"),
    ],
)
def test_a_reason_says_what_it_applies_to(code, field):
    with pytest.raises(ValidationError, match=f"code {code} must name {field}"):
        rejected(RejectionCode(code))


def test_a_limit_of_zero_is_a_limit():
    assert rejected(RejectionCode.TOO_MANY_UNITS, limit=0).limit == 0


@pytest.mark.parametrize("fields", [{"words": ""}, {"line_nos": (0,)}, {"limit": -1}, {"limit": True}])
def test_a_rejection_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        Rejection(**{"code": RejectionCode.OTHER, "words": "because"} | fields)


def test_a_plan_request_may_assume_other_demand_only_within_bounds():
    assert DemandChange(percent=1_000).percent == 1_000
    with pytest.raises(ValidationError):
        DemandChange(percent=1_001)
    with pytest.raises(ValidationError):
        Overlays(service_level_bp=4_999)


def test_lines_are_dated():
    assert isinstance(a_line(), TransferLine)
    assert a_line().depart_on > TODAY
