"""The report of a backtest, and its picture."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from tools.simulation import HEADINGS, NOTHING, OURS, Backtest, Generator, backtest, cost_against_fill, generated

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report() -> Backtest:
    return backtest("Made up <&> small", generated(Generator.MS15, cycles=3, fitting_seeds=1))


def test_ours_comes_first_and_doing_nothing_second(report: Backtest) -> None:
    assert [result.rule for result in report.results[:2]] == [OURS, NOTHING]
    assert report.nothing.moved_units == 0
    assert report.ours.total_cost < report.of("nearest surplus").total_cost
    assert report.foresight_cost < report.ours.total_cost
    assert report.foresight_fill_rate >= report.ours.fill_rate


def test_the_same_folds_give_the_same_report(report: Backtest) -> None:
    assert backtest("Made up <&> small", generated(Generator.MS15, cycles=3, fitting_seeds=1)) == report


def test_the_document_is_plain_json_with_every_rule(report: Backtest) -> None:
    document = json.loads(json.dumps(report.to_document()))
    assert [row["rule"] for row in document["rules"]] == [result.rule for result in report.results]
    assert document["rules"][0]["reversed_share"] == 0
    assert document["knobs_fitted_on_other_cycles"][0]["near_periods"] == 1.0
    assert [row["share"] for row in document["stress"]["approved_share"]] == [0.1, 0.25, 0.5, 0.75]


def test_the_table_fits_its_headings(report: Backtest) -> None:
    rows = [*report.rows(), *report.stress_rows()]
    assert {len(row) for row in rows} == {len(HEADINGS)}
    assert rows[0][2] == "1.000"


def test_people_and_forecasts_that_fall_short_cost_money(report: Backtest) -> None:
    assert report.stress is not None
    approved = [found.total_cost for _, found in report.stress.approved]
    assert approved[0] > report.ours.total_cost
    assert approved[0] > approved[-1]
    assert report.stress.delayed.total_cost > report.ours.total_cost
    assert [factor for factor, _ in report.stress.biased] == [0.7, 1.3]


def test_stress_is_left_out_when_it_is_not_asked_for() -> None:
    quiet = backtest("quiet", generated(Generator.MS15, cycles=2, fitting_seeds=1), stressed=False, rules={})
    assert quiet.stress is None
    assert quiet.stress_rows() == []
    assert "stress" not in quiet.to_document()
    with pytest.raises(ValueError, match="at least one fold"):
        backtest("none", ())


def test_the_picture_tells_itself_and_labels_every_point(report: Backtest) -> None:
    root = ET.fromstring(cost_against_fill(report))
    assert root.get("role") == "img"
    ids = (root.get("aria-labelledby") or "").split()
    told = {element.get("id"): element.text for element in root if element.get("id")}
    assert set(ids) == set(told)
    assert told["title"] == "Made up <&> small: total cost against fill rate"
    names = [*(result.rule for result in report.results), "perfect foresight"]
    texts = [element.text for element in root.iter(f"{SVG}text")]
    for name in names:
        assert f"{name}: cost" in (told["desc"] or "")
        assert texts.count(name) == 1
    assert len(list(root.iter(f"{SVG}circle"))) == len(names)
    assert any("%" in (text or "") for text in texts)


def test_labels_do_not_lie_on_each_other_and_points_lie_inside(report: Backtest) -> None:
    root = ET.fromstring(cost_against_fill(report))
    names = {*(result.rule for result in report.results), "perfect foresight"}
    heights = sorted(float(text.get("y") or 0) for text in root.iter(f"{SVG}text") if text.text in names)
    assert all(below - above >= 14.9 for above, below in pairwise(heights))
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx") or 0) < width
        assert 0 < float(circle.get("cy") or 0) < height


def test_rules_that_are_all_alike_can_still_be_drawn(report: Backtest) -> None:
    same = [replace(result, score=report.ours) for result in report.results]
    flat = replace(
        report, results=tuple(same), foresight_cost=report.ours.total_cost, foresight_fill_rate=report.ours.fill_rate
    )
    assert "NaN" not in cost_against_fill(flat)
    ET.fromstring(cost_against_fill(flat))
