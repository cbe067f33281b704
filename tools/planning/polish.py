"""What does not earn its keep, taken out of a solution that is only near-optimal: departures, lines, single packs.

A solver that stops within its gap may leave something in place that costs more than
it brings. Taking it out lowers the objective and breaks no constraint: every limit
is an upper limit, a line never shrinks below its least quantity, and a set that must be
delivered whole is never taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from tools.inventory import SiteSku
from tools.planning.calendar import DepartureKey
from tools.planning.instance import Arc, Instance, fixed_cost
from tools.planning.limits import Limits

Packs = dict[tuple[DepartureKey, str], int]
_WORTH_IT = 1e-9


@dataclass(frozen=True)
class Polished:
    """The packs that remain, and their objective."""

    packs: Packs
    objective: float


class Pruner:
    """Prices sets of lines on one instance."""

    def __init__(self, instance: Instance, limits: Limits, currency: str) -> None:
        self._arcs: dict[tuple[DepartureKey, str], Arc] = {arc.key: arc for arc in instance.arcs}
        self._gain = {key: tuple(accumulate(node.gains, initial=0.0)) for key, node in instance.nodes.items()}
        self._loss = {key: tuple(accumulate(node.losses, initial=0.0)) for key, node in instance.nodes.items()}
        self._sets = limits.whole_sets
        self._line = limits.line_charge_minor + limits.line_hurdle_minor
        self._departure = {
            arc.travels: fixed_cost(arc.lane, currency) + limits.lane_hurdle_minor for arc in instance.arcs
        }

    def objective(self, packs: Packs) -> float:
        """The solver's objective for the lines, hurdles included: change against moving nothing."""
        received, sent = self._ends(packs)
        total = sum(self._departure[departure] for departure in sorted({departure for departure, _ in packs}))
        for key, count in packs.items():
            total += count * (self._arcs[key].move_cost + self._arcs[key].late) + self._line
        total -= sum(self._gain[key][count] for key, count in received.items())
        return total + sum(self._loss[key][count] for key, count in sent.items())

    def polished(self, packs: Packs) -> Polished:
        """The lines without what lowers the objective by being left out."""
        kept = self._trimmed(packs)
        best = self.objective(kept)
        improved = True
        while improved:
            improved = False
            used = sorted({departure for departure, _ in kept})
            groups = [[key] for key in sorted(kept)] + [[key for key in kept if key[0] == each] for each in used]
            for group in groups:
                rest = {key: count for key, count in kept.items() if key not in group}
                value = self.objective(rest)
                if len(rest) < len(kept) and value < best - _WORTH_IT and self._sets_whole(rest):
                    kept, best, improved = rest, value, True
        return Polished(dict(sorted(kept.items())), best)

    def _sets_whole(self, packs: Packs) -> bool:
        """Whether no set comes in part to a site that must get it whole."""
        for whole in self._sets:
            brought = {
                sku_id for (lane, _), sku_id in packs if lane.destination == whole.site_id and sku_id in whole.sku_ids
            }
            if brought and not brought.issuperset(whole.missing):
                return False
        return True

    def _trimmed(self, packs: Packs) -> Packs:
        """The lines without last packs that cost more than they gain.

        Gains fall and losses rise, so a pack that pays stays worth its move when others are taken away.
        """
        kept = dict(packs)
        received, sent = self._ends(kept)
        again = True
        while again:
            again = False
            for key in sorted(kept):
                arc = self._arcs[key]
                gain, loss = self._gain[arc.destination], self._loss[arc.origin]
                cost = arc.move_cost + arc.late
                while kept[key] > arc.packs_min:
                    into, out = received[arc.destination], sent[arc.origin]
                    last = gain[into] - gain[into - 1] - (loss[out] - loss[out - 1]) - cost
                    if last >= -_WORTH_IT:
                        break
                    kept[key] -= 1
                    received[arc.destination] -= 1
                    sent[arc.origin] -= 1
                    again = True
        return kept

    def _ends(self, packs: Packs) -> tuple[dict[SiteSku, int], dict[SiteSku, int]]:
        """Packs received and packs sent, by site and SKU."""
        received: dict[SiteSku, int] = {}
        sent: dict[SiteSku, int] = {}
        for key, count in packs.items():
            arc = self._arcs[key]
            received[arc.destination] = received.get(arc.destination, 0) + count
            sent[arc.origin] = sent.get(arc.origin, 0) + count
        return received, sent
