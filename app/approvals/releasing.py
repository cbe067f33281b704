"""Releasing a plan that is decided on: every line reserved, an order for each, and what they take of the day's budgets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from uuid import UUID

from sqlmodel import Session, col, func, select

from app.approvals.tables import ApprovalRequest, BudgetUse
from app.db.database import database_now
from app.ledger.append import EventType, append, lock_streams, plan_stream, site_stream, stock_stream
from app.orders.tables import CAME_TO_NOTHING, TransferOrder
from policies.narrowing import Fresh
from policies.schema import Policy
from policies.violations import Violation
from tools.execution import OrderState
from tools.money import money_text
from tools.moves import reserve
from tools.transfers import TransferPlan

BUDGETS = "budgets"
"""The stream that whoever looks at what is left of a day's budgets holds. It has no events."""


def lock_ends(session: Session, plans: Iterable[TransferPlan], policy: Policy) -> None:
    """Hold everything that a decision on these plans shares with others, in one sorted order.

    Both ends, and the sites with their docks and shelves: two decisions that share one
    are made one after the other. The budgets, where the policy has some.
    """
    ends = {
        (site_id, line.sku_id) for plan in plans for line in plan.lines for site_id in (line.origin, line.destination)
    }
    budgets = [BUDGETS] if has_budgets(policy) else []
    lock_streams(
        session, [*budgets, *(stock_stream(*end) for end in ends), *(site_stream(site_id) for site_id, _ in ends)]
    )


def has_budgets(policy: Policy) -> bool:
    """Whether what is approved in a day has a limit."""
    rules = policy.approvals
    return rules is not None and (rules.automatic is not None or rules.transport_daily_max_minor is not None)


def over_budget(session: Session, policy: Policy, plan: TransferPlan, *, automatic: bool) -> tuple[Violation, ...]:
    """Which of the day's budgets the plan would exceed, with all that was approved in it and has not come to nothing.

    What was approved under a policy without budgets does not count.

    The caller holds the budgets' stream.
    """
    rules = policy.approvals
    if rules is None or not has_budgets(policy):
        return ()
    found = []
    if rules.transport_daily_max_minor is not None:
        used, most = _used(session)[2], rules.transport_daily_max_minor
        if used + plan.transfer_cost_minor > most:
            words = (
                f"Plans approved today cost {money_text(used, plan.currency)} to move, this one"
                f" {money_text(plan.transfer_cost_minor, plan.currency)}; the day's budget is {money_text(most, plan.currency)}."
            )
            found.append(Violation("transport_budget", words, {"used": used, "max": most}))
    if automatic and rules.automatic is not None:
        units, value, _ = _used(session, automatic=True)
        if units + plan.units > rules.automatic.daily_units_max:
            words = f"{units:,} units were released today without asking; the day's budget is {rules.automatic.daily_units_max:,}."
            found.append(Violation("automatic_units", words, {"used": units, "max": rules.automatic.daily_units_max}))
        most = rules.automatic.daily_goods_value_max_minor
        if value + plan.goods_value_minor > most:
            words = (
                f"Goods worth {money_text(value, plan.currency)} were released today without asking;"
                f" the day's budget is {money_text(most, plan.currency)}."
            )
            found.append(Violation("automatic_value", words, {"used": value, "max": most}))
    return tuple(found)


def _used(session: Session, *, automatic: bool = False) -> tuple[int, int, int]:
    """Units, goods value and transport cost of today's orders, those apart that came to nothing."""
    query = (
        select(
            func.coalesce(func.sum(BudgetUse.units), 0),
            func.coalesce(func.sum(BudgetUse.goods_value_minor), 0),
            func.coalesce(func.sum(BudgetUse.transport_minor), 0),
        )
        .join(TransferOrder, col(TransferOrder.transfer_id) == col(BudgetUse.transfer_id))
        .where(BudgetUse.day == database_now(session).date(), col(TransferOrder.state).not_in(CAME_TO_NOTHING))
    )
    if automatic:
        query = query.where(col(BudgetUse.automatic))
    units, value, transport = session.exec(query).one()
    return int(units), int(value), int(transport)


def reserve_lines(
    session: Session,
    actor: str,
    request: ApprovalRequest,
    plan: TransferPlan,
    policy: Policy,
    now_admits: Fresh,
    *,
    automatic: bool = False,
) -> tuple[UUID, ...]:
    """Reserve every line at its origin and make its transfer order. Streams in sorted order, so nobody deadlocks.

    Where the world admits less than was decided, less is reserved, and the difference is on record.
    """
    now = database_now(session)
    for line in sorted(plan.lines, key=lambda ln: (ln.origin, ln.sku_id, ln.line_no)):
        transfer_id, units = plan.transfer_id(line.line_no, request.attempt), now_admits.units_of(line)
        append(
            session,
            stream=stock_stream(line.origin, line.sku_id),
            key=f"transfer/{transfer_id}/reserved",
            event_type=EventType.TRANSFER_RESERVED,
            actor=actor,
            facts={"transfer_id": str(transfer_id), "plan": plan.digest, "approval_id": str(request.approval_id)},
            moves=[reserve(line.sku_id, line.lane, units)],
        )
        session.add(
            TransferOrder(
                transfer_id=transfer_id, approval_id=request.approval_id, plan_digest=plan.digest,
                line_no=line.line_no, sku_id=line.sku_id, origin=line.origin, destination=line.destination,
                mode=line.mode, units=units, decided_units=None if units == line.units else line.units,
                planned_on=plan.planned_on, depart_on=line.depart_on, arrive_on=line.arrive_on,
                state=OrderState.RELEASED, state_at=now, reserved=True,
            )
        )  # fmt: skip
    session.flush()
    if has_budgets(policy):
        session.add_all(_uses(request, plan, now.date(), automatic=automatic))
    if now_admits.narrowed:
        _record_narrowing(session, actor, request, plan, now_admits)
    session.flush()
    return tuple(plan.transfer_id(line.line_no, request.attempt) for line in plan.lines)


def _uses(request: ApprovalRequest, plan: TransferPlan, day: date, *, automatic: bool) -> Iterator[BudgetUse]:
    """What each line takes of the budgets; the cost of a departure stands with its first line."""
    fixed = {(load.lane, load.depart_on): load.fixed_cost_minor for load in plan.lanes}
    for line in plan.lines:
        yield BudgetUse(
            transfer_id=plan.transfer_id(line.line_no, request.attempt), day=day, automatic=automatic, units=line.units,
            goods_value_minor=line.goods_value_minor,
            transport_minor=line.move_cost_minor + fixed.pop((line.lane, line.depart_on), 0),
        )  # fmt: skip


def _record_narrowing(
    session: Session, actor: str, request: ApprovalRequest, plan: TransferPlan, now_admits: Fresh
) -> None:
    append(
        session,
        stream=plan_stream(plan.digest),
        key=f"approval/{request.approval_id}/shrunk",
        event_type=EventType.TRANSFER_SHRUNK,
        actor=actor,
        facts={
            "approval_id": str(request.approval_id),
            "plan": plan.digest,
            "lines": [
                {
                    "transfer_id": str(plan.transfer_id(each.line_no, request.attempt)),
                    "line_no": each.line_no,
                    "decided_units": each.decided_units,
                    "units": each.units,
                }
                for each in now_admits.narrowed
            ],
            "saving_minor": plan.saving_minor,
            "saving_now_minor": now_admits.saving_now_minor,
        },
    )
