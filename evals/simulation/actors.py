"""What everybody does in the simulated world: people, workers, warehouses, and the rest of the company."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

from app.approvals import decisions
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.authorise import PlanResource
from app.auth.roles import Act, Principal
from app.errors import EvenkeelError
from app.orders import carrying
from evals.simulation.world import PEOPLE, SITES, SKUS, START, Asked, BusyError, Crash, Line, World
from policies import signatures
from tools import reconcile, saga
from tools.execution import OrderState
from tools.inventory import LaneKey
from tools.moves import available
from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError
from tools.reconcile import Correction
from tools.saga import NOT_POSTED, Action, Arrival

PRICE_MINOR = 400
IMPATIENT = 0.15
"""How often somebody gives an order up the moment that the ERP leaves it in doubt."""
_UNSETTLED = (OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED, OrderState.COMPENSATING)


def propose(world: World) -> None:
    """Somebody has a plan made, and it waits for its signatures."""
    author = world.luck.choice(PEOPLE).user_id
    lines = tuple(_a_line(world.luck) for _ in range(world.luck.randint(1, 2)))
    _ask(world, lines, {author})


def edit(world: World) -> None:
    """Somebody changes a plan that waits: another plan, with one more hand in it."""
    asked = _a_pending(world)
    if asked is None:
        return
    asked.request.status = ApprovalStatus.SUPERSEDED
    editor = world.luck.choice(PEOPLE).user_id
    lines = tuple(Line(line.sku_id, line.lane, world.luck.randint(1, line.units)) for line in asked.lines)
    _ask(world, lines, {*asked.request.authors, editor})


def decide(world: World) -> None:
    """Somebody signs some plan that they have seen, whether they may or not, in time or not, once or again."""
    if not world.asked:
        return
    pending = _a_pending(world) if world.luck.random() < 0.7 else None
    asked = pending or world.luck.choice(list(world.asked.values()))
    seen = asked if world.luck.random() < 0.8 else world.luck.choice(list(world.asked.values()))
    person = world.luck.choice(PEOPLE)
    resource = PlanResource(
        asked.request.plan_digest, frozenset(asked.request.sites), asked.value_minor, sensitive=False,
        authors=frozenset(asked.request.authors),
    )  # fmt: skip
    try:
        decisions.require_open_at(asked.request, seen.request.plan_digest, world.now)
        person.require(Act.APPROVE, resource, stopped=world.stop is not None)
    except EvenkeelError:
        return
    sign(world, asked, person, seen.request.plan_digest)


def sign(world: World, asked: Asked, person: Principal, seen_digest: str) -> None:
    """One transaction: the signature, and with the last one the reservations, the orders and their work."""
    asked.signatures.append(signatures.Signature(person.user_id, person.user_id, person.sites))
    asked.seen.append(seen_digest)
    world.changed = True
    if signatures.missing(asked.needed, asked.signatures):
        return
    wanted: dict[tuple[str, str], int] = {}
    for line in asked.lines:
        key = (available(line.lane.origin), line.sku_id)
        wanted[key] = wanted.get(key, 0) + line.units
    if any(world.balances[key] < units for key, units in wanted.items()):
        asked.request.status = ApprovalStatus.OUTRUN
        return
    asked.request.status, asked.approved_at = ApprovalStatus.APPROVED, world.now
    asked.stopped_when_approved = world.stop is not None
    for line in asked.lines:
        world.release(UUID(int=world.luck.getrandbits(128), version=4), line, asked)


def expire(world: World) -> None:
    """The janitor closes what nobody decided in time."""
    for asked in world.asked.values():
        if asked.request.status is ApprovalStatus.PENDING and asked.request.expires_at <= world.now:
            asked.request.status = ApprovalStatus.EXPIRED


def work(world: World) -> None:
    """A worker carries one order as far as it goes. When the process dies the work stays in the queue."""
    if not world.queue:
        return
    transfer_id = world.luck.choice(sorted(world.queue))
    if _carry(world, transfer_id) == carrying.UNCERTAIN and world.luck.random() < IMPATIENT:
        lose_patience(world, transfer_id)


def _carry(world: World, transfer_id: UUID) -> str | None:
    """What came of it; None where the process died, or somebody else was at it."""
    try:
        outcome = world.carrier.post(transfer_id)
        if outcome == carrying.POSTED:
            outcome = world.carrier.look(transfer_id)
    except (Crash, BusyError):
        return None
    if outcome != carrying.UNCERTAIN:
        world.queue.discard(transfer_id)
    return outcome


def lose_patience(world: World, transfer_id: UUID) -> None:
    """Somebody gives up an order for which the ERP has just given no answer, and a worker asks for that at once.

    What was sent may still be under way: that the ERP has no transfer yet does not mean that it never will.
    """
    act_on(world, transfer_id, Action.CANCEL, 0)
    _carry(world, transfer_id)


def tick(world: World) -> None:
    """What the runner does every minute: orders that nobody carries are taken up."""
    world.queue |= {
        transfer_id
        for transfer_id, order in world.orders.items()
        if order.facts.state in _UNSETTLED and order.facts.reserved
        and not (order.facts.held_by and order.facts.state is OrderState.RELEASED)
    }  # fmt: skip


def follow(world: World) -> None:
    """Take over what has changed in the ERP."""
    try:
        for transfer in world.erp.list_transfers(START):
            transfer_id = UUID(transfer.reference)
            order = world.orders.get(transfer_id)
            followed = (
                OrderState.CONFIRMED,
                OrderState.SHIPPED,
                OrderState.PARTIALLY_RECEIVED,
                OrderState.COMPENSATING,
            )
            if order is not None and order.facts.state in followed:
                with world.books.alone(transfer_id):
                    world.books.learn(transfer_id, transfer)
    except (Crash, BusyError, ErpUncertainError):
        return


def reconcile_both(world: World) -> None:
    """Lay both sides side by side, and have the proposed corrections carried out."""
    try:
        transfers = {each.reference: each for each in world.erp.list_transfers(START)}
        orders = {str(transfer_id): order.facts for transfer_id, order in world.orders.items()}
        for difference in reconcile.differences(orders, transfers):
            _settle(world, difference)
    except (Crash, BusyError, ErpUncertainError):
        return


def _settle(world: World, difference: reconcile.Difference) -> None:
    transfer_id = UUID(difference.reference)
    match difference.correction:
        case Correction.CANCEL_THERE:
            world.erp.cancel(difference.reference)
        case Correction.CATCH_UP:
            with world.books.alone(transfer_id):
                world.books.learn(transfer_id, world.erp.find(difference.reference))
        case Correction.LEAVE_TO_PEOPLE if transfer_id in world.orders:
            facts = world.orders[transfer_id].facts
            world.record(transfer_id, saga.left_to_people(facts, difference.words))
        case _:
            pass


def resolve(world: World) -> None:
    """Somebody does something about some order: what is offered, or what is not."""
    if not world.orders:
        return
    transfer_id = world.luck.choice(list(world.orders))
    facts = world.orders[transfer_id].facts
    offered = saga.actions(facts) if world.luck.random() < 0.5 else ()
    units = world.luck.randint(0, world.luck.choice((facts.in_transit_units, 12)))
    action = world.luck.choice(offered or tuple(Action))
    act_on(world, transfer_id, action, units, is_last=world.luck.random() < 0.3)


def act_on(world: World, transfer_id: UUID, action: Action, units: int, *, is_last: bool = False) -> None:
    """One thing that people do about an order, with what follows from it."""
    found = _looked_up(world, transfer_id) if action is Action.ACCEPT else None
    facts = world.orders[transfer_id].facts
    steps = {
        Action.ASK_AGAIN: lambda: saga.asked_again(facts, "try again"),
        Action.ACCEPT: lambda: None if found is None else saga.accepted(facts, found, "go on with these"),
        Action.CANCEL: lambda: saga.withdrawn(facts, "not wanted") or saga.cancelling(facts, "not wanted"),
        Action.RECEIVE: lambda: saga.arrived(facts, Arrival(min(units, facts.in_transit_units), is_last=is_last)),
        Action.RETURN: lambda: saga.returned(facts, units),
        Action.WRITE_OFF: lambda: saga.written_off(facts, units),
        Action.ACKNOWLEDGE: lambda: saga.acknowledged(facts),
    }
    done = world.record(transfer_id, steps[action]())
    if done and action in (Action.RECEIVE, Action.RETURN, Action.WRITE_OFF):
        world.orders[transfer_id].reported_by_people = True
    if done and action is Action.ASK_AGAIN:
        world.held_since.pop(facts.reference, None)
    world.record(transfer_id, saga.closed(world.orders[transfer_id].facts))
    if action in (Action.ASK_AGAIN, Action.ACCEPT, Action.CANCEL) and world.orders[transfer_id].facts.reserved:
        world.queue.add(transfer_id)


def _looked_up(world: World, transfer_id: UUID) -> ErpTransfer | None:
    """What the ERP has of an order, when somebody wants it to go on with that. Others may come between that and what follows."""
    try:
        found = world.erp.find(str(transfer_id))
    except ErpUncertainError:
        return None
    world.pass_by("before it is accepted")
    return found


def warehouse(world: World) -> None:
    """Hands in the ERP: goods leave, arrive whole, broken or too many, and transfers are changed, cancelled or lost."""
    if world.luck.random() < 0.02:
        reference = str(UUID(int=world.luck.getrandbits(128), version=4))
        world.erp.make_by_hand(ErpTransfer(reference, "by hand", ErpTransferState.CONFIRMED, 1))
    if not world.erp.transfers:
        return
    reference = world.luck.choice(sorted(world.erp.transfers))
    transfer, luck = world.erp.transfers[reference], world.luck.random()
    if transfer.state is ErpTransferState.CONFIRMED:
        if luck < 0.1:
            world.erp.change(reference, state=ErpTransferState.CANCELLED)
        elif luck < 0.15 and world.weather.forgetful:
            del world.erp.transfers[reference]
            world.erp.made = [each for each in world.erp.made if each != reference]
        elif luck < 0.25:
            world.erp.edit(reference, units=max(1, transfer.units + world.luck.randint(-5, 1)))
        elif luck < 0.28:
            world.erp.edit(reference, sku_id=world.luck.choice(SKUS))
        else:
            world.erp.change(reference, state=ErpTransferState.SHIPPED)
    elif transfer.state is ErpTransferState.CANCELLED and luck < 0.4:
        world.erp.make_by_hand(replace(transfer, state=ErpTransferState.CONFIRMED))
    elif transfer.state in (ErpTransferState.SHIPPED, ErpTransferState.PARTIALLY_RECEIVED):
        _arrive(world, reference, luck)


def _arrive(world: World, reference: str, luck: float) -> None:
    transfer = world.erp.transfers[reference]
    left = max(0, transfer.units - transfer.received_units - transfer.damaged_units)
    units, broken = world.luck.randint(0, left), int(luck < 0.1 and left > 0)
    over = int(luck > 0.95)
    done = luck < 0.3 or over
    world.erp.change(
        reference, received_units=transfer.received_units + min(units, left - broken) + over * (left + 1),
        damaged_units=transfer.damaged_units + broken,
        state=ErpTransferState.RECEIVED if done else ErpTransferState.PARTIALLY_RECEIVED,
    )  # fmt: skip


def stop_or_go_on(world: World) -> None:
    """Somebody engages the kill switch, or releases it. What it held goes on waiting."""
    if world.stop is not None:
        world.stopped_at[-1] = (world.stopped_at[-1][0], world.clock)
        world.stop = None
        return
    world.stopped_at.append((world.clock, float("inf")))
    world.stop = f"stop {len(world.stopped_at)}"
    for transfer_id, order in world.orders.items():
        world.record(transfer_id, saga.held(order.facts, world.stop))
        if order.facts.state in NOT_POSTED:
            world.held_since.setdefault(order.facts.reference, world.clock)


def validate(world: World) -> None:
    """Somebody looks at what a stop has held, and lets it go on where nothing stands against it."""
    if world.stop is not None:
        return
    for transfer_id, order in sorted(world.orders.items()):
        if order.facts.held_by is None or world.luck.random() < 0.3:
            continue
        world.record(transfer_id, saga.validated(order.facts, world.reasons_against(order.facts.lane)))
        world.held_since.pop(order.facts.reference, None)
        world.queue.add(transfer_id)


def close_or_open_a_lane(world: World) -> None:
    """The world moves on: a lane that plans were made for is closed, or open again."""
    lane = _a_line(world.luck).lane
    if world.closed_lanes.pop(lane, None) is None:
        world.closed_lanes[lane] = world.clock


def _a_line(luck: Random) -> Line:
    origin, destination = luck.sample(SITES, 2)
    return Line(luck.choice(SKUS), LaneKey(origin, destination, "van"), luck.randint(1, 12))


def _a_pending(world: World) -> Asked | None:
    pending = [asked for asked in world.asked.values() if asked.request.status is ApprovalStatus.PENDING]
    return world.luck.choice(pending) if pending else None


def _ask(world: World, lines: tuple[Line, ...], authors: set[str]) -> None:
    approval_id = UUID(int=world.luck.getrandbits(128), version=4)
    sites = sorted({site for line in lines for site in (line.lane.origin, line.lane.destination)})
    units = sum(line.units for line in lines)
    request = ApprovalRequest(
        approval_id=approval_id, plan_digest=f"{world.luck.getrandbits(64):016x}", attempt=0, tier="t",
        status=ApprovalStatus.PENDING, requested_by=min(authors), authors=sorted(authors), sites=sites,
        requested_at=world.now, expires_at=world.now + timedelta(seconds=world.luck.choice((60, 600, 6_000))),
        lines=len(lines), units=units, goods_value_minor=units * PRICE_MINOR, saving_minor=1, currency="USD",
    )  # fmt: skip
    demand = signatures.Demand(name="t", approvals=world.luck.choice((1, 1, 2)))
    needed = signatures.Needed(
        demands=(demand,), origins=tuple(sorted({line.lane.origin for line in lines})),
        destinations=tuple(sorted({line.lane.destination for line in lines})),
    )  # fmt: skip
    world.asked[approval_id] = Asked(request, lines, needed, units * PRICE_MINOR)
