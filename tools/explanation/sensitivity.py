"""What would have to change for a line not to pay any more, with the rest of the plan as it is.

The search halves the stretch between the forecast and the furthest change until two
neighbouring percentages differ in whether the line pays: deterministic, and every
answer is one that can be asked again as a what-if.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tools.inventory import SiteSku, Snapshot

PERCENT = 100
FALLING_TO, RISING_TO = 0, 1_000
"""Percentages of the forecast at which the search ends: no demand, and as much as a what-if may ask for."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How far a line is from not paying.

    `margin_minor` is what the plan without the line would save less, beyond what policy
    asks a line (and a departure of its own) to earn: the rise in freight that the line
    could bear. `freight_minor` is its freight now and `freight_rise_percent` the margin
    as a share of it, None without freight. The percentages are changes of demand at
    which the line does not pay, while it still does at one less; None where no change
    that a what-if can ask for makes it so. All are None for a line that does not pay by
    itself as things are.
    """

    margin_minor: int
    freight_minor: int
    freight_rise_percent: int | None
    receiver_fall_percent: int | None
    donor_rise_percent: int | None

    @property
    def pays(self) -> bool:
        """Whether the line pays as things are."""
        return self.margin_minor > 0


Margin = Callable[[str, int], float]
"""What is left of a line's worth when demand at one end ("receiver" or "donor") is a percentage of the forecast."""


def sensitivity_of(margin: Margin, guide: Margin, freight: float, here: float) -> Sensitivity:
    """The sensitivity of a line whose margin is `here` as things are. `guide` is about the same as `margin`, and quick."""
    if here <= 0:
        return Sensitivity(round(here), round(freight), None, None, None)
    falls = first_change(partial(_pays, margin, "receiver"), partial(_pays, guide, "receiver"), FALLING_TO)
    rises = first_change(partial(_pays, margin, "donor"), partial(_pays, guide, "donor"), RISING_TO)
    return Sensitivity(
        margin_minor=round(here),
        freight_minor=round(freight),
        freight_rise_percent=int(here * 100 // freight) if round(freight) > 0 else None,
        receiver_fall_percent=None if falls is None else 100 - falls,
        donor_rise_percent=None if rises is None else rises - 100,
    )


def _pays(margin: Margin, end: str, percent: int) -> bool:
    return margin(end, percent) > 0


def first_change(pays: Callable[[int], bool], guide: Callable[[int], bool], last: int) -> int | None:
    """A percentage between 100 and `last` at which a line stops paying while at the one before it pays; None without one.

    Where the guide leads is confirmed on both sides of the change; if it is not so, the search is done without it.
    """
    found = _search(guide, last)
    if found is None:
        return None if pays(last) else _search(pays, last)
    before = found + (1 if found < PERCENT else -1)
    confirmed = not pays(found) and (before == PERCENT or pays(before))
    return found if confirmed else _search(pays, last)


def _search(pays: Callable[[int], bool], last: int) -> int | None:
    if pays(last):
        return None
    good, bad = PERCENT, last
    while abs(good - bad) > 1:
        middle = (good + bad) // 2
        if pays(middle):
            good = middle
        else:
            bad = middle
    return bad


def sites_of_demand(facts: Snapshot, key: SiteSku) -> tuple[str, ...]:
    """The sites whose forecasts make up the demand of a site: its own, or the stores that it sends to."""
    if key in facts.forecast_by_key:
        return (key.site_id,)
    stores = {lane.destination for lane in facts.lanes if lane.origin == key.site_id}
    return tuple(sorted(store for store in stores if SiteSku(store, key.sku_id) in facts.forecast_by_key))
