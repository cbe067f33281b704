"""The simulated ERP and its bad days; and that whatever an ERP does, nothing is posted twice. The contract of all ERPs: tests/app/erp."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.erp.simulated import Faults, SimulatedErp
from app.ledger.verify import verify
from app.orders.tables import TransferOrder
from app.service import Service, open_service
from app.settings import Settings
from evals.databases import Servers
from tests.builders import a_sku, in_days
from tests.installation import a_network, approve, balances, orders, scan, settle_in, waiting
from tools.execution import OrderState
from tools.inventory import LaneKey
from tools.ports import ErpTransferState, ErpUncertainError, Refused, TransferContent


def a_content(reference: str | None = None, units: int = 5, **fields: object) -> TransferContent:
    """Five units of P1 from S1 to S2."""
    content = TransferContent(
        reference or str(uuid4()), "P1", LaneKey("S1", "S2", "van"), units, depart_on=in_days(1), arrive_on=in_days(2)
    )
    return replace(content, **fields)  # type: ignore[arg-type]


def simulated(tmp_path: Path, **faults: object) -> SimulatedErp:
    return SimulatedErp(tmp_path / "erp", Faults(**faults))  # type: ignore[arg-type]


def test_what_the_simulated_erp_has_applied_outlives_whoever_asked_it(tmp_path: Path) -> None:
    content = a_content()
    simulated(tmp_path).create(content)
    assert simulated(tmp_path).applied() == {content.reference: 1}
    assert simulated(tmp_path).find(content.reference) is not None


def test_lost_before_it_arrives_a_request_is_in_doubt_and_was_not_applied(tmp_path: Path) -> None:
    erp, content = simulated(tmp_path, lost_before=1.0), a_content()
    with pytest.raises(ErpUncertainError):
        erp.create(content)
    with pytest.raises(ErpUncertainError):
        erp.find(content.reference)
    assert erp.applied() == {}


def test_an_answer_that_is_lost_leaves_doubt_although_the_request_was_applied(tmp_path: Path) -> None:
    erp, content = simulated(tmp_path, lost_after=1.0), a_content()
    with pytest.raises(ErpUncertainError):
        erp.create(content)
    assert erp.applied() == {content.reference: 1}
    assert erp.find(content.reference) is not None


@pytest.mark.parametrize(("idempotent", "times"), [(True, 1), (False, 2)])
def test_a_request_delivered_twice_is_applied_once_only_by_an_erp_that_knows_references(
    tmp_path: Path, idempotent: bool, times: int
) -> None:
    erp, content = simulated(tmp_path, delivered_twice=1.0, idempotent=idempotent), a_content()
    erp.create(content)
    assert erp.applied() == {content.reference: times}


def test_what_is_refused_was_not_applied_and_is_refused_again(tmp_path: Path) -> None:
    erp, content = simulated(tmp_path, refused=1.0), a_content()
    assert [erp.create(content) for _ in range(3)] == [Refused("no dock is free")] * 3
    assert erp.applied() == {}
    assert erp.find(content.reference) is None


def test_a_warehouse_takes_its_time(tmp_path: Path) -> None:
    erp, content = simulated(tmp_path, ships_after_looks=2), a_content()
    erp.create(content)
    states = [found.state for found in (erp.find(content.reference) for _ in range(4)) if found]
    confirmed, shipped = ErpTransferState.CONFIRMED, ErpTransferState.SHIPPED
    assert states == [confirmed, confirmed, shipped, shipped]


def test_a_transfer_cancelled_by_hand_stays_cancelled(tmp_path: Path) -> None:
    erp, content = simulated(tmp_path), a_content()
    erp.create(content)
    erp.cancel(content.reference)
    found = erp.find(content.reference)
    assert found is not None
    assert found.state is ErpTransferState.CANCELLED


def test_a_slow_erp_takes_its_time_for_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    erp, content = simulated(tmp_path, delay_seconds=0.03), a_content()
    erp.create(content), erp.find(content.reference)
    assert waits == [0.03, 0.03]


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_has_the_same_bad_days(tmp_path: Path, seed: int) -> None:
    faults = Faults(lost_before=0.4, lost_after=0.4, refused=0.2, seed=seed)
    contents = [a_content(f"order-{number}") for number in range(6)]

    def days(name: str) -> list[str]:
        erp = SimulatedErp(tmp_path / name, faults)
        return [_answer(erp, content) for content in contents for _ in range(3)]

    assert days("one") == days("two")
    assert len(set(days("one"))) > 1


def _answer(erp: SimulatedErp, content: TransferContent) -> str:
    try:
        return str(erp.create(content))
    except ErpUncertainError as doubt:
        return str(doubt)


def test_calls_are_counted_even_when_they_are_lost(tmp_path: Path) -> None:
    erp = simulated(tmp_path, lost_before=1.0)
    for _ in range(3):
        with suppress(ErpUncertainError):
            erp.create(a_content("order-1"))
    assert (erp.calls("create"), erp.calls("find")) == (3, 0)


SKUS = tuple(f"P{number:02}" for number in range(1, 25))
BAD_DAYS = {
    "lost before": Faults(lost_before=0.5, delay_seconds=0.002, idempotent=False),
    "lost after": Faults(lost_after=0.6, delay_seconds=0.002, idempotent=False),
    "lost before and after, and refused": Faults(lost_before=0.3, lost_after=0.4, refused=0.3, idempotent=False),
    "everything, and delivered twice": Faults(
        lost_before=0.3, lost_after=0.3, refused=0.2, delivered_twice=0.5, ships_after_looks=2
    ),
}


@pytest.fixture(scope="module")
def approved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with an approved plan of many lines, none of which has been posted."""
    stock = {(site, sku): units for sku in SKUS for site, units in (("S1", 200), ("S2", 2), ("S3", 45))}
    network = a_network(stock, dict.fromkeys(stock, 3.0), skus=tuple(map(a_sku, SKUS)))
    with servers.fresh_database() as url:
        with open_service(_on(servers, url, tmp_path_factory.mktemp("approved"))) as service:
            settle_in(service, network)
            scan(service)
            (request,) = waiting(service)
            approve(service, request)
            assert len(orders(service)) >= 20
        name = make_url(url).database
        assert name is not None
        yield name


