"""The constraints, checked again from the moves alone. It shares the facts, the limits and the calendar with the solver's side, and none of its arrays or sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from tools.inventory import LaneKey, SiteSku, Snapshot
from tools.merchandise.lots import fit_units
from tools.money import e4_per_minor
from tools.planning.calendar import NEXT, Departure, DepartureKey, departure_at
from tools.planning.limits import Limits
from tools.planning.solution import Move
from tools.transfers import PlanRequest


@dataclass(frozen=True, slots=True)
class Breach:
    """A constraint that a set of moves breaks: which, where, what it allows and what was found."""

    code: str
    where: str
    allowed: int
    found: int

    @property
    def words(self) -> str:
        """The breach as a sentence."""
        own = _WORDS.get(self.code, f"{self.code.replace('_', ' ')} allows {{allowed:,}}, the plan has {{found:,}}")
        return f"{self.where}: {own.format(allowed=self.allowed, found=self.found)}"


_WORDS = {
    "whole_set": "a set is delivered whole or not at all; {allowed:,} of its SKUs are missing, the plan brings {found:,}",
    "lot_life": "{allowed:,} units would arrive with life enough left, the plan sends {found:,}",
    "leaves_too_late": "the SKU must have left this site before that day; the plan sends {found:,}",
    "end_of_life": "the SKU must leave this site, the plan brings {found:,}",
    "departure_gone": "the lane does not depart on that day, or that day has passed; the plan sends {found:,}",
    "not_an_emergency": "an emergency rescue serves only likely stock-outs, the plan brings {found:,}",
}


def find_breaches(
    snapshot: Snapshot, limits: Limits, request: PlanRequest, moves: Sequence[Move]
) -> tuple[Breach, ...]:
    """Every constraint of facts, policy and request that the moves break."""
    found: list[Breach] = []
    for move in moves:
        found.extend(move_breaches(snapshot, limits, request, move))
    if any(breach.code in ("unknown_lane", "unknown_sku") for breach in found):
        return tuple(found)
    found.extend(_of_site_skus(snapshot, limits, request, moves))
    found.extend(_of_departures(snapshot, limits, moves))
    found.extend(_of_days(snapshot, limits, moves))
    found.extend(_of_storage(snapshot, moves))
    found.extend(_of_totals(snapshot, limits, request, moves))
    found.extend(_of_sets(limits, moves))
    found.extend(_of_lots(snapshot, limits, moves))
    return tuple(found)


def departure_of(snapshot: Snapshot, limits: Limits, key: LaneKey, depart_on: date = NEXT) -> Departure | None:
    """The departure that a move on the lane uses: the lane's next one, or that of the day named; None where there is none."""
    today = snapshot.as_of.date()
    return departure_at(snapshot.lane_by_key[key], today, limits.approval_latency_days, depart_on)


def departure_key(snapshot: Snapshot, limits: Limits, move: Move) -> DepartureKey:
    """The departure of a move by its day, whether the move names it or not."""
    departure = departure_of(snapshot, limits, move.lane, move.depart_on)
    return DepartureKey(move.lane, move.depart_on if departure is None else departure.depart_on)


def departure_label(snapshot: Snapshot, limits: Limits, key: DepartureKey) -> str:
    """The lane in words, with the day where that is not the day of its next departure."""
    if key.depart_on == NEXT:
        return key.lane.label
    upcoming = departure_of(snapshot, limits, key.lane)
    another = upcoming is not None and upcoming.depart_on != key.depart_on
    return f"{key.lane.label} on {key.depart_on}" if another else key.lane.label


