"""A folder with a fault is refused under a code of its own, and the database stays byte for byte as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.auth.people import SYSTEM
from app.db.database import Database
from app.errors import InvalidError
from app.stock.folder import read_folder
from app.stock.importing import Imported, ImportRefusedError, import_network
from tests.builders import FOLDER, a_folder
from tests.signals import all_digests, table_digests, take_in, undone
from tools.network_folder import (
    FAULTS_LISTED_MAX,
    SIZE_LIMIT_BYTES,
    FaultCode,
    ImportFaults,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound folder on disk."""
    path = tmp_path / "network"
    path.mkdir()
    for name, data in a_folder().items():
        (path / name).write_bytes(data)
    return path


def import_from(database: Database, path: Path) -> Imported:
    """Import a folder as the command line does."""
    files = read_folder(path)
    if isinstance(files, ImportFaults):
        raise ImportRefusedError(files)
    with database.transaction() as session:
        return import_network(session, files, SYSTEM, size_limit_bytes=SIZE_LIMIT_BYTES)


Spoil = Callable[[Path], Path | None]
"""Puts one fault into the folder. Returns the path to import where that is another one."""


def changed(name: str, old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        assert old in FOLDER[name]
        (folder / name).write_text(FOLDER[name].replace(old, new, 1), newline="")

    return spoil


def written(name: str, content: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content) and None


def gone(*names: str) -> Spoil:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def elsewhere(name: str) -> Spoil:
    return lambda folder: folder / name


def zipped(folder: Path) -> Path:
    packed = folder.parent / "network.zip"
    packed.write_bytes(b"PK\x03\x04 and so on")
    return packed


def linked_folder(folder: Path) -> Path:
    link = folder.parent / "link"
    link.symlink_to(folder, target_is_directory=True)
    return link


def linked_file(folder: Path) -> None:
    (folder / "skus.csv").rename(folder.parent / "skus.csv")
    (folder / "skus.csv").symlink_to(folder.parent / "skus.csv")


def pipe(folder: Path) -> None:
    (folder / "inbound.csv").unlink()
    os.mkfifo(folder / "inbound.csv")


def too_large(folder: Path) -> None:
    with (folder / "sales.csv").open("wb") as sparse:
        sparse.truncate(SIZE_LIMIT_BYTES + 1)


STOCK = FOLDER["stock.csv"]


def too_many_substitutes(folder: Path) -> None:
    """A third SKU, and two substitutes of the first that take more than every customer."""
    skus = FOLDER["skus.csv"]
    third = next(row for row in skus.splitlines() if row.startswith("P2,")).replace("P2,", "P3,", 1)
    (folder / "skus.csv").write_text(f"{skus}{third}\n", newline="")
    (folder / "substitutes.csv").write_text("sku_id,substitute_id,share\nP1,P2,0.6\nP1,P3,0.5\n")


FAULTS: dict[str, tuple[Spoil, FaultCode]] = {
    "a missing file": (gone("sites.csv"), FaultCode.MISSING_FILE),
    "a missing column": (
        written("inbound.csv", b"site_id,sku_id,units,reference\nS1,P1,6,PO-1\n"),
        FaultCode.MISSING_COLUMN,
    ),
    "an unknown column": (changed("sites.csv", "region", "religion"), FaultCode.UNKNOWN_COLUMN),
    "a column twice": (changed("stock.csv", "reserved", "on_hand"), FaultCode.DUPLICATE_COLUMN),
    "an unknown site": (changed("stock.csv", "S1,P1", "S9,P1"), FaultCode.UNKNOWN_SITE),
    "an unknown SKU": (changed("sales.csv", "S1,P1", "S1,P9"), FaultCode.UNKNOWN_SKU),
    "a duplicate key": (changed("stock.csv", "S2,P2,3", "S1,P1,3"), FaultCode.DUPLICATE_KEY),
    "negative units": (changed("stock.csv", "100", "-1"), FaultCode.NEGATIVE_UNITS),
    "fractional units": (changed("inbound.csv", "P1,6", "P1,6.5"), FaultCode.FRACTIONAL_UNITS),
    "not a number (NaN)": (changed("stock.csv", "100", "NaN"), FaultCode.NOT_FINITE),
    "an infinite number": (changed("forecast.csv", "0.75", "-inf"), FaultCode.NOT_FINITE),
    "a number too large": (changed("stock.csv", "100", "1000000001"), FaultCode.NUMBER_TOO_LARGE),
    "an invalid date": (changed("sales.csv", "2026-02-23", "2026-02-30"), FaultCode.INVALID_DATE),
    "mixed currencies": (changed("skus.csv", "2.5,EUR", "2.5,USD"), FaultCode.MIXED_CURRENCIES),
    "an as_of in the future": (changed("stock.csv", "2026-03-02T05", "2198-03-02T05"), FaultCode.AS_OF_IN_FUTURE),
    "broken UTF-8": (written("sites.csv", FOLDER["sites.csv"].encode("utf-16")), FaultCode.BROKEN_UTF8),
    "a NUL byte": (changed("sites.csv", "North", "N\0rth"), FaultCode.NUL_BYTE),
    "a row with too many fields": (changed("inbound.csv", "PO-1", "PO-1,"), FaultCode.TOO_MANY_FIELDS),
    "a row with too few fields": (changed("inbound.csv", ",PO-1", ""), FaultCode.TOO_FEW_FIELDS),
    "a file over the size limit": (too_large, FaultCode.FILE_TOO_LARGE),
    "a zip in place of a file": (written("stock.csv", b"PK\x03\x04 and so on"), FaultCode.ARCHIVE),
    "a zip in place of the folder": (zipped, FaultCode.ARCHIVE),
    "a symbolic link in place of a file": (linked_file, FaultCode.SYMBOLIC_LINK),
    "a symbolic link in place of the folder": (linked_folder, FaultCode.SYMBOLIC_LINK),
    "a pipe in place of a file": (pipe, FaultCode.SPECIAL_FILE),
    "no folder": (elsewhere("none"), FaultCode.FOLDER_MISSING),
    "a file in place of the folder": (elsewhere("sites.csv"), FaultCode.NOT_A_FOLDER),
    "a folder that cannot be read": (elsewhere("x" * 300), FaultCode.UNREADABLE_FILE),
    "neither sales nor forecasts": (gone("sales.csv", "forecast.csv"), FaultCode.NO_DEMAND),
    "an empty file": (written("lanes.csv", b""), FaultCode.EMPTY_FILE),
    "a file without rows": (written("stock.csv", STOCK.splitlines()[0].encode()), FaultCode.NO_ROWS),
    "a quote that is never closed": (changed("sites.csv", "South", '"South'), FaultCode.BAD_QUOTING),
    "an endless line": (written("forecast.csv", b"," * 1_000_001), FaultCode.ROW_TOO_LONG),
    "a missing value": (changed("inbound.csv", "PO-1", ""), FaultCode.MISSING_VALUE),
    "words for a number": (changed("stock.csv", "100", "many"), FaultCode.NOT_A_NUMBER),
    "a negative amount": (changed("skus.csv", "2.10", "-2.10"), FaultCode.NEGATIVE_NUMBER),
    "a number too small": (changed("skus.csv", "EUR,6", "EUR,0"), FaultCode.NUMBER_TOO_SMALL),
    "too many decimals": (changed("skus.csv", "2.10", "2.00001"), FaultCode.TOO_MANY_DECIMALS),
    "an instant without zone": (changed("stock.csv", "05:00:00Z", "05:00:00"), FaultCode.INVALID_INSTANT),
    "an impossible id": (changed("lanes.csv", "truck", "big truck"), FaultCode.INVALID_ID),
    "an unknown kind of site": (changed("sites.csv", ",dc,", ",hub,"), FaultCode.INVALID_CHOICE),
    "no code of a currency": (changed("skus.csv", "2.5,EUR", "2.5,euro"), FaultCode.INVALID_CURRENCY),
    "no time zone": (changed("sites.csv", "UTC", "+02:00"), FaultCode.INVALID_TIMEZONE),
    "an eighth weekday": (changed("lanes.csv", "1,3,5", "1,8"), FaultCode.INVALID_WEEKDAYS),
    "a control character": (changed("sites.csv", "South", "S\x1b[31m"), FaultCode.INVALID_TEXT),
    "a lane to itself": (changed("lanes.csv", "DC1,S1", "S1,S1"), FaultCode.LANE_TO_ITSELF),
    "a set of one SKU": (written("sets.csv", b"set_id,sku_id\nDRINKS,P2\n"), FaultCode.SET_OF_ONE),
    "a soft display without its cost": (
        written("displays.csv", b"site_id,sku_id,units,kind\nS1,P1,2,soft\n"),
        FaultCode.DISPLAY_COST,
    ),
    "lots that are not the stock": (
        written("lots.csv", b"site_id,sku_id,lot_id,units,expires_on\nS1,P1,A,6,2026-03-09\n"),
        FaultCode.LOTS_DIFFER,
    ),
    "a SKU as its own substitute": (
        written("substitutes.csv", b"sku_id,substitute_id,share\nP1,P1,0.2\n"),
        FaultCode.OWN_SUBSTITUTE,
    ),
    "substitutes for more than every customer": (too_many_substitutes, FaultCode.SHARES_ABOVE_ONE),
    "more reserved than on hand": (changed("stock.csv", "7,2", "7,8"), FaultCode.RESERVED_ABOVE_ON_HAND),
}
"""One mistake each, and the only code it is reported under."""


@pytest.mark.parametrize("state", ["empty", "filled"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_with_a_fault_is_refused_and_the_database_stays_byte_for_byte_as_it_was(
    databases: dict[str, Database], folder: Path, fault: str, state: str
) -> None:
    spoil, code = FAULTS[fault]
    before = all_digests(databases[state])
    assert any(before[name] for name in ("signal", "ledger_event", "master_data")) == (state == "filled")

    path = spoil(folder) or folder
    with pytest.raises(ImportRefusedError) as refused:
        import_from(databases[state], path)

    assert {each for each, _ in refused.value.faults.count_by_code} == {code}
    assert (refused.value.code, refused.value.status) == ("import_refused", 422)
    assert str(refused.value.faults.faults[0]) in str(refused.value)
    assert all_digests(databases[state]) == before


def test_the_table_of_faults_holds_every_code_there_is() -> None:
    assert {code for _, code in FAULTS.values()} == set(FaultCode)


def test_the_sound_folder_that_the_faults_are_put_into_can_be_imported(
    databases: dict[str, Database], folder: Path
) -> None:
    (folder / "sites.csv").write_text(FOLDER["sites.csv"].replace("North store", "Far north"))
    files = read_folder(folder)
    assert isinstance(files, dict)
    with undone(databases["filled"]) as session:
        before = table_digests(session)
        assert take_in(session, files).new
        assert table_digests(session) != before


@pytest.mark.parametrize("state", ["empty", "filled"])
def test_the_first_hundred_faults_are_listed_and_the_rest_is_counted(
    databases: dict[str, Database], folder: Path, state: str
) -> None:
    rows = "".join(f"2026-02-16,S1,X{number},-1\n" for number in range(80))
    (folder / "sales.csv").write_text("date,site_id,sku_id,units\n" + rows)
    before = all_digests(databases[state])
    with pytest.raises(ImportRefusedError, match="the folder has 160 faults and nothing was imported") as refused:
        import_from(databases[state], folder)
    faults = refused.value.faults
    assert (len(faults.faults), faults.total, faults.not_listed) == (FAULTS_LISTED_MAX, 160, 60)
    assert faults.count_by_code == ((FaultCode.NEGATIVE_UNITS, 80), (FaultCode.UNKNOWN_SKU, 80))
    assert [fault.row for fault in faults.faults[:4]] == [2, 2, 3, 3]
    assert all_digests(databases[state]) == before


def test_a_folder_in_another_currency_than_the_network_is_refused(databases: dict[str, Database]) -> None:
    before = all_digests(databases["filled"])
    dollars = a_folder(skus=FOLDER["skus.csv"].replace("EUR", "USD"))
    with (
        pytest.raises(InvalidError, match="EUR, the folder in USD") as refused,
        databases["filled"].transaction() as writing,
    ):
        take_in(writing, dollars)
    assert refused.value.code == "mixed_currencies"
    assert all_digests(databases["filled"]) == before


def test_an_import_that_fails_half_way_leaves_nothing(databases: dict[str, Database]) -> None:
    """Everything that an import writes is one transaction, also what the ledger holds of it."""
    before = all_digests(databases["empty"])
    with pytest.raises(RuntimeError, match="lost"), databases["empty"].transaction() as writing:
        assert take_in(writing, a_folder()).new
        assert table_digests(writing) != before
        raise RuntimeError("the connection is lost")
    assert all_digests(databases["empty"]) == before
