"""The service killed at point after point between decision and close: each transfer is posted once, nothing stays reserved."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from evals.databases import Servers
from tests.crash.matrix import ERPS, Matrix, matrix

EVERYWHERE = bool(os.environ.get("EVENKEEL_CRASH_EVERYWHERE"))
"""Every point with each ERP, single writes included. Otherwise every commit and word: those before an ERP is first asked, which are
the same for all, two with the one and two with the other; and those from then on with each."""
POINTS_MIN = 50
PARTS = 8


@pytest.fixture(scope="module")
def crashes(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with matrix(servers, tmp_path_factory.mktemp("crashes")) as opened:
        yield opened


@pytest.fixture(scope="module")
def points(crashes: Matrix) -> dict[str, list[str]]:
    """What an undisturbed worker passes, by ERP."""
    return {erp: crashes.trace(erp, writes=EVERYWHERE) for erp in ERPS}


@pytest.mark.parametrize("erp", ERPS)
def test_there_are_points_of_every_kind_to_die_at(erp: str, points: dict[str, list[str]]) -> None:
    names = points[erp]
    assert len(names) >= POINTS_MIN
    adapter = {"built-in": "BuiltInErp", "rest": "RestErp"}[erp]
    kinds = [
        "commit of insert into ledger_head", "commit of INSERT INTO dbos.operation_outputs",
        "commit of INSERT INTO receipt", "commit of UPDATE transfer_order", "before PostgresSaver.put",
        "after PostgresSaver.put_writes", f"after {adapter}.find", f"before {adapter}.create", f"after {adapter}.create",
    ]  # fmt: skip
    kinds += ["before Outbound.send", "after Outbound.send"] if erp == "rest" else []
    kinds += ["INSERT INTO decision", "select outcome, event_seq", "select dbos.enqueue_workflow"] if EVERYWHERE else []
    assert [kind for kind in kinds if not any(name.startswith(kind) for name in names)] == []


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_point_between_decision_and_close_loses_doubles_and_leaks_nothing(
    part: int, crashes: Matrix, points: dict[str, list[str]]
) -> None:
    killed = []
    for number, erp in enumerate(ERPS):
        every = range(1, len(points[erp]) + 1)
        same = next(place for place, name in enumerate(points[erp]) if ".find" in name)
        chosen = [
            point for point in every if EVERYWHERE or point > same or (point + 1) // 2 % len(ERPS) == number
        ]  # fmt: skip
        killed += [crashes.kill(erp, [point], writes=EVERYWHERE) for point in chosen[part::PARTS]]
    assert sum(killed) >= len(killed) * 0.8, "most workers came to their end before their point"
