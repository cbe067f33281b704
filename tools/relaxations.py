"""What it would be worth to relax one limit: solved again without it, one limit at a time, and priced by the evaluator.

A limit is taken away altogether; how far the new plan goes beyond it is the least
raise that is of full use. The limits come from what binds the lines of a plan and
from conflicts, the most promising first. Nothing is written, and a relaxation never
goes into a plan by itself.

A large request is not solved whole for every limit. Some of its SKUs are planned again
beside the lines of all others; such a plan is one of those that the relaxation admits,
so what it saves is said as "at least".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tools.concessions import Concession
from tools.inventory import MICROLITRES_PER_LITRE, LaneKey
from tools.lifts import Lift, Question, lift_of
from tools.money import e4_per_minor, money_text
from tools.planning import Move, evaluate, moves_of, solve
from tools.planning.blocked import Blocked, Feasibility, other_moves
from tools.planning.breaches import departure_of
from tools.planning.mates import setting_with_mates
from tools.planning.obstacles import Obstacle, Setting
from tools.planning.replan import replan
from tools.planning.room import Room
from tools.transfers import TransferPlan
from tools.whatif import assumed

SOLVES_MAX = 6
"""So many limits are priced, each by one solve."""

_ALL_OR_NOTHING = frozenset(
    [
        "closed_lane",
        "closed_line",
        "no_send",
        "no_receive",
        "lane_categories",
        "temperature",
        "hazmat",
        "excluded_lane",
        "excluded_sku",
        "excluded_site",
        "excluded_line",
    ]
)


@dataclass(frozen=True, slots=True)
class _Promise:
    """A limit that may be worth relaxing, and the conflict that it is a member of, if it is of one."""

    lift: Lift
    rule: str
    conflict: tuple[Blocked, Obstacle] | None = None


class _Worth(NamedTuple):
    """What a relaxation adds to a plan; more than that may be possible where not everything was planned again."""

    saving_minor: int
    units: int
    at_least: bool = False


def price_relaxations(
    question: Question,
    plan: TransferPlan,
    conflicts: Sequence[Blocked] = (),
    *,
    negotiable: Collection[str] = (),
    binding: bool = True,
    solves_max: int = SOLVES_MAX,
    touched: frozenset[str] | None = None,
) -> tuple[Concession, ...]:
    """Relaxations of the limits that bind a plan or block a wish, the most valuable first.

    `binding` False prices those of conflicts only. `touched` are the SKUs that are planned
    again, together with the one that a limit is about, while all others keep their lines;
    None solves the whole request again. Limits whose lifting lets the solver save nothing more are left out,
    unless they are part of a conflict: then what meeting the wish would cost is said.
    """
    promises = _of_conflicts(question, plan, conflicts)
    if binding:
        promises += _of_lines(question, plan, [promise.lift for promise in promises])
    return _all_priced(question, plan, promises[:solves_max], frozenset(negotiable), touched)


def price_next_relaxations(
    question: Question,
    plan: TransferPlan,
    conflicts: Sequence[Blocked] = (),
    *,
    negotiable: Collection[str] = (),
    solves_max: int = SOLVES_MAX,
    touched: frozenset[str] | None = None,
) -> tuple[Concession, ...]:
    """The relaxations that come after those of `price_relaxations` with the same arguments, as many again."""
    promises = _of_conflicts(question, plan, conflicts)
    promises += _of_lines(question, plan, [promise.lift for promise in promises])
    return _all_priced(question, plan, promises[solves_max : 2 * solves_max], frozenset(negotiable), touched)


def _all_priced(
    question: Question,
    plan: TransferPlan,
    promises: Sequence[_Promise],
    negotiable: frozenset[str],
    touched: frozenset[str] | None,
) -> tuple[Concession, ...]:
    found = [_priced(question, plan, promise, negotiable, touched) for promise in promises]
    priced = [each for each in found if each is not None]
    return tuple(sorted(priced, key=lambda each: (-each.extra_saving_minor, each.code, each.words)))


def _of_conflicts(question: Question, plan: TransferPlan, conflicts: Sequence[Blocked]) -> list[_Promise]:
    """The members of conflicts that somebody could take away."""
    found: dict[Lift, _Promise] = {}
    for conflict in conflicts:
        setting = _setting(question, conflict, moves_of(plan))
        # What keeps back another SKU of a set is not the wish's own, and not priced by it.
        for obstacle in (each for each in conflict.conflict if each in setting.own):
            lift = lift_of(obstacle.code, _lane_of(setting, obstacle), conflict.wanted.sku_id)
            if lift is not None:
                found.setdefault(lift, _Promise(lift, obstacle.rule or obstacle.code, (conflict, obstacle)))
    return list(found.values())


def _of_lines(question: Question, plan: TransferPlan, known: Sequence[Lift]) -> list[_Promise]:
    """What binds the lines of the plan, by the saving of those lines."""
    facts = assumed(question.snapshot, question.request.overlays)
    room = Room(facts, question.limits, question.request, moves_of(plan))
    bound: dict[Lift, int] = {}
    for line in plan.lines:
        lane, sku = facts.lane_by_key[line.lane], facts.sku_by_id[line.sku_id]
        for constraint in room.of_line(lane, sku, depart_on=line.depart_on):
            lift = lift_of(constraint.code, line.lane, line.sku_id)
            full = constraint.binding or (constraint.unit == "lines" and constraint.left <= 0)
            if full and lift is not None and lift not in known:
                bound[lift] = bound.get(lift, 0) + line.saving_minor
    return [_Promise(lift, lift.code) for lift in sorted(bound, key=lambda lift: (-bound[lift], lift))]


def _lane_of(setting: Setting, obstacle: Obstacle) -> LaneKey:
    """The first lane that an obstacle stands on, or any of the wish where it stands on none by itself."""
    capped = {number for cap in setting.caps if cap.obstacle == obstacle for number in cap.ways}
    ways = [way for number, way in enumerate(setting.ways) if obstacle in way.forbidden_by or number in capped]
    return min([*ways, *setting.ways], key=lambda way: (way not in ways, not way.mode, way.lane)).lane


def _setting(question: Question, conflict: Blocked, moves: Sequence[Move]) -> Setting:
    others = other_moves(moves, conflict.wanted) if conflict.beside_plan else ()
    facts = assumed(question.snapshot, question.request.overlays)
    return setting_with_mates(facts, question.limits, question.request, conflict.wanted, others)


def _priced(
    question: Question,
    plan: TransferPlan,
    promise: _Promise,
    negotiable: frozenset[str],
    touched: frozenset[str] | None,
) -> Concession | None:
    """The relaxation by what the solver makes of it, or by what meeting the wish costs where the solver would not."""
    lifted = promise.lift.applied(question)
    if touched is None:
        solution = solve(lifted.snapshot, lifted.limits, lifted.request)
    else:
        again = touched | {promise.lift.sku_id}
        solution = replan(lifted.snapshot, lifted.limits, lifted.request, moves_of(plan), again)
    if solution.status.has_plan:
        extra = _saving(lifted, solution.moves) - plan.saving_minor
        excess = _excess(question, promise.lift, solution.moves)
        if extra > 0 and (excess or promise.lift.code in _ALL_OR_NOTHING):
            units = _units(question, solution.moves) - plan.units
            worth = _Worth(extra, units, at_least=touched is not None)
            return _concession(question, promise, excess, worth, negotiable)
    return _forced(question, lifted, plan, promise, negotiable) if promise.conflict is not None else None


def _forced(
    question: Question, lifted: Question, plan: TransferPlan, promise: _Promise, negotiable: frozenset[str]
) -> Concession | None:
    """The plan with the wish met by the least raise of the one obstacle; None where that is not enough."""
    assert promise.conflict is not None  # noqa: S101  only asked for members of conflicts
    conflict, obstacle = promise.conflict
    others = other_moves(moves_of(plan), conflict.wanted)
    facts = assumed(question.snapshot, question.request.overlays)
    setting = setting_with_mates(facts, question.limits, question.request, conflict.wanted, others)
    same = next((each for each in setting.obstacles if _is_same(each, obstacle)), None)
    raised = None if same is None else Feasibility(setting).least_raise(same)
    if same is None or raised is None:
        return None
    ways = zip(setting.ways, raised[1], strict=True)
    wish = [way.move(conflict.wanted.sku_id, packs) for way, packs in ways if packs]
    moves = sorted([*others, *wish])
    if any(not move.lane.mode for move in wish):
        return None
    worth = _Worth(_saving(lifted, moves) - plan.saving_minor, _units(question, moves) - plan.units)
    amount = _in_unit(question, same, raised[0])
    amounts = ((same.where, same.unit, amount),) if amount else ()
    return _concession(question, promise, amounts, worth, negotiable, conflict)


def _is_same(one: Obstacle, other: Obstacle) -> bool:
    return (one.code, one.where) == (other.code, other.where)


def _in_unit(question: Question, obstacle: Obstacle, by: int) -> int:
    """A raise in the obstacle's own unit, from the one in which its setting counts it."""
    if obstacle.code == "days_until_arrival":
        return obstacle.used - obstacle.limit
    per_minor = e4_per_minor(question.snapshot.currency)
    if obstacle.code == "transport_budget":
        return -(-by // (per_minor * MICROLITRES_PER_LITRE))
    return -(-by // per_minor) if obstacle.code == "plan_goods_value" else by


def _saving(question: Question, moves: Sequence[Move]) -> int:
    facts = assumed(question.snapshot, question.request.overlays)
    return round(evaluate(facts, question.limits, question.request, moves).saving)


def _units(question: Question, moves: Sequence[Move]) -> int:
    return sum(move.packs * question.snapshot.sku_by_id[move.sku_id].pack_size for move in moves)


def _excess(question: Question, lift: Lift, moves: Sequence[Move]) -> tuple[tuple[str, str, int], ...]:
    """How far moves go beyond the limit: where, in which unit, by how much."""
    facts = assumed(question.snapshot, question.request.overlays)
    if lift.code == "days_until_arrival":
        return _days_beyond(question, moves)
    room = Room(facts, question.limits, question.request, moves)
    beyond: dict[tuple[str, str], int] = {}
    for move in moves:
        lane, sku = facts.lane_by_key[move.lane], facts.sku_by_id[move.sku_id]
        for constraint in room.of_line(lane, sku, depart_on=move.depart_on):
            same = lift_of(constraint.code, move.lane, move.sku_id)
            if same == lift and constraint.left < 0:
                place = (constraint.where, constraint.unit)
                beyond[place] = max(-constraint.left, beyond.get(place, 0))
    return tuple((where, unit, amount) for (where, unit), amount in sorted(beyond.items()))


def _days_beyond(question: Question, moves: Sequence[Move]) -> tuple[tuple[str, str, int], ...]:
    within = question.request.within_days
    departures = [departure_of(question.snapshot, question.limits, move.lane, move.depart_on) for move in moves]
    longest = max((each.days_until_arrival for each in departures if each is not None), default=0)
    return () if within is None or longest <= within else (("the request", "days", longest - within),)


def _concession(
    question: Question,
    promise: _Promise,
    amounts: tuple[tuple[str, str, int], ...],
    worth: _Worth,
    negotiable: frozenset[str],
    conflict: Blocked | None = None,
) -> Concession:
    extra = worth.saving_minor
    currency = question.snapshot.currency
    said = [(where, _amount(amount, unit, currency)) for where, unit, amount in amounts]
    by_place = len(said) > 1 or "per_day" in promise.lift.code
    amount = " and ".join(f"{text} for {where}" if by_place else text for where, text in said)
    what = promise.lift.words(amount)
    verb = "costs" if extra < 0 else "saves at least" if worth.at_least else "saves"
    ending = f"{verb} {money_text(abs(extra), currency)} {'more' if extra >= 0 else 'in all'}"
    if conflict is not None:
        wanted = conflict.wanted
        way = "reach" if wanted.direction == "in" else "leave"
        ending = f"lets {wanted.units:,} of {wanted.sku_id} {way} {wanted.site_id}, which {ending}"
    return Concession(
        code=f"relax_{promise.lift.code}",
        rule=promise.rule,
        words=f"{what[0].upper()}{what[1:]}: {ending}.",
        extra_saving_minor=extra,
        extra_units=worth.units,
        negotiable=promise.lift.code in negotiable,
        changes=tuple(f"{where}: +{text}" for where, text in said),
    )


def _amount(amount: int, unit: str, currency: str) -> str:
    if unit == "minor":
        return money_text(amount, currency)
    if unit == "microlitres":
        return f"{amount / 1e6:,.1f} l"
    return f"{amount:,} {unit[:-1] if amount == 1 else unit}"
