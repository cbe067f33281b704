"""Signals: taken in once, judged, turned into facts where they are good, and kept with the reason where they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from app.auth.people import SYSTEM
from app.db.documents import unpacked
from app.errors import ConflictError
from app.plans.store import read_plan
from app.service import Service
from app.stock.facts import freeze
from app.stock.ingest import Ingested, ingest
from app.stock.tables import DataHoldRow, InboundRow, SalesRow, SignalRow, StockCountRow
from tests.builders import NOW, TODAY, in_days
from tests.installation import a_network, scan, settle_in, waiting
from tests.signals import (
    a_count,
    a_reading,
    a_signal,
    an_order,
    counts,
    facts_of,
    forecast,
    held,
    history,
    lane_takes,
    late,
    never_asked,
    order,
    position,
    quarantine_events,
    send,
    sold,
    table_digests,
    take_in,
)
from tools.canonical import digest
from tools.execution import OrderState
from tools.findings import QualityCheck, QualityVerdict
from tools.inventory import LaneKey, SiteSku, Snapshot, SupplyKind
from tools.signals import (
    InboundData,
    SalesData,
    SalesReading,
    SignalData,
    SignalKind,
    TransitState,
    TransitStatusData,
    data_digest,
)

ACCEPTED, WARNED, QUARANTINED = QualityVerdict
S1_P1 = SiteSku("S1", "P1")
NEVER_COUNTED = SiteSku("S1", "P3")


@dataclass(frozen=True)
class Kind:
    """A good signal of a kind, other data of the same kind, and what the good one makes of the facts."""

    good: Callable[[Session], SignalData]
    other: Callable[[Session], SignalData]
    fact: Callable[[Snapshot], object]
    before: object
    after: object


def on_its_way(session: Session, days: int) -> TransitStatusData:
    (known,) = [row for row in freeze(session).supply if row.kind is SupplyKind.TRANSFER]
    return TransitStatusData(transfer_id=known.reference, state=TransitState.DELAYED, expected_on=in_days(days))


KINDS: dict[SignalKind, Kind] = {
    SignalKind.STOCK: Kind(
        lambda _: a_count(190), lambda _: a_count(191), lambda facts: position(facts).on_hand_units, 194, 190
    ),
    SignalKind.SALES: Kind(
        lambda _: history(), lambda _: sold(1, sku_id="P3"), lambda facts: _method(facts, "P3"), None, "ses/smooth"
    ),
    SignalKind.FORECAST: Kind(
        lambda _: forecast(4), lambda _: forecast(5), lambda facts: facts.forecast_by_key[S1_P1].mean_e6[0], 3_000_000,
        4_000_000,
    ),
    SignalKind.INBOUND: Kind(
        lambda _: order(7), lambda _: order(8), lambda facts: [row.units for row in facts.supply_by_key[S1_P1]], [5],
        [5, 7],
    ),
    SignalKind.LEAD_TIME: Kind(
        lambda _: lane_takes(4), lambda _: lane_takes(5),
        lambda facts: facts.lane_by_key[("S1", "S2", "van")].lead_time_days, 1, 4,
    ),
    SignalKind.SUPPLIER_RELIABILITY: Kind(
        lambda _: late(), lambda _: late(40), lambda facts: facts.supply_by_key[S1_P1][0].expected_on, in_days(3),
        in_days(6),
    ),
    SignalKind.TRANSIT_STATUS: Kind(
        lambda session: on_its_way(session, 9), lambda session: on_its_way(session, 8),
        lambda facts: facts.supply_by_key[SiteSku("S2", "P1")][0].expected_on, in_days(2), in_days(9),
    ),
}  # fmt: skip


def _method(facts: Snapshot, sku_id: str) -> str | None:
    found = facts.forecast_by_key.get(SiteSku("S1", sku_id))
    return found.method if found else None


def test_the_kinds_that_are_tried_are_all_there_are() -> None:
    assert set(KINDS) == set(SignalKind)


@pytest.fixture
def shipped(session: Session) -> Session:
    """The session with six units under way from S1, which leaves 194 there."""
    an_order(session, 6, OrderState.SHIPPED)
    return session


@pytest.mark.parametrize("kind", SignalKind)
def test_a_good_signal_of_each_kind_is_accepted_and_becomes_a_fact(shipped: Session, kind: SignalKind) -> None:
    case = KINDS[kind]
    before = facts_of(shipped)
    data = case.good(shipped)
    assert case.fact(before) == case.before

    done = send(shipped, a_signal(data))

    assert (done.verdict, done.findings, done.new) == (ACCEPTED, (), True)
    # What left S1 since the count is taken off; see test_counting.
    expected = case.after if kind is not SignalKind.STOCK else 190 - 6
    assert case.fact(facts_of(shipped)) == expected
    row = shipped.get_one(SignalRow, ("erp", "1"))
    assert (row.kind, row.verdict, row.digest, row.stated_at) == (kind, "accepted", data_digest(data), NOW)
    assert digest({**unpacked(row.data), "note": ""}) == digest(data.model_dump(mode="json"))
    assert quarantine_events(shipped) == []
    assert held(shipped) == {}


@pytest.mark.parametrize("kind", SignalKind)
def test_a_second_delivery_of_a_signal_changes_nothing(shipped: Session, kind: SignalKind) -> None:
    signal = a_signal(KINDS[kind].good(shipped))
    first = send(shipped, signal)
    before = table_digests(shipped)
    again = ingest(shipped, signal, never_asked, SYSTEM)
    assert again == Ingested("erp", "1", first.verdict, (), new=False)
    assert table_digests(shipped) == before


@pytest.mark.parametrize("kind", SignalKind)
def test_the_same_id_with_other_content_is_refused(shipped: Session, kind: SignalKind) -> None:
    send(shipped, a_signal(KINDS[kind].good(shipped)))
    other = a_signal(KINDS[kind].other(shipped))
    before = table_digests(shipped)
    with pytest.raises(ConflictError, match="erp has sent another signal with the id 1 before") as refused:
        ingest(shipped, other, never_asked, SYSTEM)
    assert (refused.value.code, refused.value.status, refused.value.where) == ("signal_differs", 409, {"signal": "1"})
    assert table_digests(shipped) == before


def test_the_same_id_for_another_kind_of_signal_is_refused(session: Session) -> None:
    send(session, a_signal(a_count(190)))
    with pytest.raises(ConflictError) as refused:
        send(session, a_signal(order(7)))
    assert refused.value.code == "signal_differs"


def test_another_note_time_or_subject_is_still_the_same_signal(session: Session) -> None:
    signal = a_signal(a_count(190))
    send(session, signal)
    before = table_digests(session)
    noted = a_count(190).model_copy(update={"note": "counted by hand"})
    again = a_signal(noted, time=NOW + timedelta(minutes=1)).model_copy(update={"subject": "S1"})
    assert not send(session, again).new
    assert table_digests(session) == before


def test_another_source_may_use_the_same_id(session: Session) -> None:
    send(session, a_signal(a_count(190)))
    assert send(session, a_signal(a_count(180, minutes=6), source="wms")).new
    assert position(facts_of(session)).on_hand_units == 180


def test_sources_and_ids_that_hold_slashes_are_told_apart(session: Session) -> None:
    assert send(session, a_signal(a_count(190), "2/3", source="erp")).new
    assert send(session, a_signal(a_count(189, minutes=6), "3", source="erp/2")).new
    assert send(session, a_signal(a_count(-1, minutes=7), "4/5", source="erp")).verdict is QUARANTINED
    assert send(session, a_signal(a_count(-2, minutes=8), "5", source="erp/4")).verdict is QUARANTINED
    assert position(facts_of(session)).on_hand_units == 189
    assert len(quarantine_events(session)) == 2


def test_bad_readings_of_a_signal_are_kept_apart_and_the_good_ones_are_used(session: Session) -> None:
    data = counts(a_reading(-1), a_reading(110, sku_id="P2"), a_reading(3, "S2"))
    done = send(session, a_signal(data))
    assert (done.verdict, [finding.readings for finding in done.findings]) == (QUARANTINED, [(0,)])
    facts = facts_of(session)
    assert [position(facts, *key).on_hand_units for key in (S1_P1, ("S1", "P2"), ("S2", "P1"))] == [200, 110, 3]
    assert held(session) == {(*S1_P1, "evenkeel.stock.v1"): "negative"}


def test_the_last_reading_of_a_site_sku_in_a_signal_counts(session: Session) -> None:
    assert send(session, a_signal(counts(a_reading(190), a_reading(180)))).verdict is ACCEPTED
    twice = InboundData(readings=order(3).readings + order(4).readings)
    send(session, a_signal(twice, "2"))
    days = SalesData(grain="day", readings=sold(3).readings + sold(4).readings)
    send(session, a_signal(days, "3"))
    facts = facts_of(session)
    assert position(facts).on_hand_units == 180
    assert [row.units for row in facts.supply_by_key[S1_P1]] == [5, 4]
    assert [row.units for row in session.exec(select(SalesRow)).all()] == [4]


def test_a_later_good_reading_ends_the_hold(session: Session) -> None:
    send(session, a_signal(a_count(-1), "bad"))
    assert [hold.check for hold in freeze(session).holds] == ["negative"]
    assert send(session, a_signal(a_count(195, minutes=6), "good")).verdict is ACCEPTED
    assert held(session) == {}
    assert freeze(session).holds == ()
    assert session.get_one(SignalRow, ("erp", "bad")).verdict == "quarantined"
    assert len(quarantine_events(session)) == 1


def test_a_hold_is_ended_by_its_own_site_sku_and_kind_alone(session: Session) -> None:
    send(session, a_signal(counts(a_reading(-1), a_reading(-1, sku_id="P2")), "bad stock"))
    send(session, a_signal(sold(-1), "bad sales"))
    send(session, a_signal(a_count(3, "S2", minutes=6), "another site"))
    send(session, a_signal(order(3), "another kind"))
    assert held(session) == {
        ("S1", "P1", "evenkeel.stock.v1"): "negative",
        ("S1", "P2", "evenkeel.stock.v1"): "negative",
        ("S1", "P1", "evenkeel.sales.v1"): "negative",
    }
    send(session, a_signal(a_count(195, minutes=7), "good stock"))
    assert set(held(session)) == {("S1", "P2", "evenkeel.stock.v1"), ("S1", "P1", "evenkeel.sales.v1")}
    assert [(hold.site_id, hold.sku_id) for hold in freeze(session).holds] == [("S1", "P1"), ("S1", "P2")]
    send(session, a_signal(sold(3), "good sales"))
    send(session, a_signal(a_count(115, sku_id="P2", minutes=7), "good stock of P2"))
    assert held(session) == {}


def test_another_bad_reading_keeps_the_hold_with_the_newer_reason(session: Session) -> None:
    send(session, a_signal(a_count(-1), "1"))
    send(session, a_signal(a_count(20, minutes=6), "2"))
    (hold,) = session.exec(select(DataHoldRow)).all()
    assert (hold.check_name, hold.signal_id) == ("sudden_jump", "2")


def test_a_good_count_in_a_newer_folder_ends_the_hold(session: Session) -> None:
    send(session, a_signal(a_count(-1)))
    network = a_network()
    later = tuple(replace(row, as_of=NOW + timedelta(minutes=30)) for row in network.positions)
    take_in(session, replace(network, positions=later))
    assert held(session) == {}


@pytest.mark.parametrize("units", [150, -1, 20], ids=["good", "negative", "a jump"])
def test_an_older_count_changes_nothing_whether_good_or_bad(session: Session, units: int) -> None:
    send(session, a_signal(a_count(195, minutes=5), "newer"))
    before, counted = facts_of(session), session.exec(select(StockCountRow)).all()
    done = send(session, a_signal(a_count(units, minutes=4), "older"))
    assert done.new
    assert QualityCheck.STALE in {finding.check for finding in done.findings}
    assert any("was counted later already" in finding.reason for finding in done.findings)
    assert facts_of(session) == before
    assert session.exec(select(StockCountRow)).all() == counted
    assert held(session) == {}
    assert "older" not in {ref.signal_id for ref in freeze(session).lineage}


def test_an_older_count_does_not_end_a_hold(session: Session) -> None:
    send(session, a_signal(a_count(195, minutes=5), "newer"))
    send(session, a_signal(a_count(-1, minutes=6), "bad"))
    send(session, a_signal(a_count(196, minutes=4), "older"))
    assert held(session) == {(*S1_P1, "evenkeel.stock.v1"): "negative"}


def test_an_older_count_is_used_where_it_is_the_first(session: Session) -> None:
    send(session, a_signal(a_count(195, minutes=5), "newer"))
    mixed = counts(a_reading(150), a_reading(8, sku_id="P3"), minutes=4)
    assert send(session, a_signal(mixed, "older")).verdict is WARNED
    facts = facts_of(session)
    assert (position(facts).on_hand_units, position(facts, *NEVER_COUNTED).on_hand_units) == (195, 8)


def test_two_counts_of_the_same_instant_leave_the_one_that_came_last(session: Session) -> None:
    send(session, a_signal(a_count(195), "1"))
    assert send(session, a_signal(a_count(196), "2")).verdict is ACCEPTED
    assert position(facts_of(session)).on_hand_units == 196


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (SignalKind.SALES, "sales"),
        (SignalKind.FORECAST, "forecast_day"),
        (SignalKind.INBOUND, "inbound"),
        (SignalKind.LEAD_TIME, "lane_lead_time"),
        (SignalKind.SUPPLIER_RELIABILITY, "supplier_reliability"),
    ],
)
def test_older_news_that_comes_late_does_not_replace_newer(session: Session, kind: SignalKind, table: str) -> None:
    case = KINDS[kind]
    same_key = sold(2, sku_id="P3") if kind is SignalKind.SALES else case.good(session)
    send(session, a_signal(same_key, "newer", time=NOW))
    known = table_digests(session)[table]
    send(session, a_signal(case.other(session), "older", time=NOW - timedelta(hours=1)))
    assert table_digests(session)[table] == known
    send(session, a_signal(case.other(session), "as new", time=NOW))
    assert table_digests(session)[table] != known


def test_a_source_whose_clock_runs_ahead_does_not_silence_others_for_good(session: Session) -> None:
    send(session, a_signal(lane_takes(4), "ahead", time=NOW + timedelta(days=300)))
    send(session, a_signal(lane_takes(5), "next", source="tms", time=NOW))
    assert facts_of(session).lane_by_key[LaneKey("S1", "S2", "van")].lead_time_days == 5


def test_the_sales_of_a_day_do_not_replace_those_of_the_week_that_begins_with_it(session: Session) -> None:
    monday = TODAY - timedelta(weeks=1)
    by_week = SalesData(grain="week", readings=(SalesReading(site_id="S1", sku_id="P1", on=monday, units=70),))
    by_day = SalesData(grain="day", readings=(SalesReading(site_id="S1", sku_id="P1", on=monday, units=9),))
    send(session, a_signal(by_week, "week"))
    send(session, a_signal(by_day, "day"))
    rows = session.exec(select(SalesRow).where(SalesRow.site_id == "S1", SalesRow.on_date == monday)).all()
    assert {(row.grain, row.units) for row in rows if row.sku_id == "P1"} >= {("week", 70), ("day", 9)}


def test_an_order_of_no_units_is_no_longer_expected(session: Session) -> None:
    send(session, a_signal(order(0, reference="PO-1")))
    assert S1_P1 not in facts_of(session).supply_by_key
    assert session.get_one(InboundRow, ("S1", "P1", "PO-1")).units == 0


def test_a_quarantined_count_keeps_its_site_sku_out_of_plans_until_a_good_one_comes(service: Service) -> None:
    settle_in(service)
    with service.database.transaction() as session:
        send(session, a_signal(a_count(-1), "bad"))
    assert skus_planned(service) == {"P2"}
    with service.database.transaction() as session:
        send(session, a_signal(a_count(199, minutes=6), "good"))
    assert skus_planned(service) == {"P1", "P2"}


def skus_planned(service: Service) -> set[str]:
    """The SKUs of the plan that a scan puts into the queue now."""
    before = {request.plan_digest for request in waiting(service)}
    scan(service)
    (new,) = {request.plan_digest for request in waiting(service)} - before
    with service.database.transaction() as session:
        return {line.sku_id for line in read_plan(session, new).lines}
