"""Every transfer leads back to its signals, snapshot, policy, plan and decision, and forward to its receipts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.auth.roles import Role
from app.errors import ForbiddenError, NotFoundError
from app.ledger.tree import place
from app.lineage import LineageView, lineage
from app.orders.receipts import Report, receive_order
from app.service import Service, open_service
from evals.databases import Servers
from graphs.names import ELSEWHERE, alias_of
from tests.builders import NOW, a_site, a_sku
from tests.installation import (
    ADA,
    OTTO,
    PAULA,
    a_network,
    approve,
    carry_out,
    person,
    scan,
    settings_on,
    settle_in,
    waiting,
)
from tests.signals import a_count, a_signal, send

NEAR = person("nia", Role.PLANNER, sites=frozenset({"S1"}), sees_sensitive=False)
FAR = person("fay", Role.PLANNER, sites=frozenset({"S3"}))


@pytest.fixture(scope="module")
def moved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, UUID]]:
    """A transfer of a sensitive SKU from S1 to S2, planned after a count, approved by Ada, shipped and received."""
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("lineage"))) as service,
    ):
        sites = tuple(a_site(name) for name in ("S1", "S2", "S3"))
        stock = {(site, "P1"): units for site, units in (("S1", 200), ("S2", 2), ("S3", 45))}
        settle_in(service, a_network(stock, skus=(a_sku("P1", sensitive=True),), sites=sites))
        with service.database.transaction() as session:
            for site, units in (("S1", 199), ("S2", 3)):
                send(session, a_signal(a_count(units, site), f"count-{site}", "wms", time=NOW + timedelta(minutes=5)))
        scan(service)
        (request,) = waiting(service)
        approve(service, request)
        (order,) = (each for each in carry_out(service, request) if (each.origin, each.destination) == ("S1", "S2"))
        with service.database.transaction() as session:
            receive_order(session, OTTO, order.transfer_id, Report(None, receipt_key="dock-2-scan-1"))
        with service.database.transaction() as session:
            place(session)
        yield service, order.transfer_id


def seen(moved: tuple[Service, UUID], by: object) -> LineageView:
    service, transfer_id = moved
    with service.database.transaction() as session:
        return lineage(session, by, transfer_id)  # type: ignore[arg-type]


def test_a_transfer_leads_back_to_what_it_rests_on_and_forward_to_what_became_of_it(
    moved: tuple[Service, UUID],
) -> None:
    view = seen(moved, PAULA)
    assert (view.order.state, view.order.sku_id) == ("closed", "P1")
    assert [(each.signal_id, each.source, each.kind) for each in view.signals if each.source == "wms"] == [
        ("count-S1", "wms", "evenkeel.stock.v1"), ("count-S2", "wms", "evenkeel.stock.v1"),
    ]  # fmt: skip
    assert view.snapshot_as_of >= NOW
    assert (view.approval.status, view.approval.decided_by, view.approval.requested_by) == ("approved", "ada", "paula")
    assert [each.signed_by for each in view.signatures] == ["ada"]
    assert view.policy
    assert view.provenance is not None
    assert view.provenance.solver_versions
    assert [(each.receipt_key, each.units, each.received_by) for each in view.receipts] == [
        ("dock-2-scan-1", view.order.units, "otto")
    ]
    types = [event.type for event in view.events]
    expected = ["plan_proposed", "approval_requested", "plan_approved", "transfer_reserved", "transfer_requested"]
    expected += ["transfer_posted", "transfer_shipped", "transfer_received", "transfer_closed"]
    assert set(expected) <= set(types), types
    assert types.index("plan_proposed") < types.index("transfer_posted") < types.index("transfer_received")
    assert all(event.position is not None and len(event.hash) == 64 for event in view.events)


def test_sites_and_skus_that_are_kept_from_somebody_are_kept_from_them_here(moved: tuple[Service, UUID]) -> None:
    view = seen(moved, NEAR)
    assert (view.order.origin, view.order.destination, view.order.sku_id) == ("S1", ELSEWHERE, alias_of("P1"))
    assert "count-S2" not in {each.signal_id for each in view.signals}
    assert view.signals_hidden > 0
    told = view.model_dump_json()
    assert "S2" not in told
    assert '"P1"' not in told
    assert "/P1" not in told


def test_a_transfer_between_others_is_unknown_and_a_stranger_is_refused(moved: tuple[Service, UUID]) -> None:
    service, transfer_id = moved
    with service.database.transaction() as session:
        with pytest.raises(NotFoundError):
            lineage(session, FAR, transfer_id)
        with pytest.raises(NotFoundError):
            lineage(session, ADA, uuid4())
        with pytest.raises(ForbiddenError):
            lineage(session, person("nora"), transfer_id)
