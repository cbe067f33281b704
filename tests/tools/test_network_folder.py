"""What a sound folder states, what makes no difference to it, and what is worth a warning."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.builders import FOLDER, NOW, a_folder, a_lane, a_position, a_site, a_sku
from tools.inventory import (
    InboundSupply,
    Lane,
    Replenishment,
    SalesObservation,
    Site,
    SiteKind,
    Sku,
    StockPosition,
    SupplyKind,
    Temperature,
)
from tools.network_folder import (
    FaultCode,
    ForecastRow,
    ImportFaults,
    NetworkFolder,
    NoticeCode,
    SalesGrain,
    read_network,
    write_network,
)

DAY = timedelta(days=1)
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def read(files: dict[str, bytes], now: datetime = NOW, stale_after: timedelta = DAY) -> NetworkFolder:
    network = read_network(files, now, stale_after)
    assert isinstance(network, NetworkFolder), [str(fault) for fault in network.faults]
    return network


def test_a_sound_folder_is_read_into_exact_integers():
    network = read(a_folder())
    counted = datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert network.currency == "EUR"
    assert network.sites == (
        Site("DC1", "Centre", SiteKind.DC, "north"),
        Site("S1", "North store", SiteKind.STORE, "north", latitude_e6=52_500_000),
        Site("S2", "South store", SiteKind.STORE, "south"),
    )
    assert network.skus == (
        Sku("P1", "Oat drink", 21_000, 34_999, "drinks", unit_volume_microlitres=1_050_000, pack_size=6),
        Sku("P2", "Rice", 10_000, 25_000),
    )
    assert network.lanes == (
        Lane("DC1", "S1", "truck", 2, 250_000, departure_weekdays=(1, 3, 5)),
        Lane("S1", "S2", "van", 1, 95_000),
    )
    assert network.positions == (
        StockPosition("DC1", "P1", 100, 0, counted),
        StockPosition("S1", "P1", 7, 2, counted),
        StockPosition("S2", "P2", 3, 0, counted),
    )
    assert network.inbound == (InboundSupply("S1", "P1", 6, date(2026, 3, 5), SupplyKind.PURCHASE_ORDER, "PO-1"),)
    assert network.sales == (
        SalesObservation("S1", "P1", date(2026, 2, 16), 5),
        SalesObservation("S1", "P1", date(2026, 2, 23), 4, in_stock=False),
    )
    assert network.forecasts == (ForecastRow("S1", "P1", date(2026, 3, 2), 750_000, 1_500_000),)
    assert network.replenishments == (Replenishment("S1", "P1", date(2026, 3, 9), 7),)
    assert network.sales_grain is SalesGrain.WEEK
    assert network.as_of == counted
    assert {position.as_of.tzinfo for position in network.positions} == {UTC}, "instants are held in UTC"
    assert network.warnings == ()


def test_every_column_fills_its_field():
    network = read(
        a_folder(
            sites=(
                "site_id,name,kind,region,legal_entity,country,latitude,longitude,timezone,"
                "storage_capacity_litres,inbound_units_per_day,outbound_units_per_day\n"
                "S1,A,warehouse,r,E1,DE,-33.8688197,-0.0000005,Etc/GMT+12,1234.5,40,0\n"
                "S2,B,cross_dock,,,,90,-180,America/Argentina/Ushuaia,,,\nDC1,C,dc,,,,,,,,,\n"
            ),
            skus=(
                "sku_id,name,category,unit_cost,unit_price,currency,unit_volume_litres,unit_weight_kg,pack_size,"
                "min_transfer_units,shelf_life_days,temperature,hazmat,sensitive\n"
                "P1,A,c,0.0001,1000000000,EUR,0.000001,0.25,12,24,90,frozen,1,1\nP2,B,d,0,0,EUR,,,,,,chilled,0,0\n"
            ),
            lanes=(
                "origin,destination,mode,lead_time_days,lead_time_sd_days,cost_fixed,cost_per_unit,cost_per_litre,"
                "capacity_litres_per_departure,departure_weekdays,allowed_categories\n"
                'S1,S2,reefer,0,0.125,1,0.02,0.003,4000,"5, 1",d; c;c;\n'
            ),
            inbound="site_id,sku_id,units,expected_on,kind,reference\nS1,P1,6,2026-03-05,transfer,TO-1\n",
            forecast="site_id,sku_id,date,mean\nS1,P1,2026-03-02,2\n",
            replenishment="site_id,sku_id,next_arrival_on\nS1,P1,2026-03-09\n",
        )
    )
    assert network.sites[1] == Site(
        "S1", "A", SiteKind.WAREHOUSE, "r", "E1", "DE", -33_868_820, 0, "Etc/GMT+12", 1_234_500_000, 40, 0
    )
    assert network.sites[2].timezone == "America/Argentina/Ushuaia"
    assert (network.sites[2].latitude_e6, network.sites[2].longitude_e6) == (90_000_000, -180_000_000)
    assert network.skus[0] == Sku(
        "P1", "A", 1, 10**13, "c", 1, 250_000, 12, 24, 90, Temperature.FROZEN, hazmat=True, sensitive=True
    )
    assert network.lanes == (Lane("S1", "S2", "reefer", 0, 10_000, 200, 30, 125, 4_000_000_000, (1, 5), ("c", "d")),)
    assert network.inbound[0].kind is SupplyKind.TRANSFER
    assert network.forecasts[0].variance_e6 is None
    assert network.replenishments[0].review_period_days is None


@pytest.mark.parametrize(
    ("degrees", "latitude_e6"),
    [
        ("0.0000005", 0),  # a half goes to the even neighbour
        ("0.0000015", 2),
        ("-0.0000015", -2),
        ("0.00000251", 3),
        ("0.00000249", 2),
        ("-89.99999999", -90_000_000),
        ("1.5000000000000", 1_500_000),
    ],
)
def test_coordinates_are_rounded_to_even_millionths(degrees: str, latitude_e6: int):
    network = read(a_folder(sites=FOLDER["sites.csv"].replace("52.5", degrees)))
    assert network.sites[1].latitude_e6 == latitude_e6


@pytest.mark.parametrize(("cell", "units"), [("12.0", 12), ("0012", 12), ("-0", 0), ("-0.00", 0), (" 7\t", 7)])
def test_a_whole_number_may_be_written_at_length(cell: str, units: int):
    assert read(a_folder(sales=f"date,site_id,sku_id,units\n2026-02-16,S1,P1,{cell}\n")).sales[0].units == units


def test_a_lane_without_a_mode_goes_by_truck():
    lanes = "origin,destination,lead_time_days,cost_fixed\nS1,S2,1,5\n"
    assert read(a_folder(lanes=lanes)).lanes[0].mode == "truck"


def test_optional_files_may_be_absent_or_have_no_rows():
    network = read(a_folder(inbound="site_id,sku_id,units,expected_on,reference\n", sales=None, replenishment=None))
    assert (network.inbound, network.sales, network.replenishments) == ((), (), ())
    assert network.sales_grain is None


@pytest.mark.parametrize(
    "files",
    [
        a_folder(),
        {name: data.replace(b"\n", b"\r\n") for name, data in a_folder().items()},
        {name: data.replace(b"\n", b"\r") for name, data in a_folder().items()},
        {name: b"\xef\xbb\xbf" + data for name, data in a_folder().items()},
        {name: data.replace(b"\n", b"\n\n") for name, data in a_folder().items()},
        a_folder(sites=FOLDER["sites.csv"].replace("North store", '"North store"')),
        a_folder(stock="\n".join([FOLDER["stock.csv"].splitlines()[i] for i in (0, 3, 1, 2)])),
        a_folder(sales="in_stock, units ,sku_id,site_id,date\n1,5,P1,S1,2026-02-16\n0,4.0,P1,S1,2026-02-23\n"),
        a_folder(inbound=FOLDER["inbound.csv"].replace("units,", "kind,units,").replace("P1,", "P1,purchase_order,")),
        a_folder() | {"notes.txt": b"anything"},
    ],
    ids=[
        "same",
        "crlf",
        "cr",
        "bom",
        "blank-lines",
        "quotes",
        "row-order",
        "column-order",
        "default-in-words",
        "another-file",
    ],
)
def test_how_a_folder_is_written_changes_neither_its_facts_nor_its_digest(files: dict[str, bytes]):
    assert read(files) == read(a_folder())
    assert read(files).digest == read(a_folder()).digest


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("sites", "North store", "Northern store"),
        ("sites", "52.5", "52.6"),
        ("skus", "3.4999", "3.4998"),
        ("skus", "EUR", "USD"),
        ("lanes", "9.5", "9.4"),
        ("stock", "DC1,P1,100", "DC1,P1,101"),
        ("stock", "06:00+01:00", "06:00:01+01:00"),
        ("inbound", "PO-1", "PO-2"),
        ("sales", ",0\n", ",1\n"),
        ("forecast", "1.5", "1.500001"),
        ("replenishment", "03-09", "03-10"),
    ],
)
def test_every_fact_counts_for_the_digest(name: str, old: str, new: str):
    text = FOLDER[f"{name}.csv"]
    assert old in text
    changed = read(a_folder(**{name: text.replace(old, new)}))
    assert changed != read(a_folder())
    assert changed.digest != read(a_folder()).digest


def test_the_order_of_facts_given_to_a_network_makes_no_difference():
    sites, positions = (a_site("S2"), a_site("S1")), (a_position("S2"), a_position("S1"))
    one = NetworkFolder("EUR", sites, (a_sku(),), (a_lane(),), positions)
    other = NetworkFolder("EUR", sites[::-1], (a_sku(),), (a_lane(),), positions[::-1])
    assert one == other
    assert one.digest == other.digest
    assert one.sites[0].site_id == "S1"


@pytest.mark.parametrize(
    ("dates", "grain"),
    [
        (["2026-02-02", "2026-02-09", "2026-02-16"], SalesGrain.WEEK),
        (["2026-02-04", "2026-02-25"], SalesGrain.WEEK),  # Wednesdays, three weeks apart
        (["2026-02-04"], SalesGrain.DAY),
        (["2026-02-02", "2026-02-03"], SalesGrain.DAY),
        (["2026-02-02", "2026-02-09", "2026-02-17"], SalesGrain.DAY),
    ],
)
def test_sales_are_weekly_when_several_dates_fall_on_one_weekday(dates: list[str], grain: SalesGrain):
    rows = "".join(f"{on},S1,P1,1\n" for on in dates)
    assert read(a_folder(sales="date,site_id,sku_id,units\n" + rows)).sales_grain is grain


def test_stock_counted_too_long_ago_is_a_warning_that_names_the_oldest():
    stock = FOLDER["stock.csv"].replace("S1,P1,7,2,2026-03-02T05", "S1,P1,7,2,2026-02-27T05")
    stock = stock.replace("DC1,P1,100,0,2026-03-02", "DC1,P1,100,0,2026-02-28")
    (notice,) = read(a_folder(stock=stock)).warnings
    assert (notice.code, notice.file, notice.row, notice.column) == (NoticeCode.STALE_STOCK, "stock.csv", 3, "as_of")
    assert notice.value == "2026-02-27T05:00:00+00:00"
    assert "2 of 3 positions were counted before 2026-03-01T06:00:00Z" in str(notice)


def test_on_its_own_day_a_network_of_the_past_is_as_fresh_as_its_latest_count():
    later = NOW + timedelta(days=400)
    assert [notice.code for notice in read(a_folder(), later).warnings] == [NoticeCode.STALE_STOCK]
    assert read_network(a_folder(), later, DAY, own_day=True).warnings == ()
    old = a_folder(stock=a_folder()["stock.csv"].replace(b"3,,2026-03-02", b"3,,2026-02-02"))
    (notice,) = read_network(old, later, DAY, own_day=True).warnings
    assert notice.words.startswith("1 of 3 positions")


def test_stock_as_old_as_the_limit_is_not_stale_and_stock_counted_now_is_not_in_the_future():
    counted = datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert read(a_folder(), counted + DAY).warnings == ()
    assert read(a_folder(), counted).warnings == ()
    assert read(a_folder(), counted.astimezone(timezone(timedelta(hours=9)))).warnings == ()


def test_now_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        read_network(a_folder(), datetime(2026, 3, 2, 6), DAY)  # noqa: DTZ001 - the point of the test


def test_files_that_are_not_in_the_format_are_named_and_ignored():
    extra = {f"extra{number:02d}.txt": b"\xff\0" for number in range(22)}
    warnings = read(a_folder() | extra).warnings
    assert {notice.code for notice in warnings} == {NoticeCode.UNKNOWN_FILE}
    assert [notice.file for notice in warnings[:20]] == [f"extra{number:02d}.txt" for number in range(20)]
    assert warnings[20].words.startswith("2 more files")
    assert len(warnings) == 21


def test_a_lane_for_a_category_that_no_sku_has_is_a_warning():
    lanes = (
        "origin,destination,lead_time_days,cost_fixed,allowed_categories\nS1,S2,1,5,drinks\n"
        "S2,S1,1,5,drinks;drink\nDC1,S1,1,5,drink\n"
    )
    (notice,) = read(a_folder(lanes=lanes)).warnings
    assert (notice.code, notice.row, notice.value) == (NoticeCode.UNKNOWN_CATEGORY, 3, "drink")


def test_a_network_without_lanes_is_a_warning():
    (notice,) = read(a_folder(lanes="origin,destination,lead_time_days,cost_fixed\n")).warnings
    assert notice.code is NoticeCode.NO_LANES


def test_sales_that_look_weekly_but_for_a_few_dates_are_a_warning():
    mondays = "".join(f"2026-02-{day:02d},S1,P1,1\n" for day in (2, 9, 16, 23))
    header = "date,site_id,sku_id,units\n"
    network = read(a_folder(sales=header + mondays + "2026-02-24,S1,P1,1\n"))
    assert network.sales_grain is SalesGrain.DAY
    (notice,) = network.warnings
    assert notice.code is NoticeCode.MIXED_GRAIN
    assert "4 of 5 observations lie on a Monday" in notice.words
    tuesdays = "2026-02-24,S1,P1,1\n2026-02-17,S1,P1,1\n"
    assert read(a_folder(sales=header + mondays + tuesdays)).warnings == ()


def test_text_that_looks_like_a_formula_is_kept_as_text_and_escaped_in_what_is_written():
    sites = FOLDER["sites.csv"].replace("North store", '"=HYPERLINK(""http://x"",""y"")"').replace("Centre", "'@sum")
    network = read(a_folder(sites=sites))
    assert network.sites[0].name == "@sum"
    assert network.sites[1].name == '=HYPERLINK("http://x","y")'
    written = write_network(network)["sites.csv"].decode()
    assert "DC1,'@sum,dc" in written
    assert 'S1,"\'=HYPERLINK(""http://x"",""y"")",store' in written


def test_rows_are_written_in_order_with_lf_and_the_shortest_numbers():
    written = write_network(read(a_folder()))
    assert list(written) == list(FOLDER)
    assert written["skus.csv"].decode() == (
        "sku_id,name,category,unit_cost,unit_price,currency,unit_volume_litres,unit_weight_kg,pack_size,"
        "min_transfer_units,shelf_life_days,temperature,hazmat,sensitive\n"
        "P1,Oat drink,drinks,2.1,3.4999,EUR,1.05,0,6,1,,ambient,0,0\n"
        "P2,Rice,,1,2.5,EUR,0,0,1,1,,ambient,0,0\n"
    )
    assert written["stock.csv"].decode().splitlines()[3] == "S2,P2,3,0,2026-03-02T05:00:00Z"
    assert written["lanes.csv"].decode().splitlines()[1:] == [
        'DC1,S1,truck,2,0,25,0,0,,"1,3,5",',
        "S1,S2,van,1,0,9.5,0,0,,*,",
    ]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "sites", "sales"), [("vn2", 67, 31_148), ("food77", 77, 28_605)])
def test_the_real_networks_are_read_without_a_fault(name: str, sites: int, sales: int):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real network {name} does not lie beside the project")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    network = read_network(files, datetime(2024, 4, 16, tzinfo=UTC), timedelta(days=60))
    assert not isinstance(network, ImportFaults)
    assert (len(network.sites), len(network.sales)) == (sites, sales)
    assert network.sales_grain is SalesGrain.WEEK
    assert network.warnings == ()


def test_every_fault_code_says_what_was_wrong_in_its_own_words():
    words = [code.words for code in FaultCode]
    assert len(set(words)) == len(words)
    assert all(str(code) == code.value == code.value.lower() for code in FaultCode)
