"""The last rule computes a plan again: every line can be carried out, every figure comes out, and moving pays."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from policies.rules import Facts, Violation, check
from tests.builders import (
    a_forecast,
    a_lane,
    a_line,
    a_load,
    a_move,
    a_needy_network,
    a_policy,
    a_position,
    a_site,
    a_sku,
    a_supply,
)
from tests.policies.checking import REQUEST, a_needy_pair, facts_of, plan_on, planned, served
from tools.transfers import DemandChange, LaneRef, LineRef, Overlays, PlanRequest, Scope, UnitCap


class Limit(NamedTuple):
    """What five units from S1 to S2 just keep to, and what they break; the numbers and the lines to blame."""

    kept: dict[str, Any]
    broken: dict[str, Any]
    where: str
    allowed: int
    found: int
    line_nos: tuple[int, ...] = ()


def lane(**fields: Any) -> dict[str, Any]:
    return {"lanes": (a_lane(**fields),)}


def sender(**fields: Any) -> dict[str, Any]:
    return {"sites": (a_site("S1", **fields), a_site("S2"))}


def receiver(**fields: Any) -> dict[str, Any]:
    return {"sites": (a_site("S1"), a_site("S2", **fields))}


LINE, AT_S1, AT_S2 = "P1 S1→S2 by van", "P1 at S1", "P1 at S2"
OF_FACTS: dict[str, Limit] = {
    "unknown_lane": Limit({}, {"lanes": ()}, LINE, 0, 5, (1,)),
    "never_departs": Limit(lane(departure_weekdays=(2,)), lane(departure_weekdays=()), LINE, 0, 5, (1,)),
    "lane_categories": Limit(
        lane(allowed_categories=("", "food")), lane(allowed_categories=("food",)), LINE, 0, 5, (1,)
    ),
    "least_quantity": Limit(
        {"skus": (a_sku(min_transfer_units=5),)}, {"skus": (a_sku(min_transfer_units=6),)}, LINE, 6, 5, (1,)
    ),
    "lane_capacity_microlitres": Limit(
        lane(capacity_microlitres_per_departure=5_000_000),
        lane(capacity_microlitres_per_departure=4_999_999),
        "S1→S2 by van", 4_999_999, 5_000_000,
    ),
    "outbound_units_per_day": Limit(
        sender(outbound_units_per_day=5), sender(outbound_units_per_day=4), "S1 on 2026-03-03", 4, 5
    ),
    "inbound_units_per_day": Limit(
        receiver(inbound_units_per_day=5), receiver(inbound_units_per_day=4), "S2 on 2026-03-04", 4, 5
    ),
    "storage_microlitres": Limit(
        receiver(storage_capacity_microlitres=5_000_000),
        receiver(storage_capacity_microlitres=4_999_999),
        "S2", 4_999_999, 5_000_000,
    ),
}  # fmt: skip


def cap(site_id: str, units: int) -> tuple[UnitCap, ...]:
    return (UnitCap(site_id=site_id, sku_id="P1", units=units),)


OF_REQUEST: dict[str, Limit] = {
    "days_until_arrival": Limit({"within_days": 2}, {"within_days": 1}, LINE, 1, 2, (1,)),
    "receive_cap": Limit({"receive_caps": cap("S2", 5)}, {"receive_caps": cap("S2", 4)}, AT_S2, 4, 5),
    "send_cap": Limit({"send_caps": cap("S1", 5)}, {"send_caps": cap("S1", 4)}, AT_S1, 4, 5),
    "request_units": Limit({"max_units": 5}, {"max_units": 4}, "the plan", 4, 5),
    "request_lines": Limit({"max_lines": 1}, {"max_lines": 0}, "the plan", 0, 1),
    "transport_budget_e4": Limit(
        {"transport_budget_minor": 550}, {"transport_budget_minor": 549}, "the plan", 54_900, 55_000
    ),
}


def said(code: str, limit: Limit) -> Violation:
    """The violation with its words and numbers."""
    words = f"{limit.where}: {code.replace('_', ' ')} allows {limit.allowed:,}, the plan has {limit.found:,}."
    return Violation(code, words, {"allowed": limit.allowed, "found": limit.found}, limit.line_nos)


@pytest.mark.parametrize("code", OF_FACTS)
def test_a_plan_keeps_to_what_sites_lanes_and_skus_can_do(code: str) -> None:
    limit = OF_FACTS[code]
    kept, broken = facts_of(a_needy_network(**limit.kept)), facts_of(a_needy_network(**limit.broken))
    assert check(plan_on(kept), kept) == ()
    assert check(plan_on(broken), broken) == (said(code, limit),)


@pytest.mark.parametrize("code", OF_REQUEST)
def test_a_plan_keeps_to_what_its_request_demands(code: str) -> None:
    limit = OF_REQUEST[code]
    assert check(plan_on(facts_of(), request=asked(limit.kept)), facts_of()) == ()
    assert check(plan_on(facts_of(), request=asked(limit.broken)), facts_of()) == (said(code, limit),)


def asked(fields: dict[str, Any]) -> PlanRequest:
    within = fields.get("within_days")
    return PlanRequest(within_days=within) if within else PlanRequest(overlays=Overlays(**fields))


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (Scope(skus=("P1",)), Scope(skus=("P2",))),
        (Scope(categories=("tools",)), Scope(categories=("food",))),
        (Scope(sites=("S2",)), Scope(sites=("S3",))),
        (Scope(origins=("S1",)), Scope(origins=("S2",))),
        (Scope(destinations=("S2",)), Scope(destinations=("S1",))),
        (Scope(within_sites=("S1", "S2")), Scope(within_sites=("S1",))),
    ],
)
def test_a_plan_stays_within_the_scope_of_its_request(inside: Scope, outside: Scope) -> None:
    asks, breaks = PlanRequest(scope=inside), PlanRequest(scope=outside)
    facts = facts_of(a_needy_network(skus=(a_sku(category="tools"),)))
    limit = Limit({}, {}, LINE, 0, 5, (1,))
    assert check(plan_on(facts, request=asks), facts) == ()
    assert check(plan_on(facts, request=breaks), facts) == (said("request_scope", limit),)


@pytest.mark.parametrize(
    "excluded",
    [
        {"excluded_skus": ("P1",)},
        {"excluded_sites": ("S1",)},
        {"excluded_sites": ("S2",)},
        {"excluded_lanes": (LaneRef(origin="S1", destination="S2"),)},
        {"excluded_lines": (LineRef(sku_id="P1", origin="S1", destination="S2"),)},
    ],
)
def test_a_plan_leaves_out_what_its_request_excludes(excluded: dict[str, Any]) -> None:
    plan = plan_on(facts_of(), request=PlanRequest(overlays=Overlays(**excluded)))
    assert check(plan, facts_of()) == (said("request_scope", Limit({}, {}, LINE, 0, 5, (1,))),)


def moved_on(**fields: Any) -> Facts:
    """The needy network as it has become since the plan was made."""
    return facts_of(a_needy_network(**fields))


def test_what_a_site_does_not_stock_it_cannot_send() -> None:
    facts = moved_on(positions=(a_position("S2", on_hand_units=0),))
    own, said_here = check(plan_on(facts_of()), facts)
    assert (own.rule, own.line_nos) == ("source_protection", (1,))
    assert said_here == said("not_stocked", Limit({}, {}, LINE, 0, 5, (1,)))


def test_what_a_site_does_not_carry_it_does_not_get() -> None:
    stock, wanted = a_position("S1", on_hand_units=100), a_forecast("S1", daily_units=0)
    nowhere = moved_on(positions=(stock,), forecasts=(wanted,))
    assert check(plan_on(facts_of()), nowhere) == (said("not_carried", Limit({}, {}, LINE, 0, 5, (1,))),)
    for known in ({"positions": (stock,)}, {"forecasts": (wanted,)}):
        # Where nobody asks for it, it does not pay; carried it is.
        assert {found.rule for found in check(plan_on(facts_of()), moved_on(**known))} <= {"still_pays"}


def test_a_sku_that_is_not_known_does_not_travel() -> None:
    plan = plan_on(facts_of(), a_line(sku_id="P9"))
    own, said_here = check(plan, facts_of())
    assert own.rule == "source_protection"
    assert said_here == said("unknown_sku", Limit({}, {}, "P9 S1→S2 by van", 0, 5, (1,)))


def test_a_sku_travels_once_on_a_lane() -> None:
    plan = plan_on(facts_of(), a_line(1), a_line(2))
    assert check(plan, facts_of()) == (said("line_twice", Limit({}, {}, LINE, 1, 2)),)


def test_lines_that_break_the_same_limit_in_the_same_way_are_blamed_together() -> None:
    facts = facts_of(a_needy_network(skus=(a_sku(min_transfer_units=6),)))
    found = [(each.rule, each.line_nos) for each in check(plan_on(facts, a_line(1), a_line(2)), facts)]
    assert found == [("least_quantity", (1, 2)), ("line_twice", ())]


def test_a_site_does_not_send_and_receive_the_same_sku() -> None:
    facts = moved_on(
        lanes=(a_lane("S1", "S2"), a_lane("S2", "S1")),
        positions=(a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=100)),
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0)),
    )
    plan = plan_on(facts_of(), a_line(1), a_line(2, origin="S2", destination="S1"))
    assert check(plan, facts) == tuple(
        said("sends_and_receives", Limit({}, {}, where, 0, 5)) for where in (AT_S1, AT_S2)
    )


def test_supply_on_its_way_takes_its_share_of_a_sites_day_and_of_its_room() -> None:
    supply = (a_supply("S2", units=3, days=2),)
    for limits, found in (
        ({"inbound_units_per_day": 8}, ()),
        ({"inbound_units_per_day": 7}, ("inbound_units_per_day",)),
    ):
        facts = moved_on(supply=supply, **receiver(**limits))
        assert tuple(each.rule for each in check(plan_on(facts_of()), facts)) == found


def test_what_a_request_assumes_is_assumed_again() -> None:
    facts = facts_of(a_needy_network(forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=1))))
    request = PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=1_000),)))
    plan = planned(facts, a_move(20), request=request)
    assert check(plan, facts) == ()
    as_it_is = check(plan.model_copy(update={"request": REQUEST}), facts)
    assert {violation.rule for violation in as_it_is} == {"adds_up"}


def test_a_wrong_figure_is_said_with_what_it_comes_to() -> None:
    plan = plan_on(facts_of()).model_copy(update={"whole_horizon_saving_minor": 9_999})
    words = "The plan's saving over the whole horizon of 99.99 USD is 30.90 USD when computed again."
    assert check(plan, facts_of()) == (Violation("adds_up", words, {"claimed": 9_999, "computed": 3_090}),)


def test_a_wrong_figure_of_a_line_blames_the_line() -> None:
    facts = facts_of(a_needy_pair())
    lines = (a_line(1), a_line(2, sku_id="P2", saving_minor=4_590))
    (whole, line) = check(plan_on(facts, *lines, fill_rate=served(10, 1_400), whole_horizon_saving_minor=6_680), facts)
    assert (whole.rule, whole.words, whole.line_nos) == (
        "adds_up", "The plan's saving of 76.80 USD is 66.80 USD when computed again.", ()
    )  # fmt: skip
    assert (line.rule, line.words, line.line_nos) == (
        "adds_up", "Line 2's saving of 45.90 USD is 35.90 USD when computed again.", (2,)
    )  # fmt: skip
    assert dict(line.numbers) == {"claimed": 4_590, "computed": 3_590}


def test_once_the_world_has_moved_on_money_belongs_to_the_facts_it_was_computed_from() -> None:
    plan = plan_on(facts_of(), a_line(saving_minor=4_000))
    assert {violation.rule for violation in check(plan, facts_of())} == {"adds_up"}
    assert (
        check(plan, moved_on(positions=(a_position("S1", on_hand_units=99), a_position("S2", on_hand_units=0)))) == ()
    )


def test_under_another_policy_money_belongs_to_the_policy_it_was_computed_under() -> None:
    charged = facts_of(policy=a_policy(economics={"line_charge_minor": 60}))
    assert [violation.rule for violation in check(plan_on(facts_of()), charged)] == ["policy_in_force"]


def test_sums_hold_whatever_has_happened_since() -> None:
    facts = moved_on(positions=(a_position("S1", on_hand_units=99), a_position("S2", on_hand_units=0)))
    plan = plan_on(facts_of(), move_cost_minor=51)
    words = "The plan's move cost of 0.51 USD is 0.50 USD when its parts are added."
    assert check(plan, facts) == (Violation("adds_up", words, {"claimed": 51, "computed": 50}),)


@pytest.mark.parametrize(("fixed_cost_minor", "saving"), [(3_589, None), (3_590, "0.00"), (3_591, "-0.01")])
def test_a_plan_that_does_not_pay_is_not_made(fixed_cost_minor: int, saving: str | None) -> None:
    # Five units save 36.40 less 0.50 for the line.
    network = a_needy_network(lanes=(a_lane(cost_fixed_e4=fixed_cost_minor * 100),))
    facts = facts_of(network, a_policy(benefit={"lane_min_minor": 0}))
    load = a_load(a_line(), fixed_cost_minor=fixed_cost_minor)
    words = f"The plan saves {saving} USD: it does not pay."
    no_gain = Violation("adds_up", words, {"saving_minor": 3_590 - fixed_cost_minor})
    assert check(plan_on(facts, lanes=(load,)), facts) == ((no_gain,) if saving else ())


def test_once_the_world_has_moved_on_a_plan_must_still_pay() -> None:
    plan = plan_on(facts_of())
    served_since = a_needy_network(
        positions=(a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=5_000))
    )
    (violation,) = [found for found in check(plan, facts_of(served_since)) if found.rule == "still_pays"]
    assert violation.numbers["saving_minor"] < 0
    assert "does not pay any more" in violation.words
    busier = a_needy_network(positions=(a_position("S1", on_hand_units=99), a_position("S2", on_hand_units=0)))
    assert not [found for found in check(plan, facts_of(busier)) if found.rule == "still_pays"]
