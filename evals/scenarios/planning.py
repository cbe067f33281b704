"""Finding the right transfers, and keeping away from data that is not good enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from evals.networks import NOW, SHORTAGE_BESIDE_SURPLUS, TWO_CLAIMS_ON_ONE_POOL, network
from evals.scenario import Expectation
from evals.stage import Stage
from tools.execution import OrderState
from tools.findings import QualityVerdict
from tools.signals import SignalKind, StockData, StockReading


def shortage_beside_surplus(stage: Stage) -> Iterator[Expectation]:
    """One store runs out while the next sits on months of the same SKUs: a scan, a decision, and the goods arrive."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    stage.scan()
    request = stage.next_request()
    plan = stage.plan(request.plan_digest)
    yield Expectation("the plan brings both SKUs from S1 to S2 and nothing else", _ways(plan) == {("S1", "S2")})
    yield Expectation("nothing has moved before the decision", not stage.orders())
    before = {sku: stage.on_hand("S2", sku) for sku in ("P1", "P2")}
    stage.approve(request)
    with stage.at_work():
        stage.receive_all()
    yield Expectation("every order is closed", {order.state for order in stage.orders()} == {OrderState.CLOSED})
    arrived = {sku: stage.on_hand("S2", sku) - before[sku] for sku in before}
    yield Expectation("S2 has what the plan says", arrived == {line.sku_id: line.units for line in plan.lines})
    stage.scan()
    yield Expectation("a second scan finds nothing more worth moving", not stage.waiting())


def two_claims_on_one_pool(stage: Stage) -> Iterator[Expectation]:
    """Two stores claim more from one pool than it has: the bids are on record and the pool is not promised twice."""
    stage.set_up(network(TWO_CLAIMS_ON_ONE_POOL))
    stage.scan()
    request = stage.next_request()
    plan, bids = stage.plan(request.plan_digest), stage.bids(request.plan_digest)
    yield Expectation("one pool is contested", len(bids) == 1)
    awards = bids[0]["awards"] if bids else []
    assert isinstance(awards, list)
    yield Expectation("both claims and their highest bids are recorded", {a["site"] for a in awards} == {"S2", "S3"})
    pool = bids[0]["pool_units"] if bids else 0
    yield Expectation("no more is awarded than there is", sum(a["awarded_units"] for a in awards) == pool)
    yield Expectation("the plan follows the market", all(a["planned_units"] == a["awarded_units"] for a in awards))
    stage.approve(request)
    with stage.at_work():
        stage.receive_all()
    yield Expectation("S1 keeps what the plan leaves it", stage.on_hand("S1", "P1") == 90 - plan.units)


def stale_feed(stage: Stage) -> Iterator[Expectation]:
    """The donor's stock was counted days ago: no plan rests on it until a fresh count comes in."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS, counted_at={"S1": NOW - timedelta(days=5)}))
    thread = stage.scan()
    yield Expectation("nothing is put into the queue", not stage.waiting())
    yield Expectation("the report says that nothing moves", "worth moving" in stage.words(thread))
    fresh = StockData(
        as_of=NOW,
        readings=tuple(
            StockReading(site_id="S1", sku_id=sku, on_hand_units=units)
            for (site, sku), units in SHORTAGE_BESIDE_SURPLUS.items()
            if site == "S1"
        ),
    )
    accepted = stage.send(SignalKind.STOCK, "count-1", fresh)
    yield Expectation("the fresh count is accepted", accepted.verdict is QualityVerdict.ACCEPTED)
    stage.scan()
    request = stage.next_request()
    stage.approve(request)
    with stage.at_work():
        stage.receive_all()
    yield Expectation("then the goods move", stage.on_hand("S2", "P1") > 2)


def quarantined_count(stage: Stage) -> Iterator[Expectation]:
    """A scanner reports a negative count: the signal is kept apart and its SKU stays out of the plan."""
    stage.set_up(network(SHORTAGE_BESIDE_SURPLUS))
    bad = StockData(as_of=NOW, readings=(StockReading(site_id="S1", sku_id="P1", on_hand_units=-40),))
    judged = stage.send(SignalKind.STOCK, "scanner-1", bad)
    yield Expectation("it is quarantined", judged.verdict is QualityVerdict.QUARANTINED)
    again = stage.send(SignalKind.STOCK, "scanner-1", bad)
    yield Expectation("a second delivery changes nothing", not again.new)
    stage.scan()
    request = stage.next_request()
    plan = stage.plan(request.plan_digest)
    yield Expectation("the plan leaves P1 alone", {line.sku_id for line in plan.lines} == {"P2"})
    yield Expectation("the stock is what it was", stage.on_hand("S1", "P1") == SHORTAGE_BESIDE_SURPLUS["S1", "P1"])


def _ways(plan: object) -> set[tuple[str, str]]:
    lines = getattr(plan, "lines", ())
    return {(line.origin, line.destination) for line in lines}
