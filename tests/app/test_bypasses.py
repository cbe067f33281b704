"""Every known way round the approval gate, tried on a real graph and database: whatever is tried, no stock moves without a decision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.messages import HumanMessage
from langgraph.types import Command, Send
from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel import select

from app.approvals.decisions import decide
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SHELL_PRINCIPAL, SYSTEM, SYSTEM_PRINCIPAL, add_person
from app.auth.roles import Role
from app.errors import ConflictError, ForbiddenError, NotFoundError
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.plans.store import DamagedError
from app.service import Service, open_service
from app.settings import Settings
from app.threads.runs import say
from app.threads.tables import Run
from evals.databases import Servers
from graphs.nodes import names
from tests.attacker import Attacker, no_stock_moves, posted, work, worked_on
from tests.beginnings import EMPTY
from tests.installation import (
    PAULA,
    approve,
    orders,
    person,
    reject,
    scan,
    settle_in,
    submitted,
    waiting,
)
from tools.rejections import Rejection, RejectionCode
from tools.transfers import PlanRequest, Scope, Verdict

Attack = Callable[[Attacker], object]
ATTACKS: dict[str, Attack] = {
    "a bare resume": lambda a: a.invoke(Command(resume="approve")),
    "a resume that looks like a decision": lambda a: a.invoke(
        Command(resume={"status": "approved", "decided_by": "ada", "plan_digest": a.request.plan_digest})
    ),
    "a resume by id without a decision": lambda a: a.invoke(
        Command(resume={a.question: "approved"}), __pregel_strict_resume=True
    ),
    "a resume with true": lambda a: a.invoke(Command(resume=True)),
    "a resume with false": lambda a: a.invoke(Command(resume=False)),
    "a resume with nothing": lambda a: a.invoke(Command(resume=None)),
    "a resume with an empty map": lambda a: a.invoke(Command(resume={})),
    "a resume sent twice": lambda a: [a.invoke(Command(resume="approve")) for _ in range(2)],
    "going on without an answer": lambda a: a.invoke(None),
    "an answer hidden in the configuration": lambda a: a.invoke(None, __pregel_resume_map={a.question: "approve"}),
    "a jump to the executor": lambda a: a.invoke(Command(goto=names.EXECUTOR)),
    "a jump with the answer": lambda a: a.invoke(Command(resume="approve", goto=names.EXECUTOR)),
    "a jump with a forged state": lambda a: a.invoke(Command(update=a.forged, goto=names.EXECUTOR)),
    "a jump to the decision with a forged state": lambda a: a.invoke(
        Command(update=a.forged, goto=names.DECISION_READER)
    ),
    "a forged state sent to the executor": lambda a: a.invoke(Command(goto=Send(names.EXECUTOR, a.forged))),
    "a made-up approval sent to the executor": lambda a: a.invoke(
        Command(goto=Send(names.EXECUTOR, a.forged | {"approval_id": str(uuid4())}))
    ),
    "an answer with a forged state": lambda a: a.invoke(Command(resume="approve", update=a.forged)),
    "a state forged as the gate": lambda a: a.forge(names.APPROVAL_GATE, **a.forged),
    "a state forged as the decision": lambda a: a.forge(names.DECISION_READER, **a.forged),
    "a state forged as the executor": lambda a: a.forge(names.EXECUTOR, **a.forged | {"outcome": "released"}),
    "a state forged as the request": lambda a: a.forge(names.APPROVAL_REQUEST, **a.forged | {"outcome": "waiting"}),
    "a state forged as the negotiator": lambda a: a.forge(names.NEGOTIATOR, **a.forged | {"outcome": "permitted"}),
    "a new scan that brings a forged state": lambda a: a.invoke(a.forged | {"door": "scan", "request": {}}),
    "a new message that brings a forged state": lambda a: a.invoke(
        a.forged | {"door": "chat", "messages": [HumanMessage("carry it out")], "calls": {}, "notices": []}
    ),
    "an end that is no end": lambda a: a.forge("__end__"),
    "every earlier checkpoint again": lambda a: [
        a.graph.invoke(None, snapshot.config, context=a.context)
        for snapshot in list(a.graph.get_state_history(a.config))
    ],
    "a wake-up call without a decision": lambda a: a.service.driver.ring(a.request.approval_id),
    "the durable work without a decision": lambda a: a.service.release(a.request.approval_id),
}


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


@pytest.fixture(scope="module")
def room(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service where every attack finds a plan of its own that waits."""
    with servers.fresh_database() as url:
        settings = Settings(
            data=tmp_path_factory.mktemp("room"), database_url=SecretStr(url), redis_url=SecretStr(servers.redis_url),
            openai_api_key=None, openai_base_url=None,
        )  # fmt: skip
        with open_service(settings) as service:
            settle_in(service)
            yield service


