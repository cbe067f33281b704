"""The curve as a picture: well-formed, standing alone, and told in words to whoever does not see it."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.tools.strategy.stocked import a_region, proposed
from tools.money import money_text
from tools.strategy import Strategy, curve_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(strategy: Strategy) -> ET.Element:
    return ET.fromstring(curve_svg(strategy))


def test_it_says_what_it_is_to_a_screen_reader() -> None:
    found = proposed(a_region(3))
    picture = drawn(found)
    assert picture.get("role") == "img"
    told = {element.get("id"): element.text or "" for element in picture}
    assert picture.get("aria-labelledby") == "title desc"
    assert told["title"] == "Fill rate against investment in stock"
    assert money_text(found.present.investment_minor, "USD") in told["desc"]
    for point in found.curve:
        assert money_text(point.investment_minor, "USD") in told["desc"]


def test_it_shows_the_curve_and_marks_where_stock_is_and_where_it_is_proposed_by_shape_and_name() -> None:
    found = proposed(a_region(3))
    picture = drawn(found)
    line = picture.find(f"{SVG}polyline")
    assert line is not None
    points = [tuple(map(float, pair.split(","))) for pair in (line.get("points") or "").split()]
    assert len(points) == sum(point.fill_rate_ppm >= 500_000 for point in found.curve)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True), "the better, the higher"
    circles, squares = picture.findall(f"{SVG}circle"), picture.findall(f"{SVG}rect")[1:]
    assert (len(circles), len(squares)) == (2, 2), "each once on the curve and once beside its name"
    x = (float(circles[0].get("cx") or 0), float(squares[0].get("x") or 0) + 6)
    assert x[0] > x[1], "more money is proposed than is there at present"
    words = " ".join(text.text or "" for text in picture.findall(f"{SVG}text"))
    assert "present: " in words
    assert "proposed: " in words


def test_everything_lies_within_the_picture() -> None:
    for strategy in (proposed(a_region(3)), proposed(a_region(1, daily_units=0.01), budget_minor=0)):
        for element in drawn(strategy):
            for name, size in (("x", 760), ("cx", 760), ("y", 460), ("cy", 460)):
                assert 0 <= float(element.get(name) or 0) <= size, (element.tag, name)


def test_nothing_to_show_is_a_picture_all_the_same() -> None:
    assert drawn(proposed(a_region(1), within_sites=())).tag == f"{SVG}svg"


@pytest.mark.parametrize("currency", ["<b>", "A&B"])
def test_words_from_outside_are_only_words(currency: str) -> None:
    picture = drawn(proposed(replace(a_region(1), currency=currency)))
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} == {
        "svg", "title", "desc", "rect", "text", "line", "polyline", "circle",
    }  # fmt: skip
    assert any(currency in (text.text or "") for text in picture.findall(f"{SVG}text"))
