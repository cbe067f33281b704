"""The demo: a sample network, the people who work on it, and the main job from import to verified ledger."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlmodel import Session, col, func, select

from app.approvals.decisions import decide
from app.approvals.freshness import facts_now
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM, add_person, issue_token, principal_of
from app.auth.roles import Principal, Role
from app.auth.tables import AccessToken
from app.cli.data import DEMO_AS_OF
from app.db.database import database_now
from app.errors import UnavailableError
from app.ledger.verify import verify
from app.orders.queries import orders_of_approval
from app.orders.receipts import Report, receive_order
from app.plans.store import read_plan
from app.service import Service, open_service, running
from app.settings import Settings, settings
from app.stock.folder import read_folder
from app.stock.importing import Imported, ImportRefusedError, import_network
from app.stock.installation import installation
from app.threads.runs import start_scan
from app.threads.tables import ACTIVE, Run
from graphs.planning import imbalances_of
from tools.execution import OrderState
from tools.generate import generate_network
from tools.imbalance import ImbalanceKind
from tools.money import minor_digits
from tools.network_folder import ImportFaults, write_network
from tools.transfers import PlanRequest, TransferPlan, Verdict

_SCANS = UUID("9f0b0a8e-28b4-5c0e-9d1c-6f6d0c6a4b0f")
STEP_SECONDS_MAX = 600
MORNING = timedelta(hours=6)

PEOPLE: dict[str, tuple[str, Role]] = {
    "paula": ("Paula Planner", Role.PLANNER),
    "ada": ("Ada Approver", Role.APPROVER),
    "abel": ("Abel Approver", Role.APPROVER),
    "otto": ("Otto Operator", Role.OPERATOR),
    "vera": ("Vera Viewer", Role.VIEWER),
    "adam": ("Adam Admin", Role.ADMIN),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Where the demo's network comes from: a folder, or the generator with this seed."""

    folder: Path | None
    sites: int
    skus: int
    seed: int

    def files(self, size_limit_bytes: int, as_of: datetime) -> dict[str, bytes]:
        """The network's files; a generated one is of `as_of`. Raises ImportRefusedError for a folder that cannot be read."""
        if self.folder is None:
            return write_network(generate_network(self.sites, self.skus, self.seed, as_of))
        read = read_folder(self.folder, size_limit_bytes)
        if isinstance(read, ImportFaults):
            raise ImportRefusedError(read)
        return read


def prepare(service: Service, sample: Sample, say: Callable[[str], None]) -> dict[str, tuple[str, str]]:
    """Import, register people, and scan: each once. Returns the tokens of people who had none yet.

    The sample's stock is of this morning, so that its days and the days of decisions are of one calendar. Started
    again, its day is the one it had.
    """
    imported = _import(service, sample, say, _day_of_sample(service))
    tokens = _register(service)
    with running(service):
        _scan(service, imported.digest, say)
    return tokens


def main_job(sample: Sample, say: Callable[[str], None]) -> dict[str, Any]:
    """The whole job once, with two scripted people, in a directory of its own. Returns what happened, as plain JSON."""
    with _own_directory() as chosen, open_service(chosen) as service:
        imported = _import(service, sample, say, datetime.fromisoformat(DEMO_AS_OF))
        _register(service)
        with service.database.transaction() as session:
            facts = facts_now(session)
            kinds = [imbalance.kind for imbalance in imbalances_of(facts)]
        say(f"{kinds.count(ImbalanceKind.SHORTAGE)} shortages, {kinds.count(ImbalanceKind.SURPLUS)} surpluses")
        with running(service):
            started = time.monotonic()
            request, plan = _scan(service, imported.digest, say)
            planning_seconds = round(time.monotonic() - started, 1)
            say(f"planned in {planning_seconds} seconds")
            posted = received = 0
            if request is not None:
                _approve(service, request, say)
                posted = _posted(service, request.approval_id)
                received = _receive(service, request.approval_id)
                say(f"{posted} transfer orders posted, {received} received")
        ledger = verify(service.database)
        say(f"ledger: {ledger.events} events, {'everything fits' if ledger.verified else 'it does not fit'}")
        return {
            "network": str(sample.folder) if sample.folder else f"generated, seed {sample.seed}",
            "sites": imported.counts["sites"],
            "skus": imported.counts["skus"],
            "imbalances": {kind.value: kinds.count(kind) for kind in ImbalanceKind},
            "plan": None if plan is None else _plan_document(plan),
            "planning_seconds": planning_seconds,
            "decision": None if request is None else {"approver": "ada", "digest": request.plan_digest},
            "orders": {"posted": posted, "received": received},
            "ledger": {"events": ledger.events, "verified": ledger.verified},
            "expected_fill_rate": None if plan is None else {
                "before": plan.fill_rate.before_ppm / 1e6, "after": plan.fill_rate.after_ppm / 1e6
            },
        }  # fmt: skip


def _plan_document(plan: TransferPlan) -> dict[str, Any]:
    unit = 10 ** minor_digits(plan.currency)
    return {
        "digest": plan.digest,
        "lines": len(plan.lines),
        "units": plan.units,
        "lanes": len(plan.lanes),
        "status": plan.solver.status.value,
        "gap": None if plan.solver.gap_ppm is None else plan.solver.gap_ppm / 1e6,
        "expected_saving": plan.saving_minor / unit,
        "transfer_cost": plan.transfer_cost_minor / unit,
        "currency": plan.currency,
    }


