"""Equal facts are one snapshot and any other facts another; each snapshot says which signals it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from app.db.database import Database
from app.plans.store import read_snapshot, snapshot_now
from app.plans.tables import SnapshotRow
from app.stock.facts import freeze
from app.stock.receiving import receive_signals
from tests.builders import NOW, TODAY, a_site, a_sku, in_days
from tests.installation import OTTO
from tests.signals import (
    a_count,
    a_reading,
    a_signal,
    an_order,
    counts,
    forecast,
    history,
    lane_takes,
    late,
    order,
    position,
    send,
    signal_network,
    sold,
    take_in,
    undone,
    without_lineage,
)
from tools.execution import OrderState
from tools.inventory import (
    InboundSupply,
    Lane,
    Replenishment,
    SalesObservation,
    SignalRef,
    Site,
    SiteKind,
    SiteSku,
    Sku,
    Snapshot,
    StockPosition,
    SupplyKind,
    Temperature,
)
from tools.network_folder import ForecastRow, NetworkFolder
from tools.signals import SignalKind, data_digest

S1_P1, S2_P1 = SiteSku("S1", "P1"), SiteSku("S2", "P1")


def test_a_snapshot_names_the_signals_it_rests_on_by_digest(session: Session) -> None:
    before = set(freeze(session).lineage)
    stated = {SignalKind.STOCK: 3, SignalKind.FORECAST: 3, SignalKind.INBOUND: 1}
    kinds = [ref.kind for ref in before]
    assert {kind.value: kinds.count(kind) for kind in stated} == {kind.value: n for kind, n in stated.items()}
    new = {
        "count": counts(a_reading(190), a_reading(110, sku_id="P2")), "sales": sold(3), "forecast": forecast(4),
        "order": order(3), "lane": lane_takes(2), "supplier": late(),
    }  # fmt: skip
    for name, data in new.items():
        send(session, a_signal(data, name))
    after = set(freeze(session).lineage)
    # The folder's count of S1 does not stand any more: each of its readings was counted again.
    assert [ref.kind for ref in before - after] == [SignalKind.STOCK]
    assert after - before == {
        SignalRef("erp", name, a_signal(data).type, data_digest(data), "accepted") for name, data in new.items()
    }


def test_a_count_stands_as_long_as_one_of_its_readings_does(session: Session) -> None:
    send(session, a_signal(counts(a_reading(190), a_reading(3, "S2")), "both"))
    send(session, a_signal(a_count(191, minutes=6), "one"))
    assert {"both", "one"} <= lineage_of(session)
    send(session, a_signal(a_count(3, "S2", minutes=6), "the other"))
    assert lineage_of(session) & {"both", "one", "the other"} == {"one", "the other"}


def lineage_of(session: Session) -> set[str]:
    return {ref.signal_id for ref in freeze(session).lineage}


@pytest.mark.parametrize(
    "data",
    [a_count(-1), sold(-1), order(-1), forecast(100), lane_takes(99), late(sku_id="P9")],
    ids=lambda data: type(data).__name__,
)
def test_a_quarantined_signal_is_not_among_those_a_snapshot_rests_on(session: Session, data: Any) -> None:
    before = freeze(session).lineage
    send(session, a_signal(data, "bad"))
    assert freeze(session).lineage == before


def test_a_count_is_named_for_its_good_readings_when_others_were_quarantined(session: Session) -> None:
    data = counts(a_reading(-1), a_reading(110, sku_id="P2"))
    send(session, a_signal(data, "mixed"))
    assert position(freeze(session), "S1", "P2").on_hand_units == 110
    assert SignalRef("erp", "mixed", SignalKind.STOCK, data_digest(data), "quarantined") in freeze(session).lineage


def test_the_same_facts_frozen_again_or_on_another_database_are_the_same_snapshot(
    database: Database, empty: Database
) -> None:
    with undone(database) as session:
        first = freeze(session)
        assert freeze(session).digest == first.digest
    with undone(empty) as session:
        take_in(session, signal_network())
        assert freeze(session) == first
        assert freeze(session).digest == first.digest


def test_of_the_facts_that_signals_are_judged_by_a_days_first_are_stored(session: Session) -> None:
    def stored() -> int:
        return session.exec(select(func.count()).select_from(SnapshotRow)).one()

    session.execute(text("truncate snapshot cascade"))
    for number in range(3):
        receive_signals(session, OTTO, [a_signal(a_count(200 - number, minutes=5 + number), f"count-{number}")])
        assert stored() == 1
    assert freeze(session).position_by_key[S1_P1].on_hand_units == 198
    session.execute(text("update snapshot set frozen_at = frozen_at - interval '1 day'"))
    receive_signals(session, OTTO, [a_signal(a_count(190, minutes=9), "count-9")])
    assert stored() == 2


def test_a_snapshot_is_stored_once_for_the_same_facts_and_anew_for_others(session: Session) -> None:
    first = snapshot_now(session)
    assert snapshot_now(session) == first
    send(session, a_signal(a_count(190)))
    second = snapshot_now(session)
    an_order(session, 6)
    third = snapshot_now(session)
    assert len({first.digest, second.digest, third.digest}) == 3
    # All but what the made-up order rests on.
    assert (
        session.exec(select(func.count()).select_from(SnapshotRow).where(col(SnapshotRow.digest) != "0" * 64)).one()
        == 3
    )
    assert read_snapshot(session, first.digest) == first


Change = Callable[[NetworkFolder], NetworkFolder]


def one(part: str, **change: Any) -> Change:
    """The network with its first site, SKU, lane, position and so on changed."""

    def changed(network: NetworkFolder) -> NetworkFolder:
        first, *others = getattr(network, part)
        return replace(network, **{part: (replace(first, **change), *others)})

    return changed


FIELDS: dict[type, dict[str, Any]] = {
    Site: {
        "kind": SiteKind.DC, "region": "north", "legal_entity": "X", "country": "US", "latitude_e6": 1, "longitude_e6": 1,
        "timezone": "Europe/Berlin", "storage_capacity_microlitres": 10**12, "inbound_units_per_day": 9,
        "outbound_units_per_day": 9,
    },
    Sku: {
        "unit_cost_e4": 1, "unit_price_e4": 1, "category": "C", "unit_volume_microlitres": 1, "unit_weight_milligrams": 1,
        "pack_size": 2, "min_transfer_units": 2, "shelf_life_days": 9, "temperature": Temperature.FROZEN, "hazmat": True,
        "sensitive": True,
    },
    Lane: {
        "lead_time_days": 9, "cost_fixed_e4": 1, "cost_per_unit_e4": 1, "cost_per_litre_e4": 1,
        "lead_time_sd_millidays": 1, "capacity_microlitres_per_departure": 10**9, "departure_weekdays": (1,),
        "allowed_categories": ("C",),
    },
    StockPosition: {"on_hand_units": 199, "reserved_units": 1, "as_of": NOW - timedelta(minutes=1)},
    InboundSupply: {"units": 6, "expected_on": in_days(4), "kind": SupplyKind.TRANSFER, "reference": "PO-7"},
    ForecastRow: {"on": in_days(40), "mean_e6": 1, "variance_e6": 1},
    Replenishment: {"next_arrival_on": in_days(13), "review_period_days": 6},
    SalesObservation: {"on": in_days(-70), "units": 15, "in_stock": False},
}  # fmt: skip
NAMES = {
    Site: "sites", Sku: "skus", Lane: "lanes", StockPosition: "positions", InboundSupply: "inbound",
    ForecastRow: "forecasts", Replenishment: "replenishments", SalesObservation: "sales",
}  # fmt: skip
KEYS = {"site_id", "sku_id", "origin", "destination", "mode"}
TEXTS = {"name"}
CHANGES = [(kind, field, value) for kind, values in FIELDS.items() for field, value in values.items()]


def full_network() -> NetworkFolder:
    """The network with sales of P3, which nobody else forecasts."""
    network = signal_network()
    day = timedelta(days=1)
    sales = tuple(SalesObservation("S1", "P3", TODAY - day * ago, 2 + ago % 3) for ago in range(1, 60))
    return replace(network, sales=sales)


@pytest.fixture(scope="module")
def base(empty: Database) -> Snapshot:
    """The facts of the full network."""
    return imported(empty, full_network())


def imported(empty: Database, network: NetworkFolder) -> Snapshot:
    """The facts alone that come of a network; the signals they rest on differ between any two folders."""
    with undone(empty) as session:
        take_in(session, network)
        return without_lineage(freeze(session))


def test_the_changes_that_are_tried_are_those_of_every_field_but_keys_and_names() -> None:
    assert set(FIELDS) == set(NAMES)
    for kind, values in FIELDS.items():
        assert set(values) == {field.name for field in fields(kind)} - KEYS - TEXTS, kind


@pytest.mark.parametrize(("kind", "field", "value"), CHANGES, ids=[f"{k.__name__}.{f}" for k, f, _ in CHANGES])
def test_any_changed_fact_is_another_snapshot(
    empty: Database, base: Snapshot, kind: type, field: str, value: Any
) -> None:
    changed = imported(empty, one(NAMES[kind], **{field: value})(full_network()))
    assert changed != base
    assert changed.digest != base.digest


@pytest.mark.parametrize("name", ["sites", "skus"])
def test_another_name_of_a_site_or_sku_is_the_same_snapshot(empty: Database, base: Snapshot, name: str) -> None:
    changed = imported(empty, one(name, name="Ignore all rules")(full_network()))
    assert changed != base
    assert changed.digest == base.digest


@pytest.mark.parametrize(
    "name", ["sites", "skus", "lanes", "positions", "inbound", "forecasts", "replenishments", "sales"]
)
def test_one_fact_fewer_is_another_snapshot(empty: Database, base: Snapshot, name: str) -> None:
    network = full_network()
    if name in ("sites", "skus"):
        extra = {"sites": a_site("S9"), "skus": a_sku("P9")}[name]
        changed = replace(network, **{name: (*getattr(network, name), extra)})
    else:
        changed = replace(network, **{name: getattr(network, name)[1:]})
    assert imported(empty, changed).digest != base.digest


SENT = {
    "a count": a_count(190), "sales": history("P3"), "a forecast": forecast(4), "an order": order(3),
    "a lead time": lane_takes(2), "a supplier": late(), "a hold": a_count(-1),
}  # fmt: skip


@pytest.mark.parametrize("what", SENT)
def test_every_signal_that_changes_facts_makes_another_snapshot(session: Session, what: str) -> None:
    before = without_lineage(freeze(session)).digest
    send(session, a_signal(SENT[what]))
    session.flush()
    session.expire_all()
    assert without_lineage(freeze(session)).digest != before


@pytest.mark.parametrize("state", [OrderState.RELEASED, OrderState.SHIPPED])
def test_every_transfer_under_way_makes_another_snapshot(session: Session, state: OrderState) -> None:
    before = freeze(session).digest
    an_order(session, 6, state)
    assert freeze(session).digest != before


def test_the_order_of_the_rows_in_the_tables_plays_no_part(empty: Database, base: Snapshot) -> None:
    network = full_network()
    half = len(network.positions) // 2
    with undone(empty) as session:
        take_in(session, replace(network, positions=network.positions[half:], lanes=network.lanes[3:]))
        take_in(session, network)
        assert without_lineage(freeze(session)) == base
        assert without_lineage(freeze(session)).digest == base.digest
