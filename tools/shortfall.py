"""Why a site gets less of a SKU than it wants, in words: what is in the way, or that it would not pay.

Three answers are possible. The wish cannot be met even by itself; it cannot be met
beside the other lines of the plan; or it could be met and costs more than it brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tools.concessions import Concession
from tools.counted import counted
from tools.explanation.worth import SkuWorth
from tools.inventory import SiteSku, Snapshot
from tools.lifts import Question
from tools.money import money_text
from tools.planning import Limits, Move, moves_of
from tools.planning.blocked import Blocked, Feasibility, find_conflict, other_moves
from tools.planning.breaches import departure_key
from tools.planning.obstacles import Obstacle, Setting, Wanted, setting_of
from tools.relaxations import price_relaxations
from tools.transfers import PlanRequest, TransferPlan
from tools.whatif import assumed

PLACES_SAID = 3
"""So many places are named for one kind of obstacle; the others are counted."""

_WORDS = {
    "available_stock": ("{where} has {limit} available", "{where} has {limit} available and sends {used} elsewhere"),
    "source_protection": (
        "{where} may send {limit} beyond what it must keep",
        "{where} may send {limit} beyond what it must keep and sends {used} elsewhere",
    ),
    "not_stocked": ("no other site that could send stocks {where}",) * 2,
    "not_carried": ("{where} is not carried",) * 2,
    "no_lane": ("no other lane links {where}",) * 2,
    "never_departs": ("{where} never departs",) * 2,
    "closed_lane": ("{where} is closed by {rule}",) * 2,
    "closed_line": ("{where} is closed by {rule}",) * 2,
    "no_send": ("{where} may not be sent: {rule}",) * 2,
    "no_receive": ("{where} may not be received: {rule}",) * 2,
    "lane_categories": ("{where} does not carry its category",) * 2,
    "temperature": ("{where} does not carry its temperature",) * 2,
    "hazmat": ("{where} does not carry dangerous goods",) * 2,
    "days_until_arrival": ("{where} would arrive in {used} and {limit} are allowed",) * 2,
    "leaves_too_late": ("{where} does not depart by then",) * 2,
    "whole_set": ("the set {where} is delivered in whole or not at all",) * 2,
    "sends_and_receives": ("{where} goes the other way in this plan",) * 2,
    "scope_skus": ("the request is not about {where}",) * 2,
    "scope_sites": ("the request leaves out {where}",) * 2,
    "excluded_lane": ("the request excludes {where}",) * 2,
    "excluded_sku": ("the request excludes {where}",) * 2,
    "excluded_site": ("the request excludes {where}",) * 2,
    "excluded_line": ("the request excludes {where}",) * 2,
    "pack_size": ("{where} moves in packs of {limit}",) * 2,
    "least_quantity": ("a line of {where} carries at least {limit}",) * 2,
    "units_per_line": ("a line carries at most {limit}",) * 2,
    "lane_capacity_microlitres": ("{where} carries {limit}", "{where} carries {limit}, of which {used} are taken"),
    "inbound_units_per_day": ("{where} can take in {limit}", "{where} can take in {limit} and gets {used}"),
    "outbound_units_per_day": ("{where} can send out {limit}", "{where} can send out {limit} and sends {used}"),
    "lot_life": (
        "{where}: {limit} last long enough",
        "{where}: {limit} last long enough and {used} are sent elsewhere",
    ),
    "storage_microlitres": ("{where} has room for {limit}", "{where} has room for {limit}, of which {used} are taken"),
    "send_cap": ("the request lets {where} send {limit}", "the request lets {where} send {limit}; {used} are sent"),
    "receive_cap": ("the request lets {where} receive {limit}",) * 2,
    "plan_units": ("a plan moves at most {limit}", "a plan moves at most {limit} and this one moves {used} elsewhere"),
    "request_units": ("the request admits {limit}", "the request admits {limit} and {used} move elsewhere"),
    "plan_lines": ("a plan has at most {limit}", "a plan has at most {limit} and this one has {used} others"),
    "request_lines": ("the request admits {limit}", "the request admits {limit} and the plan has {used} others"),
    "plan_goods_value": (
        "a plan moves goods for at most {limit}",
        "a plan moves goods for at most {limit} and this one moves {used} elsewhere",
    ),
    "transport_budget": ("the budget is {limit}", "the budget is {limit}, of which {used} are spent"),
}
"""What an obstacle is called by itself, and beside other lines that take part of it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The best that one lane could bring: units, what it would add to the plan, and what policy asks it to add."""

    origin: str
    destination: str
    mode: str
    units: int
    worth_minor: int
    freight_minor: int
    departure_minor: int
    asked_minor: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a wish is not met by a plan. `planned_units` are what the plan gives (or takes) already."""

    blocked: Blocked
    planned_units: int
    offer: Offer | None
    relaxations: tuple[Concession, ...]
    currency: str

    @property
    def words(self) -> str:
        """The answer for people. Every number in it is one of the numbers here."""
        said = f"{_of_plan(self)} {self.why}".rstrip()
        relaxed = " ".join(each.words for each in self.relaxations)
        return f"{said} What would help: {relaxed}" if relaxed else said

    @property
    def why(self) -> str:
        """What stands in the way, or what the best offer lacks."""
        return _of_conflict(self) or _of_offer(self)