def move_breaches(snapshot: Snapshot, limits: Limits, request: PlanRequest, move: Move) -> Iterator[Breach]:
    """What one move breaks by itself, whatever the other moves are."""
    where = f"{move.sku_id} {move.lane.label}"
    lane, sku = snapshot.lane_by_key.get(move.lane), snapshot.sku_by_id.get(move.sku_id)
    if lane is None:
        yield Breach("unknown_lane", where, 0, move.packs)
        return
    if sku is None:
        yield Breach("unknown_sku", where, 0, move.packs)
        return
    where = f"{move.sku_id} {departure_label(snapshot, limits, DepartureKey(move.lane, move.depart_on))}"
    units = move.packs * sku.pack_size
    if move.packs < 1:
        yield Breach("positive_packs", where, 1, move.packs)
    if units < sku.min_transfer_units:
        yield Breach("least_quantity", where, sku.min_transfer_units, units)
    if limits.line_units_max is not None and units > limits.line_units_max:
        yield Breach("units_per_line", where, limits.line_units_max, units)
    origin, destination = SiteSku(move.lane.origin, sku.sku_id), SiteSku(move.lane.destination, sku.sku_id)
    rules = (
        limits.closed_because(sku, lane),
        limits.no_send.get(origin),
        limits.no_receive.get(destination),
        None if _asked_for(snapshot, request, move) else "request_scope",
        None if origin in snapshot.position_by_key else "not_stocked",
        None if destination in snapshot.position_by_key or destination in snapshot.forecast_by_key else "not_carried",
    )
    for rule in rules:
        if rule is not None:
            yield Breach(rule, where, 0, units)
    yield from _of_timing(snapshot, limits, request, move, (where, units))


def _of_timing(
    snapshot: Snapshot, limits: Limits, request: PlanRequest, move: Move, said: tuple[str, int]
) -> Iterator[Breach]:
    """What the day breaks on which a move leaves, or that on which it arrives."""
    where, units = said
    departure, upcoming = (departure_of(snapshot, limits, move.lane, day) for day in (move.depart_on, NEXT))
    if departure is None:
        yield Breach("never_departs" if upcoming is None else "departure_gone", where, 0, units)
    elif request.within_days is not None and departure.days_until_arrival > request.within_days:
        yield Breach("days_until_arrival", where, request.within_days, departure.days_until_arrival)
    last_on = limits.depart_by.get(SiteSku(move.lane.origin, move.sku_id), date.max)
    # A lane's next departure is always allowed, and stays so while it waits to leave: only one after it can be too late.
    free_until = last_on if upcoming is None else max(last_on, upcoming.depart_on)
    if departure is not None and departure.depart_on > free_until:
        yield Breach("leaves_too_late", where, 0, units)


def _asked_for(snapshot: Snapshot, request: PlanRequest, move: Move) -> bool:
    """Whether the request's scope and exclusions admit the move."""
    scope, overlays = request.scope, request.overlays
    origin, destination, _ = move.lane
    category = snapshot.sku_by_id[move.sku_id].category
    inside = (
        move.sku_id in (scope.skus or (move.sku_id,))
        and category in (scope.categories or (category,))
        and origin in (scope.origins or (origin,))
        and destination in (scope.destinations or (destination,))
        and (not scope.sites or origin in scope.sites or destination in scope.sites)
        and (not scope.within_sites or {origin, destination} <= set(scope.within_sites))
    )
    excluded = (
        move.sku_id in overlays.excluded_skus
        or origin in overlays.excluded_sites
        or destination in overlays.excluded_sites
        or any(lane.covers(move.lane) for lane in overlays.excluded_lanes)
        or any(
            (r.sku_id, r.origin, r.destination) == (move.sku_id, origin, destination) for r in overlays.excluded_lines
        )
    )
    return inside and not excluded


def _of_site_skus(snapshot: Snapshot, limits: Limits, request: PlanRequest, moves: Sequence[Move]) -> Iterator[Breach]:
    sent: Counter[SiteSku] = Counter()
    received: Counter[SiteSku] = Counter()
    for move in moves:
        units = move.packs * snapshot.sku_by_id[move.sku_id].pack_size
        sent[SiteSku(move.lane.origin, move.sku_id)] += units
        received[SiteSku(move.lane.destination, move.sku_id)] += units
    lines = Counter((departure_key(snapshot, limits, move), move.sku_id) for move in moves)
    for (departure, sku_id), times in sorted(lines.items()):
        if times > 1:
            yield Breach("line_twice", f"{sku_id} {departure_label(snapshot, limits, departure)}", 1, times)
    for key, units in sorted(sent.items()):
        position = snapshot.position_by_key.get(key)
        free = position.on_hand_units - position.reserved_units if position else 0
        free = max(free - limits.protected_units.get(key, 0), 0)
        if units > free:
            yield Breach("source_protection", f"{key.sku_id} at {key.site_id}", free, units)
        if received[key]:
            yield Breach("sends_and_receives", f"{key.sku_id} at {key.site_id}", 0, min(units, received[key]))
    for caps, moved, code in (
        (request.overlays.receive_caps, received, "receive_cap"),
        (request.overlays.send_caps, sent, "send_cap"),
    ):
        for cap in caps:
            units = moved[SiteSku(cap.site_id, cap.sku_id)]
            if units > cap.units:
                yield Breach(code, f"{cap.sku_id} at {cap.site_id}", cap.units, units)