@contextmanager
def _own_directory() -> Iterator[Settings]:
    """The settings on a directory that goes away, unless the environment names one."""
    chosen = settings()
    if "EVENKEEL_DATA" in os.environ or chosen.database_url is not None:
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="evenkeel-demo-") as directory:
        yield chosen.model_copy(update={"data": Path(directory) / "data"})


def _day_of_sample(service: Service) -> datetime:
    """The day that an earlier start has pinned; of a first one the last time that it was six in the morning, in UTC."""
    with service.database.transaction() as session:
        pinned, now = installation(session).pinned_now, database_now(session).astimezone(UTC)
    return (
        pinned.astimezone(UTC)
        if pinned
        else (now - MORNING).replace(hour=0, minute=0, second=0, microsecond=0) + MORNING
    )


def _import(service: Service, sample: Sample, say: Callable[[str], None], as_of: datetime) -> Imported:
    limit = service.settings.import_file_bytes_max
    files = sample.files(limit, as_of)
    with service.database.transaction() as session:
        done = import_network(session, files, SYSTEM, pin=True, size_limit_bytes=limit)
    say(f"network {done.digest[:12]}: {done.counts['sites']} sites, {done.counts['skus']} SKUs"
        f"{'' if done.new else ' (known already)'}")  # fmt: skip
    return done


def _register(service: Service) -> dict[str, tuple[str, str]]:
    tokens: dict[str, tuple[str, str]] = {}
    with service.database.transaction() as session:
        for user_id, (name, role) in PEOPLE.items():
            sees = role is not Role.VIEWER
            add_person(session, Principal(user_id, name, frozenset((role,)), None, sees_sensitive=sees), by=SYSTEM)
            known = session.exec(
                select(func.count()).select_from(AccessToken).where(AccessToken.user_id == user_id)
            ).one()
            if not known:
                tokens[user_id] = (role, issue_token(session, user_id, service.settings.token_days_max))
    return tokens


def _scan(
    service: Service, network_digest: str, say: Callable[[str], None]
) -> tuple[ApprovalRequest | None, TransferPlan | None]:
    """One scan for each network, however often the demo is started. The request and plan that came of it."""
    paula = _person(service, "paula")
    with service.database.transaction() as session:
        run, new = start_scan(session, paula, PlanRequest(), uuid5(_SCANS, network_digest))
        thread_id, run_id = run.thread_id, run.run_id
    _until(service, lambda session: _status(session, run_id) not in ACTIVE)
    say(service.driver.last_words(thread_id) if new else "scanned before; see the queue")
    digest = service.driver.state(thread_id).values.get("plan_digest")
    with service.database.transaction() as session:
        request = session.exec(
            select(ApprovalRequest)
            .where(ApprovalRequest.thread_id == str(thread_id))
            .order_by(col(ApprovalRequest.requested_at).desc())
        ).first()
        plan = None if digest is None else read_plan(session, digest)
    return request, plan


def _status(session: Session, run_id: UUID) -> str:
    run = session.get(Run, run_id)
    return run.status if run else ""


def _approve(service: Service, request: ApprovalRequest, say: Callable[[str], None]) -> None:
    if request.status is not ApprovalStatus.PENDING:
        say(f"plan {request.plan_digest[:12]} is {request.status} already")
        return
    with service.database.transaction() as session:
        decided = decide(session, _person(service, "ada"), request.approval_id, Verdict.APPROVE, request.plan_digest)
    say(f"ada: plan {decided.plan_digest[:12]} {decided.status}")


def _posted(service: Service, approval_id: UUID) -> int:
    """Wait until every order has left, and count them."""
    waiting = (OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED)
    _until(service, lambda session: all(o.state not in waiting for o in orders_of_approval(session, approval_id)))
    with service.database.transaction() as session:
        return sum(order.erp_id is not None for order in orders_of_approval(session, approval_id))


def _receive(service: Service, approval_id: UUID) -> int:
    otto = _person(service, "otto")
    with service.database.transaction() as session:
        for order in orders_of_approval(session, approval_id):
            if order.state is OrderState.SHIPPED:
                receive_order(session, otto, order.transfer_id, Report(None, receipt_key=f"demo:{order.transfer_id}"))
    with service.database.transaction() as session:
        return sum(order.state is OrderState.CLOSED for order in orders_of_approval(session, approval_id))


def _person(service: Service, user_id: str) -> Principal:
    with service.database.transaction() as session:
        found = principal_of(session, user_id)
    if found is None:
        raise UnavailableError("demo_person", f"{user_id} is not there", "start the demo on a new data directory")
    return found


def _until(service: Service, ready: Callable[[Session], bool]) -> None:
    deadline = time.monotonic() + STEP_SECONDS_MAX
    while True:
        with service.database.transaction() as session:
            if ready(session):
                return
        if time.monotonic() > deadline:
            raise UnavailableError("slow", f"a step takes longer than {STEP_SECONDS_MAX} seconds", "look at the log")
        time.sleep(0.05)
