"""The figures of a plan, worked out again: what its lines, loads and totals must say, and where they say something else.

Sums within the plan must hold whatever has happened since it was made. Money and
dates belong to the facts that the plan was made on and are compared with those only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum
from typing import NamedTuple

from tools.inventory import Snapshot
from tools.money import e4_per_minor, minor_from_e4, money_text
from tools.planning import Evaluation, Limits, fill_rate, moves_of
from tools.planning.breaches import departure_of
from tools.planning.calendar import DepartureKey, offered_departures
from tools.planning.plan import lots_of
from tools.transfers import FillRate, LaneLoad, TransferLine, TransferPlan


@dataclass(frozen=True, slots=True)
class WrongFigure:
    """A figure of the plan that is not what it comes to. `line_nos` is empty where it belongs to the plan as a whole."""

    words: str
    claimed: int
    computed: int
    line_nos: tuple[int, ...] = ()


def wrong_sums(plan: TransferPlan, snapshot: Snapshot) -> Iterator[WrongFigure]:
    """Figures that contradict the plan's own lines: units against packs, loads against lines, totals against parts."""
    for line in plan.lines:
        sku = snapshot.sku_by_id.get(line.sku_id)
        if sku is not None and line.units != line.packs * sku.pack_size:
            units = line.packs * sku.pack_size
            words = f"Line {line.line_no} says {line.units:,} units; {line.packs:,} packs are {units:,}."
            yield WrongFigure(words, line.units, units, (line.line_no,))
    yield from _wrong_loads(plan)
    fixed = sum(load.fixed_cost_minor for load in plan.lanes)
    for what, claimed, computed in (
        ("saving", plan.saving_minor, sum(line.saving_minor for line in plan.lines) - fixed),
        ("move cost", plan.move_cost_minor, sum(line.move_cost_minor for line in plan.lines)),
        ("fixed cost", plan.fixed_cost_minor, fixed),
        ("goods value", plan.goods_value_minor, sum(line.goods_value_minor for line in plan.lines)),
    ):
        if claimed != computed:
            says, comes_to = money_text(claimed, plan.currency), money_text(computed, plan.currency)
            yield WrongFigure(f"The plan's {what} of {says} is {comes_to} when its parts are added.", claimed, computed)


def _wrong_loads(plan: TransferPlan) -> Iterator[WrongFigure]:
    """Each departure is listed once, with exactly the lines that travel on it and their dates."""
    for load in plan.lanes:
        numbers = _numbers_on(plan, load)
        dates = {(line.depart_on, line.arrive_on) for line in plan.lines if _key(line) == _key(load)}
        if load.line_nos != numbers or dates != {(load.depart_on, load.arrive_on)}:
            words = f"The departure {load.lane.label} does not list exactly its lines and their dates."
            yield WrongFigure(words, len(load.line_nos), len(numbers), numbers)
    listed, used = [_key(load) for load in plan.lanes], {_key(line) for line in plan.lines}
    if len(listed) != len(set(listed)) or set(listed) != used:
        words = f"The plan lists {len(listed):,} departures; its lines use {len(used):,}."
        yield WrongFigure(words, len(listed), len(used))


def wrong_values(plan: TransferPlan, world: Snapshot, limits: Limits, again: Evaluation) -> Iterator[WrongFigure]:
    """Figures that are not what the evaluator finds on the facts that the plan was made on.

    `world` holds the facts as the request assumes them. A rounded share may differ by
    one minor unit, a total of rounded shares by one for each departure and two more.
    """
    if plan.currency != world.currency:
        yield WrongFigure(f"The plan is in {plan.currency}, the facts are in {world.currency}.", 0, 0)
    for what, claimed, computed, tolerance, numbers in _money(plan, world, again):
        if abs(claimed - computed) > tolerance:
            says, comes_to = money_text(claimed, plan.currency), money_text(round(computed), plan.currency)
            yield WrongFigure(f"{what} of {says} is {comes_to} when computed again.", claimed, round(computed), numbers)
    yield from _wrong_dates(plan, world, limits)
    yield from _wrong_volumes(plan, world)
    yield from _wrong_lots(plan, world, limits)
    yield from _wrong_fill_rates(plan, fill_rate(world, limits, moves_of(plan)))


class _Amount(NamedTuple):
    what: str
    claimed: int
    computed: float
    tolerance: int
    line_nos: tuple[int, ...] = ()


