"""`strategy`."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.app.cli.conftest import Office


def test_levels_the_curve_and_the_echelons_are_printed_for_people(shared_office: Office) -> None:
    said = shared_office("strategy", by="vera")
    assert said.status == 0, said.err
    for words in (
        "6 site-SKUs, demand of the next 91 days", "Nothing is changed by this.", "present levels", "cheapest levels",
        "The least investment for each fill rate:", "Service levels by demand class and site:", "every site by itself",
    ):  # fmt: skip
        assert words in said.out


def test_one_document_holds_all_of_it(shared_office: Office) -> None:
    found = shared_office("strategy", "--json", by="vera").document
    assert (found["aim"], found["currency"], found["site_skus"]) == ("cheapest", "USD", 6)
    assert {row["site_id"] for row in found["rows"]} == {"S1", "S2", "S3"}
    assert found["present"]["service_level_bp"] == 9_800
    assert found["echelons"]["saving_to_alone_minor"] == 0


def test_a_fill_rate_in_percent_and_a_budget_in_the_currency_are_kept_to(shared_office: Office) -> None:
    goal = shared_office("strategy", "--fill-rate", "96.5", "--json").document
    assert goal["aim"] == "fill_rate"
    assert goal["proposed"]["fill_rate_ppm"] >= 965_000
    money = goal["proposed"]["investment_minor"]
    spent = shared_office("strategy", "--budget", f"{money / 100:,.2f}", "--json").document
    assert (spent["aim"], spent["proposed"]["investment_minor"]) == ("budget", money)


def test_a_part_of_the_network_can_be_asked_for(shared_office: Office) -> None:
    found = shared_office("strategy", "--sku", "P2", "--site", "S1", "--site", "S3", "--json").document
    assert [(row["site_id"], row["skus"]) for row in found["rows"]] == [("S1", 1), ("S3", 1)]
    longer = shared_office("strategy", "--sku", "P2", "--supply-days", "60", "--lines", "1", "--json").document
    (line,) = longer["lines"]
    assert line["protection_days"] == 67
    assert longer["lines_not_shown"] == 2


def test_the_curve_is_drawn_into_a_file(shared_office: Office, tmp_path: Path) -> None:
    said = shared_office("strategy", "--plot", tmp_path / "curve.svg")
    assert said.status == 0, said.err
    assert ET.parse(tmp_path / "curve.svg").getroot().get("role") == "img"


@pytest.mark.parametrize("budget", ["much", "-1", "0.001", "NaN", "1e30", ""])
def test_a_budget_that_is_no_amount_is_refused(shared_office: Office, budget: str) -> None:
    refused = shared_office("strategy", "--json", f"--budget={budget}")
    assert (refused.status, refused.document["error"]) == (1, "budget")


def test_a_picture_that_cannot_be_written_is_refused_with_its_place(shared_office: Office, tmp_path: Path) -> None:
    refused = shared_office("strategy", "--json", "--plot", tmp_path / "nowhere" / "curve.svg")
    assert (refused.status, refused.document["error"]) == (1, "plot")
    assert "nowhere" in refused.document["detail"]


@pytest.mark.parametrize("asked", [("--sku", "P99"), ("--category", "P1"), ("--site", "P1"), ("--site", "S9")])
def test_a_name_that_stands_for_nothing_of_its_kind_is_refused(shared_office: Office, asked: tuple[str, str]) -> None:
    refused = shared_office("strategy", "--json", *asked)
    assert (refused.status, refused.document["error"]) == (1, "unclear_name")
    assert asked[1] in refused.document["detail"]


def test_a_token_is_needed(shared_office: Office) -> None:
    refused = shared_office("strategy", "--json", by=None)
    assert (refused.status, refused.document["error"]) == (1, "no_token")
