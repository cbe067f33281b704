"""What a solver hands back: moves on lanes, the words it may use about them, and its proof."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from tools.inventory import LaneKey
from tools.planning.calendar import NEXT
from tools.transfers import SolveStatus


@dataclass(frozen=True, slots=True)
class Move:
    """So many packs of a SKU on a departure of a lane, which is the lane's next one unless a day is named.

    Moves are sorted by lane, SKU and day.
    """

    lane: LaneKey
    sku_id: str
    packs: int
    depart_on: date = NEXT

    def __lt__(self, other: Move) -> bool:
        """Whether the move comes first in a plan."""
        return self._place < other._place

    @property
    def _place(self) -> tuple[LaneKey, str, date, int]:
        return self.lane, self.sku_id, self.depart_on, self.packs


@dataclass(frozen=True, slots=True)
class Solution:
    """Moves sorted by lane and SKU, with the solver's own objective and bound in minor units.

    Both are change against moving nothing, hurdles included, so `bound <= objective <= 0`
    for a plan worth making. `note` says in words why there are no moves.
    """

    status: SolveStatus
    moves: tuple[Move, ...] = ()
    objective: float = 0.0
    bound: float | None = None
    path: str = "none"
    versions: tuple[str, ...] = ()
    note: str = ""

    @property
    def gap_ppm(self) -> int | None:
        """(objective - bound) / |objective| in parts per million; None without a bound."""
        if self.bound is None or not math.isfinite(self.bound):
            return None
        if abs(self.objective) < 1e-9:
            return 0 if self.bound > -1e-6 else None
        return max(0, round((self.objective - self.bound) / abs(self.objective) * 1e6))
