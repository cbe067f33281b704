"""Stops: of everything and of parts, in scope, effective at once, and what they held goes on after its validation only."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select
from structlog.testing import capture_logs

from app.approvals.decisions import decide
from app.auth.roles import Role
from app.db.database import Database
from app.db.in_the_way import STILL_SECONDS
from app.erp.limits import LimitedErp, Limits
from app.errors import ConflictError, EvenkeelError
from app.governance.stops import POSTS_MS_MAX, stops_in_force
from app.governance.switch import engage, release
from app.governance.views import held_views, stop_views
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.attention import act
from app.orders.books import OrderBooks
from app.orders.carrying import BEGIN_SECONDS_MAX, STOPPED, UNCERTAIN, Carrier
from app.orders.release import take_up_idle
from app.orders.steps import get_order
from app.orders.tables import TransferOrder
from app.orders.validating import held_orders, validate
from app.service import Service
from graphs.names import ELSEWHERE
from policies.stops import Stop
from tests.beginnings import EMPTY
from tests.builders import a_sku
from tests.installation import (
    ADA,
    OTTO,
    PAULA,
    VERA,
    a_network,
    approve,
    orders,
    person,
    scan,
    settle_in,
    submitted,
    waiting,
)
from tools.execution import OrderState
from tools.ports import ErpTransfer, ErpUncertainError, Refused, TransferContent
from tools.saga import Action
from tools.transfers import Verdict

NEAR = frozenset(("S1", "S2"))
SCOPES = (Stop(), Stop(site_id="S2"), Stop(origin="S1", destination="S2", mode="van"), Stop(sku_class="category/dry"))
"""One stop of each kind; each holds what travels from S1 to S2."""
RACES, POSTS_PER_STOP = 1_000, 8
NETWORK = a_network(skus=(a_sku("P1", category="dry"), a_sku("P2", category="wet", hazmat=True)))


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


@pytest.fixture
def elsewhere(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The database as another process sees it."""
    with monkeypatch.context() as there:
        there.setattr("app.db.database.PROCESS", "evenkeel elsewhere")
        database = Database(service.database.url)
    database.session_info = service.database.session_info
    yield database
    database.close()


def stopped(service: Service, stop: Stop, reason: str = "a recall") -> UUID:
    with service.database.transaction() as session:
        return engage(session, OTTO, reason, stop).stop_id


def released(service: Service, stop_id: UUID) -> None:
    with service.database.transaction() as session:
        release(session, OTTO, "false alarm", stop_id)


def approved(service: Service) -> list[TransferOrder]:
    """Orders of an approved plan that nobody has carried yet: P1 and P2 from S1 to S2."""
    request = submitted(service)
    approve(service, request)
    return orders(service)


def posted(service: Service) -> set[str]:
    with service.database.transaction() as session:
        return {row[0] for row in session.connection().execute(text("select reference from built_in_transfer"))}


def refused(service: Service, act_on: Callable[..., object], *arguments: object) -> EvenkeelError:
    with pytest.raises(EvenkeelError) as caught, service.database.transaction() as session:
        act_on(session, *arguments)
    return caught.value


def test_a_stop_of_a_part_holds_its_orders_and_the_others_go_on(service: Service) -> None:
    held, free = sorted(approved(service), key=lambda order: order.sku_id)
    with service.database.transaction() as session:
        session.connection().execute(
            text(
                "update master_data set body = jsonb_set(body::jsonb, '{hazmat}', 'true') where kind = 'sku' and key = 'P1'"
            )
        )
    stopped(service, Stop(sku_class="hazmat"))
    outcomes = {order.sku_id: service.post(order.transfer_id) for order in (held, free)}
    assert outcomes["P1"] == STOPPED
    assert posted(service) == {str(free.transfer_id)}


@pytest.mark.parametrize("stop", SCOPES[:3], ids=lambda stop: stop.words)
def test_a_plan_that_touches_what_is_stopped_is_not_approved_while_others_are(service: Service, stop: Stop) -> None:
    request = submitted(service)
    stopped(service, Stop(origin="S3", destination="S1"))
    stop_id = stopped(service, stop)
    with pytest.raises(ConflictError, match="kill switch is engaged for what this plan moves") as caught:
        approve(service, request)
    assert caught.value.code == "kill_switch"
    released(service, stop_id)
    assert len(approve(service, request).transfer_ids) == request.lines


