"""Approving only the best lines of a plan."""

from __future__ import annotations

import numpy as np
import pytest

from tools.simulation import Generator, Knobs, Ours, generated
from tools.simulation.approval import TopLines, line_values
from tools.simulation.values import blocks
from tools.simulation.view import View

(FOLD,) = generated(Generator.M5, cycles=12, fitting_seeds=1)
CYCLE = FOLD.scored[0]
VIEW = View.at(CYCLE, 8, np.maximum(CYCLE.stock - CYCLE.demand[:, :8].sum(axis=1), 0))


def test_all_lines_are_the_plan_and_no_share_is_more() -> None:
    plan = Ours()(VIEW)
    assert (TopLines(Ours(), 1.0)(VIEW) == plan).all()
    half = TopLines(Ours(), 0.5)(VIEW)
    assert np.count_nonzero(half) == -(-np.count_nonzero(plan) // 2)
    assert ((half == plan) | (half == 0)).all()


def test_the_most_valuable_lines_are_kept() -> None:
    plan = Ours()(VIEW)
    values = line_values(VIEW, blocks(VIEW, Knobs().horizon), plan)
    kept = TopLines(Ours(), 0.25)(VIEW)[np.nonzero(plan)] > 0
    assert values[kept].min() >= values[~kept].max()


def test_a_line_alone_pays() -> None:
    plan = Ours()(VIEW)
    assert (line_values(VIEW, blocks(VIEW, Knobs().horizon), plan) > -1e-9).all()


def test_a_line_of_one_unit_is_worth_its_gain_less_its_loss_and_its_cost() -> None:
    plan = Ours()(VIEW)
    sku, lane = (each[0] for each in np.nonzero(plan))
    one = np.zeros_like(plan)
    one[sku, lane] = 1
    found = blocks(VIEW, Knobs().horizon)
    to, frm = CYCLE.lanes.destination[lane], CYCLE.lanes.origin[lane]
    gain = found.receive_gain[sku, to][found.receive_units[sku, to] > 0][0]
    loss = found.send_loss[sku, frm][found.send_units[sku, frm] > 0][0]
    assert line_values(VIEW, found, one) == pytest.approx([gain - loss - CYCLE.move_cost[sku, lane]])
