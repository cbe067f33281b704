"""Once a person is forgotten, or their words are old, nothing of what they said is left, and the ledger still fits."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from app import forgetting
from app.approvals.comments import comment, comments_on
from app.approvals.delegations import Loan, delegate_to, delegations_of
from app.approvals.tables import ApprovalRequest, Decision
from app.auth.people import SYSTEM, issue_token, principal_of, sign_in
from app.auth.roles import Principal
from app.auth.tables import Person, PersonIdentity
from app.db.database import Database, database_now
from app.errors import ForbiddenError, NotFoundError, NotSignedInError
from app.forgetting import _without_reasons, forget, forget_old_words
from app.governance.state import activate_policy
from app.governance.switch import engage, release
from app.ledger.append import EventType
from app.ledger.checkpoints import make_checkpoint, read_checkpoints
from app.ledger.export import export_ledger
from app.ledger.reasons import facts_told
from app.ledger.sealing import (
    FORGOTTEN,
    Sealed,
    person,
    sealed_document,
    subjects_of_months_before,
)
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.attention import act
from app.orders.reconciling import settle_difference
from app.orders.steps import get_order
from app.orders.tables import ErpDifference, TransferOrder
from app.orders.validating import validate
from app.service import Service
from policies.stops import Stop
from tests.app.test_sealing import CANARY, SIGNER, a_month_goes_by, say, waits
from tests.app.web.door import door_to, problem_of, tokens_of
from tests.installation import ADA, BOB, PAULA, approve, orders, reject, submitted
from tests.installation import person as somebody
from tools.execution import OrderState
from tools.reconcile import Correction, DifferenceKind
from tools.rejections import Rejection, RejectionCode
from tools.saga import Action

ADAM = somebody("adam", "admin")


def test_a_remark_that_is_sent_again_after_the_month_has_ended_is_recorded_once(service: Service) -> None:
    request = submitted(service)
    for _ in range(2):
        with service.database.transaction() as session:
            comment(session, ADA, request.approval_id, f"{CANARY} asks why")
            a_month_goes_by(session)
    assert comments_by(service, "ada") == 1


def test_what_the_service_says_of_an_order_stays_whole_when_somebody_is_forgotten(service: Service) -> None:
    ada = somebody("ada", "admin", "operator")
    approve(service, submitted(service), BOB)
    order = orders(service)[0]
    said = "the ERP has 3 units under our reference, 60 were approved"
    with service.database.transaction() as session:
        found = get_order(session, order.transfer_id, lock=True)
        found.state = OrderState.NEEDS_ATTENTION
        session.add(found)
    with service.database.transaction() as session:
        act(session, ada, order.transfer_id, Action.ASK_AGAIN, "approved", erp=service.carrier.erp)
        get_order(session, order.transfer_id).attention = said
    forget_ada(service, ADAM)
    with service.database.transaction() as session:
        assert get_order(session, order.transfer_id).attention == said


def test_why_something_was_done_long_ago_is_forgotten_and_why_a_stop_is_in_force_is_not(service: Service) -> None:
    order = acted_on(service)
    with service.database.transaction() as session:
        engage(session, somebody("otto", "operator"), f"{CANARY} stops again", Stop())
    forget_old_words(service.database, days=35)
    with service.database.transaction() as session:
        assert get_order(session, order.transfer_id).attention == f"{CANARY} cancels", "nothing is so old yet"
    ages(service)
    forget_old_words(service.database, days=35)
    with service.database.transaction() as session:
        session.connection().execute(text("update ledger_event set occurred_at = occurred_at + interval '70 days'"))
    left = [line for line in dump(service).splitlines() if CANARY in line]
    assert len(left) == 1
    assert "stops again" in left[0]
    assert verify(service.database).problems == ()


AGING = (
    "update sealing_key set made_at = made_at - interval '70 days'",
    "update stop set engaged_at = engaged_at - interval '70 days', released_at = released_at - interval '70 days'",
    "update erp_difference set settled_at = settled_at - interval '70 days'",
    "alter table ledger_event disable trigger user",
    "update ledger_event set occurred_at = occurred_at - interval '70 days'",
)


def ages(service: Service) -> None:
    """What was said is as old as if it had been said seventy days ago."""
    with service.database.transaction() as session:
        for statement in AGING:
            session.connection().execute(text(statement))


def called_back(service: Service) -> list[TransferOrder]:
    """Every order of a plan, called back by Ada with a telling reason."""
    request = submitted(service)
    approve(service, request, BOB)
    for order in orders(service, request):
        with service.database.transaction() as session:
            act(
                session,
                somebody("ada", "operator"),
                order.transfer_id,
                Action.CANCEL,
                f"{CANARY} cancels",
                erp=service.carrier.erp,
            )
    return orders(service, request)


def attentions(service: Service) -> set[str | None]:
    return {order.attention for order in orders(service)}


@contextmanager
def looked_at() -> Iterator[list[bytes]]:
    """The events whose words are looked for in orders meanwhile."""
    found: list[bytes] = []

    def noting(session: Session, bodies: Iterable[bytes]) -> list[UUID]:
        found.extend(each := list(bodies))
        return _without_reasons(session, each)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forgetting, "_without_reasons", noting)
        yield found


def test_old_reasons_are_taken_out_of_orders_a_few_at_a_time_and_never_looked_at_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = called_back(service)
    assert len(found) > 1
    with service.database.transaction() as session:  # the reason has gone from what one of them shows
        get_order(session, found[0].transfer_id, lock=True).attention = "counted"
    ages(service)
    monkeypatch.setattr(forgetting, "_EVENTS_AT_ONCE", 1)
    with looked_at() as bodies:
        forget_old_words(service.database, days=35)
    assert len(bodies) == len(found)
    assert attentions(service) == {FORGOTTEN, "counted"}
    with looked_at() as bodies:
        forget_old_words(service.database, days=35)
    assert bodies == []


def test_reasons_from_before_words_were_sealed_are_taken_out_as_well(service: Service) -> None:
    first, *_ = called_back(service)
    body = {"actor": "ada", "facts": {"reason": "as it was said then", "transfer_id": str(first.transfer_id)}}
    said, service_said = (json.dumps(body | {"actor": actor}).encode() for actor in ("ada", SYSTEM))
    ages(service)
    change = text(
        "update ledger_event set body = :body where type = 'transfer_cancelled' and position(:id in body) > 0"
    )
    shown = text(
        "update transfer_order set attention = 'as it was said then; 3 units are missing' where transfer_id = :id"
    )
    for written, left in ((service_said, "as it was said then"), (said, FORGOTTEN)):
        with service.database.transaction() as session:
            session.connection().execute(change, {"body": written, "id": str(first.transfer_id).encode()})
            session.connection().execute(shown, {"id": first.transfer_id})
        forget_old_words(service.database, days=35)
        assert f"{left}; 3 units are missing" in attentions(service)


def test_whoever_gives_a_reason_does_not_wait_while_old_keys_go(service: Service) -> None:
    """Whose words are being sealed holds their own key; that must hold up nobody else."""
    called_back(service)
    with service.database.transaction() as session:
        for by in ("ada", "bob"):
            say(session, "hello", f"said/{by}", by=by)
    ages(service)
    with service.database.transaction() as session:  # there are keys of this month as well, which are not old
        session.connection().execute(text("update sealing_key set made_at = now() where subject like '%@%'"))
    with ThreadPoolExecutor(2) as pool, service.database.transaction() as session:
        sealed_document(session, "here", Sealed(person("bob"), {"words": "that takes long"}))
        tidying = pool.submit(forget_old_words, service.database, 35)
        waits(service.database)
        assert pool.submit(says, service.database, "ada").result(timeout=5) is True
        session.commit()
        tidying.result(timeout=30)
    with service.database.transaction() as session:
        assert subjects_of_months_before(session, database_now(session).date()) == []


def says(database: Database, by: str) -> bool:
    with database.transaction() as session:
        return say(session, "meanwhile", f"said/{by}/meanwhile", by=by)


@pytest.fixture
def talked(service: Service) -> ApprovalRequest:
    """A request that Ada has remarked on and rejected, both in telling words, after giving her whole name."""
    request = submitted(service)
    with service.database.transaction() as session:
        named = session.get_one(Person, "ada")
        named.name = CANARY
        session.add(named)
        comment(session, ADA, request.approval_id, f"{CANARY} asks why")
    remark_over_http(service, request)
    reject(service, request, Rejection(code=RejectionCode.OTHER, words=f"{CANARY} says no", sites=("S2",)))
    service.resume_thread(request.approval_id)
    with service.database.transaction() as session:
        activate_policy(session, "2027-01", "otto", "it knows delegations")
        now = database_now(session)
        delegate_to(session, ADA, Loan("bob", now, now + timedelta(days=1), f"{CANARY} is at the dentist"))
        identity = PersonIdentity(issuer="https://idp", subject=f"{CANARY}@idp", user_id="ada", claims_at=now)
        session.add(identity)
    return request


def remark_over_http(service: Service, request: ApprovalRequest) -> None:
    """Ada remarks, and then Bob, who is answered with what she has said."""
    door = door_to(service, tokens_of(service, "ada", "bob"))
    for by, words in (("ada", f"{CANARY} remarks"), ("bob", "so do I")):
        headers = {"Idempotency-Key": f"the-remark-of-{by}"}
        answer = door.post(f"/v1/approvals/{request.approval_id}/comments", by, {"words": words}, headers=headers)
        assert (answer.status_code, CANARY in answer.text) == (200, True), answer.text


def test_after_a_person_was_forgotten_nothing_they_said_is_left_anywhere(
    service: Service, talked: ApprovalRequest, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoints"
    make_checkpoint(service.database, SIGNER, path)
    with service.database.transaction() as session:
        token = issue_token(session, "ada", 1)
        assert [each.words for each in comments_on(session, talked)] == [
            f"{CANARY} asks why", f"{CANARY} remarks", "so do I",
        ]  # fmt: skip
    tables = "|".join(line for line in dump(service).splitlines() if CANARY in line)
    assert all(f"{CANARY}{words}" in tables for words in (" says no", " is at the dentist", "@idp", " remarks"))
    for who, refusal, whom in ((PAULA, ForbiddenError, "ada"), (ADAM, NotFoundError, "nobody")):
        with service.database.transaction() as session, pytest.raises(refusal):
            forget(session, who, whom)
    assert forget_ada(service, ADAM) is True
    assert forget_ada(service, ADAM) is False
    left = dump(service)
    for thread in [line for line in left.splitlines() if CANARY in line]:
        raise AssertionError(thread[:300])
    with service.database.transaction() as session:
        assert [(each.words, each.by) for each in comments_on(session, talked)] == [
            (FORGOTTEN, "ada"), (FORGOTTEN, "ada"), ("so do I", "bob"),
        ]  # fmt: skip
        assert [row.reason for row in delegations_of(session, "bob")] == [FORGOTTEN]
        decision = session.get_one(Decision, talked.approval_id)
        assert decision.rejection is not None
        assert (decision.rejection["words"], decision.rejection["sites"], decision.decided_by) == (
            FORGOTTEN,
            ["S2"],
            "ada",
        )
        assert principal_of(session, "ada") is None
        with pytest.raises(NotSignedInError):
            sign_in(session, token)
        out = io.StringIO()
        export_ledger(session, SIGNER.verifier, out)
    assert CANARY not in out.getvalue()
    assert verify(service.database, read_checkpoints(path, SIGNER.verifier)).problems == ()


def test_why_a_forgotten_person_stopped_validated_and_called_back_is_left_nowhere(service: Service) -> None:
    order = acted_on(service)
    with service.database.transaction() as session:
        bodies = [json.loads(body) for body in session.exec(select(LedgerEvent.body)).all()]
        told = [facts_told(session, body) for body in bodies]
    reasons = {str(words) for facts in told for words in facts.values() if CANARY in str(words)}
    assert reasons == {
        f"{CANARY} {why}" for why in ("activates", "stops", "releases", "validates", "cancels", "settles")
    }
    assert CANARY not in json.dumps(bodies)
    assert order.attention == f"{CANARY} cancels"
    assert forget_ada(service, ADAM) is True
    assert [line[:300] for line in dump(service).splitlines() if CANARY in line] == []
    with service.database.transaction() as session:
        assert get_order(session, order.transfer_id).attention == FORGOTTEN
        assert {
            facts_told(session, body).get("reason") for body in bodies if body["type"] == "kill_switch_engaged"
        } == {FORGOTTEN}
    assert verify(service.database).problems == ()


def acted_on(service: Service) -> TransferOrder:
    """Ada governs, and gives a telling reason for everything she does: the order that she cancels at last."""
    ada = somebody("ada", "admin", "operator")
    request = submitted(service)
    approve(service, request, BOB)
    first = orders(service, request)[0]
    with service.database.transaction() as session:
        stop_id = engage(session, ada, f"{CANARY} stops", Stop()).stop_id
    with service.database.transaction() as session:
        release(session, ada, f"{CANARY} releases", stop_id)
        activate_policy(session, "2026-04", "ada", f"{CANARY} activates")
        session.add(
            ErpDifference(
                difference_id=UUID(int=1), reference="of somebody else", kind=DifferenceKind.UNKNOWN_HERE, words="?",
                correction=Correction.COUNT, found_at=database_now(session),
            )
        )  # fmt: skip
    validate(service.database, ada, [first.transfer_id], f"{CANARY} validates")
    settle_difference(service.database, service.carrier.erp, ada, UUID(int=1), f"{CANARY} settles")
    with service.database.transaction() as session:
        act(session, ada, first.transfer_id, Action.CANCEL, f"{CANARY} cancels", erp=service.carrier.erp)
    return orders(service, request)[0]


def test_a_request_that_was_answered_with_forgotten_words_is_not_carried_out_again(
    service: Service, talked: ApprovalRequest
) -> None:
    forget_ada(service, ADAM)
    said = comments_by(service, "bob")
    path, door = f"/v1/approvals/{talked.approval_id}/comments", door_to(service, tokens_of(service, "bob"))
    again = door.post(path, "bob", {"words": "so do I"}, headers={"Idempotency-Key": "the-remark-of-bob"})
    problem_of(again, 409, "answered_before")
    other = door.post(path, "bob", {"words": "else"}, headers={"Idempotency-Key": "the-remark-of-bob"})
    problem_of(other, 422, "idempotency_key_reused")
    assert comments_by(service, "bob") == said


def comments_by(service: Service, user_id: str) -> int:
    query = select(LedgerEvent.body).where(LedgerEvent.type == EventType.APPROVAL_COMMENTED)
    with service.database.transaction() as session:
        return sum(json.loads(body)["actor"] == user_id for body in session.exec(query).all())


def forget_ada(service: Service, by: Principal) -> bool:
    with service.database.transaction() as session:
        done = forget(session, by, "ada")
    for thread_id in done.threads:
        service.driver.forget(thread_id)
    return done.new


def dump(service: Service) -> str:
    """Everything that the database holds, as text."""
    with service.database.engine.connect() as connection:
        tables = connection.execute(
            text("select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables"
                 " where table_schema in ('public', 'dbos') and table_type = 'BASE TABLE'")
        ).scalars().all()  # fmt: skip
        rows = [
            str(row) for table in tables for row in connection.execute(text(f"select t::text from {table} t")).scalars()
        ]
    readable = []
    for row in rows:
        readable.append(row)
        readable += [bytes.fromhex(part).decode(errors="replace") for part in _hex(row)]
    return "\n".join(readable)


def _hex(row: str) -> list[str]:
    """The bytes among the columns of a row as PostgreSQL writes them."""
    parts = row.replace('"', "").replace("\\\\", "\\").split("\\x")[1:]
    return [even[: len(even) // 2 * 2] for part in parts if (even := part.split(",")[0].split(")")[0])]
