"""The gate of the simulation: open for our rule, closed when a figure falls below its floor."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from app.errors import InvalidError
from evals import backtest as gate
from evals.backtest import Floor, Verdict, floors_of, main, run_quick
from tests.installation import a_network
from tools.network_folder import write_network


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return run_quick()


def test_our_rule_passes(verdict: Verdict) -> None:
    assert [floor.words() for floor in verdict.floors if not floor.holds] == []
    assert verdict.passed
    assert len(verdict.reports) == 2


def test_a_dearer_rule_is_found_out(verdict: Verdict) -> None:
    (report, _) = verdict.reports
    worse = replace(report.ours, total_cost=report.of("nearest surplus").total_cost, reversed_units=10**6)
    broken = replace(report, results=(replace(report.results[0], score=worse), *report.results[1:]))
    assert [floor.holds for floor in floors_of(broken)] == [False, True, False]
    poorer = replace(report.ours, fill_rate=report.nothing.fill_rate)
    broken = replace(report, results=(replace(report.results[0], score=poorer), *report.results[1:]))
    assert [floor.holds for floor in floors_of(broken)] == [True, False, True]


def test_without_a_figure_nothing_has_passed() -> None:
    assert not Verdict((), ()).passed
    assert not Verdict((), (Floor("a", 1.0, 0.5), Floor("b", 0.4, 0.5))).passed
    assert Floor("c", 0.5, 0.5, at_most=True).holds


def test_the_exit_status_is_the_verdict(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(gate, "run_quick", lambda _networks: verdict)
    assert main(["--json", "--plot", str(tmp_path / "drawn")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    assert len(document["reports"]) == 2
    for drawn in (tmp_path / "drawn").iterdir():
        ET.fromstring(drawn.read_text(encoding="utf-8"))
    failing = replace(verdict, floors=(*verdict.floors, Floor("made to fail", 0.0, 1.0)))
    monkeypatch.setattr(gate, "run_quick", lambda _networks: failing)
    assert main([]) == 1
    assert "BROKEN  made to fail: 0.0000, at least 1.0000" in capsys.readouterr().out


def test_a_network_with_too_little_to_balance_is_refused_in_words(tmp_path: Path) -> None:
    for name, content in write_network(a_network({("S1", "P1"): 60, ("S2", "P1"): 4})).items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidError, match=r"nothing to balance|no sales history|needs at least"):
        gate.played_again(tmp_path)