def test_what_a_stop_held_is_not_posted_by_its_release_but_by_its_validation(service: Service) -> None:
    waiting = approved(service)
    stop_id = stopped(service, Stop(site_id="S1"))
    assert {service.post(order.transfer_id) for order in waiting} == {STOPPED}
    released(service, stop_id)
    with service.database.transaction() as session:
        session.connection().execute(text("update transfer_order set state_at = state_at - interval '1 hour'"))
        assert take_up_idle(session) == 0
        assert [(row.stop, row.changes) for row in held_orders(session, OTTO)] == [(None, ())] * len(waiting)
    assert {service.post(order.transfer_id) for order in waiting} == {STOPPED}
    first, *others = [order.transfer_id for order in waiting]
    done = validate(service.database, OTTO, [first], "the recall was about something else")
    assert (done.going, done.outrun, done.stopped) == ((first,), (), ())
    assert service.post(first) != STOPPED
    assert posted(service) == {str(first)}
    assert set(validate(service.database, OTTO, None, "as well").going) == set(others)
    assert STOPPED not in {service.post(each) for each in others}
    with service.database.transaction() as session:
        validated = session.exec(select(LedgerEvent.body).where(LedgerEvent.type == "transfer_validated")).all()
    assert len(validated) == len(waiting)
    assert verify(service.database).verified


def test_what_the_world_has_outrun_meanwhile_is_taken_back_with_words(service: Service) -> None:
    gone, fine = sorted(approved(service), key=lambda order: order.sku_id)
    stop_id = stopped(service, Stop())
    with service.database.transaction() as session:
        session.connection().execute(
            text("update transfer_order set depart_on = depart_on - 400 where transfer_id = :id"),
            {"id": gone.transfer_id},
        )
    released(service, stop_id)
    with service.database.transaction() as session:
        changes = {row.order.sku_id: row.changes for row in held_orders(session, OTTO)}
    assert changes["P2"] == ()
    assert "has passed" in changes["P1"][0]
    done = validate(service.database, OTTO, None, "looked at")
    assert (done.going, done.outrun) == ((fine.transfer_id,), (gone.transfer_id,))
    after = {order.sku_id: order for order in orders(service)}
    assert after["P1"].state is OrderState.CANCELLED
    assert "has passed" in (after["P1"].attention or "")
    assert not after["P1"].reserved
    assert after["P2"].held_by is None
    assert verify(service.database).verified


def test_an_order_under_two_stops_waits_until_both_are_released(service: Service) -> None:
    waiting = approved(service)
    first, second = stopped(service, Stop()), stopped(service, Stop(site_id="S2"))
    released(service, first)
    done = validate(service.database, OTTO, None, "too early")
    assert set(done.stopped) == {order.transfer_id for order in waiting}
    assert {service.post(order.transfer_id) for order in waiting} == {STOPPED}
    released(service, second)
    assert len(validate(service.database, OTTO, None, "now").going) == len(waiting)


def test_what_waited_can_be_cancelled_instead(service: Service) -> None:
    waiting = approved(service)
    stop_id = stopped(service, Stop())
    with service.database.transaction() as session:
        act(session, OTTO, waiting[0].transfer_id, Action.CANCEL, "not wanted any more", erp=service.carrier.erp)
    released(service, stop_id)
    with service.database.transaction() as session:
        left = {row.order.transfer_id for row in held_orders(session, OTTO)}
    assert left == {order.transfer_id for order in waiting[1:]}
    assert refused(
        service, lambda _session: validate(service.database, OTTO, [waiting[0].transfer_id], "x")
    ).code == "not_held"  # fmt: skip


def test_people_asking_again_does_not_get_round_a_stop(service: Service) -> None:
    (order, _) = approved(service)
    with service.database.transaction() as session:
        session.connection().execute(
            text("update transfer_order set state = 'needs_attention' where transfer_id = :id"),
            {"id": order.transfer_id},
        )
    stopped(service, Stop(site_id="S1"))
    with service.database.transaction() as session:
        act(session, OTTO, order.transfer_id, Action.ASK_AGAIN, "try it", erp=service.carrier.erp)
    assert service.post(order.transfer_id) == STOPPED
    assert posted(service) == set()
    (held,) = [each for each in orders(service) if each.transfer_id == order.transfer_id]
    assert (held.state, held.held_by is not None) == (OrderState.REQUESTED, True)


