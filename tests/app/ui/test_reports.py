"""Reports: what a plan's report says to whom, the index, backtests, and their files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.ui.reports.backtest import NOTHING, OURS, Asked, Played, Replayed, replayed
from app.ui.reports.charts import bars, cost_stacks
from app.ui.reports.words import fingerprint, money_number
from policies.library import releases
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door
from tools.generate import generate_network
from tools.network_folder import NetworkFolder


def table(content: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.lstrip("\ufeff"))))


def test_the_index_shows_plans_that_were_put_to_a_decision_to_those_whose_sites_they_touch(
    pages: Callable[[str], Browsing], house: Door
) -> None:
    request = house.pending
    page = pages("vera").get("/reports")
    assert (
        page.one("a", href=f"/reports/plans/{request.plan_digest}").text == f"Plan {fingerprint(request.plan_digest)}"
    )
    assert "1 plan" in page.text
    assert "paula" in page.text
    assert page.foreign == []
    assert "No plans here" in pages("fern").get("/reports").text


def test_the_index_is_filtered_by_status_also_in_its_files_and_as_a_fragment(
    pages: Callable[[str], Browsing], house: Door
) -> None:
    vera, digest = pages("vera"), house.pending.plan_digest
    assert "No plan has this status" in vera.get("/reports?status=rejected").text
    assert "<html" not in vera.answer("/reports/rows?status=pending").text
    rows = table(vera.answer("/reports/plans/export.csv?status=pending").text)
    assert rows[0][6].startswith("Saving (")
    assert [row[-1] for row in rows[1:]] == [digest]
    assert float(rows[1][6]) == money_number(house.pending.saving_minor, house.pending.currency)
    assert len(table(vera.answer("/reports/plans/export.csv?status=rejected").text)) == 1
    assert len(table(pages("fern").answer("/reports/plans/export.csv").text)) == 1
    assert vera.answer("/reports/plans/export.xlsx").content[:2] == b"PK"
    assert "no plans on this page" in vera.get("/reports?page=7").text
    vera.get("/reports?status=anything", 422)


def test_a_report_says_everything_about_a_plan(pages: Callable[[str], Browsing], house: Door) -> None:
    digest = house.pending.plan_digest
    page = pages("vera").get(f"/reports/plans/{digest}")
    assert [tag.text for tag in page.all("h2")] == [
        "In short", "Numbers", "Lines", "Why these lines", "What is left behind, and what could be given up",
        "How competing claims were settled", "Decisions and signatures", "What became of it", "Policy and checks",
        "Where it comes from", "Keyboard shortcuts",
    ]  # fmt: skip
    for words in (
        digest,
        "paula",
        "waits for a decision",
        "still in force",
        "There are no transfer orders",
        "one more signature",
    ):
        assert words in page.text
    assert [tag for tag in page.all("button") if "data-print" in tag.attributes]
    assert page.foreign == []
    assert len(page.all("h1")) == 1


def test_a_report_is_for_those_whose_sites_the_plan_touches(pages: Callable[[str], Browsing], house: Door) -> None:
    digest = house.pending.plan_digest
    for path in (digest, f"{digest}/lines.csv", f"{digest}/orders.csv"):
        pages("fern").get(f"/reports/plans/{path}", 404)
        pages("vera").get(f"/reports/plans/{path.replace(digest, '0' * 64)}", 404)
    pages("vera").get("/reports/plans/short", 422)


def test_the_lines_of_a_plan_are_a_file(pages: Callable[[str], Browsing], house: Door) -> None:
    digest = house.pending.plan_digest
    answer = pages("vera").answer(f"/reports/plans/{digest}/lines.csv")
    rows = table(answer.text)
    assert len(rows) == house.pending.lines + 1
    assert sum(int(row[6]) for row in rows[1:]) == house.pending.units
    assert f"plan-{digest[:12]}-lines-" in answer.headers["content-disposition"]
    assert len(table(pages("vera").answer(f"/reports/plans/{digest}/orders.csv").text)) == 1


def test_an_approved_plan_tells_who_signed_and_what_became_of_it(
    own_pages: Callable[[str], Browsing], door: Door
) -> None:
    request = door.pending
    ada = own_pages("ada")
    assert ada.decide(request.approval_id, request.plan_digest).status_code == 200
    page = ada.get(f"/reports/plans/{request.plan_digest}")
    assert "The plan is approved. It became" in page.text
    assert "on exactly this plan" in page.text
    rows = table(ada.answer(f"/reports/plans/{request.plan_digest}/orders.csv").text)
    assert len(rows) == request.lines + 1


def test_a_backtest_plays_nothing_until_it_is_asked_to_and_keeps_to_its_bounds(
    pages: Callable[[str], Browsing],
) -> None:
    page = pages("vera").get("/reports/backtest")
    assert "What is assumed" in page.text
    assert not page.all("table")
    assert page.foreign == []
    pages("vera").get("/reports/backtest?skus=4000", 422)
    pages("vera").get("/reports/backtest?cycles=99", 422)
    played = pages("vera").get("/reports/backtest?skus=10&cycles=1")
    assert "nothing to play again" in played.text or "What came out" in played.text


@pytest.fixture(scope="module")
def network() -> NetworkFolder:
    return generate_network(12, 12, 1, datetime(2026, 3, 2, 6, tzinfo=UTC))


def test_transfers_lose_fewer_sales_than_none_on_the_same_demand(network: NetworkFolder) -> None:
    found = replayed(network, releases()[-1], Asked(10, 1))
    nothing, ours = found.nothing, found.ours
    assert (nothing.name, ours.name) == (NOTHING, OURS)
    assert (nothing.moved_units, nothing.transfer_cost) == (0, 0.0)
    assert ours.demanded_units == nothing.demanded_units
    assert ours.lost_units < nothing.lost_units
    assert found == replayed(network, releases()[-1], Asked(10, 1))
    assert "%" not in re.sub(r"\d %", "", found.words), "as everywhere: 95.5 %"
    assert f"{nothing.lost_units:,} would have been lost without transfers" in found.words
    ends = [stack.parts[-1].start + stack.parts[-1].length for stack in cost_stacks(found)]
    assert max(ends) == pytest.approx(100, abs=0.1)


def test_a_backtest_says_why_it_plays_fewer_skus_than_were_asked_for(network: NetworkFolder) -> None:
    found = replayed(network, releases()[-1], Asked(20, 1))
    assert (found.skus, found.left_out) == (11, 1)
    assert found.fewer(20) == [
        "No more than 12 SKUs sold anything in that time.",
        (
            "1 of the 12 SKUs that sell for most is not played: it sold regularly at fewer than 5 of these sites, "
            "too few to balance anything between."
        ),
    ]
    assert len(found.fewer(12)) == 1
    more = replace(found, left_out=2).fewer(13)
    assert more[0].startswith("2 of the 13 SKUs that sell for most are not played: they sold regularly")
    assert replace(found, left_out=0).fewer(11) == []


def test_a_network_without_sales_says_so(network: NetworkFolder) -> None:
    with pytest.raises(ValueError, match="no sales history"):
        replayed(replace(network, sales=()), releases()[-1], Asked())


def test_transfers_that_do_not_pay_are_called_so() -> None:
    rule = Played("x", "", 10, 1, 0, 5, 1.0, 0.0, 9.0)
    idle = Played("y", "", 10, 1, 0, 0, 1.0, 0.0, 0.0)
    words = Replayed("EUR", 5, 1, 1, 14, "day", (idle, rule)).words
    assert "not fewer" in words
    assert "would not have paid" in words


def test_bars_stay_within_their_width_whatever_the_figures() -> None:
    found = bars("Share", [("a", -1.0, "-1"), ("b", 0.0, "0"), ("c", 50.0, "50")], 10.0)
    assert [bar.length for bar in found.bars] == [0.0, 0.0, 100.0]
    assert [bar.length for bar in bars("Nothing", [("a", 0.0, "0")]).bars] == [0.0]
    assert bars("None", []).bars == ()
