"""The durable state of the simulated service, and the books that the product's own carrier keeps on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

from app.approvals.tables import ApprovalRequest
from app.auth.roles import Principal, Role
from app.orders.carrying import Carrier
from evals.simulation.erp import SimulatedErp, Weather
from policies.signatures import Needed, Signature
from tools import following, saga
from tools.execution import OrderState
from tools.inventory import LaneKey
from tools.moves import StockMove, available, reserve
from tools.ports import ErpTransfer, Refused
from tools.saga import OrderFacts, Step

SITES, SKUS = ("S1", "S2", "S3"), ("P1", "P2")
START = datetime(2026, 1, 5, tzinfo=UTC)
SETTLE_SECONDS = 120.0
STOCK_UNITS = 60
PEOPLE = tuple(
    Principal(name, name.title(), frozenset((role,)), sites, sees_sensitive=True, value_limit_minor=limit)
    for name, role, sites, limit in (
        ("paula", Role.PLANNER, None, None),
        ("ada", Role.APPROVER, None, None),
        ("bob", Role.APPROVER, None, 4_000),
        ("cleo", Role.APPROVER, frozenset(("S1", "S2")), None),
        ("dora", Role.APPROVER, None, None),
        ("vic", Role.VIEWER, None, None),
    )
)


class Crash(BaseException):
    """The process dies here. What was committed stays; nothing else does."""


class BusyError(Exception):
    """Another process is in conversation with the ERP about this transfer."""


@dataclass
class Line:
    """What one line of a plan moves."""

    sku_id: str
    lane: LaneKey
    units: int


@dataclass
class Asked:
    """An approval request with its plan and what was signed."""

    request: ApprovalRequest
    lines: tuple[Line, ...]
    needed: Needed
    value_minor: int
    signatures: list[Signature] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    approved_at: datetime | None = None
    stopped_when_approved: bool = False


@dataclass
class Order:
    """A transfer order as the store holds it."""

    facts: OrderFacts
    asked: Asked
    asked_at: float | None = None
    reported_by_people: bool = False


class World:
    """One seed's world. `pass_by` is called wherever a process can die or somebody else can come between."""

    def __init__(self, seed: int) -> None:
        self.luck = Random(seed)  # noqa: S311  luck, not secrecy
        self.weather = Weather.drawn(self.luck)
        self.clock = 0.0
        self.stop: str | None = None
        """The stop of everything, while it is in force."""
        self.held_since: dict[str, float] = {}
        """Since when a stop holds what nobody has validated or otherwise settled, by reference."""
        self.stopped_at: list[tuple[float, float]] = []
        self.closed_lanes: dict[LaneKey, float] = {}
        self.asked: dict[UUID, Asked] = {}
        self.orders: dict[UUID, Order] = {}
        self.moves: list[StockMove] = []
        self.balances: Counter[tuple[str, str]] = Counter(
            {(available(site), sku): STOCK_UNITS for site in SITES for sku in SKUS}
        )
        self.queue: set[UUID] = set()
        self.alone: set[UUID] = set()
        self.depth = 0
        self.changed = True
        self.between: Callable[[], None] | None = None
        self.posted_though_closed = self.posted_though_held = False
        self.erp = SimulatedErp(self.luck, self.weather, lambda: self.clock, self.pass_by)
        self.erp.asked = self.note_post
        self.books = MemoryBooks(self)
        self.carrier = Carrier(self.books, self.erp, SETTLE_SECONDS, clock=lambda: self.clock)

    @property
    def now(self) -> datetime:
        """The clock as an instant."""
        return START + timedelta(seconds=self.clock)

    @property
    def today(self) -> date:
        """The day of the clock."""
        return self.now.date()

    def pass_by(self, point: str) -> None:
        """Perhaps the process dies here; perhaps somebody comes between."""
        del point
        if self.luck.random() < self.weather.crash:
            raise Crash
        if self.between is not None and self.depth == 0 and self.luck.random() < 0.2:
            self.depth += 1
            try:
                self.between()
            finally:
                self.depth -= 1

    def reasons_against(self, lane: LaneKey) -> str:
        """Why an order on the lane may not be posted any more."""
        return "its lane is closed" if lane in self.closed_lanes else ""

    def note_post(self, reference: str, lane: LaneKey) -> None:
        """A request to make a transfer on this lane is sent."""
        self.changed = True
        self.posted_though_held |= self.held_since.get(reference, self.clock) < self.clock
        self.posted_though_closed |= self.closed_lanes.get(lane, self.clock) < self.clock

    def book(self, moves: tuple[StockMove, ...]) -> None:
        """Stock moves, as the ledger takes them: whole or not at all."""
        for move in moves:
            self.balances[move.from_place, move.sku_id] -= move.units
            self.balances[move.to_place, move.sku_id] += move.units
        self.moves += moves

    def record(self, transfer_id: UUID, step: Step | None) -> bool:
        """One step of an order and its moves, in one transaction."""
        if step is None:
            return False
        order = self.orders[transfer_id]
        order.facts, self.changed = step.order, True
        self.book(step.moves)
        return True

    def release(self, transfer_id: UUID, line: Line, asked: Asked) -> None:
        """A line of an approved plan becomes an order, with its units reserved and its work enqueued."""
        day = self.today
        facts = OrderFacts(
            str(transfer_id), line.sku_id, line.lane, line.units, day, day + timedelta(days=2), OrderState.RELEASED,
            reserved=True,
        )  # fmt: skip
        self.orders[transfer_id], self.changed = Order(facts, asked), True
        self.book((reserve(line.sku_id, line.lane, line.units),))
        self.queue.add(transfer_id)


