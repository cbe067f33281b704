"""What tests of the desk share: a service after a busy day, with things that are kept from some of its people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import select

from app.approvals.tables import ApprovalRequest
from app.auth.roles import Principal, Role
from app.service import Service, open_service
from app.stock.installation import facts_changed
from app.stock.tables import DataHoldRow
from evals.databases import Servers
from graphs.desk import AtDesk
from graphs.planning import draft
from graphs.world import World
from tests.builders import a_site, a_sku, a_supply
from tests.installation import ADA, OTTO, PAULA, a_network, approve, person, scan, settings_on, settle_in
from tools.catalog import ProposePlan
from tools.transfers import PlanRequest, Scope, TransferPlan

SECRET_SKU, SECRET_NAME = "VX-77", "Midnight Elixir"
FAR_SITE, FAR_NAME = "FAR-9", "Distant Harbour"
SECRETS = (SECRET_SKU, SECRET_NAME, FAR_SITE, FAR_NAME)
PAT = person("pat", Role.PLANNER, sites=frozenset({"S1", "S2", "S3"}), sees_sensitive=False)
REASON = f"{SECRET_SKU} ({SECRET_NAME}) was counted with P2, at {FAR_SITE} and not here"


@dataclass(frozen=True)
class Day:
    """A service, and the plans that were made: Pat's two in a conversation, and one of Paula's that reaches far."""

    service: Service
    first: TransferPlan
    second: TransferPlan
    far: TransferPlan

    def world(self, caller: Principal) -> World:
        """The world of a new thread of the caller's."""
        return self.service.driver._context(uuid4(), uuid4(), caller).world

    def desk(self, caller: Principal = PAULA, *, plan: bool = True) -> AtDesk:
        """A desk in Pat's conversation, or in one without a plan."""
        plans = (self.first.digest, self.second.digest) if plan else ()
        return AtDesk(self.world(caller), plans[-1] if plans else None, plans)


@pytest.fixture(scope="session")
def day(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """For tests that change nothing: stock that is held back for a telling reason, a plan that waits, one that was approved, and its orders."""
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("desk"))) as service,
    ):
        settle_in(service, a_network_with_secrets(), PAULA, ADA, OTTO, PAT)
        with service.database.transaction() as session:
            for site_id in ("S3", FAR_SITE):
                hold: dict[str, Any] = {"site_id": site_id, "sku_id": "P2", "kind": "stock", "check_name": "negative"}
                session.add(DataHoldRow(**hold, reason=REASON, source="wms", signal_id="7"))
            facts_changed(session)
        approved = scanned(service, PAT, "P2")
        approve(service, approved)
        service.resume_thread(approved.approval_id)
        service.release(approved.approval_id)
        far = scanned(service, PAULA)
        scanned(service, PAT, "P1")
        world = service.driver._context(uuid4(), uuid4(), PAT).world
        yield Day(
            service,
            planned(world, ProposePlan()),
            planned(world, ProposePlan(without=("P1",), lines_max=1)),
            world.plan(far.plan_digest),
        )


def planned(world: World, arguments: ProposePlan) -> TransferPlan:
    """A plan that the caller asked for, kept."""
    made = draft(world.facts(), AtDesk(world, None).plan_request(arguments)).plan
    assert made is not None
    world.store_plan(made, {})
    return made


def scanned(service: Service, caller: Principal, *skus: str) -> ApprovalRequest:
    """What a scan of theirs has put into the queue."""
    thread_id = scan(service, caller, PlanRequest(scope=Scope(skus=skus)))
    with service.database.transaction() as session:
        return session.exec(select(ApprovalRequest).where(ApprovalRequest.thread_id == str(thread_id))).one()


def a_network_with_secrets() -> Any:
    """S1 has too much, S2 and a site far away nearly nothing, S3 enough; a masked SKU is worth most."""
    units = {"S1": 400, "S2": 2, "S3": 45, FAR_SITE: 0}
    keys = {(site, sku): units[site] for site, sku in product(units, ("P1", "P2", SECRET_SKU))}
    return a_network(
        keys,
        dict.fromkeys(keys, 3.0),
        skus=(
            a_sku("P1", category="drinks"),
            a_sku("P2", unit_cost_e4=60_000, unit_price_e4=150_000),
            a_sku(SECRET_SKU, name=SECRET_NAME, unit_price_e4=900_000, sensitive=True),
        ),
        sites=(a_site("S1"), a_site("S2"), a_site("S3"), a_site(FAR_SITE, name=FAR_NAME)),
        inbound=tuple(a_supply(site, "P1", 15, 2, reference=f"PO-{site}") for site in ("S2", FAR_SITE)),
    )
