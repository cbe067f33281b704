"""The simulated world of execution: thousands of seeds break no rule, and every planted fault is found."""

from __future__ import annotations

import os

import pytest

from evals.simulation.run import simulate
from tests.evals.mutants import MUTANTS, Mutant

SEEDS = int(os.environ.get("SEEDS", "5000"))
PARTS = 10
SEEDS_FOR_MUTANTS = 1_600


@pytest.mark.parametrize("part", range(PARTS))
def test_no_seed_breaks_a_rule(part: int) -> None:
    outcomes = [simulate(seed) for seed in range(part, SEEDS, PARTS)]
    assert [outcome for outcome in outcomes if outcome.broken] == []
    assert sum(outcome.orders for outcome in outcomes) > len(outcomes), "there was something to break"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    assert any(simulate(seed).broken for seed in range(SEEDS_FOR_MUTANTS))


def test_that_an_erp_has_no_transfer_yet_is_seen_by_many_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    (mutant,) = (each for each in MUTANTS if each.name == "that the ERP has none counts at once")
    mutant.plant(monkeypatch)
    assert sum(simulate(seed).broken is not None for seed in range(SEEDS_FOR_MUTANTS)) >= 10


def test_there_are_at_least_25_faults_to_find() -> None:
    assert len({mutant.name for mutant in MUTANTS}) >= 25


def test_the_same_seed_gives_the_same_outcome() -> None:
    assert [simulate(seed) for seed in range(20)] == [simulate(seed) for seed in range(20)]
