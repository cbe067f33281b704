"""Between snapshot and decision: a small drift carries out less with the difference on record, a larger one sends the plan back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlmodel import select

from app.approvals.decisions import Decided, decide
from app.approvals.freshness import facts_now
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.governance.state import activate_policy, active_policy
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.plans.store import read_plan
from policies.limits import protected_units
from tests.app.approvals.house import ADA, BOB, House, approving
from tests.signals import a_reading, a_signal, counts, send
from tools.inventory import SiteSku
from tools.transfers import PlanRequest, TransferPlan, Verdict


@contextmanager
def counted(house: House, units: int) -> Iterator[None]:
    """S1 was counted to hold so many of P2; afterwards it is counted again as it was."""
    with house.database.transaction() as session:
        send(
            session,
            a_signal(counts(a_reading(units, sku_id="P2"), minutes=next(house.numbers) / 100), f"less-{units}"),
            jump_units_min=10**6,
        )
    try:
        yield
    finally:
        house.tidy()
        with house.database.transaction() as session:
            send(
                session,
                a_signal(counts(a_reading(400, sku_id="P2"), minutes=next(house.numbers) / 100), f"again-{units}"),
                jump_units_min=10**6,
            )


def needed_units(house: House, plan: TransferPlan) -> int:
    """The least that S1 has to hold of P2 for the plan to be permitted as it is."""
    with house.database.transaction() as session:
        facts = facts_now(session)
    kept = protected_units(facts.policy, facts.snapshot, PlanRequest()).get(SiteSku("S1", "P2"), 0)
    return kept + sum(line.units for line in plan.lines if line.sku_id == "P2")


def decided(house: House, request: ApprovalRequest) -> Decided:
    with house.database.transaction() as session:
        return decide(session, ADA, request.approval_id, Verdict.APPROVE, request.plan_digest)


def test_a_line_that_lacks_a_few_units_carries_fewer_and_the_difference_is_on_record(house: House) -> None:
    plan = house.plan()
    request = house.ask(plan=plan)
    with counted(house, needed_units(house, plan) - 2):
        done = decided(house, request)
        (narrowed,) = done.narrowed
        line = plan.lines[narrowed.line_no - 1]
        assert (done.status, line.sku_id) == (ApprovalStatus.APPROVED, "P2")
        assert (narrowed.decided_units, narrowed.units) == (line.units, line.units - 2)
        orders = {order.line_no: order for order in house.orders(request)}
        short, whole = orders[line.line_no], next(each for no, each in orders.items() if no != line.line_no)
        assert (short.units, short.decided_units, short.plan_digest) == (line.units - 2, line.units, plan.digest)
        assert whole.decided_units is None
        with house.database.transaction() as session:
            query = select(LedgerEvent.body).where(LedgerEvent.key == f"approval/{request.approval_id}/shrunk")
            body = session.exec(query).one().decode()
            assert read_plan(session, request.plan_digest) == plan, "what was decided on is not changed"
        assert f'"decided_units":{line.units}' in body
        assert '"saving_now_minor"' in body
        assert house.events(request, EventType.PLAN_APPROVED) == 1
        assert verify(house.database).verified


def test_what_the_world_has_outrun_goes_back_and_moves_nothing(house: House) -> None:
    plan = house.plan()
    request = house.ask(plan=plan)
    units = sum(line.units for line in plan.lines if line.sku_id == "P2")
    with counted(house, needed_units(house, plan) - units // 2):
        assert decided(house, request).status is ApprovalStatus.OUTRUN
        assert not house.orders(request)


def test_no_older_policy_carries_out_less_than_was_decided(house: House) -> None:
    house.do(lambda session: activate_policy(session, "2026-12", "otto", "back"))
    plan = house.plan()
    plan = TransferPlan.model_validate({**dict(plan), "policy_digest": _in_force(house)})
    request = house.ask(plan=plan)
    with counted(house, needed_units(house, plan) - 1):
        assert decided(house, request).status is ApprovalStatus.OUTRUN


def _in_force(house: House) -> str:
    with house.database.transaction() as session:
        return active_policy(session).digest


@pytest.mark.parametrize("order", [0, 1])
def test_a_count_at_the_instant_of_the_decision_never_promises_more_than_is_there(house: House, order: int) -> None:
    plan = house.plan()
    request = house.ask(plan=plan)
    least = needed_units(house, plan) - 2
    name, minutes = f"race-{order}", next(house.numbers) / 100
    acts = [
        lambda session: send(
            session, a_signal(counts(a_reading(least, sku_id="P2"), minutes=minutes), name), jump_units_min=10**6
        ),
        approving(request, BOB),
    ]
    try:
        outcomes = house.race(*(acts if order else reversed(acts)))
        assert "approved" in outcomes
        assert verify(house.database).verified
    finally:
        house.tidy()
        with house.database.transaction() as session:
            send(
                session,
                a_signal(counts(a_reading(400, sku_id="P2"), minutes=next(house.numbers) / 100), f"{name}-over"),
                jump_units_min=10**6,
            )
