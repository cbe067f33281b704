"""What a number is said of: a figure of one SKU, site or line is no source for another's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graphs.grounding import Evidence, Vocabulary, unsourced
from tests.builders import a_site, a_sku, a_snapshot

SITES, SKUS = ("S1", "S2", "S3", "S4"), ("P1", "P2", "P3")
SNAPSHOT = a_snapshot(
    sites=tuple(map(a_site, SITES)), skus=tuple(map(a_sku, SKUS)),
    positions=(), forecasts=(), lanes=(), replenishments=(),
)  # fmt: skip
VOCABULARY = Vocabulary.of(SNAPSHOT, None, sees_sensitive=True)
PLAN, OTHER = "1f0c9bd2" + 56 * "a", "77aa01ee" + 56 * "b"
COVERAGE = {
    "as_of": "2026-03-02T06:00:00+00:00",
    "rows": [
        {"sku": "P2", "site": "S3", "available_units": 120, "demand_a_day": "3.50", "stock_out_percent": "50.0"},
        {"sku": "P1", "site": "S4", "available_units": 45, "demand_a_day": "2.25", "stock_out_percent": "12.5"},
    ],
    "total": 2,
    "together": {"available_units": 165, "site_skus": 2},
}
PROPOSED = {
    "plan": PLAN,
    "lines": 7,
    "units": 640,
    "saves": "1,250.40 EUR",
    "top_lines": [
        {"line_no": 1, "sku": "P1", "units": 311, "from": "S1", "to": "S4", "by": "truck", "saves": "800.10 EUR"},
        {"line_no": 2, "sku": "P3", "units": 222, "from": "S1", "to": "S2", "by": "truck", "saves": "77.70 EUR"},
    ],
    "concessions": ["With 30 units more on S1→S2, P3 would save 19.90 EUR more."],
    "words": "P1 goes to S4 with 311 units. It leaves 38 units behind.",
}


def shown(*results: Any, asked: str = "How are we doing?", arguments: Any = None) -> Evidence:
    messages: list[BaseMessage] = [SystemMessage("At most 5,000 units a line."), HumanMessage(asked)]
    for number, result in enumerate(results):
        call = {"name": "coverage", "args": arguments or {}, "id": f"call_{number}", "type": "tool_call"}
        messages += [AIMessage("", tool_calls=[call]), ToolMessage(json.dumps(result), tool_call_id=f"call_{number}")]
    return Evidence.of(messages, VOCABULARY)


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ("S4 has 120 packs of P1.", ("120",)),
        ("P1 has 120 packs.", ("120",)),
        ("S4 has 120 packs.", ("120",)),
        ("P2 at S4 has 120 packs.", ("120",)),
        ("P2 is short. It has 45 packs.", ("45",)),
        ("S3:\n- 45 packs\n- 120 packs", ("45",)),
        ("S1→S2 carries 311 units.", ("311",)),
        ("S1-S2 carries 311 units.", ("311",)),
        ("Line 2 moves 311 units.", ("311",)),
        ("Line 2 saves 800.10 EUR.", ("800.10",)),
        ("P1 goes from S1 to S2 with 222 units.", ("222",)),
        ("Plan 77aa01ee saves 1,250.40 EUR.", ("1,250.40",)),
        ("P2 would save 19.90 EUR more.", ("19.90",)),
        ("Stock-out at S4 is half as likely as not: half.", ("half",)),
    ],
)  # fmt: skip
def test_a_figure_of_another_sku_site_or_line_is_no_source(answer: str, missing: tuple[str, ...]) -> None:
    assert (
        unsourced(
            answer, shown(COVERAGE, PROPOSED, {"plan": OTHER}, asked="What of P1, P2 and P3 at S1, S2, S3 and S4?")
        )
        == missing
    )


@pytest.mark.parametrize(
    "answer",
    [
        "S3 has 120 packs of P2, S4 has 45 of P1.",
        "P2 has 120 packs. It sells 3.5 a day.",
        "S3:\n- P2: 120 packs\nS4:\n- P1: 45 packs",
        "P1 and P2 have 165 packs together at 2 sites.",
        "Line 1 moves 311 units of P1 from S1 to S4, line 2 moves 222 of P3.",
        "S1→S2 carries 222 units; S1-S4 carries 311.",
        "The plan of 7 lines moves 640 units, also P3 to S2.",
        "Plan 1f0c9bd2 saves 1,250.40 EUR, of which line 1 saves 800.10 EUR.",
        "P3 would save 19.90 EUR more with 30 units more.",
        "P1 goes to S4. It leaves 38 units.",
        "At S3 a stock-out is about as likely as not: half of the cases.",
        "120 of P2 and 45 of P1 make 165, with a difference of 75.",
        "There are two SKUs, P1 and P2.",
        "There is no line 9: the plan has 7 lines.",
    ],
)  # fmt: skip
def test_a_figure_may_be_said_of_what_it_is_about(answer: str) -> None:
    assert unsourced(answer, shown(COVERAGE, PROPOSED, asked="Explain line 9")) == ()


def test_what_a_call_asked_about_is_what_its_totals_are_about() -> None:
    totals = {"rows": [], "total": 0, "together": {"available_units": 165}}
    asked = "How much P1 is there at S4, how much P2?"
    assert unsourced("P1 has 165 packs at S4.", shown(totals, arguments={"mentions": ["P1", "S4"]}, asked=asked)) == ()
    assert unsourced("P2 has 165 packs.", shown(totals, arguments={"mentions": ["P1"]}, asked=asked)) == ("165",)


@pytest.mark.parametrize(
    "answer",
    [
        "Half of the 90 packs: 45 of P1 at S4.",
        "P1 has 45 packs at S4, half of 90.",
        "Twice 45 is 90 for P1 at S4.",
        "P1 has 45 of 90 packs at S4, that is 50 %.",
        "P1 has 45 of 90 packs at S4 and lacks 45.",
        "Most of the 90 packs of P1, 60, are at S4.",
    ],
)
def test_what_follows_from_two_figures_of_the_same_sentence_needs_no_other_source(answer: str) -> None:
    row = {"sku": "P1", "site": "S4", "available_units": 45, "wanted_units": 90, "planned_units": 60}
    assert unsourced(answer, shown({"rows": [row]})) == ()


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ("P1 has 45 of 90 packs at S4, that is 55 %.", ("55 %",)),
        ("P1 has 45 of 90 packs at S4, a third.", ("a third",)),
        ("P1 has 45 of 90 packs at S4 and lacks 46.", ("46",)),
    ],
)
def test_what_does_not_follow_is_named(answer: str, missing: tuple[str, ...]) -> None:
    row = {"sku": "P1", "site": "S4", "available_units": 45, "wanted_units": 90}
    assert unsourced(answer, shown({"rows": [row]})) == missing


rows = st.lists(
    st.tuples(st.sampled_from(SKUS), st.sampled_from(SITES), st.integers(13, 10**6)),
    min_size=2, max_size=6, unique_by=(lambda row: row[:2], lambda row: row[2]),
)  # fmt: skip


@given(rows)
def test_every_row_passes_as_its_own_and_never_as_that_of_another(found: list[tuple[str, str, int]]) -> None:
    evidence = shown({"rows": [{"sku": sku, "site": site, "units": units} for sku, site, units in found]})
    for sku, site, units in found:
        assert unsourced(f"{sku} at {site} has {units} packs.", evidence) == ()
        for other, elsewhere, theirs in found:
            if (other, elsewhere) != (sku, site):
                assert unsourced(f"{sku} at {site} has {theirs} packs.", evidence) == (str(theirs),)
