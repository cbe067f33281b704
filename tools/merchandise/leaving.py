"""Units that must leave a site with a plan, and what a plan leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.inventory import SiteSku


@dataclass(frozen=True, slots=True)
class UnmetMove:
    """A move that should have been made: `due_units` had to leave the site, `leaving_units` do in time."""

    key: SiteSku
    due_units: int
    leaving_units: int

    @property
    def left_units(self) -> int:
        """How many stay."""
        return self.due_units - self.leaving_units


def unmet_moves(must_leave: Mapping[SiteSku, int], sent: Iterable[tuple[SiteSku, int]]) -> tuple[UnmetMove, ...]:
    """What must leave and does not, sorted by site and SKU. `sent` lists units by origin, in any number of parts.

    Units that depart after the date on which they had to leave are not among them.
    """
    leaving: dict[SiteSku, int] = {}
    for key, units in sent:
        leaving[key] = leaving.get(key, 0) + units
    return tuple(
        UnmetMove(key, due, min(leaving.get(key, 0), due))
        for key, due in sorted(must_leave.items())
        if leaving.get(key, 0) < due
    )
