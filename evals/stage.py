"""The stage: a service on an empty database, a make-believe ERP, and the people of the script."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr
from sqlmodel import select

from app.approvals.decisions import Decided, decide
from app.approvals.requests import queue
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.db.database import database_now
from app.erp.simulated import SimulatedErp
from app.governance.state import active_policy
from app.ledger.tables import Balance
from app.orders.receipts import Report, receive_order
from app.orders.tables import TransferOrder
from app.plans.store import read_negotiation, read_plan, snapshot_now
from app.service import Service, open_service, running
from app.settings import Settings
from app.stock.importing import import_network
from app.stock.ingest import Ingested, ingest
from app.stock.installation import planning_now
from app.threads.runs import open_thread, say, start_scan, threads_of
from app.threads.tables import Door
from evals.databases import Servers
from evals.scenario import Scenario
from policies.limits import quality_rules
from tools.execution import OrderState
from tools.findings import QualityContext
from tools.network_folder import NetworkFolder, write_network
from tools.rejections import Rejection
from tools.signals import SignalData, SignalKind, envelope
from tools.transfers import PlanRequest, TransferPlan, Verdict

WAIT_SECONDS_MAX = 60.0
FOLDER_BYTES_MAX = 1 << 20
UNSETTLED = (OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED)


def person(user_id: str, *roles: Role) -> Principal:
    """Somebody of the script with these roles, who sees everything."""
    return Principal(user_id, user_id.title(), frozenset(roles), None, sees_sensitive=True)


PAULA = person("paula", Role.PLANNER)
ADA = person("ada", Role.APPROVER)
BOB = person("bob", Role.APPROVER)
OTTO = person("otto", Role.OPERATOR)
CAST = (PAULA, ADA, BOB, OTTO)


class NothingWaitsError(LookupError):
    """The script expects a plan in the queue, and there is none."""


@dataclass(frozen=True)
class Stage:
    """One installation on which a scenario is played."""

    servers: Servers
    settings: Settings
    service: Service
    erp: SimulatedErp
    directory: Path
    vendor: BaseChatModel | None

    def set_up(self, network: NetworkFolder) -> None:
        """Import the network, with its own day as today, and register the cast."""
        with self.service.database.transaction() as session:
            import_network(session, write_network(network), SYSTEM, pin=True, size_limit_bytes=FOLDER_BYTES_MAX)
            for each in CAST:
                add_person(session, each, by=SYSTEM)

    def bring_in(self, network: NetworkFolder) -> None:
        """Import a newer folder of the same network."""
        with self.service.database.transaction() as session:
            import_network(session, write_network(network), SYSTEM, pin=True, size_limit_bytes=FOLDER_BYTES_MAX)

    def send(self, kind: SignalKind, signal_id: str, data: SignalData) -> Ingested:
        """Send one signal from the warehouse system."""
        with self.service.database.transaction() as session:
            now, rules = planning_now(session), quality_rules(active_policy(session))
            sent = envelope(kind, "wms", signal_id, now, data)
            return ingest(session, sent, lambda: QualityContext(snapshot_now(session), now, rules), OTTO.user_id)

    def scan(self) -> UUID:
        """Scan the whole network as Paula, up to the pause or the end. Returns the thread."""
        with self.service.database.transaction() as session:
            run, _ = start_scan(session, PAULA, PlanRequest())
        self.service.driver.run(run.run_id)
        return run.thread_id

    def chat(self, *sentences: str) -> str:
        """Say something as Paula, one sentence after the other, in a thread of its own. The last answer."""
        with self.service.database.transaction() as session:
            thread_id = open_thread(session, PAULA, Door.CHAT, "eval").thread_id
        for sentence in sentences:
            with self.service.database.transaction() as session:
                run = say(session, PAULA, thread_id, sentence)
            self.service.driver.run(run.run_id)
        return self.service.driver.last_words(thread_id)

    def notices(self) -> list[str]:
        """What Paula was told about the answers in her newest thread."""
        with self.service.database.transaction() as session:
            newest = threads_of(session, PAULA, limit=1)[0].thread_id
        notices: list[str] = self.service.driver.state(newest).values.get("notices", [])
        return notices

    def words(self, thread_id: UUID) -> str:
        """What the agent said last in a thread."""
        return self.service.driver.last_words(thread_id)

    def waiting(self) -> list[ApprovalRequest]:
        """The requests in the queue."""
        with self.service.database.transaction() as session:
            return queue(session, ADA, [ApprovalStatus.PENDING])

    def next_request(self) -> ApprovalRequest:
        """The first request in the queue, as soon as there is one. Raises NothingWaitsError."""
        try:
            self.until(lambda: bool(self.waiting()))
        except TimeoutError as nothing:
            raise NothingWaitsError("no plan came into the queue") from nothing
        return self.waiting()[0]

    def decide(
        self, request: ApprovalRequest, by: Principal, verdict: Verdict, rejection: Rejection | None = None
    ) -> Decided:
        """Decide on exactly the plan of the request."""
        with self.service.database.transaction() as session:
            return decide(session, by, request.approval_id, verdict, request.plan_digest, rejection)

    def approve(self, request: ApprovalRequest, by: Principal = ADA) -> Decided:
        """Approve it."""
        return self.decide(request, by, Verdict.APPROVE)

    def let_expire(self, request: ApprovalRequest) -> None:
        """Let the time of a request run out: its expiry is set into the past, by the database's clock."""
        with self.service.database.transaction() as session:
            row = session.get_one(ApprovalRequest, request.approval_id)
            row.expires_at = database_now(session) - timedelta(seconds=1)
            session.add(row)

    def plan(self, digest: str) -> TransferPlan:
        """A stored plan."""
        with self.service.database.transaction() as session:
            return read_plan(session, digest)

    def bids(self, digest: str) -> list[dict[str, object]]:
        """The settlements in the negotiation record of a plan."""
        with self.service.database.transaction() as session:
            record = read_negotiation(session, digest) or {}
        return [settlement for round_ in record.get("rounds", []) for settlement in round_["settlements"]]

    def orders(self) -> list[TransferOrder]:
        """Every transfer order."""
        with self.service.database.transaction() as session:
            return list(session.exec(select(TransferOrder)).all())

    def settled(self) -> list[TransferOrder]:
        """Every transfer order, once the ERP has answered for each."""
        self.until(lambda: all(order.state not in UNSETTLED for order in self.orders()))
        return self.orders()

    def receive_all(self) -> None:
        """Have every shipped order received in full by Otto."""
        for order in self.settled():
            if order.state is OrderState.SHIPPED:
                with self.service.database.transaction() as session:
                    receive_order(
                        session, OTTO, order.transfer_id, Report(None, receipt_key=f"dock:{order.transfer_id}")
                    )

    def on_hand(self, site_id: str, sku_id: str) -> int:
        """Units that the ledger says are at a site, reserved ones included."""
        with self.service.database.transaction() as session:
            rows = session.exec(select(Balance).where(Balance.sku_id == sku_id)).all()
        return sum(row.units for row in rows if row.place.startswith(f"site/{site_id}/"))

    def until(self, ready: Callable[[], bool]) -> None:
        """Wait for what happens by itself. Raises TimeoutError."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {WAIT_SECONDS_MAX:.0f} seconds in vain")
            time.sleep(0.02)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Carry out durable work while this lasts."""
        with running(self.service):
            yield


@contextmanager
def open_stage(servers: Servers, directory: Path, scenario: Scenario) -> Iterator[Stage]:
    """A stage for the scenario, on an empty database."""
    with ExitStack() as stack:
        url = stack.enter_context(servers.fresh_database())
        settings = Settings(
            data=directory, DATABASE_URL=SecretStr(url), REDIS_URL=SecretStr(servers.redis_url),
            OPENAI_API_KEY=None, OPENAI_BASE_URL=None, erp_retry_seconds=0.02,
        ).model_copy(update=scenario.settings)  # fmt: skip
        vendor = scenario.vendor() if scenario.vendor else None
        erp = SimulatedErp(directory / "erp", scenario.faults)
        service = stack.enter_context(open_service(settings, erp=erp, vendor=vendor))
        yield Stage(servers, settings, service, erp, directory, vendor)
