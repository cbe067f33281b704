"""What differs between two transfer plans: line by line, and in units and money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tools.transfers import TransferLine, TransferPlan


class Way(NamedTuple):
    """A SKU on a lane: what makes two lines of different plans the same."""

    sku_id: str
    origin: str
    destination: str
    mode: str


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """What a plan sends that way, on one departure or several."""

    units: int
    saving_minor: int
    depart_on: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A way on which the two plans do not send the same. None: nothing."""

    way: Way
    plan: OnTheWay | None
    other: OnTheWay | None

    @property
    def weight_minor(self) -> int:
        """The larger saving of the two: what ranks changes."""
        return max(each.saving_minor for each in (self.plan, self.other) if each is not None)


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """A plan against another. Figures are those of the plan less those of the other, money in minor units."""

    changes: tuple[Change, ...]
    same: int
    lines: int
    units: int
    departures: int
    saving_minor: int
    transfer_cost_minor: int
    goods_value_minor: int

    @property
    def only_in_plan(self) -> tuple[Change, ...]:
        """Ways that only the plan uses."""
        return tuple(change for change in self.changes if change.other is None)

    @property
    def only_in_other(self) -> tuple[Change, ...]:
        """Ways that only the other uses."""
        return tuple(change for change in self.changes if change.plan is None)

    @property
    def changed(self) -> tuple[Change, ...]:
        """Ways that both use, with other units or on other days."""
        return tuple(change for change in self.changes if change.plan is not None and change.other is not None)


def compare(plan: TransferPlan, other: TransferPlan) -> PlanDifference:
    """The plan against the other, the most valuable change first. Raises ValueError where their currencies differ."""
    if plan.currency != other.currency:
        raise ValueError(f"one plan is in {plan.currency}, the other in {other.currency}")
    mine, theirs = _ways(plan.lines), _ways(other.lines)
    changes = [
        Change(way, mine.get(way), theirs.get(way))
        for way in mine.keys() | theirs.keys()
        if _sent(mine.get(way)) != _sent(theirs.get(way))
    ]
    return PlanDifference(
        changes=tuple(sorted(changes, key=lambda change: (-change.weight_minor, change.way))),
        same=len(mine.keys() | theirs.keys()) - len(changes),
        lines=len(plan.lines) - len(other.lines),
        units=plan.units - other.units,
        departures=len(plan.lanes) - len(other.lanes),
        saving_minor=plan.saving_minor - other.saving_minor,
        transfer_cost_minor=plan.transfer_cost_minor - other.transfer_cost_minor,
        goods_value_minor=plan.goods_value_minor - other.goods_value_minor,
    )


def _sent(on_the_way: OnTheWay | None) -> tuple[int, tuple[date, ...]] | None:
    return None if on_the_way is None else (on_the_way.units, on_the_way.depart_on)


def _ways(lines: Iterable[TransferLine]) -> dict[Way, OnTheWay]:
    found: dict[Way, OnTheWay] = {}
    for line in lines:
        way = Way(line.sku_id, line.origin, line.destination, line.mode)
        before = found.get(way, OnTheWay(0, 0, ()))
        found[way] = OnTheWay(
            before.units + line.units,
            before.saving_minor + line.saving_minor,
            tuple(sorted((*before.depart_on, line.depart_on))),
        )
    return found
