"""Tables as files: what comes out is what went in, and no spreadsheet finds a formula in it."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui import exports
from app.ui.exports import Cell, Table, as_csv, as_xlsx, file_answer

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
SIGNS = "=+-@|%＝＋－＠﹢﹣﹦﹫−\t\r\n"
STARTS = st.sampled_from(
    [
        *SIGNS,
        " =",
        "\u00a0=",
        "\u200b=",
        "\ufeff=",
        '"=',
        "x;=",
        "x\n=",
        "x\t@",
        "x\r-",
        "x; ＝",
        "'=",
        "\x00=",
        "\x1b=",
    ]
)
TEXT = st.text(st.characters(codec=None), max_size=40)
"""Any text at all, with signs that no file may hold."""
NASTY = st.builds("".join, st.lists(st.one_of(STARTS, TEXT), max_size=4))
UNSEEN = " \u00a0\u200b\u200c\u200d\u2060\ufeff\u00ad\"'`"


def read_csv(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def read_xlsx(content: bytes) -> tuple[list[list[ET.Element]], list[str]]:
    """The cells by row, and the texts that they refer to."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert not [name for name in book.namelist() if "external" in name or "vba" in name.lower()]
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
        texts: list[str] = []
        if "xl/sharedStrings.xml" in book.namelist():
            shared = ET.fromstring(book.read("xl/sharedStrings.xml"))
            texts = ["".join(each.text or "" for each in item.iter(f"{SHEET}t")) for item in shared.iter(f"{SHEET}si")]
    assert not list(sheet.iter(f"{SHEET}f"))
    assert not list(sheet.iter(f"{SHEET}hyperlink"))
    return [list(row) for row in sheet.iter(f"{SHEET}row")], texts


def value_of(cell: ET.Element, texts: list[str]) -> str:
    found = cell.findtext(f"{SHEET}v") or ""
    return texts[int(found)] if cell.get("t") == "s" else found


@settings(max_examples=400, deadline=None)
@given(st.lists(NASTY, min_size=1, max_size=3))
def test_no_text_in_a_csv_file_begins_like_a_formula_wherever_a_spreadsheet_begins_a_cell(row: list[str]) -> None:
    content = as_csv(row, [row])
    assert len(read_csv(content)) == 2
    for delimiter in ",;\t":
        for found in read_csv(content, delimiter):
            for cell in found:
                bare = cell.lstrip(UNSEEN.replace("'", "") + "\r\n")
                assert not bare.startswith(tuple(SIGNS[:-3])), (delimiter, cell)
                assert delimiter != "," or not cell.startswith(("\t", "\r", "\n"))
    for line in re.split(r"[\r\n]+", content.decode("utf-8-sig")):
        assert not line.lstrip(UNSEEN.replace("'", "")).startswith(tuple(SIGNS[:-3])), line


@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z", "S", "P")), max_size=30), min_size=2, max_size=5))
def test_words_without_signs_come_back_from_a_csv_file_as_they_are(row: list[str]) -> None:
    assert read_csv(as_csv(["a"] * len(row), [row]))[1] == row


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(NASTY, st.integers(-(10**14), 10**14), st.floats(), st.none()), min_size=1, max_size=4))
def test_a_workbook_can_be_read_has_no_formula_and_keeps_numbers_as_numbers(row: list[Cell]) -> None:
    rows, texts = read_xlsx(as_xlsx(["head"] * len(row), [row]))
    found = {cell.get("r"): cell for cell in (rows[1] if len(rows) > 1 else [])}
    for column, cell in enumerate(row):
        at = found.get(f"{'ABCD'[column]}2")
        if isinstance(cell, str):
            kept = exports._readable(cell)
            # A line break in XML is one sign, however it was written.
            assert re.sub(r"\r\n?", "\n", kept) == (
                "" if at is None else re.sub(r"\r\n?|_x000D_", "\n", value_of(at, texts))
            )
            assert at is None or at.get("t") == "s"
        elif isinstance(cell, (int, float)) and at is not None:
            assert at.get("t") in (None, "n")
            assert float(value_of(at, texts)) == pytest.approx(float(cell), rel=1e-14)
        else:
            assert at is None, "what is not known is an empty cell"


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t'=1"), ("\r=1", "'\r'=1"),
        ("＝1+1", "'＝1+1"), ("＋1", "'＋1"), ("－1", "'－1"), ("＠x", "'＠x"), ("  =1", "'  =1"), ("\u00a0=1", "'\u00a0=1"),
        ("late;=cmd|' /C calc'!A1;", "late;'=cmd|' /C calc'!A1;"), ("two\n=1", "two\n'=1"),
        ("Kaffee – 500 g", "Kaffee – 500 g"), ("a=b; c", "a=b; c"), ("3-5 days", "3-5 days"), ("", ""),
        (-5, "-5"), (-0.25, "-0.25"), (None, ""), (float("nan"), ""), (float("inf"), ""), (0, "0"),
        (date(2026, 3, 2), "2026-03-02"), (datetime(2026, 3, 2, 6, tzinfo=UTC), "2026-03-02T06:00:00+00:00"),
    ],
)  # fmt: skip
def test_a_csv_cell_shows_what_was_put_in_and_only_text_gets_an_apostrophe(cell: Cell, kept: str) -> None:
    assert read_csv(as_csv(["head", "more"], [[cell, "x"]]))[1] == [kept, "x"]


