"""The runner: one process carries out durable work at a time, another takes over, and every ERP answer has its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError
from starlette.testclient import TestClient

from app.approvals.decisions import decide
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.durable.enqueue import CARRY_ORDER, ORDER_QUEUE, enqueue
from app.durable.runner import EXECUTOR_ID, Runner, pending_of_other_versions, runner_alive
from app.durable.runner_lock import LOCK_KEY, RunnerLock
from app.durable.workflows import TICK, TIDYING, _forget_old_ticks
from app.erp.simulated import Faults, SimulatedErp
from app.governance.switch import engage, release
from app.ledger.verify import verify
from app.orders.validating import validate
from app.service import Service, running
from app.web.main import create_app
from tests.builders import a_sku
from tests.installation import (
    ADA,
    OTTO,
    a_network,
    approve,
    balances,
    orders,
    scan,
    settle_in,
    submitted,
    until,
    waiting,
)
from tests.shell import serving
from tools.execution import OrderState
from tools.moves import available, reserved
from tools.ports import ErpTransfer, ErpUncertainError, Refused, TransferContent
from tools.transfers import Verdict


def states(service: Service) -> set[OrderState]:
    return {order.state for order in orders(service)}


def works(service: Service) -> dict[str, str]:
    """The status of every workflow by id."""
    with service.database.engine.connect() as connection:
        rows = connection.execute(text("select workflow_uuid, status from dbos.workflow_status"))
        return {row.workflow_uuid: row.status for row in rows}


def at_rest(service: Service) -> bool:
    """Whether no workflow waits or runs."""
    return not {"PENDING", "ENQUEUED", "DELAYED"} & set(works(service).values())


def break_connections(service: Service) -> None:
    """What a restart of the database does to everybody who is connected."""
    with service.database.engine.connect() as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        )


def parts(service: Service) -> dict[str, str]:
    """What /readyz says of each part."""
    found: dict[str, str] = TestClient(create_app(service)).get("/readyz").json()["parts"]
    return found


def test_only_one_is_the_runner_and_the_next_takes_over_when_it_stops(service: Service) -> None:
    first, second = Runner(service.database, service, 2), Runner(service.database, service, 2)
    assert parts(service)["runner"] == "nobody carries out durable work"
    first.start_when_free()
    second.start_when_free()
    assert (first.running, second.running) == (True, False)
    assert parts(service)["runner"] == "ok"
    first.stop()
    until("the second to take over", lambda: second.running)
    second.stop()
    assert not runner_alive(service.database)


def test_when_the_runner_dies_another_process_takes_over_and_carries_out_what_was_decided(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    service = open_with(erp=SimulatedErp(tmp_path / "erp"))
    request = submitted(service)
    database_url, redis_url = service.settings.database_url, service.settings.redis_url
    assert database_url is not None
    assert redis_url is not None
    addresses = {"DATABASE_URL": database_url.get_secret_value(), "REDIS_URL": redis_url.get_secret_value()}
    with serving(**addresses) as other, running(service) as runner:
        assert not runner.running
        other.kill()
        approve(service, request)
        until("the orders", lambda: states(service) == {OrderState.SHIPPED})
        assert runner.running


@contextmanager
def next_in_line(service: Service) -> Iterator[threading.Event]:
    """Somebody else who waits for the runner's lock, and holds it until the event is set."""
    done, waits = threading.Event(), threading.Event()

    def hold() -> None:
        with service.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()
            waits.set()
            connection.execute(text("select pg_advisory_lock(:key)"), {"key": LOCK_KEY})
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    waits.wait()
    yield done
    done.set()
    holder.join()


def _waits_for_lock(service: Service) -> bool:
    with service.database.engine.connect() as connection:
        query = text("select exists (select 1 from pg_locks where locktype = 'advisory' and not granted)")
        return bool(connection.execute(query).scalar_one())


def test_a_runner_that_lost_its_lock_to_another_steps_down_until_it_is_free(service: Service) -> None:
    with running(service) as runner, next_in_line(service) as done:
        until("somebody to stand in line", lambda: _waits_for_lock(service))
        with service.database.engine.connect() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
                    " and ((classid::bigint << 32) | objid::bigint) = :key"
                    " and database = (select oid from pg_database where datname = current_database())"
                ),
                {"key": LOCK_KEY},
            )
        until("the runner to step down", lambda: not runner.running)
        assert not runner.running, "another holds the lock"
        done.set()
        until("the runner to be it again", lambda: runner.running)
        assert runner.running


