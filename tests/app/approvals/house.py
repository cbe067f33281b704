"""A database with a network, people and a policy with tiers in force, shared by many tests; each finds it as it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from app.approvals.decisions import Decided, decide
from app.approvals.delegations import Loan, delegate_to
from app.approvals.edits import Edited
from app.approvals.freshness import facts_now
from app.approvals.requests import get_request, request_approval, withdraw
from app.approvals.tables import ApprovalRequest, ApprovalStatus, Delegation
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.db.database import Database, database_now
from app.errors import EvenkeelError
from app.governance.state import activate_policy
from app.governance.stops import set_kill_switch
from app.ledger.append import EventType
from app.ledger.sealing import MASTER_KEY
from app.ledger.tables import Balance, LedgerEvent
from app.orders.steps import record
from app.orders.tables import TransferOrder
from app.plans.store import store_plan
from app.stock.importing import import_network
from evals.databases import Servers
from graphs.planning import draft
from policies.rules import Facts
from policies.signatures import Demand, Needed, needed_for
from policies.tiers import tier_of
from tests.builders import a_lane, a_site, a_sku
from tests.installation import a_network, person
from tests.signals import a_database
from tools import saga
from tools.execution import OrderState
from tools.network_folder import NetworkFolder, write_network
from tools.transfers import PlanRequest, Scope, TransferPlan, Verdict

PAULA, ADA, BOB, CY, OTTO = (
    person("paula", Role.PLANNER), person("ada", Role.APPROVER), person("bob", Role.APPROVER),
    person("cy", Role.APPROVER), person("otto", Role.OPERATOR),
)  # fmt: skip
EAST = person("east", Role.APPROVER, sites=frozenset({"S1"}))
WEST = person("west", Role.APPROVER, sites=frozenset({"S3"}))
PEOPLE = (PAULA, ADA, BOB, CY, OTTO, EAST, WEST)
POLICY = "2027-01"
TWO = Demand(name="two", approvals=2)

Act = Callable[[Session], object]


def network() -> NetworkFolder:
    """S1 has far too much of P1 and P2, S2 and S3 nearly nothing; S3 belongs to another legal entity.

    A truck takes 100 litres; P1 and P2 have a litre a unit. P1 makes up most of the demand: it is class A, P2 is not.
    """
    stock = {(site, sku): units for sku in ("P1", "P2") for site, units in (("S1", 400), ("S2", 2), ("S3", 1))}
    entities = {"S1": "RETAIL-1", "S2": "RETAIL-1", "S3": "RETAIL-2"}
    pairs = [(a, b) for a in entities for b in entities if a != b]
    return a_network(
        stock,
        {key: 9.0 if key[1] == "P1" else 2.0 for key in stock},
        sites=tuple(a_site(name, legal_entity=entity) for name, entity in entities.items()),
        skus=tuple(a_sku(name, unit_volume_microlitres=1_000_000) for name in ("P1", "P2")),
        lanes=tuple(a_lane(a, b, capacity_microlitres_per_departure=100_000_000) for a, b in pairs),
    )


@dataclass
class House:
    """The database, and plans that are permitted in it: `near` within a legal entity, `far` to another one."""

    database: Database
    plans: dict[str, TransferPlan]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def plan(self, name: str = "near") -> TransferPlan:
        """One of the plans with a digest that no test has seen before."""
        plan = self.plans[name]
        request = plan.request.with_overlays(max_units=10_000 + next(self.numbers))
        return TransferPlan.model_validate({**dict(plan), "request": request})

    def ask(
        self, name: str = "near", *, needed: Demand | None = None, plan: TransferPlan | None = None
    ) -> ApprovalRequest:
        """A new request for one of the plans by Paula; `needed` beside what policy asks for."""
        plan = plan or self.plan(name)
        with self.database.transaction() as session:
            store_plan(session, plan)
            facts = facts_now(session)
            tier = tier_of(facts.policy, plan, facts.snapshot)
            assert tier is not None
            more: Needed | None = None if needed is None else needed_for(plan, [needed])
            return request_approval(session, plan, tier, [PAULA.user_id], None, more)

    def sign(self, request: ApprovalRequest, by: Principal, verdict: Verdict = Verdict.APPROVE) -> str:
        """What comes of one person's approval, in one word."""
        return self.do(approving(request, by, verdict))

    def do(self, act: Act) -> str:
        """Something done in a transaction of its own: the status that comes of it, or the code of its refusal."""
        try:
            with self.database.transaction() as session:
                return _word(act(session))
        except EvenkeelError as refused:
            return refused.code

    def race(self, *acts: Act, held: ApprovalRequest | None = None) -> list[str]:
        """All at the same instant: they queue at the request's row if it is held, and start together if not."""
        gate = threading.Barrier(len(acts))

        def run(act: Act) -> str:
            gate.wait()
            return self.do(act)

        with ThreadPoolExecutor(len(acts)) as pool:
            with self._holding(held, len(acts)):
                running = [pool.submit(run, act) for act in acts]
                if held is not None:
                    self._wait_for_waiting(len(acts))
            return [each.result() for each in running]

    @contextmanager
    def _holding(self, request: ApprovalRequest | None, acts: int) -> Iterator[None]:
        del acts
        with self.database.transaction() as session:
            if request is not None:
                get_request(session, request.approval_id, lock=True)
            yield

    def _wait_for_waiting(self, acts: int) -> None:
        waiting = text("""
            select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()
        """)
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            with self.database.engine.connect() as connection:
                if connection.execute(waiting).scalar_one() >= acts:
                    return
            time.sleep(0.01)

    def now(self, request: ApprovalRequest) -> ApprovalStatus:
        """Where the request stands."""
        with self.database.transaction() as session:
            return get_request(session, request.approval_id).status

    def orders(self, request: ApprovalRequest | None = None) -> list[TransferOrder]:
        """The orders of a request, or all that are not over."""
        query = select(TransferOrder).where(col(TransferOrder.state) == OrderState.RELEASED)
        if request is not None:
            query = query.where(TransferOrder.approval_id == request.approval_id)
        with self.database.transaction() as session:
            return list(session.exec(query).all())

    def reserved_units(self) -> int:
        """Units that are promised anywhere."""
        with self.database.transaction() as session:
            rows = session.exec(select(Balance).where(col(Balance.place).endswith("/reserved"))).all()
            return sum(row.units for row in rows)

    def events(self, request: ApprovalRequest, event: EventType) -> int:
        """How many events of this type there are about the request."""
        query = select(LedgerEvent.key).where(
            LedgerEvent.type == event, col(LedgerEvent.key).startswith(f"approval/{request.approval_id}/")
        )
        with self.database.transaction() as session:
            return len(session.exec(query).all())

    def admit(self, *people: Principal) -> None:
        """Register people, or bring them up to date."""
        with self.database.transaction() as session:
            for each in people:
                add_person(session, each, by=SYSTEM)

    def lend(self, by: Principal, to: Principal | None, **more: object) -> UUID:
        """A delegation from now on, for a day."""
        with self.database.transaction() as session:
            return delegate_to(session, by, self.loan(session, to, **more)).delegation_id

    def loan(self, session: Session, to: Principal | None, **more: object) -> Loan:
        """A loan from an hour ago on, for a day."""
        now = database_now(session)
        terms = {"reason": "holiday", "starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=23)}
        return Loan(to.user_id if to else None, **(terms | more))  # type: ignore[arg-type]

    def tidy(self) -> None:
        """Everything as it was: nothing waits, nothing is reserved, everybody has their roles again."""
        with self.database.transaction() as session:
            set_kill_switch(session, engaged=False, actor="otto", reason="over")
            activate_policy(session, POLICY, "otto", "as it was")
            pending = select(ApprovalRequest).where(ApprovalRequest.status == ApprovalStatus.PENDING)
            for request in session.exec(pending).all():
                hand = next(each for each in request.authors)
                withdraw(session, request.approval_id, person(hand, Role.PLANNER))
            open_orders = select(TransferOrder).where(col(TransferOrder.state) == OrderState.RELEASED)
            for order in session.exec(open_orders.with_for_update()).all():
                record(session, order, saga.withdrawn(order.facts, "the test is over"))
            for row in session.exec(select(Delegation).where(col(Delegation.ended_at).is_(None))).all():
                row.ended_at = database_now(session)
                session.add(row)
        self.admit(*PEOPLE)


def approving(request: ApprovalRequest, by: Principal, verdict: Verdict = Verdict.APPROVE) -> Act:
    """One person's approval of a request."""
    return lambda session: decide(session, by, request.approval_id, verdict, request.plan_digest)


def _word(came: object) -> str:
    match came:
        case Decided():
            return came.status.value
        case Edited():
            return "edited"
        case _:
            return "done"


@contextmanager
def a_house(servers: Servers) -> Iterator[House]:
    """The house, on a database of its own."""
    with a_database(servers) as database:
        database.session_info[MASTER_KEY] = lambda: bytes(range(32))
        with database.transaction() as session:
            import_network(session, write_network(network()), SYSTEM, pin=True, size_limit_bytes=1 << 20)
            activate_policy(session, POLICY, "otto", "tiers")
            for each in PEOPLE:
                add_person(session, each, by=SYSTEM)
            facts = facts_now(session)
        plans = {name: _drafted(facts, site) for name, site in (("near", "S2"), ("far", "S3"))}
        yield House(database, plans)


def _drafted(facts: Facts, destination: str) -> TransferPlan:
    plan = draft(facts, PlanRequest(scope=Scope(origins=("S1",), destinations=(destination,)))).plan
    assert plan is not None
    assert len(plan.lines) == 2, "a line for each SKU"
    return plan
