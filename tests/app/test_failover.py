"""A runner that is taken for dead and comes back: another process takes over at once, and each transfer is made once.

What is promised, exactly. While the lost process still has its conversation's database
session, nobody else asks the ERP about that transfer: one effect, whatever the ERP is
like. Once it has lost that session too, nothing on our side can hold back a request that
is on its way: then both ask under the same permanent `Idempotency-Key`, and one effect is
what an ERP that honours the key (the contract of docs/erp.md) makes of them. Whoever takes
over from a runner that is frozen ends that session, as nobody knows whether it ever wakes.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from sqlalchemy import text

from app.durable import runner_lock
from app.durable.runner import Runner
from app.durable.runner_lock import LOCK_KEY
from app.erp.calling import Caller
from app.erp.counterparts import Counterparts
from app.erp.rest import RestErp
from app.ledger.verify import verify
from app.orders.tables import TransferOrder
from app.outbound import Outbound
from app.service import Service, running
from tests.crash.bad_days import KEY, Erp, World, listening
from tests.installation import approve, orders, submitted, until
from tests.shell import Serving, serving
from tools.execution import OrderState

TAKE_OVER_SECONDS_MAX = 60.0
WORLD = "failover"


class Door:
    """Holds the first request for a transfer at the ERP's door, until somebody lets it in."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self.held: str | None = None
        self._lock = threading.Lock()

    def __call__(self, method: str, body: dict[str, str] | None) -> None:
        with self._lock:
            first = method == "POST" and self.held is None
            if first and body is not None:
                self.held = body["reference"]
        if first:
            self.reached.set()
            assert self.open.wait(120)


