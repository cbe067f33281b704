"""Key figures: counts by hand, and a definition for each."""

from __future__ import annotations

from datetime import date

from tests.builders import a_forecast, a_hold, a_position, a_sku, a_snapshot
from tools.demand import DemandView
from tools.imbalance import Imbalance, ImbalanceKind
from tools.inventory import SiteSku
from tools.kpis import COVER_BANDS_DAYS, Workload, figures_of_stock, figures_of_work, stock_figures

STOCK = {"P1": 0, "P2": 3, "P3": 4, "P4": 28, "P5": 29, "P6": 10}
"""At S1, which sells one of each a day but for P6."""


def a_shop(**fields):
    return a_snapshot(
        skus=tuple(a_sku(sku_id) for sku_id in STOCK),
        positions=tuple(a_position("S1", sku_id, units) for sku_id, units in STOCK.items()),
        forecasts=tuple(a_forecast("S1", sku_id, daily_units=float(sku_id != "P6")) for sku_id in STOCK),
        replenishments=(),
        **fields,
    )


def figures(imbalances=(), only=tuple(STOCK), **fields):
    snapshot = a_shop(**fields)
    return stock_figures(snapshot, DemandView.of(snapshot, 7), [SiteSku("S1", sku_id) for sku_id in only], imbalances)


def an_imbalance(kind: ImbalanceKind, severity_minor: int, sku_id: str = "P1") -> Imbalance:
    return Imbalance(kind, "S1", sku_id, 1, severity_minor, 1, 0, date(2026, 3, 9))


def test_site_skus_are_counted_by_cover_and_what_is_out_is_counted_where_it_is_asked_for():
    found = figures()
    assert len(found.by_cover) == len(COVER_BANDS_DAYS) + 2
    assert found.by_cover == (1, 1, 1, 0, 1, 1, 1)
    assert (found.site_skus, found.out_of_stock, sum(found.by_cover)) == (6, 1, 6)
    assert found.likely_to_run_out == 3


def test_the_fill_rate_is_the_share_of_demand_that_is_served():
    assert figures(only=("P5",)).fill_rate_ppm > 999_000
    assert figures(only=("P1",)).fill_rate_ppm == 0
    assert 490_000 < figures(only=("P1", "P5")).fill_rate_ppm <= 500_000
    assert figures(only=("P6",)).fill_rate_ppm is None


def test_money_is_added_up_by_what_is_wrong_and_nothing_of_other_site_skus():
    kinds = ImbalanceKind
    found = figures(
        (
            an_imbalance(kinds.SHORTAGE, 500),
            an_imbalance(kinds.SHORTAGE, 70, "P2"),
            an_imbalance(kinds.SURPLUS, 30, "P2"),
            an_imbalance(kinds.STRANDED, 4),
            an_imbalance(kinds.EXPIRING, 9),
            an_imbalance(kinds.SURPLUS, 9_999, "P3"),
        ),
        only=("P1", "P2"),
    )
    assert (found.shortage_minor, found.excess_minor, found.expiring_minor) == (570, 34, 9)


def test_held_site_skus_are_counted():
    held = (a_hold("S1", "P1"), a_hold("S1", "P2"))
    assert figures(holds=held).held == 2
    assert figures(holds=held, only=("P1", "P3")).held == 1


def test_nothing_has_figures_too():
    found = figures(only=())
    assert (found.site_skus, found.fill_rate_ppm, sum(found.by_cover)) == (0, None, 0)


def test_every_figure_has_a_name_a_value_and_a_definition():
    said = figures_of_stock(figures(), "USD") + figures_of_work(Workload(2, 30, 5, 1, 0))
    assert len({each.name for each in said}) == len(said) == 14
    assert all(each.value and len(each.definition) > 20 for each in said)
    values = {each.name: each.value for each in said}
    assert values["coverage"] == (
        "under 1 day: 1, 1 to 3 days: 1, 4 to 7 days: 1, 8 to 14 days: 0, 15 to 28 days: 1, 29 days or more: 1, no demand: 1"
    )
    assert (values["approvals_waiting"], values["oldest_approval"], values["orders_open"]) == ("2", "30 hours", "5")
    assert figures_of_stock(figures(only=("P6",)), "USD")[1].value == "nothing is asked for"
    assert figures_of_work(Workload(0, None, 0, 0, 0))[1].value == "none waits"
