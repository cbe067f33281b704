"""The queue's filter by stops finds what stops hold, as the rule about one plan says it."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlmodel import Session, select

from app.approvals.listing import Wanted, beside, page_of
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.governance.stops import engage_stop, stop_on_plan
from app.plans.store import read_plan
from app.service import Service
from app.stock.tables import MasterRow
from policies.stops import CATEGORY, STOPPABLE, Stop
from tests.builders import a_sku
from tests.installation import ADA, a_network, scan, settle_in
from tools.transfers import PlanRequest, Scope

SKUS = tuple(a_sku(sku_id) for sku_id in ("P1", "P2", "P3"))
SINCE: dict[str, dict[str, object]] = {
    "P1": {"category": "dairy", "temperature": "chilled"},
    "P2": {"category": "paint", "hazmat": True, "sensitive": True},
    "P3": {"temperature": "frozen"},
}
"""What the master data says of them since the plans were made."""
STOPS = (
    Stop(), Stop(site_id="S1"), Stop(site_id="S3"), Stop(origin="S1", destination="S2"), Stop(origin="S2", destination="S1"),
    Stop(origin="S1", destination="S2", mode="van"),
    Stop(site_id="S1", sku_class="hazmat"), Stop(site_id="S3", sku_class="hazmat"),
    Stop(origin="S1", destination="S2", sku_class="chilled"), Stop(origin="S2", destination="S1", sku_class="chilled"),
    *(Stop(sku_class=str(each)) for each in STOPPABLE), Stop(sku_class=f"{CATEGORY}dairy"), Stop(sku_class=f"{CATEGORY}paint"),
)  # fmt: skip


@pytest.fixture
def asked(service: Service) -> Service:
    """A house in which a plan for each SKU waits, and one for all of them."""
    stock = {
        (site, sku.sku_id): units for sku in SKUS for site, units in (("S1", 200), ("S2", 1), ("S3", 45))
    }  # fmt: skip
    settle_in(service, a_network(stock, dict.fromkeys(stock, 3.0), skus=SKUS))
    for skus in (("P1",), ("P2",), ("P3",), ()):
        scan(service, request=PlanRequest(scope=Scope(skus=skus)))
    with service.database.transaction() as session:
        for sku_id, facts in SINCE.items():
            row = session.get_one(MasterRow, ("sku", sku_id))
            row.body = row.body | facts
            session.add(row)
    return service


def _held_one_by_one(session: Session) -> set[UUID]:
    rows = session.exec(select(ApprovalRequest).where(ApprovalRequest.status == ApprovalStatus.PENDING)).all()
    assert len(rows) >= 3
    return {row.approval_id for row in rows if stop_on_plan(session, read_plan(session, row.plan_digest)) is not None}


def test_the_filter_finds_what_a_stop_holds_and_nothing_else(asked: Service) -> None:
    found: dict[str, int] = {}
    for stop in STOPS:
        with asked.database.transaction() as session:
            engage_stop(session, stop, "otto", "a leak")
            held = _held_one_by_one(session)
            page = page_of(session, ADA, Wanted(stopped=True))
            assert {row.approval_id for row in page.rows} == held, stop
            everything = page_of(session, ADA, Wanted())
            assert beside(session, everything.rows).stopped == held, stop
            found[stop.words] = len(held)
            session.rollback()
    assert len(set(found.values())) >= 3, "some stops hold everything, some a part, some nothing"


def test_a_sku_that_nobody_knows_is_of_every_class(asked: Service) -> None:
    with asked.database.transaction() as session:
        engage_stop(session, Stop(sku_class="frozen"), "otto", "a leak")
        before = len(page_of(session, ADA, Wanted(stopped=True)).rows)
        session.delete(session.get_one(MasterRow, ("sku", "P1")))
        session.flush()
        held = _held_one_by_one(session)
        assert {row.approval_id for row in page_of(session, ADA, Wanted(stopped=True)).rows} == held
        assert len(held) > before
        session.rollback()