def _of_departures(snapshot: Snapshot, limits: Limits, moves: Sequence[Move]) -> Iterator[Breach]:
    volume: Counter[DepartureKey] = Counter()
    for move in moves:
        sku = snapshot.sku_by_id[move.sku_id]
        volume[departure_key(snapshot, limits, move)] += move.packs * sku.pack_size * sku.unit_volume_microlitres
    booked: Counter[DepartureKey] = Counter()
    for load in snapshot.booked:
        booked[DepartureKey(load.lane, load.depart_on)] += load.volume_microlitres
    for key, microlitres in sorted(volume.items()):
        capacity = snapshot.lane_by_key[key.lane].capacity_microlitres_per_departure
        if capacity is not None and microlitres > max(capacity - booked[key], 0):
            where = departure_label(snapshot, limits, key)
            yield Breach("lane_capacity_microlitres", where, max(capacity - booked[key], 0), microlitres)


def _of_days(snapshot: Snapshot, limits: Limits, moves: Sequence[Move]) -> Iterator[Breach]:
    arriving: Counter[tuple[str, str]] = Counter()
    leaving: Counter[tuple[str, str]] = Counter()
    for move in moves:
        departure = departure_of(snapshot, limits, move.lane, move.depart_on)
        if departure is None:
            continue
        units = move.packs * snapshot.sku_by_id[move.sku_id].pack_size
        arriving[move.lane.destination, departure.arrive_on.isoformat()] += units
        leaving[move.lane.origin, departure.depart_on.isoformat()] += units
    taken: Counter[tuple[str, str]] = Counter()
    for row in snapshot.supply:
        taken[row.site_id, row.expected_on.isoformat()] += row.units
    booked: Counter[tuple[str, str]] = Counter()
    for load in snapshot.booked:
        booked[load.origin, load.depart_on.isoformat()] += load.units
    for (site_id, day), units in sorted(arriving.items()):
        limit = snapshot.site_by_id[site_id].inbound_units_per_day
        if limit is not None and units > max(limit - taken[site_id, day], 0):
            yield Breach("inbound_units_per_day", f"{site_id} on {day}", max(limit - taken[site_id, day], 0), units)
    for (site_id, day), units in sorted(leaving.items()):
        limit = snapshot.site_by_id[site_id].outbound_units_per_day
        if limit is not None and units > max(limit - booked[site_id, day], 0):
            yield Breach("outbound_units_per_day", f"{site_id} on {day}", max(limit - booked[site_id, day], 0), units)


def _of_storage(snapshot: Snapshot, moves: Sequence[Move]) -> Iterator[Breach]:
    arriving: Counter[str] = Counter()
    for move in moves:
        sku = snapshot.sku_by_id[move.sku_id]
        arriving[move.lane.destination] += move.packs * sku.pack_size * sku.unit_volume_microlitres
    stored: Counter[str] = Counter()
    for position in snapshot.positions:
        volume = snapshot.sku_by_id[position.sku_id].unit_volume_microlitres
        stored[position.site_id] += position.on_hand_units * volume
    for row in snapshot.supply:
        stored[row.site_id] += row.units * snapshot.sku_by_id[row.sku_id].unit_volume_microlitres
    for site_id, microlitres in sorted(arriving.items()):
        capacity = snapshot.site_by_id[site_id].storage_capacity_microlitres
        if capacity is not None and microlitres > max(capacity - stored[site_id], 0):
            yield Breach("storage_microlitres", site_id, max(capacity - stored[site_id], 0), microlitres)


