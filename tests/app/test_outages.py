"""PostgreSQL restarted, Valkey killed, the vendor gone, each during a run: nothing lost, nothing twice, and people are told."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, func, select

from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.erp.simulated import Faults, SimulatedErp
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.plans.tables import PlanRow
from app.service import Service, open_service, running
from app.settings import Settings
from app.threads.runs import open_thread, say, start_scan
from app.threads.tables import Door as ThreadDoor
from app.threads.tables import Run, RunStatus
from tests.app.web.door import Door, door_to, welcome
from tests.app.web.test_events import Event, parsed
from tests.installation import PAULA, approve, orders, run_is_over, until, waiting
from tests.vendor import CONFIGURED, Vendor, calls, fails, says
from tools.execution import OrderState
from tools.ports import ErpTransfer, Refused, TransferContent
from tools.transfers import PlanRequest


class Place:
    """Servers of our own, which may be killed."""

    def __init__(self, root: Path) -> None:
        self.postgres, self.valkey = EmbeddedPostgres(root), EmbeddedValkey(root)
        self.root = root

    def enter(self) -> None:
        """Start what does not run."""
        self.postgres.enter()
        self.valkey.enter()

    def leave(self) -> None:
        """Stop both."""
        self.valkey.leave()
        self.postgres.leave()

    def restart_postgres(self) -> None:
        """Stop it as a power cut would, and start it again: it recovers from its log."""
        self.postgres._pg_ctl("stop", "-w", "-m", "immediate")
        self.postgres.enter()

    def kill_valkey(self) -> None:
        """End it without a warning, and wait until it is gone."""
        os.kill(int((self.root / "valkey" / "valkey.pid").read_text()), signal.SIGKILL)
        until("Valkey to be gone", lambda: not self.valkey._answers())


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="evenkeel-outages-"))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        opened = Place(root)
        stack.callback(opened.leave)
        opened.enter()
        yield opened


@pytest.fixture(scope="module")
def erp(place: Place) -> SimulatedErp:
    """It makes a second transfer of a reference it has seen before: only asking first keeps it from that."""
    return Interrupting(place.root / "erp")


@pytest.fixture(scope="module")
def opened(place: Place, erp: SimulatedErp) -> Iterator[Door]:
    """A service with people on servers that may be killed, and a door to it."""
    settings = Settings(data=place.root, erp_retry_seconds=0.02).model_copy(
        update=CONFIGURED | {"database_url": None, "redis_url": None}
    )
    with open_service(settings, erp=erp) as service:
        yield door_to(service, welcome(service))


@pytest.fixture
def door(opened: Door, place: Place) -> Door:
    """The door, with every server up."""
    place.enter()
    return opened


class Interrupting(SimulatedErp):
    """Does something else when it is first asked to make a transfer."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, Faults(idempotent=False))
        self.interrupt: Callable[[], None] | None = None

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """What it does is done first."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            interrupt()
        return super().create(content)


def spoken_to(service: Service) -> Run:
    """A run that nobody drives yet."""
    with service.database.transaction() as session:
        thread = open_thread(session, PAULA, ThreadDoor.CHAT, "")
        return say(session, PAULA, thread.thread_id, "Where are we short?")


def scanned(service: Service) -> Run:
    """A scan that nobody drives yet."""
    with service.database.transaction() as session:
        return start_scan(session, PAULA, PlanRequest())[0]


def seen_by_a_watcher(door: Door, run: Run) -> list[Event]:
    """Everything that is told over HTTP of a run, up to its end."""
    answer = door.get(f"/v1/runs/{run.run_id}/events", "paula")
    return list(parsed(iter(answer.text.split("\n"))))


def over(service: Service, run: Run) -> bool:
    """Whether a run has ended. While the database is away nobody can say so."""
    try:
        return run_is_over(service, run.run_id)
    except OperationalError:
        return False


def row_of(service: Service, run: Run) -> Run:
    with Session(service.database.engine) as session:
        return session.get_one(Run, run.run_id)


def test_a_conversation_goes_on_where_it_was_when_postgres_is_restarted_under_it(
    door: Door, place: Place, vendor: Vendor
) -> None:
    answers = iter((calls(("find_imbalances", {})), says("I have looked at it."), says("I have looked at it.")))
    asked = 0

    def answer() -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            place.restart_postgres()
        return next(answers)

    vendor.always = answer
    run = spoken_to(door.service)
    with ThreadPoolExecutor(1) as pool, running(door.service):
        watcher = pool.submit(seen_by_a_watcher, door, run)
        until("the run", lambda: over(door.service, run))
        events = watcher.result(30)
    assert row_of(door.service, run).status is RunStatus.DONE
    kinds = [event.kind for event in events]
    assert kinds.index("interrupted") < kinds.index("resumed") < kinds.index("done") == len(kinds) - 1
    assert "the database does not answer" in events[kinds.index("interrupted")].data["detail"]
    messages = door.service.driver.state(run.thread_id).values["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"], "each step once"


def test_a_scan_puts_its_plan_into_the_queue_once_though_postgres_is_restarted_under_it(
    door: Door, place: Place
) -> None:
    service = door.service
    run = scanned(service)
    with running(service):
        until("the run to begin", lambda: bool(service.stream.read(run.run_id, "0")))
        place.restart_postgres()
        until("the run", lambda: over(service, run))
    assert row_of(service, run).status is RunStatus.WAITING
    (request,) = waiting(service)
    assert UUID(request.thread_id or "") == run.thread_id
    with service.database.transaction() as session:
        assert session.exec(select(func.count()).select_from(PlanRow)).one() == 1
        proposed = select(func.count()).where(LedgerEvent.type == EventType.PLAN_PROPOSED)
        assert session.exec(proposed).one() == 1
    assert [event.kind for event in seen_by_a_watcher(door, run)].count("done") == 1


def test_what_was_approved_is_posted_once_and_told_though_postgres_is_restarted_while_the_erp_is_asked(
    door: Door, place: Place, erp: Interrupting
) -> None:
    service = door.service
    if not waiting(service):
        service.driver.run(scanned(service).run_id)
    (request,) = waiting(service)
    erp.interrupt = place.restart_postgres

    def shipped() -> bool:
        try:
            return {order.state for order in orders(service, request)} == {OrderState.SHIPPED}
        except OperationalError:
            return False

    with running(service):
        approve(service, request)
        until("the orders", shipped)
        until("the thread", lambda: not service.driver.state(UUID(request.thread_id or "")).tasks)
    assert erp.interrupt is None
    assert erp.applied() == {str(order.transfer_id): 1 for order in orders(service, request)}
    assert verify(service.database).verified
    assert "approved by ada" in service.driver.last_words(UUID(request.thread_id or ""))


def test_a_run_ends_and_its_watcher_hears_of_it_though_valkey_is_killed_under_it(
    door: Door, place: Place, vendor: Vendor
) -> None:
    asked, watched = threading.Event(), threading.Event()

    def answer() -> httpx.Response:
        if asked.is_set():
            return says("I have looked at it.")
        asked.set()
        assert watched.wait(30)
        place.kill_valkey()
        return calls(("find_imbalances", {}))

    vendor.always = answer
    run = spoken_to(door.service)
    with ThreadPoolExecutor(1) as pool, running(door.service):
        watcher = pool.submit(seen_by_a_watcher, door, run)
        assert asked.wait(30)
        watched.set()
        until("the run", lambda: over(door.service, run))
        events = watcher.result(30)
    assert row_of(door.service, run).status is RunStatus.DONE
    assert events[-1] == Event("", "done", {"status": "done", "error": None, "words": "I have looked at it."})
    ready = door.get("/readyz").json()
    assert (ready["ready"], ready["parts"]["redis"]) == (
        True,
        "does not answer; runs cannot be watched, everything else works",
    )


def test_a_run_is_answered_by_the_baseline_and_says_so_when_the_vendor_goes_away_in_the_middle(
    door: Door, vendor: Vendor
) -> None:
    vendor.will(calls(("find_imbalances", {})), fails(503), fails(503))
    run = spoken_to(door.service)
    with running(door.service):
        until("the run", lambda: over(door.service, run))
    shown = door.get(f"/v1/runs/{run.run_id}", "paula").json()
    assert shown["status"] == "done"
    assert shown["words"]
    events = seen_by_a_watcher(door, run)
    (notice,) = [event.data["detail"] for event in events if event.kind == "notice"]
    assert "cannot be reached (HTTP status 503); the built-in baseline answers." in notice
    assert [event.kind for event in events].count("done") == 1
