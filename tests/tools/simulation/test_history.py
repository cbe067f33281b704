"""Cycles from a network's own sales."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from tools.generate import generate_network
from tools.inventory import Lane, SalesObservation, Site, SiteKind, Sku, StockPosition
from tools.network_folder import NetworkFolder
from tools.simulation import SkuCosts, cycles_of

AS_OF = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
MONDAY = date(2025, 1, 6)
SITES = 6
COSTS = {"P1": SkuCosts(lost_e4=50_000, left_e4=2_500)}


def a_network(weeks: int = 25, *, lane: Lane | None = None, sites: int = SITES) -> NetworkFolder:
    """P1 sells (site number + 1) units each week at every site, one unit more every second week."""
    ids = [f"S{number}" for number in range(sites)]
    return NetworkFolder(
        currency="EUR",
        sites=tuple(Site(site, site, SiteKind.STORE) for site in ids),
        skus=(Sku("P1", "one", 30_000, 60_000, category="dry", unit_volume_microlitres=4_000_000),),
        lanes=(lane or Lane("S0", "S1", "van", 8, 100_000, cost_per_unit_e4=500, cost_per_litre_e4=100),),
        positions=tuple(StockPosition(site, "P1", 9, 0, AS_OF) for site in ids),
        sales=tuple(
            SalesObservation(site, "P1", MONDAY + timedelta(weeks=week), number + 1 + week % 2)
            for number, site in enumerate(ids)
            for week in range(weeks)
        ),
    )


def test_windows_lie_side_by_side_and_the_last_one_ends_with_the_sales() -> None:
    cycles = cycles_of(a_network(25), COSTS)
    assert len(cycles) == 2
    assert [cycle.demand.shape for cycle in cycles] == [(1, 6, SITES)] * 2
    assert cycles[-1].demand[0, :, 0].tolist() == [2, 1, 2, 1, 2, 1]


def test_a_short_history_is_halved() -> None:
    (cycle,) = cycles_of(a_network(10), COSTS)
    assert cycle.periods == 5


def test_the_chains_total_is_known_and_falls_on_sites_by_their_share() -> None:
    cycle = cycles_of(a_network(25), COSTS)[-1]
    assert cycle.forecast.sum(axis=2) == pytest.approx(cycle.demand.sum(axis=2).astype(float))
    shares = cycle.forecast[0] / cycle.forecast[0].sum(axis=1, keepdims=True)
    assert (np.diff(shares[0]) > 0).all()
    assert shares[0] == pytest.approx(shares[-1])


def test_stock_covers_the_mean_and_a_little_more() -> None:
    cycle = cycles_of(a_network(25), COSTS)[-1]
    mean = cycle.forecast.sum(axis=1)
    assert (cycle.stock == np.round(mean + 0.3 * np.sqrt(cycle.dispersion[:, None] * mean))).all()


def test_a_unit_pays_its_lane_by_unit_by_litre_and_a_share_of_the_departure() -> None:
    cycle = cycles_of(a_network(), COSTS)[0]
    assert cycle.move_cost.tolist() == [[pytest.approx(0.05 + 4 * 0.01 + 10.0 * 4 / 200)]]
    assert cycles_of(a_network(), COSTS, cost_factor=3.0)[0].move_cost == pytest.approx(3 * cycle.move_cost)
    assert (cycle.lost_cost.tolist(), cycle.left_cost.tolist()) == ([5.0], [0.25])


def test_lead_times_are_rounded_up_to_periods_unless_they_are_given() -> None:
    assert cycles_of(a_network(), COSTS)[0].lanes.lead_time_periods.tolist() == [2]
    assert cycles_of(a_network(), COSTS, lead_time_periods=0)[0].lanes.lead_time_periods.tolist() == [0]


def test_a_lane_that_does_not_take_the_category_is_closed() -> None:
    lane = Lane("S0", "S1", "van", 1, 100_000, allowed_categories=("frozen",))
    assert np.isinf(cycles_of(a_network(lane=lane), COSTS)[0].move_cost).all()


def test_a_period_out_of_stock_does_not_lower_a_sites_share() -> None:
    network = a_network(25)
    emptied = tuple(
        replace(row, units=0, in_stock=False) if row.site_id == "S0" and row.on < MONDAY + timedelta(weeks=12) else row
        for row in network.sales
    )
    before, after = cycles_of(network, COSTS)[0], cycles_of(replace(network, sales=emptied), COSTS)[0]
    assert after.forecast[0, 0, 0] == pytest.approx(before.forecast[0, 0, 0], rel=0.35)
    assert after.forecast[0, 0, 0] > 0.6 * before.forecast[0, 0, 0]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (replace(a_network(), sales=()), "no sales history"),
        (a_network(2), "needs at least 4"),
        (a_network(sites=4), "nothing to balance"),
    ],
)
def test_a_network_without_enough_to_play_is_refused_in_words(network: NetworkFolder, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cycles_of(network, COSTS)


def test_a_generated_network_can_be_played() -> None:
    network = generate_network(9, 12, 3, AS_OF)
    costs = {sku.sku_id: SkuCosts(sku.unit_price_e4 - sku.unit_cost_e4, sku.unit_cost_e4 // 50) for sku in network.skus}
    cycles = cycles_of(network, costs)
    assert cycles
    assert all(cycle.demand.sum() > 0 for cycle in cycles)
