from __future__ import annotations

import pytest

from tests.builders import (
    a_forecast,
    a_lane,
    a_position,
    a_site,
    a_sku,
    a_snapshot,
    limits_for,
)
from tools.inventory import LaneKey, SiteSku, Temperature
from tools.planning.scope import Reach
from tools.transfers import LaneRef, LineRef, Overlays, PlanRequest, Scope, UnitCap


def three_sites(**fields):
    """S1, S2 and S3, each with a van to each other, and three SKUs in two categories."""
    sites = ("S1", "S2", "S3")
    defaults = {
        "sites": [a_site(site) for site in sites],
        "skus": [a_sku("P1", category="tea"), a_sku("P2", category="tea"), a_sku("P3", category="rice")],
        "lanes": [a_lane(origin, destination) for origin in sites for destination in sites if origin != destination],
        "positions": [a_position(site, sku) for site in sites for sku in ("P1", "P2", "P3")],
        "forecasts": [a_forecast(site, sku) for site in sites for sku in ("P1", "P2", "P3")],
    }
    return a_snapshot(**defaults | fields)


def reach(request=None, limits=None, **fields):
    return Reach(three_sites(**fields), limits or limits_for("P1", "P2", "P3"), request or PlanRequest())


def skus_of(**request):
    return [sku.sku_id for sku in reach(PlanRequest(**request)).skus]


def lanes_of(request=None, **more):
    return [f"{key.origin}{key.destination}" for key in reach(request, **more).departures]


def test_without_a_scope_every_sku_and_every_lane_may_be_used():
    assert skus_of() == ["P1", "P2", "P3"]
    assert len(lanes_of()) == 6


def test_a_scope_of_skus_and_categories_takes_what_is_in_both():
    assert skus_of(scope=Scope(skus=("P3", "P1"))) == ["P1", "P3"]
    assert skus_of(scope=Scope(categories=("tea",))) == ["P1", "P2"]
    assert skus_of(scope=Scope(categories=("tea",), skus=("P2", "P3"))) == ["P2"]


def test_an_excluded_sku_does_not_move():
    assert skus_of(overlays=Overlays(excluded_skus=("P2",))) == ["P1", "P3"]


@pytest.mark.parametrize(
    ("scope", "lanes"),
    [
        (Scope(sites=("S1",)), ["S1S2", "S1S3", "S2S1", "S3S1"]),
        (Scope(within_sites=("S1", "S2")), ["S1S2", "S2S1"]),
        (Scope(origins=("S3",)), ["S3S1", "S3S2"]),
        (Scope(destinations=("S3",)), ["S1S3", "S2S3"]),
        (Scope(sites=("S1",), within_sites=("S1", "S2"), origins=("S2",)), ["S2S1"]),
    ],
)
def test_a_scope_of_sites_says_which_lanes_may_be_used(scope, lanes):
    assert lanes_of(PlanRequest(scope=scope)) == lanes


def test_nothing_passes_through_an_excluded_site_or_lane():
    assert lanes_of(PlanRequest(overlays=Overlays(excluded_sites=("S1",)))) == ["S2S3", "S3S2"]
    closed = Overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2"), LaneRef(origin="S1", destination="S3")))
    assert lanes_of(PlanRequest(overlays=closed)) == ["S2S1", "S2S3", "S3S1", "S3S2"]


def test_an_excluded_lane_with_a_mode_closes_that_mode_only():
    lanes = [a_lane("S1", "S2", "van"), a_lane("S1", "S2", "truck")]
    van = Overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2", mode="van"),))
    assert [key.mode for key in reach(PlanRequest(overlays=van), lanes=lanes).departures] == ["truck"]


def test_a_lane_that_policy_closes_or_that_never_departs_is_not_used():
    limits = limits_for("P1", "P2", "P3", closed_lanes={LaneKey("S1", "S2", "van"): "forbidden_lane"})
    lanes = [a_lane("S1", "S2"), a_lane("S1", "S3", departure_weekdays=()), a_lane("S2", "S3")]
    assert lanes_of(limits=limits, lanes=lanes) == ["S2S3"]


def test_goods_that_would_arrive_after_the_days_asked_for_do_not_travel():
    lanes = [a_lane("S1", "S2", lead_time_days=2), a_lane("S1", "S3", lead_time_days=3)]
    assert lanes_of(PlanRequest(within_days=2), lanes=lanes) == ["S1S2"]


def why_not(limits=None, request=None, sku="P1", lane=None, **fields):
    found = reach(request, limits or limits_for("P1", "P2", "P3"), **fields)
    return found.why_not(found.snapshot.sku_by_id[sku], lane or a_lane("S1", "S2"))


def test_a_sku_moves_only_from_where_it_is_stocked_to_where_it_is_carried():
    only_s1 = {"positions": [a_position("S1", "P1")], "forecasts": [a_forecast("S3", "P1")]}
    assert why_not(**only_s1) == "not_carried"
    assert why_not(lane=a_lane("S2", "S1"), **only_s1) == "not_stocked"
    assert why_not(lane=a_lane("S1", "S3"), **only_s1) is None
    assert why_not() is None


def test_the_reason_why_a_sku_may_not_travel_is_the_rule_that_forbids_it():
    key = SiteSku("S1", "P1")
    assert why_not(limits_for(no_send={key: "cool_down"})) == "cool_down"
    assert why_not(limits_for(no_receive={SiteSku("S2", "P1"): "data_quality"})) == "data_quality"
    assert why_not(limits_for(no_receive={key: "data_quality"})) is None
    assert why_not(limits_for(closed_lanes={LaneKey("S1", "S2", "van"): "cross_entity"})) == "cross_entity"
    line = LineRef(sku_id="P1", origin="S1", destination="S2")
    assert why_not(request=PlanRequest(overlays=Overlays(excluded_lines=(line,)))) == "excluded_line"


def test_goods_travel_only_on_lanes_and_by_modes_that_may_carry_them():
    assert why_not(lane=a_lane("S1", "S2", allowed_categories=("rice", "tea"))) is None
    assert why_not(lane=a_lane("S1", "S2", allowed_categories=("rice",))) == "lane_categories"
    chilled = [a_sku("P1", temperature=Temperature.CHILLED)]
    cold = limits_for(temperature_modes={Temperature.CHILLED: frozenset({"reefer"})})
    assert why_not(cold, skus=chilled) == "temperature"
    assert why_not(cold, skus=chilled, lane=a_lane("S1", "S2", "reefer")) is None
    assert why_not(cold) is None
    hazardous = [a_sku("P1", hazmat=True)]
    assert why_not(limits_for(hazmat_modes=frozenset({"truck"})), skus=hazardous) == "hazmat"
    assert why_not(limits_for(hazmat_modes=frozenset({"van"})), skus=hazardous) is None
    assert why_not(limits_for(hazmat_modes=None), skus=hazardous) is None
    assert why_not(limits_for(hazmat_modes=frozenset({"truck"}))) is None


def test_of_two_caps_on_one_site_sku_the_lower_one_holds():
    caps = tuple(UnitCap(site_id="S1", sku_id="P1", units=units) for units in (7, 3, 5))
    found = reach(PlanRequest(overlays=Overlays(receive_caps=caps, send_caps=caps[:1])))
    key = SiteSku("S1", "P1")
    assert (found.receive_cap(key), found.send_cap(key)) == (3, 7)
    assert found.receive_cap(SiteSku("S2", "P1")) is None
