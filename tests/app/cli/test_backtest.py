"""`backtest`: past or made-up cycles under every rule, as a table, as JSON and as a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.shell import Shell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell without any database: `backtest` needs none."""
    return Shell(monkeypatch, capsys, {})


def test_made_up_cycles_are_told_and_drawn(shell: Shell, tmp_path: Path) -> None:
    picture = tmp_path / "cost.svg"
    said = shell("backtest", "--generator", "ms15", "--cycles", 2, "--cost", 0.1, "--plot", picture)
    assert said.status == 0
    assert said.out.startswith("Made-up cycles, ms15: 2 SKU cycles")
    assert "knobs fitted on other cycles" in said.out
    assert "nearest surplus" in said.out
    assert "every transfer a period later" in said.out
    assert ET.fromstring(picture.read_text(encoding="utf-8")).get("role") == "img"


def test_the_same_seed_gives_the_same_document(shell: Shell) -> None:
    asked = ("backtest", "--generator", "m5", "--cycles", 1, "--seed", 5, "--lead-time", 4, "--json")
    first, again = (shell(*asked).document for _ in range(2))
    assert first == again
    assert first["instances"] == 1
    assert first["rules"][0]["rule"] == "Evenkeel"


def test_a_networks_sales_are_played_again(shell: Shell, tmp_path: Path) -> None:
    network = tmp_path / "net"
    assert shell("generate", network, "--sites", 9, "--skus", 8).status == 0
    said = shell("backtest", "--network", network, "--cycles", 2, "--policy", "2026-01", "--json")
    assert said.status == 0
    assert said.document["title"] == "Sales of net played again"
    assert said.document["cycles"] == 2
    rules = {row["rule"]: row for row in said.document["rules"]}
    assert rules["Evenkeel"]["total_cost"] <= rules["no transfers"]["total_cost"]
    assert rules["Evenkeel"]["reversed_share"] == 0


def test_two_sites_are_solved_exactly(shell: Shell) -> None:
    said = shell("backtest", "--generator", "two-sites", "--cycles", 1, "--json").document
    assert said["instances"] == 1
    rows = {row["rule"]: row for row in said["share_of_optimum"]}
    assert 0.95 < rows["Evenkeel"]["worst"] <= 1.0
    assert rows["Evenkeel"]["mean"] > rows["nearest surplus"]["mean"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "source"),
        (("--network", "x", "--generator", "ms15"), "source"),
        (("--network", "x", "--seed", 3), "seed"),
        (("--network", "x", "--policy", "1999-01"), "policy"),
        (("--generator", "m5", "--policy", "2026-01"), "policy"),
        (("--generator", "two-sites", "--seed", 3), "option"),
        (("--generator", "two-sites", "--plot", "a.svg"), "option"),
        (("--generator", "ms15", "--plot", "."), "plot"),
        (("--generator", "ms15", "--plot", "no/such/folder/a.svg"), "plot"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(shell: Shell, arguments: tuple[object, ...], code: str) -> None:
    said = shell("backtest", *arguments, "--json")
    assert (said.status, said.document["error"]) == (1, code)
    assert said.document["remedy"]


def test_a_folder_with_faults_is_refused_with_every_fault(shell: Shell, tmp_path: Path) -> None:
    said = shell("backtest", "--network", tmp_path, "--json")
    assert said.status == 1
    assert said.document["faults"]


@pytest.mark.parametrize("arguments", [("--cycles", 0), ("--cost", -1), ("--lead-time", -1), ("--generator", "ms99")])
def test_a_number_out_of_bounds_is_wrong_usage(shell: Shell, arguments: tuple[object, ...]) -> None:
    said = shell("backtest", "--generator", "ms15", *arguments)
    assert (said.status, said.out) == (2, "")