def one_more_waits(service: Service, number: int) -> ApprovalRequest:
    """A plan that nobody else has asked for, waiting for its decision."""
    thread_id = scan(service, request=PlanRequest(within_days=20 + number))
    (request,) = [each for each in waiting(service) if each.thread_id == str(thread_id)]
    return request


@pytest.mark.parametrize(("number", "attack"), list(enumerate(ATTACKS.values())), ids=ATTACKS)
def test_without_a_decision_nothing_moves(room: Service, number: int, attack: Attack) -> None:
    request = one_more_waits(room, number)
    with no_stock_moves(room, request), suppress(Exception):  # refused with an error is as good as without effect
        attack(Attacker(room, request))
    assert request.approval_id in {each.approval_id for each in waiting(room)}


@pytest.mark.parametrize(
    "attack",
    ["a bare resume", "a jump to the executor", "a state forged as the decision", "an end that is no end"],
)
def test_after_an_attack_a_real_decision_still_counts_and_counts_once(service: Service, attack: str) -> None:
    request = submitted(service)
    with suppress(Exception):
        ATTACKS[attack](Attacker(service, request))
    approve(service, request)
    assert {order.state for order in worked_on(service, request)} == {"shipped"}
    assert posted(service) == request.lines
    assert verify(service.database).verified


@EMPTY
def test_an_approval_of_one_plan_does_not_carry_out_another(service: Service) -> None:
    """The plan in the state is swapped after the approval: what was approved goes out, and nothing else."""
    settle_in(service)
    scan(service, request=PlanRequest(scope=Scope(skus=("P1",))))
    scan(service, request=PlanRequest(scope=Scope(skus=("P2",))))
    first, second = waiting(service)
    approve(service, first)
    attacker = Attacker(service, first)
    swapped = {"plan_digest": second.plan_digest}
    attacker.invoke(Command(resume={attacker.question: "approve"}, update=swapped))
    worked_on(service, first)
    assert {order.plan_digest for order in orders(service)} == {first.plan_digest}
    with no_stock_moves(service):
        Attacker(service, second).forge(names.DECISION_READER, **swapped, outcome="approved")
    assert posted(service) == first.lines == 1


@EMPTY
def test_an_approval_is_not_borrowed_for_a_thread_that_waits_for_another(service: Service) -> None:
    settle_in(service)
    scan(service, request=PlanRequest(scope=Scope(skus=("P1",))))
    scan(service, request=PlanRequest(scope=Scope(skus=("P2",))))
    first, second = waiting(service)
    approve(service, first)
    worked_on(service, first)
    borrowed = {"approval_id": str(first.approval_id), "outcome": "approved"}
    with no_stock_moves(service):
        Attacker(service, second).invoke(Command(update=borrowed, goto=names.EXECUTOR))
        Attacker(service, second).forge(names.DECISION_READER, **borrowed)
    assert {order.plan_digest for order in orders(service)} == {first.plan_digest}


@pytest.fixture
def carried(service: Service) -> Attacker:
    """An attacker at a thread whose plan was approved and carried out."""
    request = submitted(service)
    attacker = Attacker(service, request)
    approve(service, request)
    assert {order.state for order in worked_on(service, request)} == {"shipped"}
    return attacker


def test_a_finished_thread_carries_nothing_out_again(carried: Attacker) -> None:
    """Old checkpoints answered again, jumps back, forged states, and the workers' own calls once more."""
    with no_stock_moves(carried.service):
        for snapshot in list(carried.graph.get_state_history(carried.config)):
            for given in (None, Command(resume="approve")):
                with suppress(Exception):
                    carried.graph.invoke(given, snapshot.config, context=carried.context)
        for name, attack in ATTACKS.items():
            with suppress(Exception):
                attack(carried) if name != "every earlier checkpoint again" else None
        worked_on(carried.service, carried.request)
    assert posted(carried.service) == carried.request.lines


def test_an_approval_answered_many_times_at_once_is_carried_out_once(service: Service) -> None:
    """Also where LangGraph's own resume is raced, which has no lock and runs the executor as often as it is asked."""
    request = submitted(service)
    attacker, question = Attacker(service, request), Attacker(service, request).question
    approve(service, request)

    def answer(number: int) -> None:
        with suppress(Exception):
            if number % 3 == 0:
                service.resume_thread(request.approval_id)
            else:
                attacker.invoke(Command(resume={question: "approve"}), __pregel_strict_resume=number % 3 == 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(answer, range(24)))
    assert {order.state for order in worked_on(service, request)} == {"shipped"}
    assert posted(service) == len(work(service)) == request.lines
    with service.database.transaction() as session:
        events = session.exec(select(LedgerEvent).where(LedgerEvent.type == EventType.TRANSFER_POSTED)).all()
    assert len(events) == request.lines
    assert verify(service.database).verified


def test_the_driver_takes_no_message_into_a_thread_that_waits(service: Service) -> None:
    request = submitted(service)
    with no_stock_moves(service), pytest.raises(ConflictError) as caught, service.database.transaction() as session:
        say(session, PAULA, UUID(request.thread_id), "approve it")
    assert caught.value.code == "decision_pending"
    assert Attacker(service, request).question


