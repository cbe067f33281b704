"""What leaves the service and what stays: a vendor is told nothing its caller may not see, and nobody is told the key."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import httpcore2
import pytest
import structlog
from sqlalchemy import text

from app.auth.roles import Role
from app.service import Service
from tests.builders import a_site, a_sku
from tests.conversation import talk
from tests.installation import (
    ADA,
    PAULA,
    a_network,
    approve,
    carry_out,
    orders,
    person,
    reject,
    scan,
    settle_in,
    waiting,
)
from tests.vendor import CONFIGURED, KEY, Vendor, calls, fails, says
from tools.network_folder import NetworkFolder
from tools.rejections import Rejection, RejectionCode

SECRET_SKU, SECRET_NAME = "VX-77", "Midnight Elixir"
FAR_SITE, FAR_NAME = "FAR-9", "Distant Harbour"
PAT = person("pat", Role.PLANNER, sites=frozenset(("S1", "S2")), sees_sensitive=False)

EVERY_TOOL = calls(
    ("find_imbalances", {"limit": 50}),
    ("coverage", {"mentions": ["S1", "S2"], "limit": 50}),
    ("coverage", {"mentions": ["VX77", "Midnight Elixi"]}),
    ("what_if", {"demand_percent": 200}),
    ("what_if", {"closed_lanes": ["S1->FAR9"]}),
    ("propose_plan", {"to_sites": ["Distant Harbor"]}),
    ("status", {"limit": 50}),
    ("policy", {}),
    ("propose_plan", {}),
)
"""Everything that a model may ask, with names that come close to what is hidden."""


def everything_kept(service: Service) -> Iterator[str]:
    """Every cell of every table, checkpoints and durable work included, and everything in Redis."""
    with service.database.engine.connect() as connection:
        tables = connection.execute(
            text("select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'")
        ).all()
        for schema, name in tables:
            for row in connection.execute(text(f'select * from "{schema}"."{name}"')):
                for cell in row:
                    yield cell.decode("latin-1") if isinstance(cell, bytes) else str(cell)
    for key in service.redis.keys("*"):
        if service.redis.type(key) == b"stream":
            yield str(service.redis.xrange(key))


def a_network_with_secrets() -> NetworkFolder:
    """A masked SKU is worth most, and a site far away is shortest of everything."""
    units = {"S1": 200, "S2": 2, FAR_SITE: 0}
    stock = {(site, sku): units[site] for site in units for sku in (SECRET_SKU, "P2")}
    return a_network(
        stock,
        dict.fromkeys(stock, 3.0),
        skus=(a_sku("P2"), a_sku(SECRET_SKU, name=SECRET_NAME, unit_price_e4=900_000, sensitive=True)),
        sites=(a_site("S1"), a_site("S2"), a_site(FAR_SITE, name=FAR_NAME)),
    )


def told_to(vendor: Vendor) -> str:
    """Everything that the vendor was sent."""
    return "".join(request.content.decode() for request in vendor.sent)


def given_away(told: str) -> list[str]:
    """The hidden names that were told."""
    return [name for name in (SECRET_SKU, SECRET_NAME, FAR_SITE, FAR_NAME) if name.lower() in told.lower()]


@pytest.fixture
def guarded(vendor: Vendor, open_with: Callable[..., Service]) -> Service:
    """A service with secrets, and a planner who may not see them."""
    service = open_with(settings=CONFIGURED)
    settle_in(service, a_network_with_secrets(), PAULA, ADA, PAT)
    return service


def test_the_vendor_is_told_no_masked_sku_and_no_site_outside_the_callers_scope(
    guarded: Service, vendor: Vendor
) -> None:
    scan(guarded)  # somebody else's plan, which is carried out
    (request,) = waiting(guarded)
    approve(guarded, request)
    carry_out(guarded, request)
    moved = {(order.sku_id, order.destination) for order in orders(guarded)}
    assert {(SECRET_SKU, FAR_SITE), ("P2", FAR_SITE)} <= moved
    vendor.will(EVERY_TOOL, calls(("explain_line", {})), says("So it is."))
    turn = talk(guarded, "tell me everything", by=PAT)
    told = told_to(vendor)
    assert turn.words == "So it is."
    assert len(turn.tools) == 10
    assert "masked-" in told
    assert '\\"state\\": \\"shipped\\"' in told
    assert given_away(told) == []


def test_an_approvers_words_reach_the_vendor_without_what_is_hidden(guarded: Service, vendor: Vendor) -> None:
    vendor.will(calls(("propose_plan", {})), calls(("submit_plan", {})), says("I see."))
    first = talk(guarded, "rebalance and submit", by=PAT)
    (request,) = waiting(guarded)
    why = f"{SECRET_SKU} ({SECRET_NAME}) is being counted, ask {FAR_NAME}"
    reject(guarded, request, Rejection(code=RejectionCode.OTHER, words=why))
    guarded.resume_thread(request.approval_id)
    second = talk(guarded, "why was that?", by=PAT, thread_id=first.thread_id)
    assert "is being counted, ask (elsewhere)" in told_to(vendor)
    assert given_away(told_to(vendor)) == []
    assert given_away(json.dumps([second.spoken, first.events, second.events])) == []


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged, by us at every level and by the libraries as verbosely as they can."""
    heard = io.StringIO()
    handler, before = logging.StreamHandler(heard), structlog.get_config()
    root, libraries = logging.getLogger(), [logging.getLogger(name) for name in ("openai", "httpx2", "httpcore2")]
    levels = [logger.level for logger in libraries]
    root.addHandler(handler)
    for logger in libraries:
        logger.setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(heard), cache_logger_on_first_use=False)
    yield heard
    structlog.configure(**before)
    root.removeHandler(handler)
    for logger, level in zip(libraries, levels, strict=True):
        logger.setLevel(level)


def test_the_key_is_in_the_request_and_nowhere_else(agent: Service, vendor: Vendor, logged: io.StringIO) -> None:
    echo = f"Incorrect API key provided: {KEY}."
    vendor.will(calls(("propose_plan", {})), fails(500, echo), fails(400, echo))
    talk(agent, "rebalance everything and submit")
    vendor.will(fails(401, echo))
    talk(agent, "status")
    vendor.will(httpcore2.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"), httpcore2.ReadError(KEY))
    talk(agent, "status")
    assert {request.headers["authorization"] for request in vendor.sent} == {f"Bearer {KEY}"}
    assert "llm_down" in logged.getvalue()
    assert "Sending HTTP Request" in logged.getvalue()
    assert KEY not in logged.getvalue()
    kept = list(everything_kept(agent))
    assert any("llm" in part for part in kept)
    assert [part[:200] for part in kept if KEY in part] == []
    assert KEY not in repr(agent)