def test_work_that_was_taken_from_its_queue_and_never_begun_is_put_back(service: Service) -> None:
    request = submitted(service)
    never_begun = text(
        "update dbos.workflow_status set status = 'PENDING', executor_id = :executor, updated_at = 1"
        " where status = 'ENQUEUED'"
    )
    with running(service):
        with service.database.transaction() as session:
            decide(session, ADA, request.approval_id, Verdict.APPROVE, request.plan_digest)
            session.connection().execute(never_begun, {"executor": EXECUTOR_ID})
        until("rest", lambda: at_rest(service))
    assert states(service) == {OrderState.SHIPPED}
    assert verify(service.database).verified


def test_work_is_put_back_although_a_frozen_process_holds_what_came_before_it(service: Service) -> None:
    taken = text("""
        update dbos.workflow_status set status = 'PENDING', executor_id = :executor, queue_name = :queue,
        updated_at = extract(epoch from clock_timestamp()) * 1000 where workflow_uuid = any(:ids)
    """)
    status = text("select status from dbos.workflow_status where workflow_uuid = :id")
    with running(service), service.database.engine.connect() as frozen, service.database.engine.connect() as looking:
        approve(service, submitted(service))
        until("rest", lambda: at_rest(service))
        first, second, *_ = sorted(name for name in works(service) if name.startswith("order:"))
        looking.execute(text("update dbos.workflow_status set created_at = 1 where workflow_uuid = :id"), {"id": first})
        looking.execute(taken, {"executor": EXECUTOR_ID, "queue": ORDER_QUEUE, "ids": [first, second]})
        looking.commit()
        frozen.execute(text("select 1 from dbos.workflow_status where workflow_uuid = :id for update"), {"id": first})

        def is_through() -> bool:
            looking.rollback()
            return looking.execute(status, {"id": second}).scalar_one() == "SUCCESS"

        until("the second to be through", is_through, 30)
        assert looking.execute(status, {"id": first}).scalar_one() == "PENDING"
        frozen.rollback()
        until("rest", lambda: at_rest(service))
    assert states(service) == {OrderState.SHIPPED}
    assert verify(service.database).verified