def explain_shortfall(
    snapshot: Snapshot,
    limits: Limits,
    plan: TransferPlan,
    wanted: Wanted,
    within: Iterable[str] | None = None,
    *,
    solves_max: int = 0,
) -> Shortfall:
    """Why a plan made on this snapshot does not meet a wish, and what relaxing up to `solves_max` limits would be worth.

    `within` are the sites that may be spoken of; None means all. Raises UnknownWishError.
    """
    seen = snapshot if within is None else seen_from(snapshot, frozenset(within))
    moves = moves_of(plan)
    blocked = find_conflict(seen, limits, plan.request, wanted, moves)
    planned = plan.received_units if wanted.direction == "in" else plan.sent_units
    offer = None if blocked.conflict else best_offer(snapshot, limits, plan.request, wanted, moves, seen)
    relaxations: tuple[Concession, ...] = ()
    if blocked.conflict and solves_max:
        question = Question(snapshot, limits, plan.request)
        relaxations = price_relaxations(question, plan, (blocked,), solves_max=solves_max, binding=False)
    return Shortfall(
        blocked, planned.get(SiteSku(wanted.site_id, wanted.sku_id), 0), offer, relaxations, snapshot.currency
    )


def best_offer(
    snapshot: Snapshot,
    limits: Limits,
    request: PlanRequest,
    wanted: Wanted,
    moves: Sequence[Move],
    seen: Snapshot | None = None,
) -> Offer | None:
    """The lane that could meet most of a wish's worth by itself beside the plan's other lines, as the evaluator prices it.

    Each permitted lane is tried with as much of the wish as it can carry and with its
    least quantity. `seen` is the snapshot cut to the sites that may be spoken of.
    """
    others = other_moves(moves, wanted)
    facts = assumed(snapshot, request.overlays)
    setting = setting_of(assumed(seen or snapshot, request.overlays), limits, request, wanted, others)
    sku = facts.sku_by_id[wanted.sku_id]
    same_sku = [move for move in others if move.sku_id == sku.sku_id]
    used = {departure_key(facts, limits, move) for move in others}
    ways = [(number, way) for number, way in enumerate(setting.ways) if not way.forbidden_by]
    sites = {end for _, way in ways for end in way.lane[:2]} | {end for move in same_sku for end in move.lane[:2]}
    worth = SkuWorth(facts, limits, request, sku, frozenset(sites))
    offers, tried = [], set()
    for number, way in ways:
        paid = departure_key(facts, limits, way.move(sku.sku_id, 1)) in used
        departure = 0.0 if paid else worth.fixed_cost(way.lane)
        asked = limits.line_hurdle_minor + (0 if paid else limits.lane_hurdle_minor)
        for packs in _quantities(setting, number):
            # A lane's departures come in order: the same load on a later one, for the same fixed cost, is worth no more.
            if (load := (way.lane, packs, paid)) in tried:
                continue
            tried.add(load)
            found = worth.added(same_sku, way.move(sku.sku_id, packs))
            offers.append(
                Offer(
                    *way.lane, packs * sku.pack_size, round(found.saving - departure), round(found.move_cost),
                    round(departure), asked,
                )
            )  # fmt: skip
    return max(offers, key=lambda each: (each.worth_minor - each.asked_minor, each.units), default=None)