def _money(plan: TransferPlan, world: Snapshot, again: Evaluation) -> Iterator[_Amount]:
    """Every amount of the plan beside what it comes to."""
    rounding = 2 + len(plan.lanes)
    fixed, goods = fsum(again.fixed_costs.values()), [_goods_value_e4(line, world) for line in plan.lines]
    per_minor = e4_per_minor(world.currency)
    yield _Amount("The plan's saving", plan.saving_minor, again.saving, rounding)
    yield _Amount("The plan's fixed cost", plan.fixed_cost_minor, fixed, rounding)
    whole = plan.whole_horizon_saving_minor
    yield _Amount("The plan's saving over the whole horizon", whole, again.whole_horizon_saving, 1)
    yield _Amount("The plan's goods value", plan.goods_value_minor, minor_from_e4(sum(goods), world.currency), 0)
    for line, value, goods_e4 in zip(plan.lines, again.moves, goods, strict=True):
        of, numbers = f"Line {line.line_no}'s", (line.line_no,)
        yield _Amount(f"{of} saving", line.saving_minor, value.saving, 1, numbers)
        yield _Amount(f"{of} move cost", line.move_cost_minor, value.move_cost, 1, numbers)
        yield _Amount(f"{of} goods value", line.goods_value_minor, goods_e4 / per_minor, 1, numbers)
    for load in plan.lanes:
        cost = again.fixed_costs.get(_key(load), 0.0)
        on_board = _numbers_on(plan, load)
        yield _Amount(f"The fixed cost of {load.lane.label}", load.fixed_cost_minor, cost, 1, on_board)


def _goods_value_e4(line: TransferLine, world: Snapshot) -> int:
    sku = world.sku_by_id[line.sku_id]
    return line.packs * sku.pack_size * sku.unit_cost_e4


def _wrong_dates(plan: TransferPlan, world: Snapshot, limits: Limits) -> Iterator[WrongFigure]:
    today = world.as_of.date()
    if plan.planned_on != today:
        words = f"The plan says that it was made on {plan.planned_on}; its facts are of {today}."
        yield WrongFigure(words, plan.planned_on.toordinal(), today.toordinal())
    for line in plan.lines:
        departure = departure_of(world, limits, line.lane)
        offered = offered_departures(world, limits, world.lane_by_key[line.lane])
        if departure is not None and (line.depart_on, line.arrive_on) not in [each[:2] for each in offered]:
            words = (
                f"Line {line.line_no} travels from {line.depart_on} to {line.arrive_on};"
                f" its lane next travels from {departure.depart_on} to {departure.arrive_on}."
            )
            found = (line.arrive_on - plan.planned_on).days
            yield WrongFigure(words, found, departure.days_until_arrival, (line.line_no,))


def _wrong_volumes(plan: TransferPlan, world: Snapshot) -> Iterator[WrongFigure]:
    for load in plan.lanes:
        skus = [(line.packs, world.sku_by_id[line.sku_id]) for line in plan.lines if _key(line) == _key(load)]
        volume = sum(packs * sku.pack_size * sku.unit_volume_microlitres for packs, sku in skus)
        if load.volume_microlitres != volume:
            words = f"The load of {load.lane.label} of {load.volume_microlitres:,} microlitres comes to {volume:,}."
            yield WrongFigure(words, load.volume_microlitres, volume, _numbers_on(plan, load))


def _wrong_lots(plan: TransferPlan, world: Snapshot, limits: Limits) -> Iterator[WrongFigure]:
    """Each line takes the lots that expire first of those that last until it arrives."""
    for line, lots in zip(plan.lines, lots_of(world, limits, moves_of(plan)), strict=True):
        if line.lots != lots:
            named, found = (
                ", ".join(f"{pick.units:,} of {pick.lot_id}" for pick in each) for each in (line.lots, lots)
            )
            words = f"Line {line.line_no} takes {named or 'no lot'}; first expired first it takes {found or 'no lot'}."
            claimed, computed = (sum(pick.units for pick in each) for each in (line.lots, lots))
            yield WrongFigure(words, claimed, computed, (line.line_no,))


def _wrong_fill_rates(plan: TransferPlan, found: FillRate) -> Iterator[WrongFigure]:
    for when, claimed, computed in (
        ("before", plan.fill_rate.before_ppm, found.before_ppm),
        ("after", plan.fill_rate.after_ppm, found.after_ppm),
    ):
        if abs(claimed - computed) > 1:
            words = f"The fill rate {when} the plan of {claimed:,} ppm is {computed:,} ppm when computed again."
            yield WrongFigure(words, claimed, computed)


def _key(of: TransferLine | LaneLoad) -> DepartureKey:
    return DepartureKey(of.lane, of.depart_on)


def _numbers_on(plan: TransferPlan, load: LaneLoad) -> tuple[int, ...]:
    """The lines that travel on a departure, whichever lines it says it carries."""
    return tuple(line.line_no for line in plan.lines if _key(line) == _key(load))