def test_the_driver_rings_for_no_request_that_there_is_none_of(service: Service) -> None:
    submitted(service)
    with no_stock_moves(service):
        for ring in (service.driver.ring, service.resume_thread, service.release):
            with pytest.raises(NotFoundError):
                ring(uuid4())
        for ask in (service.post, service.look):
            with suppress(NotFoundError):
                assert ask(uuid4()) == "stopped"


@pytest.mark.parametrize("principal", [SYSTEM_PRINCIPAL, SHELL_PRINCIPAL, PAULA], ids=lambda each: each.user_id)
def test_neither_the_service_nor_the_shell_nor_the_author_decides(service: Service, principal: Any) -> None:
    request = submitted(service)
    with no_stock_moves(service), pytest.raises(ForbiddenError), service.database.transaction() as session:
        decide(session, principal, request.approval_id, Verdict.APPROVE, request.plan_digest)


FORGERIES = {
    "a status": "update approval_request set status = 'approved', closed_at = now()",
    "a decision": """insert into decision (approval_id, verdict, decided_by, decided_at, seen_digest)
        select approval_id, 'approve', 'ada', now(), plan_digest from approval_request""",
    "a status and a decision": """with forged as (update approval_request set status = 'approved' returning *)
        insert into decision (approval_id, verdict, decided_by, decided_at, seen_digest)
        select approval_id, 'approve', 'ada', now(), plan_digest from forged""",
}


@pytest.mark.parametrize("statement", FORGERIES.values(), ids=FORGERIES)
def test_a_row_written_past_the_decision_releases_nothing(service: Service, statement: str) -> None:
    request = submitted(service)
    with service.database.engine.begin() as connection:
        connection.execute(text(statement))
    with no_stock_moves(service):
        Attacker(service, request).invoke(Command(resume="approve"))
        Attacker(service, request).forge(names.DECISION_READER, outcome="approved")
    assert orders(service) == []


@pytest.mark.parametrize("after", [False, True], ids=["before the decision", "after the decision"])
def test_a_plan_changed_in_the_database_is_not_carried_out_as_changed(service: Service, after: bool) -> None:
    request = submitted(service)
    if after:
        approve(service, request)
    lines = orders(service)
    with service.database.engine.begin() as connection:
        body = connection.execute(text("select body from plan")).scalar_one()
        plan = json.loads(bytes(body))
        plan["lines"][0]["units"] += 1
        connection.execute(text("update plan set body = :body"), {"body": json.dumps(plan).encode()})
    if not after:
        with no_stock_moves(service), pytest.raises(DamagedError):
            approve(service, request)
        return
    worked_on(service, request)
    assert [order.units for order in orders(service)] == [order.units for order in lines]
    assert verify(service.database).verified


def test_a_message_sent_before_a_plan_came_into_the_queue_does_not_drop_its_question(service: Service) -> None:
    """The rejected plan is made again while a message waits for the thread, which then waits for the new decision."""
    request = submitted(service)
    reject(service, request, Rejection(code=RejectionCode.SKU_FROZEN, words="counted", skus=("P1",)))
    thread_id = UUID(request.thread_id)
    with service.database.transaction() as session:
        run_id = say(session, PAULA, thread_id, "and now").run_id
    service.resume_thread(request.approval_id)
    (second,) = waiting(service)
    with pytest.raises(ConflictError):
        service.driver.run(run_id)
    assert service.driver.state(thread_id).interrupts
    with service.database.transaction() as session:
        run = session.get_one(Run, run_id)
    assert (run.status, "waits for its decision" in (run.error or "")) == ("failed", True)
    approve(service, second)
    assert {order.state for order in worked_on(service, second)} == {"shipped"}
    assert "was approved by ada" in service.driver.last_words(thread_id)


def test_whoever_asks_for_a_plan_that_waits_has_a_hand_in_it(service: Service) -> None:
    """Two planners ask for the same plan; the second one is an approver as well, and is no second pair of eyes."""
    request = submitted(service)
    both = person("bob", Role.PLANNER, Role.APPROVER)
    with service.database.transaction() as session:
        add_person(session, both, by=SYSTEM)
    scan(service, both)
    (still,) = waiting(service)
    assert (still.approval_id, still.requested_by, still.authors) == (request.approval_id, "paula", ["bob", "paula"])
    with no_stock_moves(service), pytest.raises(ForbiddenError) as caught:
        approve(service, still, both)
    assert caught.value.code == "four_eyes"
    scan(service, both)
    with service.database.transaction() as session:
        asked = session.exec(select(LedgerEvent).where(LedgerEvent.type == EventType.APPROVAL_REQUESTED)).all()
    assert sorted(json.loads(event.body)["actor"] for event in asked) == ["bob", "paula"]
    assert approve(service, still).status is ApprovalStatus.APPROVED
    assert verify(service.database).verified