@EMPTY
def test_who_may_stop_what_lies_in_their_scope_and_who_lets_go_on(service: Service) -> None:
    settle_in(service)
    near, far = person("nora", Role.APPROVER, sites=NEAR), Stop(site_id="S3")
    chief = person("cora", Role.OPERATOR, sites=NEAR)
    for stop in (Stop(), far, Stop(sku_class="hazmat"), Stop(origin="S1", destination="S3")):
        assert refused(service, engage, near, "x", stop).code == "scope"
    assert refused(service, engage, near, "x", Stop(site_id="NOWHERE")).code == "scope"
    assert refused(service, engage, ADA, "x", Stop(site_id="NOWHERE")).code == "unknown_site"
    assert refused(service, engage, ADA, "x", Stop(sku_class="category/none")).code == "sku_class"
    for mode, there in (("vna", "van"), ("truck", "van")):
        wrong = refused(service, engage, OTTO, "x", Stop(origin="S1", destination="S2", mode=mode))
        assert (wrong.code, there in wrong.remedy) == ("unknown_lane", True)
    assert refused(service, engage, ADA, " ", Stop()).code == "reason_missing"
    for nobody in (PAULA, VERA):
        assert refused(service, engage, nobody, "x", Stop(site_id="S1")).code == "role"
    with service.database.transaction() as session:
        own = engage(session, near, "a leak", Stop(site_id="S1")).stop_id
        again = engage(session, ADA, "a leak as well", Stop(site_id="S1")).stop_id
        other = engage(session, ADA, "a fire", far).stop_id
    assert own == again
    assert refused(service, release, near, "over", own).code == "role"
    assert refused(service, release, chief, "over", other).code == "unknown_stop"
    assert refused(service, lambda _session: validate(service.database, near, None, "x")).code == "role"
    with service.database.transaction() as session:
        release(session, chief, "over", own)
        assert [stop.site_id for stop in stops_in_force(session)] == ["S3"]
    assert refused(service, release, OTTO, "over", own).code == "already_released"
    with service.database.transaction() as session:
        events = session.exec(
            select(LedgerEvent.type).where(LedgerEvent.stream == "governance").order_by(col(LedgerEvent.seq))
        ).all()
    assert events[-3:] == ["stop_engaged", "stop_engaged", "stop_released"]


def test_stops_are_shown_as_far_as_the_caller_may_see(service: Service) -> None:
    approved(service)
    for stop in (Stop(site_id="S3"), Stop(origin="S3", destination="S2"), Stop(sku_class="frozen"), Stop(site_id="S1")):
        stopped(service, stop, "a leak at S3")
    near = person("nora", Role.OPERATOR, sites=frozenset(("S2",)))
    with service.database.transaction() as session:
        everything, part = stop_views(session, OTTO), stop_views(session, near)
        waiting = held_views(session, near, held_orders(session, near))
    assert len(everything) == 4
    assert everything[0].waiting == 2
    shown = [(view.words, view.origin, view.reason) for view in part]
    assert shown == [
        ("frozen SKUs", None, f"a leak at {ELSEWHERE}"),
        (f"everything from {ELSEWHERE} to S2", ELSEWHERE, f"a leak at {ELSEWHERE}"),
    ]
    assert {row.stopped for row in waiting} == {f"everything from or to {ELSEWHERE}"}
    assert {(row.order.origin, row.order.destination) for row in waiting} == {(ELSEWHERE, "S2")}


@dataclass
class Erp:
    """An `ErpPort` that notes the instant each request starts, and never has an answer: the fate of an order is not looked at."""

    started: dict[str, float] = field(default_factory=dict)

    def find(self, reference: str) -> ErpTransfer | None:
        del reference
        return None

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        self.started[content.reference] = time.monotonic()
        raise ErpUncertainError("nobody answers")

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        raise AssertionError(reference)

    def list_transfers(self, since: datetime) -> list[ErpTransfer]:
        raise AssertionError(since)


