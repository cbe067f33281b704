from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_forecast, a_lane, a_line, a_plan, a_position, a_site, a_sku, a_snapshot, limits_for
from tools.inventory import SiteSku
from tools.negotiate import Award, Claim, Contest, Settlement, caps_by_priority, find_contests, settle
from tools.planning import make_plan, solve
from tools.transfers import DemandChange, Overlays, PlanRequest, UnitCap

POOL = SiteSku("D", "P1")


def a_contest(**bids):
    """A pool of four packs of two units that the donor gives up at 10, 20, 30 and 40."""
    claims = tuple(Claim(site_id, tuple(map(float, values))) for site_id, values in bids.items())
    return Contest(POOL, 2, (10.0, 20.0, 30.0, 40.0), claims)


def units(settlement):
    return {award.site_id: award.awarded_units for award in settlement.awards}


def market(contest, plan=None):
    return settle(contest, "market", (), plan or a_plan())


def priority(contest, *sites, plan=None):
    return settle(contest, "priority", sites, plan or a_plan())


# Settling


def test_the_market_gives_each_pack_to_the_highest_bid_above_the_reserve_price():
    # In order of price: A 90, B 80, A 50, B 45; then B 25 and A 15, for which no pack is left.
    settled = market(a_contest(A=(90, 50, 15), B=(80, 45, 25)))
    assert units(settled) == {"A": 4, "B": 4}
    assert (settled.price_minor, settled.pool_units, settled.mechanism) == (40, 8, "market")


def test_all_winners_face_the_highest_bid_that_lost():
    # Winners 90, 80, 70, 65; the best loser bids 60, more than the last reserve price of 40.
    settled = market(a_contest(A=(90, 70, 60), B=(80, 65)))
    assert units(settled) == {"A": 4, "B": 4}
    assert settled.price_minor == 60


def test_a_pack_is_not_sold_below_its_reserve_price():
    # The third pack costs the donor 30: a bid of 25 does not get it.
    settled = market(a_contest(A=(90, 25), B=(80,)))
    assert units(settled) == {"A": 2, "B": 2}
    assert settled.price_minor == 25


def test_a_bid_equal_to_the_reserve_price_gets_nothing():
    assert units(market(a_contest(A=(20.0,), B=(90,)))) == {"A": 0, "B": 2}


def test_ties_go_to_the_earlier_site():
    contest = Contest(POOL, 1, (1.0,), (Claim("B", (5.0,)), Claim("A", (5.0,))))
    assert units(market(contest)) == {"B": 0, "A": 1}


def test_priority_serves_ranked_sites_first_in_their_order_and_then_the_rest_by_bid():
    contest = a_contest(A=(99, 98), B=(60, 55), C=(50, 45), E=(97,))
    assert units(priority(contest, "C", "B")) == {"A": 0, "B": 4, "C": 4, "E": 0}
    assert units(priority(contest, "B")) == {"A": 4, "B": 4, "C": 0, "E": 0}
    assert units(priority(contest)) == units(market(contest))


def test_priority_does_not_force_a_donor_below_its_reserve_price():
    assert units(priority(a_contest(A=(99, 98, 97, 96), C=(15, 12)), "C")) == {"A": 6, "C": 2}


def test_the_market_knows_no_priority():
    contest = a_contest(A=(90, 80, 70, 60), B=(50,))
    assert settle(contest, "market", ("B",), a_plan()) == settle(contest, "market", (), a_plan())


def test_a_claim_is_stated_beside_what_it_gets_and_what_the_plan_gives():
    plan = a_plan(
        a_line(1, 2, origin="D", destination="A"),
        a_line(2, 4, origin="D", destination="A", mode="truck"),
        a_line(3, 6, origin="X", destination="A"),
        a_line(4, 8, origin="D", destination="A", sku_id="P2"),
    )
    (award, other) = market(a_contest(A=(90.4, 50), B=(80,)), plan).awards
    assert award == Award("A", 4, 90, 4, 6, 6)
    assert other == Award("B", 2, 80, 2, 0, 0)


BIDS = st.lists(st.integers(11, 200), min_size=1, max_size=5).map(lambda bids: sorted(bids, reverse=True))
CONTESTS = st.builds(
    lambda reserves, claims: Contest(
        POOL,
        3,
        tuple(sorted(float(price) for price in reserves)),
        tuple(Claim(site_id, tuple(map(float, bids))) for site_id, bids in sorted(claims.items())),
    ),
    st.lists(st.integers(-20, 150), min_size=1, max_size=6),
    st.dictionaries(st.sampled_from("ABCDE"), BIDS, min_size=2, max_size=4),
)
RANKINGS = st.lists(st.sampled_from("ABCDE"), unique=True, max_size=3).map(tuple)


