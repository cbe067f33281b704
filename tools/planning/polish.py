"""Lines and departures that do not earn their keep, taken out of a solution that is only near-optimal.

A solver that stops within its gap may leave a line in place that costs more than it
brings. Taking such a line out always lowers the objective and breaks no constraint:
every limit is an upper limit, and a line goes as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from tools.inventory import LaneKey, SiteSku
from tools.planning.instance import Arc, Instance, fixed_cost
from tools.planning.limits import Limits

Packs = dict[tuple[LaneKey, str], int]
_WORTH_IT = 1e-9


@dataclass(frozen=True)
class Polished:
    """The packs that remain, and their objective."""

    packs: Packs
    objective: float


class Pruner:
    """Prices sets of lines on one instance."""

    def __init__(self, instance: Instance, limits: Limits, currency: str) -> None:
        self._arcs: dict[tuple[LaneKey, str], Arc] = {(arc.lane.key, arc.sku.sku_id): arc for arc in instance.arcs}
        self._gain = {key: tuple(accumulate(node.gains, initial=0.0)) for key, node in instance.nodes.items()}
        self._loss = {key: tuple(accumulate(node.losses, initial=0.0)) for key, node in instance.nodes.items()}
        self._line = limits.line_charge_minor + limits.line_hurdle_minor
        self._departure = {
            arc.lane.key: fixed_cost(arc.lane, currency) + limits.lane_hurdle_minor for arc in instance.arcs
        }

    def objective(self, packs: Packs) -> float:
        """The solver's objective for the lines, hurdles included: change against moving nothing."""
        received: dict[SiteSku, int] = {}
        sent: dict[SiteSku, int] = {}
        total = sum(self._departure[lane] for lane in sorted({lane for lane, _ in packs}))
        for key, count in packs.items():
            arc = self._arcs[key]
            received[arc.destination] = received.get(arc.destination, 0) + count
            sent[arc.origin] = sent.get(arc.origin, 0) + count
            total += count * (arc.move_cost + arc.late) + self._line
        total -= sum(self._gain[key][count] for key, count in received.items())
        return total + sum(self._loss[key][count] for key, count in sent.items())

    def without_losers(self, packs: Packs) -> Polished:
        """The lines without those, and without whole departures, whose removal lowers the objective."""
        kept, best = dict(packs), self.objective(packs)
        improved = True
        while improved:
            improved = False
            lanes = sorted({lane for lane, _ in kept})
            groups = [[key] for key in sorted(kept)] + [[key for key in kept if key[0] == lane] for lane in lanes]
            for group in groups:
                rest = {key: count for key, count in kept.items() if key not in group}
                value = self.objective(rest)
                if len(rest) < len(kept) and value < best - _WORTH_IT:
                    kept, best, improved = rest, value, True
        return Polished(dict(sorted(kept.items())), best)
