"""Every fault is found, with its code and its place, and nothing crashes the reader."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import FOLDER, NOW, a_folder
from tools.network_folder import FAULTS_LISTED_MAX, Fault, FaultCode, ImportFaults, read_network
from tools.network_folder.csv_text import CELL_CHARACTERS_MAX, LINE_CHARACTERS_MAX


def faults_of(files: dict[str, bytes], **limits: int) -> ImportFaults:
    refused = read_network(files, NOW, timedelta(days=1), **limits)
    assert isinstance(refused, ImportFaults)
    return refused


def only_fault(files: dict[str, bytes], **limits: int) -> Fault:
    refused = faults_of(files, **limits)
    assert refused.total == 1, [str(fault) for fault in refused.faults]
    return refused.faults[0]


def with_change(name: str, old: str, new: str) -> dict[str, bytes]:
    text = FOLDER[f"{name}.csv"]
    assert old in text
    return a_folder(**{name: text.replace(old, new, 1)})


def place(fault: Fault) -> tuple[FaultCode, str, int | None, str | None]:
    return fault.code, fault.file, fault.row, fault.column


CELLS: list[tuple[str, str, str, FaultCode, int, str]] = [
    ("sites", "S1,North", "S 1,North", FaultCode.INVALID_ID, 3, "site_id"),
    ("sites", "S1,North", "\u0405\u0031,North", FaultCode.INVALID_ID, 3, "site_id"),
    ("sites", "S1,North", "_S1,North", FaultCode.INVALID_ID, 3, "site_id"),
    ("sites", "S1,North", "S" * 41 + ",North", FaultCode.INVALID_ID, 3, "site_id"),
    ("sites", "South store", "", FaultCode.MISSING_VALUE, 4, "name"),
    ("sites", "South store", " \t", FaultCode.MISSING_VALUE, 4, "name"),
    ("sites", "South store", "x" * 201, FaultCode.INVALID_TEXT, 4, "name"),
    ("sites", "South store", "South\x1b[31m", FaultCode.INVALID_TEXT, 4, "name"),
    ("sites", "South store", "South\u009b31m", FaultCode.INVALID_TEXT, 4, "name"),
    ("sites", ",dc,", ",DC,", FaultCode.INVALID_CHOICE, 2, "kind"),
    ("sites", "UTC", "Mars/Olympus Mons", FaultCode.INVALID_TIMEZONE, 4, "timezone"),
    ("sites", "UTC", "+02:00", FaultCode.INVALID_TIMEZONE, 4, "timezone"),
    ("sites", "52.5", "90.00000001", FaultCode.NUMBER_TOO_LARGE, 3, "latitude"),
    ("sites", "52.5", "-90.00000001", FaultCode.NUMBER_TOO_SMALL, 3, "latitude"),
    ("sites", "52.5", "52.123456789", FaultCode.TOO_MANY_DECIMALS, 3, "latitude"),
    ("sites", "52.5", "nan", FaultCode.NOT_FINITE, 3, "latitude"),
    ("skus", "P2,", "P1.,".replace(".", "é"), FaultCode.INVALID_ID, 3, "sku_id"),
    ("skus", "drinks", "drinks;food", FaultCode.INVALID_TEXT, 2, "category"),
    ("skus", "2.10", "-2.10", FaultCode.NEGATIVE_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", "2.00001", FaultCode.TOO_MANY_DECIMALS, 2, "unit_cost"),
    ("skus", "2.10", "1e3", FaultCode.NOT_A_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", '"1,000"', FaultCode.NOT_A_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", "+2", FaultCode.NOT_A_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", ".5", FaultCode.NOT_A_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", "5.", FaultCode.NOT_A_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", "1_000", FaultCode.NOT_A_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", "0x10", FaultCode.NOT_A_NUMBER, 2, "unit_cost"),
    ("skus", "2.10", "1000000000.0001", FaultCode.NUMBER_TOO_LARGE, 2, "unit_cost"),
    ("skus", "EUR", "eur", FaultCode.INVALID_CURRENCY, 2, "currency"),
    ("skus", "EUR", "EURO", FaultCode.INVALID_CURRENCY, 2, "currency"),
    ("skus", "2.5,EUR", "2.5,USD", FaultCode.MIXED_CURRENCIES, 3, "currency"),
    ("skus", "EUR,6", "EUR,0", FaultCode.NUMBER_TOO_SMALL, 2, "pack_size"),
    ("skus", "EUR,6", "EUR,2.5", FaultCode.FRACTIONAL_UNITS, 2, "pack_size"),
    ("lanes", "DC1,S1", "DC9,S1", FaultCode.UNKNOWN_SITE, 2, "origin"),
    ("lanes", "DC1,S1", "DC1,s1", FaultCode.UNKNOWN_SITE, 2, "destination"),
    ("lanes", "DC1,S1", "S1,S1", FaultCode.LANE_TO_ITSELF, 2, "destination"),
    ("lanes", "truck", "big truck", FaultCode.INVALID_ID, 2, "mode"),
    ("lanes", ",2,25", ",366,25", FaultCode.NUMBER_TOO_LARGE, 2, "lead_time_days"),
    ("lanes", ",2,25", ",1.5,25", FaultCode.TOO_MANY_DECIMALS, 2, "lead_time_days"),
    ("lanes", ",2,25", ",-1,25", FaultCode.NEGATIVE_NUMBER, 2, "lead_time_days"),
    ("lanes", ",2,25", ",inf,25", FaultCode.NOT_FINITE, 2, "lead_time_days"),
    ("lanes", "*", "0", FaultCode.INVALID_WEEKDAYS, 3, "departure_weekdays"),
    ("lanes", "1,3,5", "1,3,3", FaultCode.INVALID_WEEKDAYS, 2, "departure_weekdays"),
    ("lanes", "1,3,5", "1;3", FaultCode.INVALID_WEEKDAYS, 2, "departure_weekdays"),
    ("lanes", "1,3,5", "1,8", FaultCode.INVALID_WEEKDAYS, 2, "departure_weekdays"),
    ("lanes", "1,3,5", "1,\u0663", FaultCode.INVALID_WEEKDAYS, 2, "departure_weekdays"),
    ("stock", "S1,P1", "S9,P1", FaultCode.UNKNOWN_SITE, 3, "site_id"),
    ("stock", "S1,P1", "S1,P9", FaultCode.UNKNOWN_SKU, 3, "sku_id"),
    ("stock", "100", "-1", FaultCode.NEGATIVE_UNITS, 2, "on_hand"),
    ("stock", "100", "-" + "9" * 5000, FaultCode.NEGATIVE_UNITS, 2, "on_hand"),
    ("stock", "100", "1.5", FaultCode.FRACTIONAL_UNITS, 2, "on_hand"),
    ("stock", "100", "NaN", FaultCode.NOT_FINITE, 2, "on_hand"),
    ("stock", "100", "-Infinity", FaultCode.NOT_FINITE, 2, "on_hand"),
    ("stock", "100", "1000000001", FaultCode.NUMBER_TOO_LARGE, 2, "on_hand"),
    ("stock", "100", "9" * 5000, FaultCode.NUMBER_TOO_LARGE, 2, "on_hand"),
    ("stock", "100", "\u0661\u0662", FaultCode.NOT_A_NUMBER, 2, "on_hand"),
    ("stock", "100", "\uff11", FaultCode.NOT_A_NUMBER, 2, "on_hand"),
    ("stock", "100", "many", FaultCode.NOT_A_NUMBER, 2, "on_hand"),
    ("stock", "100", "--1", FaultCode.NOT_A_NUMBER, 2, "on_hand"),
    ("stock", "100", "=1+1", FaultCode.NOT_A_NUMBER, 2, "on_hand"),
    ("stock", "7,2", "7,8", FaultCode.RESERVED_ABOVE_ON_HAND, 3, "reserved"),
    ("stock", "T05:00:00Z", "T05:00:00", FaultCode.INVALID_INSTANT, 2, "as_of"),
    ("stock", "T05:00:00Z", "", FaultCode.INVALID_INSTANT, 2, "as_of"),
    ("stock", "T05:00:00Z", "T25:00:00Z", FaultCode.INVALID_INSTANT, 2, "as_of"),
    ("stock", "T05:00:00Z", "T05:00:00+99:00", FaultCode.INVALID_INSTANT, 2, "as_of"),
    ("stock", "2026-03-02T05", "9999-12-31T05", FaultCode.INVALID_INSTANT, 2, "as_of"),
    ("stock", "T05:00:00Z", "T06:00:00.000001Z", FaultCode.AS_OF_IN_FUTURE, 2, "as_of"),
    ("stock", "T05:00:00Z", "T07:30:00+01:00", FaultCode.AS_OF_IN_FUTURE, 2, "as_of"),
    ("inbound", "S1,P1", "S3,P1", FaultCode.UNKNOWN_SITE, 2, "site_id"),
    ("inbound", "P1,6", "P1,-6", FaultCode.NEGATIVE_UNITS, 2, "units"),
    ("inbound", "PO-1", "", FaultCode.MISSING_VALUE, 2, "reference"),
    ("inbound", "PO-1", "x" * 81, FaultCode.INVALID_TEXT, 2, "reference"),
    ("sales", "P1,5", "P1,5.25", FaultCode.FRACTIONAL_UNITS, 2, "units"),
    ("sales", "2026-02-23", "2026-02-30", FaultCode.INVALID_DATE, 3, "date"),
    ("sales", "2026-02-23", "23/02/2026", FaultCode.INVALID_DATE, 3, "date"),
    ("sales", "2026-02-23", "20260223", FaultCode.INVALID_DATE, 3, "date"),
    ("sales", "2026-02-23", "2026-W09-1", FaultCode.INVALID_DATE, 3, "date"),
    ("sales", "2026-02-23", "0001-01-01", FaultCode.INVALID_DATE, 3, "date"),
    ("sales", "2026-02-23", "2200-01-01", FaultCode.INVALID_DATE, 3, "date"),
    ("sales", ",0\n", ",no\n", FaultCode.INVALID_CHOICE, 3, "in_stock"),
    ("forecast", "0.75", "-0.75", FaultCode.NEGATIVE_NUMBER, 2, "mean"),
    ("forecast", "0.75", "0.0000001", FaultCode.TOO_MANY_DECIMALS, 2, "mean"),
    ("forecast", "1.5", "1e-3", FaultCode.NOT_A_NUMBER, 2, "variance"),
    ("forecast", "S1,P1", "S1,P3", FaultCode.UNKNOWN_SKU, 2, "sku_id"),
    ("replenishment", ",7", ",0", FaultCode.NUMBER_TOO_SMALL, 2, "review_period_days"),
    ("replenishment", "2026-03-09", "soon", FaultCode.INVALID_DATE, 2, "next_arrival_on"),
]


@pytest.mark.parametrize(("name", "old", "new", "code", "row", "column"), CELLS)
def test_a_bad_cell_is_named_by_code_file_row_and_column(
    name: str, old: str, new: str, code: FaultCode, row: int, column: str
):
    refused = faults_of(with_change(name, old, new))
    assert place(refused.faults[0]) == (code, f"{name}.csv", row, column)
    assert refused.total == 1, "one mistake is one fault"


TEXTS: list[tuple[str, str | bytes, FaultCode, int | None, str | None]] = [
    ("sites", "site_id,name,kind\n", FaultCode.NO_ROWS, 1, None),
    ("skus", "sku_id,name,unit_cost,unit_price,currency\r\n", FaultCode.NO_ROWS, 1, None),
    ("stock", "\n\nsite_id,sku_id,on_hand,as_of\n\n", FaultCode.NO_ROWS, 3, None),
    ("stock", "", FaultCode.EMPTY_FILE, None, None),
    ("stock", b"\xef\xbb\xbf\r\n", FaultCode.EMPTY_FILE, None, None),
    ("inbound", "", FaultCode.EMPTY_FILE, None, None),
    ("inbound", "site_id,units,expected_on,reference\n", FaultCode.MISSING_COLUMN, 1, "sku_id"),
    ("inbound", FOLDER["inbound.csv"].replace("S1,P1", "S1"), FaultCode.TOO_FEW_FIELDS, 2, None),
    ("inbound", FOLDER["inbound.csv"].replace("PO-1", "PO-1,"), FaultCode.TOO_MANY_FIELDS, 2, None),
    ("inbound", FOLDER["inbound.csv"] + "   \n", FaultCode.TOO_FEW_FIELDS, 3, None),
    ("inbound", FOLDER["inbound.csv"].replace("reference", "referenz"), FaultCode.UNKNOWN_COLUMN, 1, "referenz"),
    ("sales", FOLDER["sales.csv"].replace("date", "date,date,"), FaultCode.DUPLICATE_COLUMN, 1, "date"),
    ("sales", b"date,site_id,sku_id,units\n2026-02-16,S1,P1,\xff\n", FaultCode.BROKEN_UTF8, 2, None),
    ("sales", FOLDER["sales.csv"].encode("utf-16"), FaultCode.BROKEN_UTF8, 1, None),
    ("sales", b"date,site_id,sku_id,units\r\n2026-02-16,S1,P1,\0\n", FaultCode.NUL_BYTE, 2, None),
    ("sales", 'date,site_id,sku_id,units\n2026-02-16,S1,P1,1\n2026-02-17,S1,"P1,1\n', FaultCode.BAD_QUOTING, 3, None),
    ("sales", 'date,site_id,sku_id,units\n2026-02-16,S1,"P1"x,1\n', FaultCode.BAD_QUOTING, 2, None),
    ("sales", f'date,site_id,sku_id,units\n"{"x" * CELL_CHARACTERS_MAX}y"\n', FaultCode.BAD_QUOTING, 2, None),
    ("sales", "date,site_id,sku_id,units\n" + "," * (LINE_CHARACTERS_MAX + 1), FaultCode.ROW_TOO_LONG, 2, None),
    ("sales", b"PK\x03\x04 and so on", FaultCode.ARCHIVE, None, None),
    ("sales", b"\x1f\x8b and so on", FaultCode.ARCHIVE, None, None),
]


@pytest.mark.parametrize(("name", "text", "code", "row", "column"), TEXTS)
def test_a_bad_file_is_named_by_code_and_row(
    name: str, text: str | bytes, code: FaultCode, row: int | None, column: str | None
):
    refused = faults_of(a_folder(**{name: text}))
    assert place(refused.faults[0]) == (code, f"{name}.csv", row, column)


@pytest.mark.parametrize("name", ["sites", "skus", "lanes", "stock"])
def test_a_required_file_may_not_be_missing(name: str):
    fault = only_fault(a_folder(**{name: None}))
    assert place(fault) == (FaultCode.MISSING_FILE, f"{name}.csv", None, None)


@pytest.mark.parametrize("sales", [None, "date,site_id,sku_id,units\n"])
@pytest.mark.parametrize("forecast", [None, "site_id,sku_id,date,mean\n"])
def test_sales_or_forecasts_must_be_there(sales: str | None, forecast: str | None):
    fault = only_fault(a_folder(sales=sales, forecast=forecast))
    assert place(fault) == (FaultCode.NO_DEMAND, "sales.csv", None, None)


def test_an_unreadable_sales_file_is_not_also_reported_as_no_demand():
    assert only_fault(a_folder(sales=b"\xff", forecast=None)).code is FaultCode.BROKEN_UTF8


@pytest.mark.parametrize(
    ("name", "first_row", "row", "columns", "value"),
    [
        ("sites", 3, "S1,Other,store,,,", "site_id", "S1"),
        ("skus", 2, "P1,Other,,1,1,EUR,,", "sku_id", "P1"),
        ("lanes", 3, "S1,S2,van,9,9,*", "origin, destination, mode", "S1, S2, van"),
        ("stock", 3, "S1,P1,0,0,2026-03-01T00:00:00Z", "site_id, sku_id", "S1, P1"),
        ("inbound", 2, "S1,P1,1,2026-04-01,PO-1", "site_id, sku_id, reference", "S1, P1, PO-1"),
        ("sales", 2, "2026-02-16,S1,P1,9,1", "site_id, sku_id, date", "S1, P1, 2026-02-16"),
        ("forecast", 2, "S1,P1,2026-03-02,9,", "site_id, sku_id, date", "S1, P1, 2026-03-02"),
        ("replenishment", 2, "S1,P1,2026-03-10,", "site_id, sku_id", "S1, P1"),
    ],
)
def test_a_key_may_not_be_there_twice(name: str, first_row: int, row: str, columns: str, value: str):
    text = FOLDER[f"{name}.csv"]
    fault = only_fault(a_folder(**{name: text + row + "\n"}))
    assert place(fault) == (FaultCode.DUPLICATE_KEY, f"{name}.csv", text.count("\n") + 1, columns)
    assert fault.value == value
    assert f"row {first_row} has it" in fault.expected


def test_a_lane_without_a_mode_doubles_one_by_truck():
    lanes = "origin,destination,mode,lead_time_days,cost_fixed\nDC1,S1,truck,1,1\nDC1,S1,,1,1\n"
    assert only_fault(a_folder(lanes=lanes)).code is FaultCode.DUPLICATE_KEY


def test_the_same_key_is_found_in_rows_that_have_other_faults():
    sales = "date,site_id,sku_id,units\n2026-02-16,S1,P1,-1\n2026-02-16,S1,P1,x\n"
    found = faults_of(a_folder(sales=sales)).faults
    assert [fault.code for fault in found] == [
        FaultCode.NEGATIVE_UNITS,
        FaultCode.NOT_A_NUMBER,
        FaultCode.DUPLICATE_KEY,
    ]


def test_rows_are_numbered_by_the_line_they_begin_on_even_after_cells_of_many_lines():
    sites = 'site_id,name,kind\r\nDC1,"Centre\r\nof\ntown",dc\r\n\r\nS1,North,shop\r\nS2,South,store\r\n'
    fault = only_fault(a_folder(sites=sites))
    assert place(fault) == (FaultCode.INVALID_CHOICE, "sites.csv", 6, "kind")
    assert fault.value == "shop"


def test_a_quote_that_is_never_closed_is_reported_where_its_row_begins():
    sales = 'date,site_id,sku_id,units\n2026-02-16,S1,P1,1\n2026-02-17,S1,"P1,1\n' + "2026-02-18,S1,P1,1\n" * 50
    assert place(only_fault(a_folder(sales=sales))) == (FaultCode.BAD_QUOTING, "sales.csv", 3, None)


def test_broken_text_is_named_by_its_byte_and_its_row_whatever_ends_the_lines():
    for end in (b"\n", b"\r\n", b"\r"):
        data = end.join((b"date,site_id,sku_id,units", b"2026-02-16,S1,P1,1", b"2026-02-17,S1,P\xc3,1"))
        fault = only_fault(a_folder(sales=data))
        assert place(fault) == (FaultCode.BROKEN_UTF8, "sales.csv", 3, None)
        assert fault.value == f"0xc3 at byte {data.index(0xC3)}"


def test_a_file_over_the_size_limit_is_not_read():
    size = max(map(len, a_folder().values()))
    files = a_folder(inbound=b"\xff" * (size + 1))
    fault = only_fault(files, size_limit_bytes=size)
    assert place(fault) == (FaultCode.FILE_TOO_LARGE, "inbound.csv", None, None)
    assert fault.value == f"{size + 1:,} bytes"


def test_all_columns_that_are_missing_unknown_or_double_are_listed_and_cells_are_still_checked():
    stock = "site_id,sku_id,onhand,as_of,site_id,\nS1,P1,1,yesterday,S1,\n"
    found = faults_of(a_folder(stock=stock)).faults
    assert [place(fault) for fault in found] == [
        (FaultCode.UNKNOWN_COLUMN, "stock.csv", 1, "onhand"),
        (FaultCode.DUPLICATE_COLUMN, "stock.csv", 1, "site_id"),
        (FaultCode.UNKNOWN_COLUMN, "stock.csv", 1, "number 6"),
        (FaultCode.MISSING_COLUMN, "stock.csv", 1, "on_hand"),
        (FaultCode.INVALID_INSTANT, "stock.csv", 2, "as_of"),
    ]


@pytest.mark.parametrize(
    "sites",
    [
        None,
        "",
        b"\xff",
        "name,kind\nNorth,store\n",
        "site_id,name,kind\n",
        'site_id,name,kind\nDC1,Centre,dc\nS1,"North,store\n',
        "site_id,name,kind\nDC1,Centre,dc\nS1,North store\nS2,South,store\n",
        "site_id,name,kind\nDC1,Centre,dc\nS 1,North,store\nS2,South,store\n",
    ],
)
def test_sites_that_could_not_all_be_read_do_not_make_every_reference_to_them_a_fault(sites: str | bytes | None):
    assert only_fault(a_folder(sites=sites)).file == "sites.csv"


def test_a_site_with_a_fault_elsewhere_in_its_row_is_still_known():
    assert only_fault(with_change("sites", "52.5", "152.5")).code is FaultCode.NUMBER_TOO_LARGE


def test_the_first_faults_are_listed_in_order_and_all_are_counted():
    rows = "".join(f"2026-02-16,S1,X{number},-1\n" for number in range(60))
    refused = faults_of(a_folder(sales="date,site_id,sku_id,units\n" + rows, inbound=None, stock=None))
    assert len(refused.faults) == FAULTS_LISTED_MAX == 100
    assert refused.total == 121
    assert refused.not_listed == 21
    assert refused.count_by_code == (
        (FaultCode.MISSING_FILE, 1),
        (FaultCode.NEGATIVE_UNITS, 60),
        (FaultCode.UNKNOWN_SKU, 60),
    )
    assert refused.faults[0].file == "stock.csv"
    assert [fault.row for fault in refused.faults[1:5]] == [2, 2, 3, 3]


def test_a_fault_tells_people_what_was_wrong_where_and_what_was_expected():
    fault = only_fault(with_change("stock", "100", "-3"))
    assert str(fault) == (
        "stock.csv, row 2, column on_hand: units are negative ('-3')."
        " Expected a whole number of units from 0 to 1,000,000,000."
    )
    assert str(only_fault(a_folder(lanes=None))) == (
        "lanes.csv: the file is missing. Expected sites.csv, skus.csv, lanes.csv and stock.csv in the folder."
    )


def test_a_fault_shows_a_long_or_unprintable_value_cut_and_cleaned():
    fault = only_fault(with_change("stock", "100", "\x1b\u202e" + "7" * 500))
    assert fault.value is not None
    assert fault.value.startswith("��777")
    assert len(fault.value) == 80
    assert fault.value.endswith("…")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("sites", ",dc,", ",hub,", "one of dc, warehouse, cross_dock, store"),
        ("stock", "S1,P1", "S9,P1", "a site_id of sites.csv"),
        ("stock", "S1,P1", "S1,P9", "a sku_id of skus.csv"),
        ("stock", "7,2", "7,8", "at most the 7 units on hand"),
        ("skus", "2.5,EUR", "2.5,USD", "EUR, as in row 2"),
        ("skus", "2.10", "x", "from 0 to 1,000,000,000, with up to 4 decimals"),
        ("skus", "drinks", "a;b", "at most 80 characters without control characters and without ;"),
        ("sites", "52.5", "x", "degrees from -90 to 90, with up to 8 decimals"),
        ("sales", "2026-02-23", "x", "a date from 1970-01-01 to 2199-12-31, written like 2026-11-23"),
    ],
)
def test_a_fault_says_what_was_expected(name: str, old: str, new: str, words: str):
    assert words in only_fault(with_change(name, old, new)).expected


def test_a_category_of_a_lane_follows_the_rules_of_categories():
    lanes = f"origin,destination,lead_time_days,cost_fixed,allowed_categories\nS1,S2,1,5,drinks;{'x' * 81}\n"
    fault = only_fault(a_folder(lanes=lanes))
    assert place(fault) == (FaultCode.INVALID_TEXT, "lanes.csv", 2, "allowed_categories")
    assert fault.expected.startswith("categories with ; between them, each at most 80 characters")