def test_heads_are_looked_at_like_any_other_text() -> None:
    assert read_csv(as_csv(["=HYPERLINK(1)"], []))[0] == ["'=HYPERLINK(1)"]


def test_a_csv_file_has_the_mark_by_which_excel_knows_its_letters() -> None:
    assert as_csv(["Größe"], []) == b"\xef\xbb\xbfGr\xc3\xb6\xc3\x9fe\r\n"


def test_days_and_instants_are_such_in_a_workbook_and_very_early_ones_are_text() -> None:
    eastern = timezone(timedelta(hours=5))
    row = [
        date(2026, 3, 2),
        datetime(2026, 3, 2, 11, tzinfo=eastern),
        datetime(2026, 3, 2, 6, tzinfo=UTC),
        date(1066, 10, 14),
    ]
    rows, texts = read_xlsx(as_xlsx(["day", "instant", "in UTC", "old"], [row]))
    values = [value_of(cell, texts) for cell in rows[1]]
    assert [float(value) for value in values[:3]] == [46083.0, 46083.25, 46083.25]
    assert values[3] == "1066-10-14"


def test_a_number_with_more_digits_than_a_spreadsheet_keeps_is_text() -> None:
    rows, texts = read_xlsx(as_xlsx(["n"], [[9_007_199_254_740_993], [-(10**15) + 1], [10**400]]))
    assert [(cell.get("t"), value_of(cell, texts)[:20]) for (cell,) in rows[1:]] == [
        ("s", "9007199254740993"), (None, "-999999999999999"), ("s", "1" + "0" * 19),
    ]  # fmt: skip


@pytest.mark.parametrize("words", ["x" * 100_000, "🚚" * 50_000, "_x003D_1+1", "\ud800lone", "\x00\x1b[31m\x7f"])
def test_text_that_no_cell_can_hold_is_cut_or_shown_as_not_readable(words: str) -> None:
    rows, texts = read_xlsx(as_xlsx(["head"], [[words]]))
    found = value_of(rows[1][0], texts)
    assert 0 < len(found.encode("utf-16-le")) // 2 <= 32_767 + len("_x005F")
    assert as_csv(["head"], [[words]])
    assert not re.search(r"[\x00-\x08\x1b\x7f]", found)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_that_cannot_hold_all_rows_says_so(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(exports, "ROWS_MAX", 3)
    rows = ([number] for number in range(10))
    if kind == "csv":
        assert [row[0] for row in read_csv(as_csv(["n"], rows))] == ["n", "0", "1", "2", exports.NOT_ALL]
    else:
        found, texts = read_xlsx(as_xlsx(["n"], rows))
        assert value_of(found[-1][0], texts) == exports.NOT_ALL
        assert len(found) == 5


def test_a_file_is_called_what_it_is_and_the_day_it_was_made() -> None:
    answer = file_answer(Table("plans", ["a"], [[1]]), "csv", date(2026, 11, 27))
    assert answer.headers["content-disposition"] == 'attachment; filename="plans-2026-11-27.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
