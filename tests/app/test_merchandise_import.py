"""Facts about merchandise from a folder to a snapshot: whole, replaced by the next folder, and guarded by the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.db.database import Database
from app.plans.store import read_snapshot, snapshot_now
from app.stock.facts import freeze
from app.stock.importing import ImportRefusedError
from app.stock.tables import EndOfLifeRow, LotRow, MarkdownRow, MinimumDisplayRow, SubstituteRow
from tests.builders import NOW, TODAY, a_folder, in_days
from tests.signals import a_signal, send, table_digests, take_in, undone
from tools.inventory import SiteSku
from tools.merchandise.facts import Lot, Merchandise
from tools.merchandise.lots import lots_free
from tools.signals import StockData, StockReading

STATED = {
    "sets": "set_id,sku_id\nDRINKS,P2\nDRINKS,P1\n",
    "displays": "site_id,sku_id,kind,units,shortfall_cost\nS1,P1,,2,\nDC1,P1,soft,4,0.5\n",
    "lots": "lot_id,site_id,sku_id,units,expires_on\nL2,S1,P1,3,2026-03-20\nL10,S1,P1,4,2026-03-09\n",
    "end_of_life": "sku_id,site_id,leave_by,write_off\nP1,,2026-04-01,\nP2,S2,2026-03-05,0.75\n",
    "markdowns": "site_id,sku_id,proceeds\nS2,P2,0.8\n",
    "substitutes": "sku_id,substitute_id,share\nP1,P2,0.35\n",
}


@pytest.fixture
def session(empty: Database) -> Iterator[Session]:
    """A session on an empty database. Nothing of it stays."""
    with undone(empty) as opened:
        yield opened


def test_everything_that_a_folder_states_is_in_the_snapshot_and_counts_for_its_digest(session: Session) -> None:
    done = take_in(session, a_folder(**STATED))
    found = freeze(session).merchandise
    assert {name: done.counts[name] for name in (field.name for field in fields(Merchandise))} == {
        "set_members": 2,
        "displays": 2,
        "lots": 2,
        "ends_of_life": 2,
        "markdowns": 1,
        "substitutes": 1,
    }
    assert found.skus_by_set == {"DRINKS": ("P1", "P2")}
    assert found.lots == (Lot("S1", "P1", "L10", 4, in_days(7)), Lot("S1", "P1", "L2", 3, in_days(18)))
    assert [(row.site_id, row.kind, row.shortfall_e4) for row in found.displays] == [
        ("DC1", "soft", 5_000),
        ("S1", "hard", 0),
    ]
    assert [(row.sku_id, row.site_id, row.write_off_e4) for row in found.ends_of_life] == [
        ("P1", "", None),
        ("P2", "S2", 7_500),
    ]
    assert (found.markdowns[0].proceeds_e4, found.substitutes[0].share_bp) == (8_000, 3_500)


def test_a_stored_snapshot_keeps_the_facts(session: Session) -> None:
    take_in(session, a_folder(**STATED))
    snapshot = snapshot_now(session)
    assert read_snapshot(session, snapshot.digest).merchandise == snapshot.merchandise != Merchandise()


def test_a_folder_without_the_files_leaves_no_word_of_them_in_counts_and_digests(session: Session) -> None:
    done = take_in(session, a_folder())
    assert not done.counts.keys() & {field.name for field in fields(Merchandise)}
    assert freeze(session).merchandise == Merchandise()


def test_the_next_folder_replaces_what_the_one_before_stated(session: Session) -> None:
    take_in(session, a_folder(**STATED))
    take_in(
        session, a_folder(**STATED | {"lots": None, "sets": None, "markdowns": "site_id,sku_id,proceeds\nS1,P1,2\n"})
    )
    found = freeze(session).merchandise
    assert (found.lots, found.set_members) == ((), ())
    assert [(row.site_id, row.proceeds_e4) for row in found.markdowns] == [("S1", 20_000)]
    assert len(found.displays) == 2
    take_in(session, a_folder(sales="date,site_id,sku_id,units\n2026-02-23,S1,P1,9\n"))
    assert freeze(session).merchandise == Merchandise()


def test_the_same_folder_again_changes_nothing(session: Session) -> None:
    take_in(session, a_folder(**STATED))
    before = table_digests(session)
    assert not take_in(session, a_folder(**STATED)).new
    assert table_digests(session) == before


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("lots", "lot_id,site_id,sku_id,units,expires_on\nL2,S1,P1,3,2026-03-20\n", "lots.csv, row 2, column units"),
        ("sets", "set_id,sku_id\nDRINKS,P2\n", "sets.csv, row 2, column set_id"),
        ("substitutes", "sku_id,substitute_id,share\nP1,P1,0.3\n", "substitutes.csv, row 2, column substitute_id"),
        ("displays", "site_id,sku_id,kind,units\nS1,P1,soft,2\n", "displays.csv, row 2, column shortfall_cost"),
    ],
)
def test_a_folder_with_a_fault_in_one_of_the_files_is_refused_whole(
    session: Session, name: str, text: str, where: str
) -> None:
    take_in(session, a_folder())
    before = table_digests(session)
    with pytest.raises(ImportRefusedError, match=where):
        take_in(session, a_folder(**STATED | {name: text}))
    assert table_digests(session) == before


def test_a_count_of_fewer_units_takes_the_first_lots_away(session: Session) -> None:
    """Lots are those of the last import; of fewer units than they add up to, the last to expire are left."""
    take_in(session, a_folder(**STATED))
    reading = StockReading(site_id="S1", sku_id="P1", on_hand_units=5, reserved_units=0)
    sent = send(session, a_signal(StockData(as_of=NOW - timedelta(minutes=55), readings=(reading,))))
    assert sent.verdict == "accepted", sent.findings
    left = lots_free(freeze(session), SiteSku("S1", "P1"))
    assert [(lot.lot_id, lot.units) for lot in left] == [("L10", 2), ("L2", 3)]


@pytest.mark.parametrize(
    "row",
    [
        LotRow(site_id="S1", sku_id="P1", lot_id="L", units=0, expires_on=TODAY),
        MinimumDisplayRow(site_id="S1", sku_id="P1", kind="soft", units=1, shortfall_e4=0),
        MinimumDisplayRow(site_id="S1", sku_id="P1", kind="hard", units=1, shortfall_e4=5),
        MinimumDisplayRow(site_id="S1", sku_id="P1", kind="hard", units=0, shortfall_e4=0),
        EndOfLifeRow(sku_id="P1", site_id="", leave_by=TODAY, write_off_e4=-1),
        MarkdownRow(site_id="S1", sku_id="P1", proceeds_e4=-1),
        SubstituteRow(sku_id="P1", substitute_id="P1", share_bp=10),
        SubstituteRow(sku_id="P1", substitute_id="P2", share_bp=10_001),
    ],
)
def test_the_database_keeps_no_fact_that_an_import_would_refuse(session: Session, row: Any) -> None:
    session.add(row)
    with pytest.raises(IntegrityError):
        session.flush()
