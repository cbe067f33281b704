"""What people do to plans: approving only the best lines."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from tools.demand import FloatArray
from tools.simulation.cycle import IntArray
from tools.simulation.optimised import Ours
from tools.simulation.values import Blocks, blocks
from tools.simulation.view import View


@dataclass(frozen=True)
class TopLines:
    """Of each plan only this share of the lines is approved, the most valuable first; what was left waits for the next plan."""

    rule: Ours
    share: float

    def __call__(self, view: View) -> IntArray:
        """Units by SKU and lane."""
        sent = self.rule(view)
        sku, lane = np.nonzero(sent)
        if not len(sku):
            return sent
        value = line_values(view, blocks(view, self.rule.knobs.horizon), sent)
        approved = np.argsort(-value, kind="stable")[: ceil(round(self.share * len(sku), 6))]
        kept = np.zeros_like(sent)
        kept[sku[approved], lane[approved]] = sent[sku[approved], lane[approved]]
        return kept


def line_values(view: View, found: Blocks, sent: IntArray) -> FloatArray:
    """Money that each line (SKU, lane) with units is worth by itself, as if it were the only one."""
    sku, lane = np.nonzero(sent)
    units = sent[sku, lane]
    lanes = view.cycle.lanes
    received = _filled(found.receive_units[sku, lanes.destination[lane]], units)
    lost = _filled(found.send_units[sku, lanes.origin[lane]], units)
    gain = (received * found.receive_gain[sku, lanes.destination[lane]]).sum(axis=1)
    loss = (lost * found.send_loss[sku, lanes.origin[lane]]).sum(axis=1)
    worth: FloatArray = gain - loss - units * view.cycle.move_cost[sku, lane]
    return worth


def _filled(width: IntArray, units: IntArray) -> IntArray:
    """(lines, B): how many units fall into each block."""
    before = np.cumsum(width, axis=1) - width
    filled: IntArray = np.clip(units[:, None] - before, 0, width)
    return filled