def test_after_every_connection_broke_the_runner_is_the_runner_again_and_its_work_goes_on(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    class Interrupted(SimulatedErp):
        """The database is restarted while the ERP is asked for the first time."""

        broken = False

        def create(self, content: TransferContent) -> ErpTransfer | Refused:
            if not self.broken:
                self.broken = True
                break_connections(service)
            return super().create(content)

    def shipped() -> bool:
        try:
            return states(service) == {OrderState.SHIPPED}
        except OperationalError:  # the question itself was interrupted
            return False

    erp = Interrupted(tmp_path / "erp", Faults(idempotent=False))
    service = open_with(erp=erp)
    request = submitted(service)
    with running(service) as runner:
        approve(service, request)
        until("the orders", shipped)
        until("the lock to be held again", lambda: runner_alive(service.database))
        assert runner.running
    assert "approved by ada" in service.driver.last_words(UUID(request.thread_id or ""))
    assert erp.broken
    assert erp.applied() == {str(order.transfer_id): 1 for order in orders(service)}
    assert verify(service.database).verified


class _Moody(SimulatedErp):
    """An ERP that treats every SKU in a way of its own."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.skus: dict[str, str] = {}
        self._raised: set[str] = set()

    def find(self, reference: str) -> ErpTransfer | None:
        sku = self.skus[reference]
        if sku == "SILENT":
            raise ErpUncertainError("timed out")
        if sku == "BROKEN" or (sku == "ODD-ONCE" and reference not in self._raised):
            self._raised.add(reference)
            raise KeyError("picking_type_id")  # nothing that anybody expects of an ERP
        return super().find(reference)

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        if content.sku_id == "UNWANTED":
            return Refused("no dock is free")
        made = super().create(content)
        if content.sku_id == "CANCELLED":
            self.cancel(content.reference)
        return made


ENDS = {
    "GOOD": OrderState.SHIPPED,
    "ODD-ONCE": OrderState.SHIPPED,
    "UNWANTED": OrderState.REFUSED,
    "CANCELLED": OrderState.CANCELLED,
    "SILENT": OrderState.RELEASED,
    "BROKEN": OrderState.RELEASED,
}


def test_every_answer_of_the_erp_leads_to_an_end_and_only_doubt_keeps_units_reserved(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    stock = {(site, sku): units for sku in ENDS for site, units in (("S1", 200), ("S2", 2), ("S3", 45))}
    erp = _Moody(tmp_path / "erp")
    service = open_with(erp=erp, settings={"erp_attempts_max": 3})
    settle_in(service, a_network(stock, dict.fromkeys(stock, 3.0), skus=tuple(map(a_sku, sorted(ENDS)))))
    scan(service)
    approve(service, waiting(service)[0])
    erp.skus = {str(order.transfer_id): order.sku_id for order in orders(service)}
    with running(service):
        until("every order to end", lambda: {o.sku_id: o.state for o in orders(service)} == ENDS, 60)
        until("the workflows to end", lambda: at_rest(service))
    assert set(works(service).values()) == {"SUCCESS"}
    with service.database.transaction() as session:
        held = balances(session)
    for order in orders(service):
        in_doubt = ENDS[order.sku_id] is OrderState.RELEASED
        assert order.reserved is in_doubt
        assert held.get((reserved("S1"), order.sku_id), 0) == (order.units if in_doubt else 0)
        came_back = ENDS[order.sku_id] in (OrderState.REFUSED, OrderState.CANCELLED)
        assert held[available("S1"), order.sku_id] == 200 - (0 if came_back else order.units)
        if in_doubt:
            assert order.attention == "the ERP gave no certain answer in 3 attempts"
    assert verify(service.database).verified


def test_a_database_that_is_away_before_the_erp_is_asked_is_no_doubt_about_the_erp(
    open_with: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, asks = threading.Event(), RunnerLock.holds

    def holds(lock: RunnerLock) -> bool:
        if away.is_set():
            raise OperationalError("select 1", {}, Exception("the database is away"))
        return asks(lock)

    class Leaving(SimulatedErp):
        """The database goes away while the ERP is asked for the first time, as far as the lock is concerned."""

        def create(self, content: TransferContent) -> ErpTransfer | Refused:
            if self.calls("create") == 0:
                away.set()
                threading.Timer(1.0, away.clear).start()
            return super().create(content)

    monkeypatch.setattr(RunnerLock, "holds", holds)
    service = open_with(erp=Leaving(tmp_path / "erp"), settings={"workers": 1, "erp_attempts_max": 2})
    request = submitted(service)
    with running(service):
        approve(service, request)
        until("the orders", lambda: states(service) == {OrderState.SHIPPED})
        until("rest", lambda: at_rest(service))
    with service.database.transaction() as session:
        noted = text("select count(*) from ledger_event where type = 'transfer_needs_attention'")
        assert session.connection().execute(noted).scalar_one() == 0
    assert {order.attention for order in orders(service)} == {None}
    assert not away.is_set()


def test_after_the_kill_switch_no_post_starts_until_its_release_and_a_validation(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = SimulatedErp(tmp_path / "erp")
    service = open_with(erp=erp)
    request = submitted(service)
    approve(service, request)
    with service.database.transaction() as session:
        engage(session, OTTO, "the ERP is being upgraded")
    with running(service):
        until("the work to stop", lambda: len(works(service)) == 2 + request.lines and at_rest(service))
        assert (erp.calls("find"), erp.calls("create")) == (0, 0)
        assert states(service) == {OrderState.RELEASED}
        assert all(order.reserved for order in orders(service))
        with service.database.transaction() as session:
            release(session, OTTO, "it is done")
        validate(service.database, OTTO, None, "nothing has changed")
        until("the orders", lambda: states(service) == {OrderState.SHIPPED})
    assert erp.calls("create") == request.lines


def test_a_kill_switch_engaged_while_an_order_is_asked_for_lets_that_one_end_and_no_other_start(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    class Stopping(SimulatedErp):
        """Somebody engages the kill switch while the ERP is asked for the first time."""

        def create(self, content: TransferContent) -> ErpTransfer | Refused:
            if self.calls("create") == 0:
                with service.database.transaction() as session:
                    engage(session, OTTO, "this looks wrong")
            return super().create(content)

    erp = Stopping(tmp_path / "erp")
    service = open_with(erp=erp, settings={"workers": 1})
    request = submitted(service)
    with running(service):
        approve(service, request)
        until("the work to stop", lambda: len(works(service)) == 2 + request.lines and at_rest(service))
    assert sorted(order.state for order in orders(service)) == [OrderState.RELEASED, OrderState.SHIPPED]
    assert erp.calls("create") == 1


def test_work_of_another_version_is_left_alone_and_an_operator_is_told(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    assert parts(service)["other_versions"] == "ok"
    with service.database.engine.begin() as connection:
        connection.execute(text("update dbos.workflow_status set application_version = '0'"))
    stranded = pending_of_other_versions(service.database)
    assert f"resume:{request.approval_id}" in stranded
    assert parts(service)["other_versions"] == f"{len(stranded)} workflows of another version wait for ever"
    with running(service):
        with service.database.transaction() as session:
            enqueue(session, CARRY_ORDER, "of-this-version", str(orders(service)[0].transfer_id))
        until("work of this version", lambda: works(service)["of-this-version"] == "SUCCESS")
    assert pending_of_other_versions(service.database) == stranded


def test_work_is_enqueued_with_its_transaction_or_not_at_all(service: Service) -> None:
    with pytest.raises(RuntimeError), service.database.transaction() as session:
        enqueue(session, CARRY_ORDER, "order:1", str(uuid4()))
        raise RuntimeError("the decision failed")
    assert works(service) == {}
    for _ in range(3):
        with service.database.transaction() as session:
            enqueue(session, CARRY_ORDER, "order:1", str(uuid4()))
    assert works(service) == {"order:1": "ENQUEUED"}


def test_the_tick_closes_requests_whose_time_is_over(service: Service) -> None:
    request = submitted(service)
    service.tick()
    assert [row.approval_id for row in waiting(service)] == [request.approval_id]
    with service.database.transaction() as session:
        row = session.get_one(ApprovalRequest, request.approval_id)
        row.expires_at = row.requested_at
    service.tick()
    with service.database.transaction() as session:
        assert session.get_one(ApprovalRequest, request.approval_id).status is ApprovalStatus.EXPIRED


def test_what_fails_in_a_tick_keeps_nothing_else_from_being_done_and_is_raised(service: Service) -> None:
    request = submitted(service)
    with service.database.transaction() as session:
        row = session.get_one(ApprovalRequest, request.approval_id)
        row.expires_at = row.requested_at
        session.connection().execute(text("alter table run rename to run_away"))
    with pytest.raises(ExceptionGroup, match="every minute") as raised:
        service.tick()
    assert raised.group_contains(ProgrammingError)
    with service.database.transaction() as session:
        assert session.get_one(ApprovalRequest, request.approval_id).status is ApprovalStatus.EXPIRED
        assert session.connection().execute(text("select count(*) from ledger_checkpoint")).scalar_one() == 1
        session.connection().execute(text("alter table run_away rename to run"))


def test_the_runner_has_a_tick_every_minute_tidies_every_hour_and_forgets_those_of_yesterday(service: Service) -> None:
    with running(service):
        with service.database.engine.begin() as connection:
            rows: Any = connection.execute(text("select schedule_name, schedule from dbos.workflow_schedules"))
            assert {tuple(row) for row in rows} == {(TICK, "0 * * * * *"), (TIDYING, "0 17 * * * *")}
            for name, days in (("old", 2), ("new", 0)):
                connection.execute(
                    text(
                        "insert into dbos.workflow_status (workflow_uuid, status, name, created_at, updated_at)"
                        " select :id, 'SUCCESS', :tick, at, at"
                        " from (select (extract(epoch from now()) - :days * 86400) * 1000 as at) moment"
                    ),
                    {"id": name, "tick": TICK, "days": days},
                )
        _forget_old_ticks()
    assert {"old", "new"} & set(works(service)) == {"new"}
