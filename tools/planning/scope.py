"""What a plan request lets move, and where: SKUs, lanes with their departures, and the exclusions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tools.inventory import Lane, LaneKey, SiteSku, Sku, Snapshot
from tools.planning.calendar import Departure, DepartureKey, next_departure, offered_departures
from tools.planning.limits import Limits
from tools.transfers import PlanRequest


@dataclass(frozen=True)
class Reach:
    """The moves that facts, policy and request leave open."""

    snapshot: Snapshot
    limits: Limits
    request: PlanRequest

    @cached_property
    def skus(self) -> tuple[Sku, ...]:
        """The SKUs that may move, sorted by id."""
        scope, excluded = self.request.scope, frozenset(self.request.overlays.excluded_skus)
        wanted, categories = frozenset(scope.skus), frozenset(scope.categories)
        return tuple(
            sku
            for sku in sorted(self.snapshot.skus, key=lambda sku: sku.sku_id)
            if sku.sku_id not in excluded
            and (not wanted or sku.sku_id in wanted)
            and (not categories or sku.category in categories)
        )

    @cached_property
    def departures(self) -> dict[LaneKey, Departure]:
        """The lanes that may be used, sorted by key, each with its next departure."""
        found: dict[LaneKey, Departure] = {}
        for lane in sorted(self.snapshot.lanes, key=lambda lane: lane.key):
            if lane.key in self.limits.closed_lanes or not self._lane_wanted(lane.key):
                continue
            departure = next_departure(lane, self.snapshot.as_of.date(), self.limits.approval_latency_days)
            if departure is not None and self._in_time(departure):
                found[lane.key] = departure
        return found

    @cached_property
    def offered(self) -> dict[DepartureKey, Departure]:
        """The departures that a plan may choose from, sorted by lane and day; those of `departures` are among them."""
        return {
            DepartureKey(key, departure.depart_on): departure
            for key in self.departures
            for departure in offered_departures(self.snapshot, self.limits, self.snapshot.lane_by_key[key])
            if self._in_time(departure)
        }

    def why_not(self, sku: Sku, lane: Lane) -> str | None:
        """The reason why the SKU may not travel on an otherwise usable lane, or None when it may."""
        origin, destination = SiteSku(lane.origin, sku.sku_id), SiteSku(lane.destination, sku.sku_id)
        if origin not in self.snapshot.position_by_key:
            return "not_stocked"
        if destination not in self.snapshot.position_by_key and destination not in self.snapshot.forecast_by_key:
            return "not_carried"
        if (sku.sku_id, lane.origin, lane.destination) in self._excluded_lines:
            return "excluded_line"
        return (
            self.limits.no_send.get(origin)
            or self.limits.no_receive.get(destination)
            or self.limits.closed_because(sku, lane)
        )

    def receive_cap(self, key: SiteSku) -> int | None:
        """The most units the request lets a site receive of a SKU."""
        return self._caps[0].get(key)

    def send_cap(self, key: SiteSku) -> int | None:
        """The most units the request lets a site send of a SKU."""
        return self._caps[1].get(key)

    def _lane_wanted(self, key: LaneKey) -> bool:
        scope, overlays = self.request.scope, self.request.overlays
        ends = {key.origin, key.destination}
        return (
            (not scope.sites or not ends.isdisjoint(scope.sites))
            and (not scope.within_sites or ends.issubset(scope.within_sites))
            and (not scope.origins or key.origin in scope.origins)
            and (not scope.destinations or key.destination in scope.destinations)
            and ends.isdisjoint(overlays.excluded_sites)
            and not any(lane.covers(key) for lane in overlays.excluded_lanes)
        )

    def _in_time(self, departure: Departure) -> bool:
        within = self.request.within_days
        return within is None or departure.days_until_arrival <= within

    @cached_property
    def _excluded_lines(self) -> frozenset[tuple[str, str, str]]:
        return frozenset((ref.sku_id, ref.origin, ref.destination) for ref in self.request.overlays.excluded_lines)

    @cached_property
    def _caps(self) -> tuple[dict[SiteSku, int], dict[SiteSku, int]]:
        both: tuple[dict[SiteSku, int], dict[SiteSku, int]] = ({}, {})
        overlays = self.request.overlays
        for caps, into in ((overlays.receive_caps, both[0]), (overlays.send_caps, both[1])):
            for cap in caps:
                key = SiteSku(cap.site_id, cap.sku_id)
                into[key] = min(cap.units, into.get(key, cap.units))
        return both
