"""What moves of one SKU are worth by the independent evaluator, on facts cut down to what counts for them.

The value of a plan is a sum over SKUs plus the departures, so a line can be priced
on the facts of its own SKU. The cut keeps every lane that decides how soon a site
could be helped, and every lane that makes up a distribution centre's demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tools.explanation.curves import Curves
from tools.inventory import Lane, LaneKey, SiteKind, SiteSku, Sku, Snapshot
from tools.planning import Limits, Move, evaluate
from tools.planning.breaches import departure_key, departure_of, move_breaches
from tools.planning.calendar import NEXT
from tools.planning.instance import fixed_cost
from tools.transfers import DemandChange, Overlays, PlanRequest
from tools.whatif import assumed


@dataclass(frozen=True, slots=True)
class Worth:
    """What a move adds after freight and line charge, and those costs, in minor units; its departure is not in it."""

    saving: float
    move_cost: float


class SkuWorth:
    """Prices moves of one SKU against others of it. `sites` are all the sites at either end of what will be priced."""

    def __init__(self, facts: Snapshot, limits: Limits, request: PlanRequest, sku: Sku, sites: frozenset[str]) -> None:
        self._limits = replace(limits, must_leave={}, whole_sets=())
        self._request = request
        self._sku = sku
        self._lane_by_key = facts.lane_by_key
        soonest = _soonest_lanes(facts, limits, request, sku, sites)
        self._soonest = {site_id: day for site_id, (day, _) in soonest.items()}
        centres = any(SiteSku(site_id, sku.sku_id) not in facts.forecast_by_key for site_id in sites)
        self._fed = _lanes_that_feed_stores(facts) if centres else frozenset()
        self._soonest_lane = {site_id: key for site_id, (_, key) in soonest.items()}
        self._facts = _cut(facts, sku)
        self._parts: dict[tuple[bool, Move, int, tuple[DemandChange, ...]], float] = {}

    def added(
        self, others: Sequence[Move], move: Move, changes: tuple[DemandChange, ...] = (), lane: Lane | None = None
    ) -> Worth:
        """What the evaluator says that the move adds to the others, under changes of demand, or on a lane not as it is.

        Only moves with an end in common matter; the evaluator books moves in order, so the last one's worth is what
        it adds.
        """
        near = [each for each in others if _meet(each, move)]
        if lane is not None:
            # A lane that is not as it is departs on other days: whatever travels on it takes its next departure.
            near = [replace(each, depart_on=NEXT) if each.lane == lane.key else each for each in near]
        used = {each.lane for each in (*near, move)}
        soonest = {self._soonest_lane[key.destination] for key in used if key.destination in self._soonest_lane}
        keys = sorted(used | self._fed | soonest)
        lanes = tuple(lane if lane is not None and key == lane.key else self._lane_by_key[key] for key in keys)
        facts = assumed(replace(self._facts, lanes=lanes), Overlays(demand_changes=changes))
        last = evaluate(facts, self._limits, self._request, [*near, move]).moves[-1]
        own = departure_key(facts, self._limits, move)
        shares = any(departure_key(facts, self._limits, each) == own for each in near)
        merged = self._limits.line_charge_minor if shares else 0
        return Worth(last.saving + merged, last.move_cost - merged)

    def roughly(
        self,
        others: Sequence[Move],
        move: Move,
        at_receiver: tuple[DemandChange, ...] = (),
        at_donor: tuple[DemandChange, ...] = (),
    ) -> float:
        """About what the move adds to the others, quickly, under a change of demand at either end: a guide for a search."""
        sent = sum(each.packs for each in others if each.lane.origin == move.lane.origin)
        received = sum(each.packs for each in others if each.lane.destination == move.lane.destination)
        return self._part(True, move, received, at_receiver) - self._part(False, move, sent, at_donor)

    def _part(self, receives: bool, move: Move, before: int, changes: tuple[DemandChange, ...]) -> float:
        """The part of one end, worked out once for each change."""
        key = (receives, move, before, changes)
        if key not in self._parts:
            facts = assumed(self._feeding, Overlays(demand_changes=changes))
            curves = Curves(facts, self._limits, self._sku, self._soonest)
            lane = self._lane_by_key[move.lane]
            self._parts[key] = (
                curves.received(lane, before, move.packs, move.depart_on)
                if receives
                else curves.sent(lane, before, move.packs)
            )
        return self._parts[key]

    @cached_property
    def _feeding(self) -> Snapshot:
        """The facts with the lanes that make up the demand of distribution centres, and no others."""
        return replace(self._facts, lanes=tuple(self._lane_by_key[key] for key in sorted(self._fed)))

    def fixed_cost(self, lane: LaneKey) -> float:
        """What a departure of the lane costs, in minor units."""
        return fixed_cost(self._lane_by_key[lane], self._facts.currency)


def _meet(one: Move, other: Move) -> bool:
    """Whether what one move is worth depends on the other."""
    return one.lane.origin == other.lane.origin or one.lane.destination == other.lane.destination


def _cut(facts: Snapshot, sku: Sku) -> Snapshot:
    """The facts of one SKU, without lanes."""
    return replace(
        facts,
        skus=(sku,),
        lanes=(),
        positions=tuple(row for row in facts.positions if row.sku_id == sku.sku_id),
        supply=tuple(row for row in facts.supply if row.sku_id == sku.sku_id),
        forecasts=tuple(row for row in facts.forecasts if row.sku_id == sku.sku_id),
        replenishments=tuple(row for row in facts.replenishments if row.sku_id == sku.sku_id),
        recent_moves=(),
        holds=(),
        lineage=(),
    )


def _soonest_lanes(
    facts: Snapshot, limits: Limits, request: PlanRequest, sku: Sku, sites: frozenset[str]
) -> dict[str, tuple[int, LaneKey]]:
    """For each site the first day on which a permitted lane arrives there, and the lane."""
    least = -(-sku.min_transfer_units // sku.pack_size)
    found: dict[str, tuple[int, LaneKey]] = {}
    for lane in facts.lanes:
        if lane.destination not in sites:
            continue
        departure = departure_of(facts, limits, lane.key)
        soonest = found.get(lane.destination)
        if departure is None or (soonest is not None and soonest[0] <= departure.days_until_arrival):
            continue
        breaches = move_breaches(facts, limits, request, Move(lane.key, sku.sku_id, least))
        if all(breach.code == "units_per_line" for breach in breaches):
            found[lane.destination] = (departure.days_until_arrival, lane.key)
    return found


def _lanes_that_feed_stores(facts: Snapshot) -> frozenset[LaneKey]:
    """Lanes from distribution centres and the like to stores: a centre's demand is what its stores draw."""
    kinds = {site.site_id: site.kind for site in facts.sites}
    return frozenset(
        lane.key
        for lane in facts.lanes
        if kinds[lane.origin] is not SiteKind.STORE and kinds[lane.destination] is SiteKind.STORE
    )