def _quantities(setting: Setting, number: int) -> list[int]:
    """Packs to try on a way alone: the most of the wish that fits, and the least that a line may carry."""
    alone = replace(
        setting,
        ways=(setting.ways[number],),
        caps=tuple(replace(cap, ways=(0,)) for cap in setting.caps if number in cap.ways),
        mates=tuple(replace(mate, ways=(0,)) for mate in setting.mates if number in mate.ways),
    )
    most = Feasibility(alone).most_units() // setting.pack_size
    least = -(-setting.least_units // setting.pack_size)
    full = Feasibility(replace(alone, wanted=replace(setting.wanted, units=least * setting.pack_size))).most_units()
    quantities = {packs for packs in (most, least) if packs > 0 and full >= least * setting.pack_size}
    return sorted(quantities)


def seen_from(snapshot: Snapshot, sites: frozenset[str]) -> Snapshot:
    """The snapshot without the sites that may not be spoken of: for questions of what can move, not of what it is worth."""
    return replace(
        snapshot,
        sites=tuple(site for site in snapshot.sites if site.site_id in sites),
        lanes=tuple(lane for lane in snapshot.lanes if {lane.origin, lane.destination} <= sites),
    )


def _of_plan(found: Shortfall) -> str:
    wanted, planned = found.blocked.wanted, found.planned_units
    verb = "brings" if wanted.direction == "in" else "takes"
    where = f"{'to' if wanted.direction == 'in' else 'from'} {wanted.site_id}"
    return f"{counted(wanted.units, 'unit')} of {wanted.sku_id} {'is' if wanted.units == 1 else 'are'} wanted; the plan {verb} {planned:,} {where}."


def _of_conflict(found: Shortfall) -> str:
    blocked = found.blocked
    if not blocked.conflict:
        return ""
    most = f"At most {blocked.possible_units:,} can be moved"
    beside = f" beside the other lines of the plan, {blocked.alone_units:,} without them" if blocked.beside_plan else ""
    return f"{most}{beside}, because {'; '.join(conflict_words(blocked.conflict, found.currency))}."


def blocked_words(blocked: Blocked, currency: str) -> str:
    """A wish that cannot be met, and why, as one sentence."""
    wanted = blocked.wanted
    way = f"to {wanted.site_id}" if wanted.direction == "in" else f"from {wanted.site_id}"
    return (
        f"Of {counted(wanted.units, 'unit')} of {wanted.sku_id} {way} at most {blocked.possible_units:,} can be moved, because"
        f" {'; '.join(conflict_words(blocked.conflict, currency))}."
    )


def conflict_words(conflict: Sequence[Obstacle], currency: str) -> list[str]:
    """The members of a conflict in words, those of one kind together."""
    by_code: dict[str, list[Obstacle]] = {}
    for obstacle in conflict:
        by_code.setdefault(obstacle.code, []).append(obstacle)
    said = []
    for obstacles in by_code.values():
        named = [_obstacle_words(obstacle, currency) for obstacle in obstacles[:PLACES_SAID]]
        rest = len(obstacles) - len(named)
        said.append(f"{', '.join(named)}{f' and {rest:,} more likewise' if rest else ''}")
    return said


def _obstacle_words(obstacle: Obstacle, currency: str) -> str:
    alone, beside = _WORDS[obstacle.code]
    limit = _amount(obstacle.limit, obstacle.unit, currency)
    if obstacle.booked:
        limit += f" (what is free of {_amount(obstacle.limit + obstacle.booked, obstacle.unit, currency)})"
    return (beside if obstacle.used else alone).format(
        where=obstacle.where,
        rule=obstacle.rule.replace("_", " "),
        limit=limit,
        used=_amount(obstacle.used, obstacle.unit, currency),
    )


def _of_offer(found: Shortfall) -> str:
    offer, currency = found.offer, found.currency
    if found.blocked.conflict:
        return ""
    if offer is None:
        return "It could be met only by several lanes together."
    worth = f"{'save' if offer.worth_minor >= 0 else 'cost'} {money_text(abs(offer.worth_minor), currency)}"
    costs = f"{money_text(offer.freight_minor, currency)} of freight and charges"
    if offer.departure_minor:
        costs += f" and {money_text(offer.departure_minor, currency)} for a departure that nothing else uses"
    asked = f"; policy asks for more than {money_text(offer.asked_minor, currency)}" if offer.asked_minor else ""
    return (
        f"Nothing forbids it. The best single offer is {offer.units:,} from {offer.origin} to {offer.destination} by"
        f" {offer.mode}: after {costs} it would {worth}{asked}."
    )


def _amount(amount: int, unit: str, currency: str) -> str:
    if unit == "minor":
        return money_text(amount, currency)
    if unit == "microlitres":
        return f"{amount / 1e6:,.1f} l"
    return f"{amount:,}" if unit == "units" else f"{amount:,} {unit}"
