"""The optional files on merchandise: read, written, and refused with every fault that one row cannot show."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOW, a_folder, in_days
from tools.merchandise.facts import (
    EVERY_SITE,
    DisplayKind,
    EndOfLife,
    Lot,
    Markdown,
    Merchandise,
    MinimumDisplay,
    SetMember,
    Substitute,
)
from tools.network_folder import Fault, FaultCode, ImportFaults, NetworkFolder, read_network, write_network

MERCHANDISE = {
    "sets": "set_id,sku_id\nDRINKS,P2\nDRINKS,P1\n",
    "displays": "site_id,sku_id,kind,units,shortfall_cost\nS1,P1,,2,\nS1,P1,soft,4,0.5\n",
    "lots": "lot_id,site_id,sku_id,units,expires_on\nL2,S1,P1,3,2026-03-20\nL1,S1,P1,4,2026-03-09\n",
    "end_of_life": "sku_id,site_id,leave_by,write_off\nP1,,2026-04-01,\nP1,S1,2026-03-10,1.2345\n",
    "markdowns": "site_id,sku_id,proceeds\nS2,P2,0.8\n",
    "substitutes": "sku_id,substitute_id,share\nP1,P2,0.35\n",
}


def read(**files: str | bytes | None) -> NetworkFolder:
    found = read_network(a_folder(**files), NOW, timedelta(days=1))
    assert isinstance(found, NetworkFolder), [str(fault) for fault in found.faults]
    return found


def only_fault(**files: str | bytes | None) -> Fault:
    refused = read_network(a_folder(**MERCHANDISE | files), NOW, timedelta(days=1))
    assert isinstance(refused, ImportFaults)
    assert refused.total == 1, [str(fault) for fault in refused.faults]
    return refused.faults[0]


def test_merchandise_is_read_in_the_units_of_the_facts() -> None:
    assert read(**MERCHANDISE).merchandise == Merchandise(
        set_members=(SetMember("DRINKS", "P1"), SetMember("DRINKS", "P2")),
        displays=(
            MinimumDisplay("S1", "P1", DisplayKind.HARD, 2),
            MinimumDisplay("S1", "P1", DisplayKind.SOFT, 4, 5_000),
        ),
        lots=(Lot("S1", "P1", "L1", 4, in_days(7)), Lot("S1", "P1", "L2", 3, in_days(18))),
        ends_of_life=(EndOfLife("P1", EVERY_SITE, in_days(30)), EndOfLife("P1", "S1", in_days(8), 12_345)),
        markdowns=(Markdown("S2", "P2", 8_000),),
        substitutes=(Substitute("P1", "P2", 3_500),),
    )


def test_a_folder_without_the_files_states_nothing_and_writes_none() -> None:
    network = read()
    assert not network.merchandise
    assert not {f"{name}.csv" for name in MERCHANDISE} & write_network(network).keys()


def test_an_empty_table_states_nothing() -> None:
    empty = {name: text.split("\n", maxsplit=1)[0] for name, text in MERCHANDISE.items()}
    assert read(**empty) == read()
    assert read(**empty).digest == read().digest


def test_merchandise_is_written_and_read_back_the_same() -> None:
    network = read(**MERCHANDISE)
    again = read_network(write_network(network), NOW, timedelta(days=1))
    assert again == network
    assert isinstance(again, NetworkFolder)
    assert again.digest == network.digest


@pytest.mark.parametrize("name", MERCHANDISE)
def test_every_file_counts_for_the_digest_of_the_folder(name: str) -> None:
    assert read(**{name: MERCHANDISE[name]}).digest != read().digest


@pytest.mark.parametrize(
    ("name", "text", "code", "row", "column"),
    [
        ("sets", "set_id,sku_id\nDRINKS,P2\n", FaultCode.SET_OF_ONE, 2, "set_id"),
        ("sets", "set_id,sku_id\nA,P1\nA,P1\n", FaultCode.DUPLICATE_KEY, 3, "set_id, sku_id"),
        ("sets", "set_id,sku_id\nA,P1\nA,P2\nA,P9\n", FaultCode.UNKNOWN_SKU, 4, "sku_id"),
        ("sets", "set_id\nA\n", FaultCode.MISSING_COLUMN, 1, "sku_id"),
        ("displays", "site_id,sku_id,units\nS1,P1,0\n", FaultCode.NUMBER_TOO_SMALL, 2, "units"),
        ("displays", "site_id,sku_id,units,kind\nS1,P1,2,firm\n", FaultCode.INVALID_CHOICE, 2, "kind"),
        ("displays", "site_id,sku_id,units,kind\nS1,P1,2,soft\n", FaultCode.DISPLAY_COST, 2, "shortfall_cost"),
        ("displays", "site_id,sku_id,units,shortfall_cost\nS1,P1,2,1\n", FaultCode.DISPLAY_COST, 2, "shortfall_cost"),
        ("displays", "site_id,sku_id,units\nS9,P1,2\n", FaultCode.UNKNOWN_SITE, 2, "site_id"),
        ("displays", "site_id,sku_id,units\nS1,P1,2\nS1,P1,3\n", FaultCode.DUPLICATE_KEY, 3, "site_id, sku_id, kind"),
        (
            "lots",
            "site_id,sku_id,lot_id,units,expires_on\nS1,P1,A,4,2026-03-09\nS1,P1,B,2,2026-03-20\n",
            FaultCode.LOTS_DIFFER,
            2,
            "units",
        ),
        ("lots", "site_id,sku_id,lot_id,units,expires_on\nS1,P2,A,4,2026-03-09\n", FaultCode.LOTS_DIFFER, 2, "units"),
        ("lots", "site_id,sku_id,lot_id,units,expires_on\nS1,P1,A,7,soon\n", FaultCode.INVALID_DATE, 2, "expires_on"),
        (
            "lots",
            "site_id,sku_id,lot_id,units,expires_on\nS1,P1,A,3,2026-03-09\nS1,P1,A,4,2026-03-10\n",
            FaultCode.DUPLICATE_KEY,
            3,
            "site_id, sku_id, lot_id",
        ),
        ("end_of_life", "sku_id,leave_by\nP1,\n", FaultCode.MISSING_VALUE, 2, "leave_by"),
        ("end_of_life", "sku_id,site_id,leave_by\nP1,S9,2026-03-09\n", FaultCode.UNKNOWN_SITE, 2, "site_id"),
        ("end_of_life", "sku_id,leave_by,write_off\nP1,2026-03-09,-1\n", FaultCode.NEGATIVE_NUMBER, 2, "write_off"),
        (
            "end_of_life",
            "sku_id,leave_by\nP1,2026-03-09\nP1,2026-03-10\n",
            FaultCode.DUPLICATE_KEY,
            3,
            "sku_id, site_id",
        ),
        ("markdowns", "site_id,sku_id,proceeds\nS1,P1,\n", FaultCode.MISSING_VALUE, 2, "proceeds"),
        ("markdowns", "site_id,sku_id,proceeds\nS1,P1,1\nS1,P1,2\n", FaultCode.DUPLICATE_KEY, 3, "site_id, sku_id"),
        ("substitutes", "sku_id,substitute_id,share\nP1,P1,0.2\n", FaultCode.OWN_SUBSTITUTE, 2, "substitute_id"),
        ("substitutes", "sku_id,substitute_id,share\nP1,P9,0.2\n", FaultCode.UNKNOWN_SKU, 2, "substitute_id"),
        ("substitutes", "sku_id,substitute_id,share\nP1,P2,1.0001\n", FaultCode.NUMBER_TOO_LARGE, 2, "share"),
        ("substitutes", "sku_id,substitute_id,share\nP1,P2,0.00001\n", FaultCode.TOO_MANY_DECIMALS, 2, "share"),
    ],
)
def test_a_fault_names_its_place(name: str, text: str, code: FaultCode, row: int, column: str) -> None:
    fault = only_fault(**{name: text})
    assert (fault.code, fault.file, fault.row, fault.column) == (code, f"{name}.csv", row, column)


def test_shares_of_one_sku_must_not_add_up_to_more_than_every_customer() -> None:
    skus = "sku_id,name,unit_cost,unit_price,currency\nP1,A,1,2,EUR\nP2,B,1,2,EUR\nP3,C,1,2,EUR\nP4,D,1,2,EUR\n"
    rows = "sku_id,substitute_id,share\nP1,P2,0.6\nP2,P1,0.9\nP1,P3,0.4001\nP1,P4,0.1\n"
    fault = only_fault(skus=skus, substitutes=rows)
    assert (fault.code, fault.row, fault.value) == (FaultCode.SHARES_ABOVE_ONE, 4, "1.0001")
    assert read(skus=skus, substitutes=rows.replace("0.4001", "0.3").replace("P4,0.1", "P4,0.1")).substitutes


def test_faults_say_what_was_expected() -> None:
    lots = "site_id,sku_id,lot_id,units,expires_on\nS1,P1,A,6,2026-03-09\n"
    assert str(only_fault(lots=lots)) == (
        "lots.csv, row 2, column units: the lots do not add up to the stock on hand ('6'). Expected lots of P1 at S1 that"
        " add up to the 7 units of stock.csv."
    )
    display = "site_id,sku_id,units,kind\nS1,P1,2,soft\n"
    assert str(only_fault(displays=display)) == (
        "displays.csv, row 2, column shortfall_cost: the cost does not fit the kind of display ('0'). Expected a cost"
        " above 0 for a soft display."
    )


def test_lots_are_not_compared_with_a_stock_that_could_not_be_read() -> None:
    fault = only_fault(stock="site_id,sku_id,on_hand,reserved,as_of\nS1,P1,-7,0,2026-03-02T05:00:00Z\n")
    assert fault.file == "stock.csv"


@given(
    units=st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
    shares=st.lists(st.integers(0, 5_000), min_size=1, max_size=2),
)
def test_whatever_adds_up_is_read_and_written_the_same(units: list[int], shares: list[int]) -> None:
    stock = f"site_id,sku_id,on_hand,as_of\nS1,P1,{sum(units)},2026-03-02T05:00:00Z\n"
    lots = "site_id,sku_id,lot_id,units,expires_on\n" + "".join(
        f"S1,P1,L{number},{count},2026-03-{number + 10}\n" for number, count in enumerate(units)
    )
    skus = "sku_id,name,unit_cost,unit_price,currency\nP1,A,1,2,EUR\nP2,B,1,2,EUR\nP3,C,1,2,EUR\n"
    rows = "sku_id,substitute_id,share\n" + "".join(
        f"P1,P{number + 2},{share / 10_000:.4f}\n" for number, share in enumerate(shares)
    )
    network = read(stock=stock, lots=lots, skus=skus, substitutes=rows)
    assert [row.share_bp for row in network.substitutes] == shares
    assert sum(lot.units for lot in network.lots) == sum(units)
    assert read_network(write_network(network), NOW, timedelta(days=1)) == network
