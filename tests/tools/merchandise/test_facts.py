"""Facts about merchandise in a snapshot: what is not stated leaves its digest as it was, what is stated counts."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tests.builders import a_plan, a_snapshot, in_days
from tools.inventory import Snapshot
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

EVERYTHING = Merchandise(
    set_members=(SetMember("A", "P2"), SetMember("A", "P1"), SetMember("B", "P3")),
    displays=(MinimumDisplay("S1", "P1", DisplayKind.HARD, 2), MinimumDisplay("S1", "P1", DisplayKind.SOFT, 4, 900)),
    lots=(Lot("S1", "P1", "L2", 3, in_days(9)), Lot("S1", "P1", "L1", 4, in_days(2))),
    ends_of_life=(EndOfLife("P1", EVERY_SITE, in_days(9)), EndOfLife("P1", "S1", in_days(3), 500)),
    markdowns=(Markdown("S1", "P1", 20_000),),
    substitutes=(Substitute("P1", "P2", 4_000),),
)
NAMES = [field.name for field in fields(Merchandise)]


def test_facts_and_plans_without_merchandise_keep_the_digests_they_had_before_there_was_any() -> None:
    """Both are recorded in ledgers: they were worked out by the release before."""
    assert a_snapshot().digest == "238a7894cbc1b76eca99d34176e60b463f06330281efca4736b7dee8c533ed85"
    assert a_plan().digest == "93680af34291c45eefb54b0429114e245db1e929ba5d1d9a0d1f91701edc97a5"


def test_a_snapshot_stored_before_there_was_merchandise_is_read() -> None:
    document = a_snapshot().to_document()
    del document["merchandise"]
    assert Snapshot.from_document(document) == a_snapshot()


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_counts_for_the_digest_and_survives_storage(name: str) -> None:
    snapshot = a_snapshot(merchandise=Merchandise(**{name: getattr(EVERYTHING, name)}))
    assert snapshot.digest != a_snapshot().digest
    again = Snapshot.from_document(snapshot.to_document())
    assert (again, again.digest) == (snapshot, snapshot.digest)
    fewer = replace(snapshot, merchandise=Merchandise(**{name: getattr(EVERYTHING, name)[1:]}))
    assert fewer.digest != snapshot.digest


def test_merchandise_is_true_where_anything_is_stated() -> None:
    assert not Merchandise()
    assert all(Merchandise(**{name: getattr(EVERYTHING, name)}) for name in NAMES)


def test_facts_are_found_by_what_they_are_about() -> None:
    assert EVERYTHING.skus_by_set == {"A": ("P1", "P2"), "B": ("P3",)}
    assert [lot.lot_id for lot in EVERYTHING.lots_by_key["S1", "P1"]] == ["L1", "L2"]
    assert EVERYTHING.proceeds_by_key == {("S1", "P1"): 20_000}
    assert EVERYTHING.display_units(DisplayKind.SOFT)["S1", "P1"].units == 4
