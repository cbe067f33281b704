"""A small installation for tests of the service: a network where one transfer clearly pays, and the people who work on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, select

from app.approvals.decisions import Decided, decide
from app.approvals.requests import queue
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.ledger.tables import Balance
from app.orders.queries import orders_of_approval
from app.orders.tables import TransferOrder
from app.service import Service
from app.settings import Settings
from app.stock.importing import Imported, import_network
from app.threads.runs import start_scan
from app.threads.tables import ACTIVE, Run
from evals.databases import Servers
from tests.builders import TODAY, a_lane, a_position, a_site, a_sku
from tools.inventory import InboundSupply, Lane, Replenishment, Site, Sku
from tools.network_folder import ForecastRow, NetworkFolder, write_network
from tools.rejections import Rejection
from tools.transfers import PlanRequest, Verdict


def person(user_id: str, *roles: Role, **more: object) -> Principal:
    """Somebody with these roles who sees everything, unless said otherwise."""
    given: dict[str, object] = {"sites": None, "sees_sensitive": True}
    return Principal(user_id, user_id.title(), frozenset(roles), **(given | more))  # type: ignore[arg-type]


PAULA = person("paula", Role.PLANNER)
ADA = person("ada", Role.APPROVER)
BOB = person("bob", Role.APPROVER)
OTTO = person("otto", Role.OPERATOR)
VERA = person("vera", Role.VIEWER, sees_sensitive=False)


def settings_on(servers: Servers, database_url: str, data: Path) -> Settings:
    """Settings for a service on this database."""
    on = {"data": data, "database_url": SecretStr(database_url), "redis_url": SecretStr(servers.redis_url)}
    return _settings().model_copy(update=on)


@cache
def _settings() -> Settings:
    """What the environment says is read once for all tests; it takes as long as copying a database."""
    return Settings(openai_api_key=None, openai_base_url=None, erp_retry_seconds=0.02, stock_wait_seconds=60)


def a_network(
    stock: dict[tuple[str, str], int] | None = None,
    daily_units: dict[tuple[str, str], float] | None = None,
    *,
    skus: tuple[Sku, ...] | None = None,
    lanes: tuple[Lane, ...] | None = None,
    sites: tuple[Site, ...] | None = None,
    inbound: tuple[InboundSupply, ...] = (),
) -> NetworkFolder:
    """Three stores. S1 sits on far too much of P1 and P2, S2 has nearly nothing, S3 has enough.

    Regular supply comes in 14 days, so a transfer from S1 to S2 clearly pays. The forecast
    states its variance: demand is Poisson, and its level is known.
    """
    stock = stock or {
        ("S1", "P1"): 200, ("S2", "P1"): 2, ("S3", "P1"): 45,
        ("S1", "P2"): 120, ("S2", "P2"): 1, ("S3", "P2"): 30,
    }  # fmt: skip
    daily = daily_units or {(site, sku): (3.0 if sku == "P1" else 2.0) for site, sku in stock}
    names = sorted({site for site, _ in stock})
    pairs = [(a, b) for a in names for b in names if a != b]
    return NetworkFolder(
        currency="USD",
        sites=sites or tuple(a_site(name) for name in names),
        skus=skus or (a_sku("P1"), a_sku("P2", unit_cost_e4=60_000, unit_price_e4=150_000)),
        lanes=lanes or tuple(a_lane(a, b, lead_time_days=1) for a, b in pairs),
        positions=tuple(a_position(site, sku, units) for (site, sku), units in stock.items()),
        inbound=inbound,
        forecasts=tuple(
            ForecastRow(site, sku, TODAY + timedelta(days=day), units_e6, units_e6)
            for (site, sku), units_e6 in ((key, round(units * 1_000_000)) for key, units in daily.items())
            for day in range(28)
        ),
        replenishments=tuple(Replenishment(site, sku, TODAY + timedelta(days=14), 7) for site, sku in stock),
    )


def import_into(service: Service, network: NetworkFolder | None = None) -> Imported:
    """Import a network whose own day is today."""
    with service.database.transaction() as session:
        return import_network(
            session, write_network(network or a_network()), SYSTEM, pin=True, size_limit_bytes=1 << 20
        )


def settle_in(service: Service, network: NetworkFolder | None = None, *people: Principal) -> None:
    """A network and people: ready to work."""
    import_into(service, network)
    with service.database.transaction() as session:
        for each in people or (PAULA, ADA, BOB, OTTO, VERA):
            add_person(session, each, by=SYSTEM)


def scan(service: Service, caller: Principal = PAULA, request: PlanRequest | None = None) -> UUID:
    """Scan and drive the run to its pause, here and now. Returns the thread."""
    with service.database.transaction() as session:
        run, _ = start_scan(session, caller, request or PlanRequest())
    service.driver.run(run.run_id)
    return run.thread_id


def waiting(service: Service) -> list[ApprovalRequest]:
    """The approval requests that wait."""
    with service.database.transaction() as session:
        return queue(session, ADA, [ApprovalStatus.PENDING])


def submitted(service: Service) -> ApprovalRequest:
    """A plan of Paula's that waits in the queue. A copy of a database in which it waits has it already."""
    if not waiting(service):
        settle_in(service)
        scan(service)
    (request,) = waiting(service)
    return request


def approve(service: Service, request: ApprovalRequest, by: Principal = ADA) -> Decided:
    """Approve a request; nothing is carried out yet."""
    with service.database.transaction() as session:
        return decide(session, by, request.approval_id, Verdict.APPROVE, request.plan_digest)


def reject(service: Service, request: ApprovalRequest, reason: Rejection, by: Principal = ADA) -> Decided:
    """Reject a request."""
    with service.database.transaction() as session:
        return decide(session, by, request.approval_id, Verdict.REJECT, request.plan_digest, reason)


def orders(service: Service, request: ApprovalRequest | None = None) -> list[TransferOrder]:
    """The transfer orders of a request, or all."""
    with service.database.transaction() as session:
        if request is not None:
            return orders_of_approval(session, request.approval_id)
        return list(session.exec(select(TransferOrder)).all())


def carry_out(service: Service, request: ApprovalRequest) -> list[TransferOrder]:
    """What the durable workers would do after a decision, here and now, one after the other."""
    service.resume_thread(request.approval_id)
    service.release(request.approval_id)
    for order in orders(service, request):
        if service.post(order.transfer_id) == "posted":
            service.look(order.transfer_id)
    return orders(service, request)


def until(what: str, ready: Callable[[], bool], seconds_max: float = 60.0) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + seconds_max
    while not ready():
        assert time.monotonic() < deadline, f"waited {seconds_max} seconds for {what}"
        time.sleep(0.02)


def run_is_over(service: Service, run_id: UUID) -> bool:
    """Whether a run has reached its end or pause."""
    with service.database.transaction() as session:
        run = session.get(Run, run_id)
        return run is not None and run.status not in ACTIVE


def balances(session: Session) -> dict[tuple[str, str], int]:
    """Balances by place and SKU, without zeros."""
    return {(row.place, row.sku_id): row.units for row in session.exec(select(Balance)).all() if row.units}
