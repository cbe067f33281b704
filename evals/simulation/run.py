"""Running seeds: a schedule of people, workers and faults, then calm weather until nothing moves any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from evals.simulation import actors
from evals.simulation.checks import LEFT, BrokenError, after_each_step, at_the_end
from evals.simulation.world import SETTLE_SECONDS, Crash, World, calm
from tools import saga
from tools.execution import OrderState
from tools.ports import ErpTransferState
from tools.saga import Action

STEPS = 90
ROUNDS_TO_REST = 40
_ACTORS: tuple[tuple[Callable[[World], None], int], ...] = (
    (actors.propose, 4),
    (actors.edit, 1),
    (actors.decide, 14),
    (actors.expire, 1),
    (actors.work, 8),
    (actors.tick, 2),
    (actors.follow, 2),
    (actors.reconcile_both, 1),
    (actors.resolve, 5),
    (actors.warehouse, 6),
    (actors.stop_or_go_on, 1),
    (actors.validate, 1),
    (actors.close_or_open_a_lane, 1),
)
_WHO, _HOW_OFTEN = [actor for actor, _ in _ACTORS], [weight for _, weight in _ACTORS]
_BETWEEN = (
    actors.warehouse,
    actors.resolve,
    actors.stop_or_go_on,
    actors.work,
    actors.work,
    actors.follow,
    actors.decide,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed. `broken` says which rule, in words; None where all held."""

    seed: int
    orders: int
    broken: str | None = None


def simulate(seed: int) -> Outcome:
    """One seed from an empty world to rest. The same seed gives the same outcome."""
    world = World(seed)
    world.between = lambda: _in_between(world)
    try:
        for _ in range(STEPS):
            _let(world, world.luck.choices(_WHO, _HOW_OFTEN)[0])
        come_to_rest(world)
        at_the_end(world)
    except BrokenError as broken:
        return Outcome(seed, len(world.orders), str(broken))
    except Exception as failed:  # noqa: BLE001  a rule of the product that raises where it should refuse is a finding
        return Outcome(seed, len(world.orders), f"{type(failed).__name__}: {failed}")
    return Outcome(seed, len(world.orders))


def _let(world: World, actor: Callable[[World], None]) -> None:
    world.clock += world.luck.choice((0.1, 1.0, 10.0, 60.0))
    world.erp.deliver()
    try:
        actor(world)
    except Crash:
        world.alone.clear()
    after_each_step(world)


def _in_between(world: World) -> None:
    """Somebody does not wait. Their own death is not that of the process they come between."""
    try:
        world.luck.choice(_BETWEEN)(world)
    except Crash:
        return


def come_to_rest(world: World) -> None:
    """The faults stop, everything late arrives, and people and workers finish what there is."""
    world.erp.weather = world.weather = calm(world.weather)
    world.between = None
    world.closed_lanes.clear()
    if world.stop is not None:
        actors.stop_or_go_on(world)
    for attempt in range(ROUNDS_TO_REST):
        world.clock += SETTLE_SECONDS
        world.erp.deliver(everything=True)
        actors.expire(world)
        actors.tick(world)
        actors.validate(world)
        for _ in range(len(world.queue)):
            actors.work(world)
        for reference, transfer in sorted(world.erp.transfers.items()):
            if transfer.state is ErpTransferState.CONFIRMED and attempt > 3 and _is_wanted(world, reference):
                world.erp.change(reference, state=ErpTransferState.SHIPPED)
            elif transfer.state in (ErpTransferState.SHIPPED, ErpTransferState.PARTIALLY_RECEIVED):
                world.erp.change(reference, state=ErpTransferState.RECEIVED)
        actors.follow(world)
        actors.reconcile_both(world)
        _see_to_the_rest(world, attempt)
        if attempt > 8 and all(order.facts.state.is_final for order in world.orders.values()):
            return


def _see_to_the_rest(world: World, attempt: int) -> None:
    """People do what is offered to them: first ask again, and in the end give up."""
    for transfer_id, order in sorted(world.orders.items()):
        facts = order.facts
        if facts.in_transit_units and attempt > 4:
            back = Action.RETURN if facts.state is OrderState.COMPENSATING else Action.WRITE_OFF
            actors.act_on(world, transfer_id, back, facts.in_transit_units)
        elif facts.state is OrderState.NEEDS_ATTENTION:
            transfer = world.erp.transfers.get(facts.reference)
            has_left = transfer is not None and transfer.state in LEFT
            if transfer is not None and has_left and not saga.goes_on_with(facts, transfer):
                # Nobody may accept it: hands in the ERP put right what they have made of it.
                world.erp.edit(facts.reference, units=facts.units, sku_id=facts.sku_id)
            action = Action.ACCEPT if has_left and Action.ACCEPT in saga.actions(facts) else Action.CANCEL
            actors.act_on(world, transfer_id, Action.ASK_AGAIN if attempt < 4 else action, 0)


def _is_wanted(world: World, reference: str) -> bool:
    """Whether a transfer in the ERP belongs to an order that waits for its goods."""
    order = world.orders.get(UUID(reference))
    return order is not None and not order.facts.state.is_final
