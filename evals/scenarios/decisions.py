"""What people decide, and what happens to plans that the world or the clock has overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.errors import EvenkeelError
from app.governance.switch import engage, release
from app.orders.validating import validate
from evals.networks import NOW, SHORTAGE_BESIDE_SURPLUS, network
from evals.scenario import Expectation
from evals.stage import ADA, BOB, OTTO, PAULA, Stage
from tools.execution import OrderState
from tools.rejections import Rejection, RejectionCode
from tools.signals import SignalKind, StockData, StockReading
from tools.transfers import Verdict


def rejected_then_revised(stage: Stage) -> Iterator[Expectation]:
    """A rejection with a reason goes back to the planner, whose next plan respects it and needs its own decision."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    first = stage.next_request()
    reason = Rejection(code=RejectionCode.SKU_FROZEN, words="P1 is being counted today", skus=("P1",))
    stage.decide(first, ADA, Verdict.REJECT, reason)
    with stage.at_work():
        second = stage.next_request()
        plan = stage.plan(second.plan_digest)
        yield Expectation("the next plan is another one", second.plan_digest != first.plan_digest)
        yield Expectation("it leaves P1 alone", {line.sku_id for line in plan.lines} == {"P2"})
        yield Expectation("nothing has moved so far", not stage.orders())
        stage.approve(second, BOB)
        stage.receive_all()
    yield Expectation("P2 has arrived", stage.on_hand("S2", "P2") > 1)
    yield Expectation("P1 has not moved", stage.on_hand("S2", "P1") == 2)


def stock_moved_before_approval(stage: Stage) -> Iterator[Expectation]:
    """Between plan and decision the donor sells out: the decision is not forced, and a new plan comes up."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    first = stage.next_request()
    sold_out = StockData(as_of=NOW, readings=(StockReading(site_id="S1", sku_id="P1", on_hand_units=44),))
    stage.send(SignalKind.STOCK, "count-2", sold_out)
    decided = stage.approve(first)
    yield Expectation("the plan goes back", decided.status is ApprovalStatus.OUTRUN)
    yield Expectation("with the reasons", bool(decided.violations))
    yield Expectation("nothing is reserved or ordered", not stage.orders())
    with stage.at_work():
        second = stage.next_request()
        plan = stage.plan(second.plan_digest)
        yield Expectation("the new plan takes no P1 from S1", all(line.sku_id != "P1" for line in plan.lines))
        stage.approve(second)
        stage.receive_all()
    yield Expectation("the rest has arrived", stage.on_hand("S2", "P2") > 1)


def expired_approval(stage: Stage) -> Iterator[Expectation]:
    """Nobody decides in time: afterwards an approval is refused, and nothing moves."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    thread = stage.scan()
    request = stage.next_request()
    stage.let_expire(request)
    yield Expectation("a late approval is refused", _code(stage, request, ADA) == "expired")
    with stage.at_work():
        stage.service.tick()
        stage.until(lambda: "expired" in stage.words(thread))
    yield Expectation("the request is closed", not stage.waiting())
    yield Expectation("and stays closed", _code(stage, request, BOB) == "already_decided")
    yield Expectation("nothing has moved", not stage.orders())


def author_decides(stage: Stage) -> Iterator[Expectation]:
    """Neither the author nor anybody without the role can decide; somebody else can, and only once."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    request = stage.next_request()
    yield Expectation("the planner who asked is refused", _code(stage, request, PAULA) == "role")
    yield Expectation("so is the operator", _code(stage, request, OTTO) == "role")
    stage.approve(request, BOB)
    yield Expectation("a second decision is refused", _code(stage, request, ADA) == "already_decided")
    with stage.at_work():
        stage.receive_all()
    yield Expectation("the goods have moved once", len(stage.erp.applied()) == request.lines)


def kill_switch_before_posting(stage: Stage) -> Iterator[Expectation]:
    """The kill switch is engaged after an approval and before the posting: nothing goes out until it is released."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    request = stage.next_request()
    stage.approve(request)
    with stage.service.database.transaction() as session:
        engage(session, ADA, "a recall")
    with stage.at_work():
        stage.until(lambda: "approved" in stage.words(_thread(request.thread_id)))
        for order in stage.orders():
            stage.service.post(order.transfer_id)
        yield Expectation("the ERP was not asked", not stage.erp.applied())
        yield Expectation("orders wait", {o.state for o in stage.orders()} == {OrderState.RELEASED})
        with stage.service.database.transaction() as session:
            release(session, OTTO, "false alarm")
        validate(stage.service.database, OTTO, None, "looked at again")
        stage.receive_all()
    yield Expectation("then they go out, once", set(stage.erp.applied().values()) == {1})
    yield Expectation("and arrive", {o.state for o in stage.orders()} == {OrderState.CLOSED})


def _code(stage: Stage, request: ApprovalRequest, by: Principal) -> str:
    """The code of the refusal when somebody tries to approve; empty when it is not refused."""
    try:
        stage.approve(request, by)
    except EvenkeelError as refused:
        return refused.code
    return ""


def _thread(thread_id: str | None) -> UUID:
    if thread_id is None:
        raise LookupError("the request belongs to no thread")
    return UUID(thread_id)
