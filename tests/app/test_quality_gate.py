"""The quality gate on a real network: what each check finds, what becomes of the signal, and what is held back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session

from app.db.documents import unpacked
from app.stock.tables import SignalRow
from tests.builders import NOW
from tests.signals import (
    a_count,
    a_reading,
    a_signal,
    counts,
    facts_of,
    forecast,
    held,
    lane_takes,
    late,
    order,
    position,
    quarantine_events,
    send,
    sold,
)
from tools.findings import QualityCheck, QualityVerdict
from tools.inventory import SiteSku
from tools.signals import (
    SignalData,
    StockData,
    data_digest,
)

ACCEPTED, WARNED, QUARANTINED = QualityVerdict
S1_P1 = SiteSku("S1", "P1")
NEVER_COUNTED = SiteSku("S1", "P3")


STALE_COUNT = a_count(7, sku_id="P3", as_of=NOW - timedelta(hours=48, minutes=1))

VERDICTS: list[tuple[QualityCheck, str, SignalData, QualityVerdict, SiteSku | None]] = [
    (QualityCheck.UNKNOWN, "there is no site S9", a_count(3, "S9"), QUARANTINED, None),
    (QualityCheck.UNKNOWN, "there is no SKU P9", a_count(3, sku_id="P9"), QUARANTINED, None),
    (QualityCheck.UNKNOWN, "there is no SKU P9", sold(3, sku_id="P9"), QUARANTINED, None),
    (QualityCheck.UNKNOWN, "there is no SKU P9", forecast(3, sku_id="P9"), QUARANTINED, None),
    (QualityCheck.UNKNOWN, "there is no site S9", order(3, site_id="S9"), QUARANTINED, None),
    (QualityCheck.UNKNOWN, "there is no lane S1→S9 by van", lane_takes(2, "S9"), QUARANTINED, None),
    (QualityCheck.UNKNOWN, "there is no SKU P9", late(sku_id="P9"), QUARANTINED, None),
    (QualityCheck.STALE, "48 hours ago", STALE_COUNT, WARNED, None),
    (QualityCheck.STALE, "the forecast ends on 2026-03-01, 1 day ago", forecast(3, range(-7, 0)), WARNED, None),
    (QualityCheck.FUTURE, "11 minutes from now", a_count(200, minutes=11), QUARANTINED, S1_P1),
    (QualityCheck.FUTURE, "1 day from now", sold(3, -1), QUARANTINED, S1_P1),
    (QualityCheck.NEGATIVE, "-3 units on hand", a_count(-3), QUARANTINED, S1_P1),
    (QualityCheck.NEGATIVE, "-1 reserved", counts(a_reading(200, reserved_units=-1)), QUARANTINED, S1_P1),
    (QualityCheck.NEGATIVE, "-2 units sold", sold(-2), QUARANTINED, S1_P1),
    (QualityCheck.NEGATIVE, "-4 units inbound", order(-4), QUARANTINED, S1_P1),
    (QualityCheck.OVER_RESERVED, "201 units reserved", counts(a_reading(200, reserved_units=201)), QUARANTINED, S1_P1),
    (QualityCheck.SUDDEN_JUMP, "20 units on hand where 197 were expected", a_count(20), QUARANTINED, S1_P1),
    (QualityCheck.SUDDEN_JUMP, "400 units on hand where 197 were expected", a_count(400), QUARANTINED, S1_P1),
    (QualityCheck.SUDDEN_JUMP, "90 units sold in the day", sold(90), QUARANTINED, S1_P1),
    (QualityCheck.SUDDEN_JUMP, "100 units a day", forecast(100), QUARANTINED, S1_P1),
    (QualityCheck.SUDDEN_JUMP, "32 days, where 1 were known", lane_takes(32), QUARANTINED, None),
    (QualityCheck.IMPOSSIBLE_LEVEL, "4,000 units, but only 3,285", a_count(4_000), QUARANTINED, S1_P1),
    (QualityCheck.IMPOSSIBLE_LEVEL, "the whole site holds 20,000", a_count(20_001, "S3", "P3"), QUARANTINED, SiteSku("S3", "P3")),
    (QualityCheck.IMPOSSIBLE_LEVEL, "4,000 units, but only 3,285", order(4_000), QUARANTINED, S1_P1),
    (QualityCheck.OVERDUE, "15 days ago", order(3, -15), WARNED, None),
]  # fmt: skip
"""What is looked for, words of the reason, a signal in which it is found, what becomes of it, and what is held back."""


def test_the_verdicts_that_are_tried_cover_every_check() -> None:
    """A missing reading needs an earlier count of the same source; it has a test of its own below."""
    assert {check for check, *_ in VERDICTS} | {QualityCheck.MISSING} == set(QualityCheck)


@pytest.mark.parametrize(("check", "words", "data", "verdict", "key"), VERDICTS)
def test_each_check_has_its_verdict_and_its_reason_is_kept(
    session: Session, check: QualityCheck, words: str, data: SignalData, verdict: QualityVerdict, key: SiteSku | None
) -> None:
    before = facts_of(session)
    done = send(session, a_signal(data))

    assert (done.new, done.verdict) == (True, verdict)
    assert {finding.check for finding in done.findings} == {check}
    assert any(words in finding.reason for finding in done.findings), [finding.reason for finding in done.findings]
    row = session.get_one(SignalRow, ("erp", "1"))
    assert row.verdict == verdict
    assert [found["reason"] for found in row.findings] == [finding.reason for finding in done.findings]
    assert unpacked(row.data) == data.model_dump(mode="json")
    kind = a_signal(data).type
    assert held(session) == ({} if key is None else {(*key, kind.value): check.value})
    if verdict is QUARANTINED:
        assert facts_of(session) == before
        (event,) = quarantine_events(session)
        reasons = [finding.reason for finding in done.findings]
        assert event == {"signal": "1", "kind": kind, "digest": data_digest(data), "reasons": reasons}
    else:
        assert quarantine_events(session) == []


def test_a_reading_that_is_only_warned_about_is_used(session: Session) -> None:
    send(session, a_signal(STALE_COUNT))
    send(session, a_signal(order(3, -15), "2"))
    facts = facts_of(session)
    assert position(facts, *NEVER_COUNTED).on_hand_units == 7
    assert [row.reference for row in facts.supply_by_key[S1_P1]] == ["PO-2", "PO-1"]


def test_a_stale_count_is_kept_apart_where_the_rules_say_so(session: Session) -> None:
    done = send(session, a_signal(STALE_COUNT), stale_verdict=QUARANTINED)
    assert done.verdict is QUARANTINED
    assert held(session) == {(*NEVER_COUNTED, "evenkeel.stock.v1"): "stale"}
    assert NEVER_COUNTED not in facts_of(session).position_by_key


@pytest.mark.parametrize("verdict", [WARNED, QUARANTINED])
def test_what_a_full_count_leaves_out_is_missing_and_its_other_readings_are_used(
    session: Session, verdict: QualityVerdict
) -> None:
    covered = frozenset((S1_P1, SiteSku("S1", "P2")))
    done = send(session, a_signal(a_count(190)), covered, missing_verdict=verdict)
    assert done.verdict is verdict
    (finding,) = done.findings
    assert (finding.check, finding.key) == (QualityCheck.MISSING, SiteSku("S1", "P2"))
    assert "120 units last" in finding.reason
    expected = {("S1", "P2", "evenkeel.stock.v1"): "missing"} if verdict is QUARANTINED else {}
    assert held(session) == expected
    facts = facts_of(session)
    assert (position(facts).on_hand_units, position(facts, "S1", "P2").on_hand_units) == (190, 120)


def test_only_the_first_thousand_findings_are_kept(session: Session) -> None:
    data = StockData(as_of=NOW, readings=tuple(a_reading(-number) for number in range(1, 1_102)))
    done = send(session, a_signal(data))
    assert len(done.findings) == 1_101
    assert len(session.get_one(SignalRow, ("erp", "1")).findings) == 1_000
    (event,) = quarantine_events(session)
    assert len(event["reasons"]) == 20