class Cut:
    """A service in a process of its own that is stopped in the middle of asking the ERP, and this one, which stands by."""

    def __init__(self, service: Service, runner: Runner, other: Serving, door: Door, world: World) -> None:
        self.service, self.door, self.world, self._runner = service, door, world, runner
        self._other = psutil.Process(other.process.pid)

    def stop(self, *, at_once: bool = False) -> None:
        """The other process is frozen, as by a hypervisor or a full machine. Its sessions live on.

        Unless it is frozen at once it has nothing else to do by then, so no other lock of its own is left lying about.
        """
        if not at_once:
            until("the other transfers", self.others_are_shipped)
        self._other.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It wakes, knows of nothing, and what it had sent arrives."""
        self.door.open.set()
        self._other.send_signal(signal.SIGCONT)

    def end_session(self, key: int) -> None:
        """The database gives a session of the other process up: the one that holds this lock."""
        with self.service.database.engine.connect() as connection:
            connection.execute(
                text("""
                    select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
                    and database = (select oid from pg_database where datname = current_database())
                    and ((classid::bigint << 32) | objid::bigint) = :key
                """),
                {"key": key},
            )

    def end_conversation(self) -> None:
        """It loses the session in which it talks about the transfer at the door."""
        with self.service.database.engine.connect() as connection:
            key = connection.execute(text("select hashtextextended(:id, 0)"), {"id": self.door.held}).scalar_one()
        self.end_session(key)

    def is_replaced(self) -> bool:
        """Whether this process has become the runner."""
        return self._runner.running

    def is_stood_in_line_for(self) -> bool:
        """Whether this process is the runner and waits for the conversation to be free."""
        with self.service.database.engine.connect() as connection:
            query = text("select exists (select 1 from pg_locks where locktype = 'advisory' and not granted)")
            return self._runner.running and bool(connection.execute(query).scalar_one())

    def order(self) -> TransferOrder:
        """The transfer at the door."""
        held = UUID(self.door.held)
        return next(order for order in orders(self.service) if order.transfer_id == held)

    def others_are_shipped(self) -> bool:
        """Whether every other transfer is through."""
        held = UUID(self.door.held)
        states = {order.state for order in orders(self.service) if order.transfer_id != held}
        return states == {OrderState.SHIPPED}


@pytest.fixture
def cut(open_with: Callable[..., Service], tmp_path: Path) -> Callable[..., AbstractContextManager[Cut]]:
    """Two processes on one database and one ERP; the other one is the runner and has just asked for a transfer."""

    @contextmanager
    def opened(*, forgetful: bool, workers: int = 4) -> Iterator[Cut]:
        door, erp = Door(), Erp(tmp_path, None, forgetful=forgetful)
        erp.at_the_door = door
        with listening(erp) as address:
            url = f"{address}/{WORLD}"
            caller = Caller(Outbound(private_hosts=["127.0.0.1"], seconds_max=60.0), url)
            service = open_with(erp=RestErp(caller, KEY, Counterparts()))
            plan = submitted(service)
            settings = service.settings
            assert settings.database_url is not None
            assert settings.redis_url is not None
            environment = {
                "DATABASE_URL": settings.database_url.get_secret_value(),
                "REDIS_URL": settings.redis_url.get_secret_value(), "EVENKEEL_DATA": str(settings.data),
                "EVENKEEL_ERP": "rest", "EVENKEEL_ERP_URL": url, "EVENKEEL_ERP_KEY": KEY,
                "EVENKEEL_ERP_TIMEOUT_SECONDS": "60", "EVENKEEL_ERP_RETRY_SECONDS": "0.05",
                "EVENKEEL_OUTBOUND_PRIVATE_HOSTS": "127.0.0.1", "EVENKEEL_WORKERS": str(workers),
            }  # fmt: skip
            with serving(**environment) as other, running(service) as runner:
                assert not runner.running
                approve(service, plan)
                assert door.reached.wait(60), "the other process does not ask for anything"
                try:
                    yield Cut(service, runner, other, door, erp.world(WORLD))
                finally:
                    door.open.set()
                    psutil.Process(other.process.pid).send_signal(signal.SIGCONT)

    return opened


def test_while_a_frozen_runner_holds_its_conversation_the_next_one_stands_in_line_and_one_effect_needs_no_help_of_the_erp(
    cut: Callable[..., AbstractContextManager[Cut]],
) -> None:
    with cut(forgetful=True) as two:
        two.stop()
        two.end_session(LOCK_KEY)
        until("another to take over and to stand in line", two.is_stood_in_line_for, TAKE_OVER_SECONDS_MAX)
        assert (two.order().state, two.world.effects().get(two.door.held)) == (OrderState.REQUESTED, None)
        two.go_on()
        until("the transfer", lambda: two.order().state is OrderState.SHIPPED)
        time.sleep(1)  # whoever still believes to have to ask does so now
        check(two)


def test_a_frozen_runner_that_lost_everything_and_comes_back_asks_under_the_same_key_and_one_transfer_is_made(
    cut: Callable[..., AbstractContextManager[Cut]],
) -> None:
    with cut(forgetful=False) as two:
        two.stop()
        two.end_session(LOCK_KEY)
        two.end_conversation()
        until("the transfer to be taken over", lambda: two.order().state is OrderState.SHIPPED, TAKE_OVER_SECONDS_MAX)
        two.go_on()
        time.sleep(1)
        check(two)
        assert two.world.keys(two.door.held) == [two.door.held] * 2


def test_a_runner_that_is_frozen_in_the_middle_of_its_work_is_replaced_and_does_nothing_twice_when_it_wakes(
    cut: Callable[..., AbstractContextManager[Cut]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with cut(forgetful=False, workers=1) as two:
        two.stop(at_once=True)
        assert OrderState.RELEASED in {order.state for order in orders(two.service)}, "it has asked for all of them"
        monkeypatch.setattr(runner_lock, "SILENT_SECONDS", 2.0)
        until("this process to take over", two.is_replaced, TAKE_OVER_SECONDS_MAX / 2)
        until("every transfer", lambda: two.others_are_shipped() and two.order().state is OrderState.SHIPPED)
        two.go_on()
        time.sleep(1)
        check(two)
        assert two.is_replaced(), "the one that woke has taken the lock back"
        assert two.world.keys(two.door.held) == [two.door.held] * 2


def check(two: Cut) -> None:
    """Every transfer is made once and posted once, and the books hold."""
    found = orders(two.service)
    assert {order.state for order in found} == {OrderState.SHIPPED}
    assert two.world.effects() == {str(order.transfer_id): 1 for order in found}
    with two.service.database.transaction() as session:
        posted = (
            session.connection()
            .execute(text("select count(*) from ledger_event where type = 'transfer_posted'"))
            .scalar_one()
        )
    assert posted == len(found)
    assert verify(two.service.database).problems == ()
