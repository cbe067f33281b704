"""What a folder becomes: facts, once, also when many import it at the same time; a newer one deletes nothing."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, func, select

from app.auth.people import SYSTEM
from app.db.database import Database
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.plans.store import read_snapshot, snapshot_now
from app.service import Service
from app.stock.facts import freeze
from app.stock.folder import read_folder
from app.stock.importing import Imported, _envelopes, import_network
from app.stock.installation import planning_now
from app.stock.tables import (
    ForecastDayRow,
    InboundRow,
    MasterRow,
    NetworkImport,
    ReplenishmentRow,
    SalesRow,
    SignalRow,
    StockCountRow,
)
from tests.builders import FOLDER, NOW, a_folder, a_lane, a_position, a_site, a_sku, a_supply
from tests.installation import a_network, balances, import_into
from tests.signals import position, table_digests, take_in, undone
from tools.inventory import SiteSku, Snapshot
from tools.moves import available, committed
from tools.network_folder import (
    SIZE_LIMIT_BYTES,
    NetworkFolder,
    read_network,
    write_network,
)
from tools.signals import READINGS_MAX, SignalKind, StockData


@pytest.fixture
def session(databases: dict[str, Database]) -> Iterator[Session]:
    """A session on the database that holds a network. Nothing of it stays."""
    with undone(databases["filled"]) as opened:
        yield opened


@pytest.fixture
def fresh(databases: dict[str, Database]) -> Iterator[Session]:
    """A session on the empty database. Nothing of it stays."""
    with undone(databases["empty"]) as opened:
        yield opened


def test_stock_counted_long_ago_is_a_warning_and_not_a_fault(fresh: Session) -> None:
    done = take_in(fresh, a_folder(), pin=False)
    assert done.new
    assert len(done.warnings) == 1
    assert "3 of 3 positions were counted before" in done.warnings[0]
    verdicts = dict(fresh.exec(select(SignalRow.kind, SignalRow.verdict).where(SignalRow.subject == "S1")).all())
    assert verdicts[SignalKind.STOCK] == "warned"
    assert position(freeze(fresh)).on_hand_units == 7


def test_recent_stock_is_taken_without_a_warning(fresh: Session) -> None:
    recent = (datetime.now(UTC) - timedelta(hours=47)).isoformat(timespec="seconds")
    stock = f"site_id,sku_id,on_hand,as_of\nS1,P1,7,{recent}\n"
    assert take_in(fresh, a_folder(stock=stock), pin=False).warnings == ()


FORMULAS = ("=HYPERLINK(A1)", "+49 store", "-1 store", "@home")


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_looks_like_a_formula_is_kept_as_text_and_escaped_again_at_export(fresh: Session, text: str) -> None:
    sites = FOLDER["sites.csv"].replace("North store", text).replace(",north,52.5", f",{text},52.5")
    skus = FOLDER["skus.csv"].replace("Oat drink", f"'{text}")  # as a careful spreadsheet has written it
    assert take_in(fresh, a_folder(sites=sites, skus=skus)).new
    snapshot = freeze(fresh)
    assert (snapshot.site_by_id["S1"].name, snapshot.site_by_id["S1"].region) == (text, text)
    assert snapshot.sku_by_id["P1"].name == text

    exported = write_network(_as_network(snapshot))
    cells = [cell for row in csv.reader(io.StringIO(exported["sites.csv"].decode())) for cell in row]
    assert cells.count(f"'{text}") == 2
    assert f",'{text},".encode() in exported["skus.csv"].replace(b'"', b"")
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@") and not _is_number(cell)]
    again = read_network(exported, NOW, timedelta(days=1))
    assert isinstance(again, NetworkFolder)
    assert again.sites == snapshot.sites


def _as_network(snapshot: Snapshot) -> NetworkFolder:
    demand = a_network().forecasts[:1]
    return NetworkFolder(
        snapshot.currency, snapshot.sites, snapshot.skus, snapshot.lanes, snapshot.positions, forecasts=demand
    )


def _is_number(cell: str) -> bool:
    return cell.lstrip("-").replace(".", "", 1).isdigit()


@pytest.mark.parametrize("cell", ["drinks", "'=fresh", "''=fresh", "\N{NO-BREAK SPACE}chilled", "+4 °C"])
def test_a_category_is_read_alike_for_a_sku_and_for_the_lanes_that_admit_it(fresh: Session, cell: str) -> None:
    skus = FOLDER["skus.csv"].replace("drinks", cell)
    lanes = f"origin,destination,lead_time_days,cost_fixed,allowed_categories\nS1,S2,1,5,{cell}\nS2,S1,1,5,{cell};zz\n"
    done = take_in(fresh, a_folder(skus=skus, lanes=lanes))
    assert not [words for words in done.warnings if "category" in words and "zz" not in words]
    snapshot = freeze(fresh)
    category = snapshot.sku_by_id["P1"].category
    assert [lane.allowed_categories for lane in snapshot.lanes] == [(category,), tuple(sorted((category, "zz")))]


def test_a_folder_becomes_master_data_stock_supply_and_demand(fresh: Session) -> None:
    done = take_in(fresh, a_folder())
    assert done.counts == {
        "sites": 3, "skus": 2, "lanes": 2, "positions": 3, "inbound": 1, "sales": 2, "forecasts": 1,
        "replenishments": 1,
    }  # fmt: skip
    assert (done.sales_grain, done.quarantined) == ("week", 0)
    snapshot = freeze(fresh)
    assert (snapshot.as_of, snapshot.currency) == (datetime(2026, 3, 2, 5, tzinfo=UTC), "EUR")
    assert [site.site_id for site in snapshot.sites] == ["DC1", "S1", "S2"]
    assert snapshot.sku_by_id["P1"].pack_size == 6
    assert [lane.key for lane in snapshot.lanes] == [("DC1", "S1", "truck"), ("S1", "S2", "van")]
    assert [(p.site_id, p.on_hand_units, p.reserved_units) for p in snapshot.positions] == [
        ("DC1", 100, 0), ("S1", 7, 2), ("S2", 3, 0),
    ]  # fmt: skip
    assert [(row.units, row.reference) for row in snapshot.supply] == [(6, "PO-1")]
    assert snapshot.forecast_by_key[SiteSku("S1", "P1")].mean_e6 == (750_000,)
    assert snapshot.replenishments[0].review_period_days == 7
    held = balances(fresh)
    assert (held[available("S1"), "P1"], held[committed("S1"), "P1"]) == (5, 2)


def test_the_same_folder_imported_twice_is_known_and_changes_nothing(session: Session) -> None:
    before = table_digests(session)
    again = take_in(session, a_folder())
    assert not again.new
    assert again.counts["positions"] == 3
    assert again.quarantined == 0
    assert table_digests(session) == before


@pytest.mark.parametrize("way", ["pinned or not", "by somebody else", "in other rows and columns", "with a notice"])
def test_a_known_folder_is_known_however_it_is_written_and_whoever_imports_it(session: Session, way: str) -> None:
    files = a_folder()
    if way == "in other rows and columns":
        header, *rows = FOLDER["stock.csv"].splitlines()
        turned = [",".join(reversed(row.split(","))) for row in (header, *reversed(rows))]
        files["stock.csv"] = "\r\n".join(turned).encode()
    if way == "with a notice":
        files["notes.txt"] = b""
    before = table_digests(session)
    actor = "bob" if way == "by somebody else" else SYSTEM
    done = import_network(session, files, actor, pin=way != "pinned or not", size_limit_bytes=SIZE_LIMIT_BYTES)
    assert not done.new
    # The sound folder is months old, except on its own day.
    assert len(done.warnings) == (way in ("with a notice", "pinned or not"))
    assert table_digests(session) == before


LATER = NOW + timedelta(hours=1)
_KEYED = (MasterRow, StockCountRow, InboundRow, SalesRow, ForecastDayRow, ReplenishmentRow, SignalRow)


def keys_of(session: Session) -> set[tuple[object, ...]]:
    """The primary keys of every row that states a fact."""
    return {
        (table.__tablename__, *(getattr(row, column.name) for column in table.__table__.primary_key))
        for table in _KEYED
        for row in session.exec(select(table)).all()
    }


def a_newer_network(old: NetworkFolder) -> NetworkFolder:
    """An hour later: S1 has another name and P1 another price, S3 and its stock are not named any more."""
    kept = [row for row in old.positions if row.site_id != "S3"]
    return replace(
        old,
        sites=(a_site("S1", name="Renamed"), a_site("S2"), a_site("S4")),
        skus=(a_sku("P1", unit_price_e4=120_000),),
        lanes=(a_lane("S1", "S2", lead_time_days=3), a_lane("S1", "S4")),
        positions=tuple(
            replace(row, as_of=LATER, on_hand_units=row.on_hand_units + 1) for row in kept if row.sku_id == "P1"
        ),
        inbound=(a_supply("S2", reference="PO-2"),),
        forecasts=tuple(row for row in old.forecasts if (row.site_id, row.sku_id) == ("S1", "P1")),
        replenishments=(),
    )


def test_a_newer_folder_updates_master_data_makes_a_new_snapshot_and_deletes_nothing(fresh: Session) -> None:
    old = a_network(inbound=(a_supply("S1", reference="PO-1"),))
    take_in(fresh, old)
    first, keys = snapshot_now(fresh), keys_of(fresh)
    events = fresh.exec(select(func.count()).select_from(LedgerEvent)).one()

    assert take_in(fresh, a_newer_network(old)).new
    fresh.expire_all()
    second = snapshot_now(fresh)

    assert keys < keys_of(fresh)
    assert fresh.exec(select(func.count()).select_from(LedgerEvent)).one() > events
    assert [site.site_id for site in second.sites] == ["S1", "S2", "S3", "S4"]
    assert second.site_by_id["S1"].name == "Renamed"
    assert second.sku_by_id["P1"].unit_price_e4 == 120_000
    assert second.sku_by_id["P2"] == first.sku_by_id["P2"]
    assert second.lane_by_key[("S1", "S2", "van")].lead_time_days == 3
    assert len(second.lanes) == len(first.lanes) + 1
    assert [row.reference for row in second.supply] == ["PO-1", "PO-2"]
    assert second.forecasts == first.forecasts

    assert (second.as_of, position(second).as_of) == (LATER, LATER)
    assert position(second).on_hand_units == 201
    assert position(second, "S3") == position(first, "S3")
    assert second.digest != first.digest
    assert read_snapshot(fresh, first.digest) == first


def test_the_day_of_a_pinned_network_moves_on_with_a_newer_folder_and_never_back(fresh: Session) -> None:
    take_in(fresh, a_network())
    take_in(fresh, a_newer_network(a_network()))
    assert planning_now(fresh) == LATER
    earlier = replace(a_network(), positions=(a_position("S1", "P1", 7, as_of=NOW - timedelta(days=3)),))
    take_in(fresh, earlier)
    assert planning_now(fresh) == LATER
    assert position(freeze(fresh)).on_hand_units == 201


def test_what_a_newer_folder_does_not_count_any_more_is_warned_about(fresh: Session) -> None:
    take_in(fresh, a_network())
    take_in(fresh, a_newer_network(a_network()))
    query = select(SignalRow).where(SignalRow.kind == SignalKind.STOCK, SignalRow.stated_at == LATER)
    found = {
        (row.subject, finding["check"], tuple(finding["key"])): finding["verdict"]
        for row in fresh.exec(query).all()
        for finding in row.findings
    }
    assert found == {
        ("S1", "missing", ("S1", "P2")): "warned",
        ("S2", "missing", ("S2", "P2")): "warned",
        ("S1", "missing", ("S3", "P1")): "warned",  # nothing at all is counted at S3
        ("S1", "missing", ("S3", "P2")): "warned",
    }


def together(database: Database, *networks: NetworkFolder) -> tuple[list[Imported], list[Exception]]:
    """Import the networks at the same time, one in each thread."""
    start = threading.Barrier(len(networks))
    done: list[Imported] = []
    failed: list[Exception] = []

    def one(network: NetworkFolder) -> None:
        start.wait()
        try:
            with database.transaction() as writing:
                done.append(take_in(writing, network))
        except Exception as error:  # noqa: BLE001 - every failure is looked at by the test
            failed.append(error)

    threads = [threading.Thread(target=one, args=(network,)) for network in networks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done, failed


@pytest.mark.parametrize("state", ["empty", "filled"])
def test_the_same_folder_imported_by_four_at_once_is_imported_once(service: Service, state: str) -> None:
    network = a_newer_network(a_network())
    if state == "filled":
        import_into(service)
    done, failed = together(service.database, *[network] * 4)
    assert failed == []
    assert sorted(each.new for each in done) == [False, False, False, True]
    with service.database.transaction() as reading:
        imports = reading.exec(select(NetworkImport).where(NetworkImport.digest == network.digest)).all()
        signals = reading.exec(select(SignalRow).where(SignalRow.stated_at == LATER)).all()
        events = reading.exec(select(LedgerEvent).where(col(LedgerEvent.key) == f"import/{network.digest}")).all()
        stock = balances(reading)
    assert (len(imports), len(events)) == (1, 1)
    assert sorted(row.subject for row in signals if row.kind == SignalKind.STOCK) == ["S1", "S2"]
    assert stock[available("S1"), "P1"] == 201
    assert verify(service.database).verified


def test_two_folders_imported_at_once_leave_the_newer_stock_whichever_comes_first(service: Service) -> None:
    done, failed = together(service.database, a_network(), a_newer_network(a_network()))
    assert failed == []
    assert [each.new for each in done] == [True, True]
    with service.database.transaction() as reading:
        snapshot = freeze(reading)
    assert position(snapshot).on_hand_units == 201
    assert position(snapshot, "S3").on_hand_units == 45


def test_a_site_with_more_positions_than_a_signal_may_carry_is_counted_by_several() -> None:
    more = READINGS_MAX + 1
    network = replace(a_network(), positions=tuple(a_position("S1", f"P{number:06}", number) for number in range(more)))
    signals = [signal for signal in _envelopes(network) if signal.type is SignalKind.STOCK]
    data = [signal.facts() for signal in signals]
    assert len({signal.id for signal in signals}) == len(signals) == 2
    assert all(isinstance(each, StockData) for each in data)
    counted = {reading.sku_id: reading.on_hand_units for each in data for reading in each.readings}  # type: ignore[union-attr]
    assert counted == {row.sku_id: row.on_hand_units for row in network.positions}


SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.shared
@pytest.mark.parametrize(("name", "sites", "skus"), [("vn2", 67, 297), ("food77", 77, 47)])
def test_a_real_network_is_imported_as_its_files_state_it(
    databases: dict[str, Database], name: str, sites: int, skus: int
) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip(f"the real network {name} does not lie beside the project")
    files = read_folder(SHARED / name)
    assert isinstance(files, dict)
    rows = {file: list(csv.DictReader(io.StringIO(data.decode()))) for file, data in files.items()}
    with undone(databases["empty"]) as session:
        done = take_in(session, files)
        snapshot = freeze(session)
        assert (done.new, done.quarantined, done.sales_grain) == (True, 0, "week")
        assert (done.counts["sites"], done.counts["skus"]) == (sites, skus) == (len(snapshot.sites), len(snapshot.skus))
        assert {(p.site_id, p.sku_id): p.on_hand_units for p in snapshot.positions} == {
            (row["site_id"], row["sku_id"]): int(row["on_hand"]) for row in rows["stock.csv"]
        }
        assert sum(row.units for row in snapshot.supply) == sum(int(row["units"]) for row in rows["inbound.csv"])
        sold = session.exec(select(func.sum(SalesRow.units))).one()
        assert int(sold) == sum(int(row["units"]) for row in rows["sales.csv"])
        assert len(snapshot.lanes) == len(rows["lanes.csv"])
        assert {forecast.key for forecast in snapshot.forecasts} >= {
            position.key for position in snapshot.positions if position.on_hand_units
        }
        before = table_digests(session)
        assert not take_in(session, files).new
        assert table_digests(session) == before
