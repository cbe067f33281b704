"""Stops: the kill switch, for everything or for a part of the network. What one of them holds is not approved and not posted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policies.approvals import SkuClass
from tools.inventory import LaneKey, Sku, Temperature

CATEGORY = "category/"
"""What begins the class of the SKUs of a category: `category/dairy`."""
STOPPABLE = (SkuClass.SENSITIVE, SkuClass.HAZMAT, SkuClass.CHILLED, SkuClass.FROZEN)
"""Classes that a SKU's own master data says. Those of demand change with every forecast, and a stop must not."""
_TEMPERATURES = {Temperature.CHILLED: SkuClass.CHILLED, Temperature.FROZEN: SkuClass.FROZEN}


@dataclass(frozen=True, slots=True)
class Stop:
    """What is held back: everything that is stated has to hold of a transfer; where nothing is, every transfer is held.

    `site_id`: whatever leaves it or comes to it. `origin` and `destination` with or without a `mode`: a lane.
    `sku_class`: one of STOPPABLE, or a category. Raises ValueError for what names no such part.
    """

    site_id: str | None = None
    origin: str | None = None
    destination: str | None = None
    mode: str | None = None
    sku_class: str | None = None
    stop_id: str = ""

    def __post_init__(self) -> None:
        """Refuse what names no part of the network."""
        if (self.origin is None) != (self.destination is None) or (self.mode is not None and self.origin is None):
            raise ValueError("a lane has an origin and a destination")
        if self.origin is not None and (self.site_id is not None or self.origin == self.destination):
            raise ValueError("a stop names a site, or a lane between two sites")
        if self.sku_class is not None and self.sku_class not in STOPPABLE and not self._category:
            raise ValueError(f"{self.sku_class!r} is no class of SKUs; use {', '.join(STOPPABLE)} or {CATEGORY}NAME")

    @property
    def _category(self) -> str:
        found = self.sku_class or ""
        return found.removeprefix(CATEGORY) if found.startswith(CATEGORY) else ""

    @property
    def scope(self) -> tuple[str | None, ...]:
        """What tells it from other stops, whoever engaged them."""
        return self.site_id, self.origin, self.destination, self.mode, self.sku_class

    @property
    def holds_everything(self) -> bool:
        """Whether this is the kill switch as a whole."""
        return not any(self.scope)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that it names."""
        return tuple(each for each in (self.site_id, self.origin, self.destination) if each is not None)

    @property
    def words(self) -> str:
        """What it holds, for people."""
        goods = "everything"
        if self.sku_class is not None:
            goods = f"SKUs of category {self._category}" if self._category else f"{self.sku_class} SKUs"
        if self.site_id is not None:
            return f"{goods} from or to {self.site_id}"
        by = f" by {self.mode}" if self.mode else ""
        return f"{goods} from {self.origin} to {self.destination}{by}" if self.origin is not None else goods

    def holds(self, lane: LaneKey, sku: Sku | None) -> bool:
        """Whether it holds a transfer of the SKU on the lane. A SKU that nobody knows is of every class."""
        return all((
            self.site_id is None or self.site_id in lane[:2],
            self.origin is None or (self.origin, self.destination) == lane[:2],
            self.mode is None or self.mode == lane.mode,
            self.sku_class is None or sku is None or self.sku_class in classes_of(sku),
        ))  # fmt: skip


def stop_holding(stops: Iterable[Stop], lane: LaneKey, sku: Sku | None) -> Stop | None:
    """The first of the stops that holds a transfer of the SKU on the lane."""
    return next((stop for stop in stops if stop.holds(lane, sku)), None)


def classes_of(sku: Sku) -> frozenset[str]:
    """Every class that a stop can name and that the SKU is of."""
    found: set[str] = {_TEMPERATURES[sku.temperature]} if sku.temperature in _TEMPERATURES else set()
    found |= {SkuClass.SENSITIVE} if sku.sensitive else set()
    found |= {SkuClass.HAZMAT} if sku.hazmat else set()
    return frozenset(found | ({f"{CATEGORY}{sku.category}"} if sku.category else set()))