class MemoryBooks:
    """`carrying.Books` in memory. Each call commits as a whole; the process may die before or after it."""

    def __init__(self, world: World) -> None:
        self._world = world

    @contextmanager
    def alone(self, transfer_id: UUID) -> Iterator[Callable[[], None]]:
        """One conversation at a time. The lock is gone with whoever dies; nobody else is there to hear what it announces."""
        if transfer_id in self._world.alone:
            raise BusyError
        self._world.alone.add(transfer_id)
        try:
            yield lambda: None
        finally:
            self._world.alone.discard(transfer_id)

    def read(self, transfer_id: UUID) -> OrderFacts:
        """The order as it stands."""
        return self._world.orders[transfer_id].facts

    def may_look(self, transfer_id: UUID) -> bool:
        """Whether the ERP is to be asked for the transfer at all."""
        order = self.read(transfer_id)
        return order.state is OrderState.REQUESTED or (order.state is OrderState.RELEASED and not order.held_by)

    def look_again(self, transfer_id: UUID) -> None:
        """What the world has outrun is told at `begin` already: its rules are not about money and rooms."""

    def begin(self, transfer_id: UUID) -> bool:
        """Record the intention, if nothing stands against it."""
        self._world.pass_by("before begin")
        order = self._world.orders[transfer_id]
        if order.facts.state not in (OrderState.RELEASED, OrderState.REQUESTED):
            return False
        step = saga.begun(order.facts, self._world.reasons_against(order.facts.lane), stop=self._world.stop)
        self._world.record(transfer_id, step)
        may_ask = saga.may_be_asked_for(order.facts)
        if may_ask:
            order.asked_at = self._world.clock
        return may_ask

    def found(self, transfer_id: UUID) -> None:
        """The ERP has it already."""
        self._world.record(transfer_id, saga.requested(self.read(transfer_id)))

    def learn(self, transfer_id: UUID, answer: ErpTransfer | Refused | None) -> OrderFacts:
        """Book what the ERP says, as many steps as it takes."""
        self._world.pass_by("before learn")
        for _ in range(8):
            facts = self.read(transfer_id)
            if not self._world.record(transfer_id, following.learned(facts, answer) or saga.closed(facts)):
                break
        return self.read(transfer_id)

    def asked_seconds_ago(self, transfer_id: UUID) -> float | None:
        """How long ago the ERP was last asked to make it."""
        asked_at = self._world.orders[transfer_id].asked_at
        return None if asked_at is None else self._world.clock - asked_at

    def doubt(self, transfer_id: UUID, why: str) -> None:
        """Let people read that there is no certain answer."""
        self._world.record(transfer_id, saga.doubted(self.read(transfer_id), why))


def calm(weather: Weather) -> Weather:
    """The weather once the faults have stopped."""
    return replace(weather, crash=0.0, lost=0.0, repeated=0.0, delay_seconds=0.0, reply_lost=0.0)