@given(contest=CONTESTS, mechanism=st.sampled_from(["market", "priority"]), ranking=RANKINGS)
def test_awards_never_exceed_the_pool_nor_the_claims(contest, mechanism, ranking):
    settled = settle(contest, mechanism, ranking, a_plan())
    assert sum(units(settled).values()) <= settled.pool_units == 3 * len(contest.reserve_prices)
    for award, claim in zip(settled.awards, contest.claims, strict=True):
        assert 0 <= award.awarded_units <= award.claimed_units == 3 * len(claim.bids)
        assert award.awarded_units % 3 == 0


@given(contest=CONTESTS)
def test_the_price_of_the_market_lies_between_what_lost_and_what_won(contest):
    settled = market(contest)
    won, lost = [], []
    for award, claim in zip(settled.awards, contest.claims, strict=True):
        packs = award.awarded_units // 3
        won, lost = won + list(claim.bids[:packs]), lost + list(claim.bids[packs:])
    assert settled.price_minor >= max(lost, default=-1e9)
    if won:
        assert settled.price_minor <= min(won)
        assert settled.price_minor >= contest.reserve_prices[len(won) - 1]
    # Nobody who lost outbids a reserve price that is left.
    if len(won) < len(contest.reserve_prices):
        assert all(bid <= contest.reserve_prices[len(won)] for bid in lost)


@given(contest=CONTESTS)
def test_the_market_creates_the_most_value_there_is(contest):
    settled = market(contest)
    every = sorted((bid for claim in contest.claims for bid in claim.bids), reverse=True)
    best = sum(max(0.0, bid - price) for bid, price in zip(every, contest.reserve_prices, strict=False))
    got = sum(
        sum(claim.bids[: award.awarded_units // 3]) for award, claim in zip(settled.awards, contest.claims, strict=True)
    )
    packs = sum(units(settled).values()) // 3
    assert got - sum(contest.reserve_prices[:packs]) == pytest.approx(best)


@given(contest=CONTESTS, ranking=RANKINGS)
def test_a_site_gets_no_less_for_being_ranked_first(contest, ranking):
    for claim in contest.claims:
        first = (claim.site_id, *(site for site in ranking if site != claim.site_id))
        ranked, plain = settle(contest, "priority", first, a_plan()), market(contest)
        assert units(ranked)[claim.site_id] >= units(plain)[claim.site_id]


# Finding


def a_shortage(have=6, **fields):
    """D has some units that nobody there asks for. A and B sell 2 a day and have none; B's van costs 1.00 a unit more."""
    defaults = {
        "sites": [a_site(site) for site in "ABD"],
        "lanes": (a_lane("D", "A", cost_fixed_e4=0), a_lane("D", "B", cost_fixed_e4=0, cost_per_unit_e4=10_000)),
        "positions": (
            a_position("D", on_hand_units=have),
            a_position("A", on_hand_units=0),
            a_position("B", on_hand_units=0),
        ),
        "forecasts": (a_forecast("A", daily_units=2), a_forecast("B", daily_units=2)),
        "replenishments": (),
    }
    return a_snapshot(**defaults | fields)


def plan_of(snapshot, limits=None, request=None):
    limits, request = limits or limits_for(), request or PlanRequest()
    return make_plan(snapshot, limits, request, solve(snapshot, limits, request, gap_ppm=0))


def test_a_pool_that_two_sites_claim_more_of_than_there_is_is_contested():
    (contest,) = find_contests(a_shortage(), limits_for(), PlanRequest())
    assert (contest.pool, contest.pack_size) == (POOL, 1)
    assert [claim.site_id for claim in contest.claims] == ["A", "B"]
    assert contest.reserve_prices == pytest.approx([-8.0] * 6)
    # Both gain the same; A bids 1.00 a unit more because its freight costs so much less.
    a, b = contest.claims
    assert a.bids[0] - b.bids[0] == pytest.approx(100)
    assert len(a.bids) + len(b.bids) > 6


def test_a_pool_that_is_large_enough_is_not_contested():
    assert find_contests(a_shortage(have=200), limits_for(), PlanRequest()) == ()


def test_a_pool_that_only_one_site_claims_is_not_contested():
    assert find_contests(a_shortage(lanes=(a_lane("D", "A"),)), limits_for(), PlanRequest()) == ()


def test_assumptions_can_make_a_contest():
    calm = a_shortage(have=60)
    assert find_contests(calm, limits_for(), PlanRequest()) == ()
    doubled = PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=400),)))
    assert len(find_contests(calm, limits_for(), doubled)) == 1


def test_a_site_claims_no_more_than_its_lanes_may_bring():
    # Two lanes to A, one to B, at most 3 units each.
    lanes = (*a_shortage().lanes, a_lane("D", "A", "truck", cost_fixed_e4=0, cost_per_unit_e4=100))
    snapshot, limits = a_shortage(have=7, lanes=lanes), limits_for(line_units_max=3)
    (contest,) = find_contests(snapshot, limits, PlanRequest())
    assert {claim.site_id: len(claim.bids) for claim in contest.claims} == {"A": 6, "B": 3}