def _of_totals(snapshot: Snapshot, limits: Limits, request: PlanRequest, moves: Sequence[Move]) -> Iterator[Breach]:
    units = sum(move.packs * snapshot.sku_by_id[move.sku_id].pack_size for move in moves)
    value_e4 = sum(
        move.packs * snapshot.sku_by_id[move.sku_id].pack_size * snapshot.sku_by_id[move.sku_id].unit_cost_e4
        for move in moves
    )
    overlays = request.overlays
    for code, allowed, found in (
        ("plan_units", limits.units_max, units),
        ("request_units", overlays.max_units, units),
        ("plan_lines", limits.lines_max, len(moves)),
        ("request_lines", overlays.max_lines, len(moves)),
    ):
        if allowed is not None and found > allowed:
            yield Breach(code, "the plan", allowed, found)
    if limits.goods_value_max_minor is not None:
        allowed_e4 = limits.goods_value_max_minor * e4_per_minor(snapshot.currency)
        if value_e4 > allowed_e4:
            yield Breach("plan_goods_value_e4", "the plan", allowed_e4, value_e4)
    if overlays.transport_budget_minor is not None:
        allowed_e4 = overlays.transport_budget_minor * e4_per_minor(snapshot.currency)
        found_e4 = transport_cost_e4(snapshot, limits, moves)
        if found_e4 > allowed_e4:
            yield Breach("transport_budget_e4", "the plan", allowed_e4, found_e4)


def _of_sets(limits: Limits, moves: Sequence[Move]) -> Iterator[Breach]:
    """Where a site has nothing of a set, either nothing of it comes or everything that is missing."""
    brought: dict[str, set[str]] = {}
    for move in moves:
        if move.packs > 0:
            brought.setdefault(move.lane.destination, set()).add(move.sku_id)
    for whole in limits.whole_sets:
        there = brought.get(whole.site_id, set())
        if there.isdisjoint(whole.sku_ids):
            continue
        found = sum(sku_id in there for sku_id in whole.missing)
        if found < len(whole.missing):
            yield Breach("whole_set", f"{', '.join(whole.sku_ids)} at {whole.site_id}", len(whole.missing), found)


def _of_lots(snapshot: Snapshot, limits: Limits, moves: Sequence[Move]) -> Iterator[Breach]:
    """Lots are found for every move exactly where no day has more to arrive from it on than lots that last until it.

    Each lot that lasts until a day also lasts until every earlier one, so the sets of
    lots are nested and Hall's condition (P. Hall, On representatives of subsets, 1935)
    needs to be looked at for the days of arrival only.
    """
    arriving: dict[SiteSku, Counter[date]] = {}
    for move in moves:
        origin = SiteSku(move.lane.origin, move.sku_id)
        departure = departure_of(snapshot, limits, move.lane, move.depart_on)
        if departure is not None and origin in snapshot.merchandise.lots_by_key:
            units = move.packs * snapshot.sku_by_id[move.sku_id].pack_size
            arriving.setdefault(origin, Counter())[departure.arrive_on] += units
    for key, by_day in sorted(arriving.items()):
        for day in sorted(by_day):
            units = sum(count for on, count in by_day.items() if on >= day)
            fit = fit_units(snapshot, key, day, limits.least_life_days.get(key.sku_id, 0))
            if units > fit:
                yield Breach("lot_life", f"{key.sku_id} from {key.site_id} arriving on {day} or later", fit, units)


def transport_cost_e4(snapshot: Snapshot, limits: Limits, moves: Sequence[Move]) -> int:
    """Freight, line charges and departures of the moves, in exact ten-thousandths (rounded up once)."""
    microlitre_e4 = 0
    cost_e4 = len(moves) * limits.line_charge_minor * e4_per_minor(snapshot.currency)
    for move in moves:
        sku, lane = snapshot.sku_by_id[move.sku_id], snapshot.lane_by_key[move.lane]
        units = move.packs * sku.pack_size
        cost_e4 += units * lane.cost_per_unit_e4
        microlitre_e4 += units * lane.cost_per_litre_e4 * sku.unit_volume_microlitres
    departures = {departure_key(snapshot, limits, move) for move in moves}
    cost_e4 += sum(snapshot.lane_by_key[key.lane].cost_fixed_e4 for key in departures)
    return cost_e4 - (-microlitre_e4 // 1_000_000)