@pytest.fixture
def race_track(service: Service) -> tuple[Service, list[UUID]]:
    """Orders of one approved line, as many as there are races, each of them out of the way until its race."""
    settle_in(service, NETWORK)
    scan(service)
    (request,) = waiting(service)
    approve(service, request)
    with service.database.transaction() as session:
        row = session.exec(select(TransferOrder).where(TransferOrder.sku_id == "P1")).one()
        names = [each.name for each in TransferOrder.__table__.columns]  # type: ignore[attr-defined]
        same = ", ".join(name for name in names if name not in ("transfer_id", "state"))
        made = session.connection().execute(
            text(
                f"insert into transfer_order (transfer_id, state, {same}) select gen_random_uuid(), 'closed', {same}"
                " from transfer_order, generate_series(1, :races) where transfer_id = :id returning transfer_id"
            ),
            {"races": RACES, "id": row.transfer_id},
        )
        fresh = [each[0] for each in made]
        session.connection().execute(text("update transfer_order set state = 'closed' where state = 'released'"))
    return service, fresh


@EMPTY
def test_in_1000_races_no_post_starts_after_a_stop_that_holds_it(race_track: tuple[Service, list[UUID]]) -> None:
    service, fresh = race_track
    erp, luck = Erp(), random.Random(5)
    carrier = Carrier(OrderBooks(service.database), erp, 60.0)
    late: list[str] = []
    outcomes: Counter[str] = Counter()
    with capture_logs(), ThreadPoolExecutor(POSTS_PER_STOP) as pool:
        for number in range(RACES // POSTS_PER_STOP):
            racing = fresh[number * POSTS_PER_STOP :][:POSTS_PER_STOP]
            stop, together = SCOPES[number % len(SCOPES)], threading.Barrier(1 + POSTS_PER_STOP)
            _to_the_start(service.database, racing)
            posts = [pool.submit(_post, carrier, transfer_id, together) for transfer_id in racing]
            together.wait()
            time.sleep(luck.uniform(0.0, 0.03))
            with service.database.transaction() as session:
                engage(session, ADA, "a drill", stop)
            engaged = time.monotonic()
            results = [post.result() for post in posts]
            outcomes.update(results)
            late += [f"{stop.words}: {each}" for each in racing if erp.started.get(str(each), 0.0) > engaged]
            late += [
                str(each)
                for each, end in zip(racing, results, strict=True)
                if end == STOPPED and str(each) in erp.started
            ]
    assert late == []
    assert outcomes.keys() == {STOPPED, UNCERTAIN}, "now the one was faster and now the other"
    assert outcomes.total() == RACES


@EMPTY
def test_a_post_that_waits_for_its_turn_with_a_busy_erp_is_held_and_the_stop_does_not_wait_for_it(
    race_track: tuple[Service, list[UUID]],
) -> None:
    service, fresh = race_track
    erp = Erp()
    busy = LimitedErp(erp, Limits(per_second_max=1.0))
    carrier = Carrier(OrderBooks(service.database), busy, 60.0, busy.turn)
    _to_the_start(service.database, fresh[:1])
    with ThreadPoolExecutor(1) as pool:
        post = pool.submit(carrier.post, fresh[0])
        time.sleep(0.4)  # `find` has had its turn, and the next one is due a second later
        begun = time.monotonic()
        with service.database.transaction() as session:
            engage(session, ADA, "a drill", Stop())
        took = time.monotonic() - begun
        assert post.result() == STOPPED
    assert erp.started == {}
    assert took * 1000 < POSTS_MS_MAX, "a turn is no reason to wait"


@EMPTY
def test_a_request_that_takes_too_long_to_begin_is_announced_anew_and_in_the_end_not_made(
    race_track: tuple[Service, list[UUID]],
) -> None:
    service, fresh = race_track
    erp, late = Erp(), BEGIN_SECONDS_MAX + 0.01
    moments = [moment for begun in range(10, 16) for moment in (begun, begun + late)] + [20.0, 20.5]
    seconds = iter(moments)
    carrier = Carrier(OrderBooks(service.database), erp, 60.0, clock=lambda: next(seconds))
    _to_the_start(service.database, fresh[:1])
    assert carrier.post(fresh[0]) == UNCERTAIN
    assert (erp.started, next(seconds)) == ({}, 15)
    next(seconds)
    assert carrier.post(fresh[0]) == UNCERTAIN
    assert erp.started.keys() == {str(fresh[0])}


@EMPTY
def test_whoever_announces_anew_stands_behind_a_stop_that_is_being_engaged(
    race_track: tuple[Service, list[UUID]],
) -> None:
    service, fresh = race_track
    erp, slow = Erp(), threading.Event()
    _to_the_start(service.database, fresh[:1])
    readings = iter((0.0, None, 10.0, 10.0))  # between the first two a stop is engaged, as far as that can be

    def clock() -> float:
        reading = next(readings)
        if reading is None:
            slow.set()
            time.sleep(0.3)
            return 9.0
        return reading

    carrier = Carrier(OrderBooks(service.database), erp, 60.0, clock=clock)
    with ThreadPoolExecutor(1) as pool:
        post = pool.submit(carrier.post, fresh[0])
        assert slow.wait(10)
        begun = time.monotonic()
        with service.database.transaction() as session:
            engage(session, ADA, "a drill", Stop())
        took = time.monotonic() - begun
        assert post.result() == STOPPED
    assert erp.started == {}
    assert took * 1000 < POSTS_MS_MAX, "the post gave its place away"


def test_a_stop_does_not_wait_for_a_decision_of_a_frozen_process_and_that_is_not_recorded(
    service: Service, elsewhere: Database
) -> None:
    request = submitted(service)
    with ThreadPoolExecutor(1) as pool, pytest.raises(OperationalError), elsewhere.transaction() as frozen:
        decide(frozen, ADA, request.approval_id, Verdict.APPROVE, request.plan_digest)
        with capture_logs() as logs:
            pool.submit(stopped, service, Stop()).result(timeout=10)
        assert [(each["event"], each["ended"]) for each in logs] == [("stood_in_the_way", True)]
    assert (orders(service), [row.approval_id for row in waiting(service)]) == ([], [request.approval_id])
    with pytest.raises(ConflictError, match="kill switch is engaged"):
        approve(service, request)
    assert verify(service.database).verified


def test_a_stop_does_not_wait_for_an_order_that_a_frozen_process_has_locked(
    service: Service, elsewhere: Database
) -> None:
    order, *_ = approved(service)
    with ThreadPoolExecutor(1) as pool, pytest.raises(OperationalError), elsewhere.transaction() as frozen:
        get_order(frozen, order.transfer_id, lock=True)
        pool.submit(stopped, service, Stop()).result(timeout=10)
    assert {each.held_by is not None for each in orders(service)} == {True}


def test_a_stop_waits_for_a_process_that_says_something_in_any_session_and_another_change_waits_for_everybody(
    service: Service, elsewhere: Database
) -> None:
    request = submitted(service)
    with ThreadPoolExecutor(1) as pool:
        with elsewhere.transaction() as busy:
            decide(busy, ADA, request.approval_id, Verdict.APPROVE, request.plan_digest)
            stop = pool.submit(stopped, service, Stop())
            for _ in range(15):
                time.sleep(STILL_SECONDS / 5)
                with elsewhere.engine.connect() as another:
                    another.execute(text("select 1"))
            assert not stop.done()
        stop_id = stop.result(timeout=10)
        with elsewhere.transaction() as thinking:
            stops_in_force(thinking, share=True)
            release = pool.submit(released, service, stop_id)
            time.sleep(2 * STILL_SECONDS)
            assert not release.done()
        release.result(timeout=10)
    assert len(orders(service)) == request.lines


def test_a_stop_waits_for_a_decision_of_its_own_process_however_long_that_thinks(service: Service) -> None:
    request = submitted(service)
    with ThreadPoolExecutor(1) as pool:
        with service.database.transaction() as thinking:
            decide(thinking, ADA, request.approval_id, Verdict.APPROVE, request.plan_digest)
            stop = pool.submit(stopped, service, Stop())
            time.sleep(3 * STILL_SECONDS)
            assert not stop.done()
        stop.result(timeout=10)
    assert {each.held_by is not None for each in orders(service)} == {True}


def _post(carrier: Carrier, transfer_id: UUID, together: threading.Barrier) -> str:
    together.wait()
    return carrier.post(transfer_id)


def _to_the_start(database: Database, racing: list[UUID]) -> None:
    """The stop of the race before is over, and these orders wait to be posted."""
    with database.engine.begin() as connection:
        connection.execute(text("update stop set released_at = now() where released_at is null"))
        connection.execute(text("update transfer_order set state = 'closed', held_by = null where state <> 'closed'"))
        connection.execute(
            text("update transfer_order set state = 'released' where transfer_id = any(:racing)"), {"racing": racing}
        )
