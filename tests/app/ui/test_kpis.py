"""Key figures of the overview, against those that the agent tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from app.ui.network.stock_table import StockTable
from app.ui.overview.kpis import Before, Shelf, Work, if_nothing, shelf_of, stock_kpis, work_kpis
from app.ui.rendering import ago_text
from graphs.planning import imbalances_of
from policies.limits import view_of
from policies.rules import Facts
from tests.builders import NOW, TODAY, a_policy
from tools.forecast import forecast_network
from tools.generate import generate_network
from tools.imbalance import Imbalance, ImbalanceKind
from tools.inventory import DataHold, Snapshot
from tools.kpis import stock_figures

SHELF = Shelf(10, 8, 2, 3, 900_000, (2, 0, 0, 1, 4, 1, 2), 1_000_00, 50_00, 200_00, 5_00, 3_00, 1)
WORK = Work((0, 4, 6), (0, 0, 1), (2.0, 4.0, 48.0), (0, 1, 2), 3, 30 * 3600.0, (0, 0, 2), 40, 5.0, 0)


@pytest.fixture(scope="module")
def facts() -> Facts:
    network = generate_network(6, 15, 3, NOW)
    grain = network.sales_grain
    assert grain is not None
    snapshot = Snapshot(
        as_of=NOW, currency=network.currency, sites=network.sites, skus=network.skus, lanes=network.lanes,
        positions=network.positions, supply=network.inbound,
        forecasts=tuple(forecast_network(network.sales, grain.value, NOW.date())), replenishments=network.replenishments,
        holds=(DataHold(network.positions[0].site_id, network.positions[0].sku_id, "negative", "less than nothing"),),
    )  # fmt: skip
    return Facts(snapshot, a_policy(), NOW)


@pytest.mark.parametrize("cut", ["everything", "two sites"])
def test_the_figures_are_those_that_the_agent_tells(facts: Facts, cut: str) -> None:
    table = StockTable.of(facts)
    sites = {site.site_id for site in (facts.snapshot.sites if cut == "everything" else facts.snapshot.sites[1:3])}
    wanted = np.asarray([key.site_id in sites for key in table.keys], dtype=bool)
    ours = shelf_of(table, wanted)
    keys = [key for key in table.keys if key.site_id in sites]
    theirs = stock_figures(facts.snapshot, view_of(facts.policy, facts.snapshot), keys, imbalances_of(facts))
    for name in ("site_skus", "out_of_stock", "likely_to_run_out", "by_cover", "shortage_minor", "excess_minor",
                 "expiring_minor", "held"):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.fill_ppm is not None
    assert theirs.fill_rate_ppm is not None
    assert abs(ours.fill_ppm - theirs.fill_rate_ppm) <= 1
    assert ours.asked_for == theirs.site_skus - theirs.by_cover[-1]


def test_every_figure_has_words_for_what_it_is_and_a_way_to_what_is_behind_it() -> None:
    kpis = stock_kpis(SHELF, [], "USD") + work_kpis(WORK, SHELF.held)
    assert len({each.id for each in kpis}) == len(kpis) == 10
    for each in kpis:
        assert each.definition.endswith(".")
        assert each.href.startswith("/")
        assert each.trend.words
    by_id = {each.id: each for each in kpis}
    assert by_id["availability"].value == "75.0 %"
    assert by_id["failures"].value == "10.0 %"
    assert by_id["lead-time"].value == "4 h"
    assert by_id["waiting"].note == "the oldest came 1 d ago"
    assert by_id["waiting"].level_words == "more than a day"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (0, "just now"),
        (59.9, "just now"),
        (60, "1 min ago"),
        (7_300, "2 h ago"),
        (200_000, "2 d ago"),
    ],
)
def test_what_is_less_than_a_minute_old_is_of_now(seconds: float, words: str) -> None:
    assert ago_text(seconds) == words
    counted = replace(WORK, oldest_count_hours=seconds / 3600, oldest_waiting_seconds=max(seconds, 0.0))
    notes = {each.id: each.note for each in work_kpis(counted, 0)}
    assert (notes["quality"], notes["waiting"]) == (f"the oldest count was {words}", f"the oldest came {words}")


def test_without_earlier_facts_there_is_no_trend_and_that_is_said() -> None:
    assert {each.trend.words for each in stock_kpis(SHELF, [], "USD")} == {"no history yet"}
    nothing = Work((0,) * 30, (0,) * 30, (), (0,) * 30, 0, None, None, 0, None, 0)
    assert {each.trend.words for each in work_kpis(nothing, 0)} == {"no history yet"}


def test_a_trend_compares_with_the_oldest_facts_in_words() -> None:
    before = [Before(NOW - timedelta(days=2), replace(SHELF, out_of_stock=4, shortage_minor=80_00))]
    by_id = {each.id: each for each in stock_kpis(SHELF, before, "USD")}
    assert by_id["availability"].trend.words == "+25.0 points since 28 Feb, 06:00"
    assert by_id["availability"].trend.points == (500_000.0, 750_000.0)
    assert by_id["at-stake"].trend.words.startswith("-30.00 USD since")
    assert by_id["excess"].trend.words.startswith("unchanged since")


def test_what_nobody_may_see_of_signals_is_not_told() -> None:
    quality = work_kpis(replace(WORK, quarantined=None), 0)[-1]
    assert "signals refused" not in quality.trend.words


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (ImbalanceKind.SHORTAGE, "Runs out about Wed 4 Mar 2026. Sales with a margin of 12.00 USD"),
        (ImbalanceKind.SURPLUS, "7 units more than needed"),
        (ImbalanceKind.EXPIRING, "7 units will not sell before they expire"),
        (ImbalanceKind.STRANDED, "7 units lie where hardly anybody asks for them"),
    ],
)
def test_what_happens_if_nothing_is_done_is_said_of_every_kind(kind: ImbalanceKind, said: str) -> None:
    each = Imbalance(kind, "S1", "P1", 7, 12_00, 2, 900_000, TODAY + timedelta(days=7))
    assert said in if_nothing(each, TODAY + timedelta(days=2), "USD")


def test_a_stock_out_after_the_next_supply_is_not_foretold() -> None:
    each = Imbalance(ImbalanceKind.SHORTAGE, "S1", "P1", 7, 12_00, 2, 900_000, TODAY + timedelta(days=7))
    assert "Runs out" not in if_nothing(each, TODAY + timedelta(days=9), "USD")
    assert "Runs out" not in if_nothing(each, None, "USD")
