"""What an ERP tells by itself: genuine and fresh or not taken, and told twice, late or out of order it changes nothing more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.erp.webhooks import WINDOW, signature
from app.ledger.verify import verify
from app.orders.tables import TransferOrder
from app.service import Service, open_service
from app.settings import Settings
from app.web.main import create_app
from evals.databases import Servers
from tests.installation import approve, balances, carry_out, orders, submitted
from tools.execution import OrderState
from tools.moves import available

SECRET = "a secret of at least thirty-two characters"


@pytest.fixture(scope="module")
def service(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with orders whose goods have left."""
    with servers.fresh_database() as url:
        settings = Settings(
            data=tmp_path_factory.mktemp("deliveries"), DATABASE_URL=SecretStr(url),
            REDIS_URL=SecretStr(servers.redis_url), erp_webhook_secret=SecretStr(SECRET),
        )  # type: ignore[call-arg]  # fmt: skip
        with open_service(settings) as opened:
            request = submitted(opened)
            approve(opened, request)
            carry_out(opened, request)
            yield opened


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    return TestClient(create_app(service), raise_server_exceptions=False)


def first(service: Service) -> TransferOrder:
    return min(orders(service), key=lambda order: order.transfer_id)


def told(service: Service, **fields: Any) -> dict[str, Any]:
    """The first order as an ERP with its own words tells it."""
    order = first(service)
    known = {
        "reference": str(order.transfer_id), "id": "W-1", "state": "partially_received", "sku": order.sku_id,
        "origin": order.origin, "destination": order.destination, "units": order.units, "received_units": 3,
        "its_own": "field",
    }  # fmt: skip
    return known | fields


def send(
    client: TestClient, document: object, *, delivery: str = "d-1", off: float = 0.0, secret: str = SECRET,
    body: bytes | None = None, **headers: str,
) -> Any:  # fmt: skip
    signed = json.dumps(document).encode()
    timestamp = str(int(time.time() + off))
    given = {
        "evenkeel-delivery": delivery, "evenkeel-timestamp": timestamp,
        "evenkeel-signature": signature(secret, delivery, timestamp, signed),
    }  # fmt: skip
    return client.post("/v1/erp/transfers", content=signed if body is None else body, headers=given | headers)


def test_receipts_are_taken_over_in_totals_however_often_and_in_whatever_order_they_are_told(
    service: Service, client: TestClient
) -> None:
    order = first(service)
    with service.database.transaction() as session:
        before = balances(session)[available(order.destination), order.sku_id]
    three, five = told(service, received_units=3), told(service, received_units=5)
    assert send(client, three).json() == {"reference": str(order.transfer_id), "new": True}
    assert send(client, three).json()["new"] is False
    assert send(client, five, delivery="d-2").json()["new"] is True
    assert send(client, three, delivery="d-3").json()["new"] is False
    assert send(client, told(service, state="shipped", received_units=0), delivery="d-4").json()["new"] is False
    with service.database.transaction() as session:
        assert balances(session)[available(order.destination), order.sku_id] == before + 5
    assert first(service).state is OrderState.PARTIALLY_RECEIVED
    whole = told(service, state="received", received_units=order.units)
    assert send(client, whole, delivery="d-5").json()["new"] is True
    assert first(service).state is OrderState.CLOSED
    assert verify(service.database).verified


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "another secret of at least 32 characters"},
        {"body": b"{}"},
        {"off": -WINDOW.total_seconds() - 60},
        {"off": WINDOW.total_seconds() + 60},
        {"evenkeel-signature": ""},
        {"evenkeel-signature": "v1="},
        {"evenkeel-signature": "v2=0"},
        {"evenkeel-delivery": "another"},
        {"evenkeel-delivery": ""},
        {"evenkeel-timestamp": "now"},
        {"evenkeel-timestamp": "1e9"},
    ],
    ids=str,
)
def test_what_is_not_genuine_or_not_of_now_is_not_taken_and_is_not_told_why(
    service: Service, client: TestClient, forged: dict[str, Any]
) -> None:
    before = [order.received_units for order in orders(service)]
    answer = send(client, told(service, received_units=4), **forged)
    assert (answer.status_code, answer.json()["code"]) == (401, "delivery_not_genuine")
    assert [order.received_units for order in orders(service)] == before


def test_while_the_secret_is_changed_one_of_several_signatures_is_enough(service: Service, client: TestClient) -> None:
    body, now = json.dumps(told(service)).encode(), str(int(time.time()))
    signatures = ", ".join(signature(secret, "d", now, body) for secret in ("the next one", SECRET))
    headers = {"evenkeel-delivery": "d", "evenkeel-timestamp": now, "evenkeel-signature": signatures}
    assert client.post("/v1/erp/transfers", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "fields", [{"received_units": -1}, {"received_units": "3"}, {"state": "lost"}, {"reference": "../x"}], ids=str
)
def test_a_genuine_delivery_that_is_no_transfer_is_refused(
    service: Service, client: TestClient, fields: dict[str, Any]
) -> None:
    answer = send(client, told(service, **fields))
    assert (answer.status_code, answer.json()["code"]) == (422, "delivery")


def test_a_transfer_that_is_none_of_ours_is_no_news(service: Service, client: TestClient) -> None:
    assert send(client, told(service, reference="somebody-elses")).json()["new"] is False


def test_without_a_secret_there_is_no_such_door(service: Service) -> None:
    closed = replace(service, settings=service.settings.model_copy(update={"erp_webhook_secret": None}))
    answer = send(TestClient(create_app(closed), raise_server_exceptions=False), told(service))
    assert (answer.status_code, answer.json()["code"]) == (404, "no_deliveries")