def test_a_claim_is_made_at_the_cost_of_the_cheapest_lane():
    cheaper = (*a_shortage().lanes, a_lane("D", "B", "truck", cost_fixed_e4=0, cost_per_unit_e4=4_000))
    (contest,) = find_contests(a_shortage(lanes=cheaper), limits_for(), PlanRequest())
    a, b = contest.claims
    assert a.bids[0] - b.bids[0] == pytest.approx(40)


def test_bids_fall_and_lie_above_the_first_reserve_price():
    (contest,) = find_contests(a_shortage(), limits_for(), PlanRequest())
    for claim in contest.claims:
        assert list(claim.bids) == sorted(claim.bids, reverse=True)
        assert claim.bids[-1] > contest.reserve_prices[0]


def test_each_pool_is_a_contest_of_its_own():
    two = a_shortage(
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position(site, sku, 6 if site == "D" else 0) for site in "ABD" for sku in ("P1", "P2")],
        forecasts=[a_forecast(site, sku, 2) for site in "AB" for sku in ("P1", "P2")],
    )
    found = find_contests(two, limits_for("P1", "P2"), PlanRequest())
    assert [contest.pool for contest in found] == [SiteSku("D", "P1"), SiteSku("D", "P2")]


# Priority and the next plan


def settlement(pool, *awards):
    return Settlement(pool, 0, "priority", 0, tuple(Award(site, 0, 0, *units) for site, *units in awards))


def test_sites_without_priority_step_back_to_their_awards():
    # R is awarded 6 and planned 2; U is awarded 1 and planned 5.
    caps = caps_by_priority((settlement(POOL, ("R", 6, 2, 0), ("U", 1, 5, 0)),), ("R",))
    assert caps == (UnitCap(site_id="U", sku_id="P1", units=1),)


def test_nobody_steps_back_where_ranked_sites_have_what_they_are_awarded():
    assert caps_by_priority((settlement(POOL, ("R", 6, 6, 0), ("U", 1, 5, 0)),), ("R",)) == ()
    assert caps_by_priority((settlement(POOL, ("U", 6, 2, 0), ("V", 1, 5, 0)),), ("R",)) == ()


def test_a_site_that_steps_back_keeps_what_other_pools_give_it():
    # U gets 5 from this pool and 7 from elsewhere. It gives up 4 of the 5, and none of the 7.
    caps = caps_by_priority((settlement(POOL, ("R", 6, 2, 0), ("U", 1, 5, 7)),), ("R",))
    assert caps == (UnitCap(site_id="U", sku_id="P1", units=8),)


def test_a_site_that_steps_back_in_several_pools_gets_the_sum_of_its_awards():
    # U is planned 5 from D, 4 from E and 3 from F; R is short at D and E.
    pools = [SiteSku(site, "P1") for site in "DEF"]
    settled = (
        settlement(pools[0], ("R", 6, 2, 0), ("U", 1, 5, 7)),
        settlement(pools[1], ("R", 6, 2, 0), ("U", 2, 4, 8)),
        settlement(pools[2], ("R", 2, 2, 0), ("U", 0, 3, 9)),
    )
    assert caps_by_priority(settled, ("R",)) == (UnitCap(site_id="U", sku_id="P1", units=1 + 2 + 3),)


def test_the_next_plan_serves_the_site_with_priority():
    snapshot, limits = a_shortage(), limits_for()
    first = plan_of(snapshot)
    # A is cheaper to reach, so it gets the larger half.
    given_b = first.received_units.get(SiteSku("B", "P1"), 0)
    assert given_b < first.received_units[SiteSku("A", "P1")]
    (contest,) = find_contests(snapshot, limits, PlanRequest())
    settled = settle(contest, "priority", ("B",), first)
    caps = caps_by_priority((settled,), ("B",))
    assert [cap.site_id for cap in caps] == ["A"]
    second = plan_of(snapshot, request=PlanRequest().with_overlays(receive_caps=caps))
    assert second.received_units[SiteSku("B", "P1")] == units(settled)["B"] > given_b
    again = settle(contest, "priority", ("B",), second)
    assert caps_by_priority((again,), ("B",)) == ()


def test_a_site_that_steps_back_is_still_served_from_a_pool_that_nobody_contests():
    # E is stocked for A alone. B comes first at D; A keeps all that E can send.
    snapshot = a_shortage(
        sites=[a_site(site) for site in "ABDE"],
        lanes=(*a_shortage().lanes, a_lane("E", "A", cost_fixed_e4=0, cost_per_unit_e4=5_000)),
        positions=(*a_shortage().positions, a_position("E", on_hand_units=9)),
    )
    limits = limits_for()
    first = plan_of(snapshot)
    settled = [settle(each, "priority", ("B",), first) for each in find_contests(snapshot, limits, PlanRequest())]
    caps = caps_by_priority(tuple(settled), ("B",))
    second = plan_of(snapshot, request=PlanRequest().with_overlays(receive_caps=caps))
    from_e = {line.destination: line.units for line in second.lines if line.origin == "E"}
    assert from_e == {"A": 9}
    assert second.received_units[SiteSku("B", "P1")] > first.received_units.get(SiteSku("B", "P1"), 0)