def _on(servers: Servers, url: str, data: Path) -> Settings:
    return Settings(DATABASE_URL=url, REDIS_URL=servers.redis_url, data=data)  # type: ignore[call-arg,arg-type]


@pytest.mark.parametrize("name", BAD_DAYS)
def test_over_many_bad_days_nothing_is_posted_twice_and_the_ledger_says_posted_where_the_erp_has_it(
    servers: Servers, approved: str, tmp_path: Path, name: str
) -> None:
    """Every order has days of its own, and two workers that ask for it at the same time."""
    erp = SimulatedErp(tmp_path / "erp", BAD_DAYS[name])
    with servers.fresh_database(approved) as url, open_service(_on(servers, url, tmp_path), erp=erp) as service:
        with ThreadPoolExecutor(4) as pool:
            twice = [order for order in orders(service) for _ in range(2)]
            outcomes = list(pool.map(lambda order: _carry(service, order), twice))
        applied = erp.applied()
        with service.database.transaction() as session:
            events = session.connection().execute(text("select key from ledger_event where type = 'transfer_posted'"))
            posted = {row.key.split("/")[1] for row in events}
            held = {place for place, _ in balances(session) if place.endswith("/reserved")}
        done = orders(service)

        assert set(applied.values()) <= {1}
        assert posted == set(applied)
        assert {str(order.transfer_id) for order in done if order.state is OrderState.SHIPPED} == set(applied)
        assert {order.state for order in done} <= {OrderState.SHIPPED, OrderState.REFUSED}
        assert held == set()
        assert verify(service.database).verified
        assert "uncertain" in {each for outcome in outcomes for each in outcome}


def _carry(service: Service, order: TransferOrder) -> list[str]:
    """Ask for an order until every answer is certain, as a durable worker would; all answers."""
    answers: list[str] = []
    for ask, open_ends in ((service.post, ("uncertain",)), (service.look, ("uncertain", "waiting"))):
        answers.append(ask(order.transfer_id))
        while answers[-1] in open_ends:
            answers.append(ask(order.transfer_id))
        if answers[-1] != "posted":
            break
    return answers
