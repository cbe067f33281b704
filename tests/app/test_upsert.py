"""Rows go into a table in bulk: the same whether they go one by one or many in one statement."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from app.db.upsert import TOGETHER_MAX, TOGETHER_MIN, upsert
from app.stock.tables import ForecastDayRow, MasterRow, ReplenishmentRow
from evals.databases import Servers
from tests.signals import a_database

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
MANY = TOGETHER_MIN + 7


@pytest.fixture
def session(servers: Servers) -> Iterator[Session]:
    """A session on an empty database."""
    with a_database(servers) as database, database.transaction() as opened:
        yield opened


def days(count: int, mean_e6: int, stated_at: datetime = MONDAY, **more: Any) -> list[dict[str, Any]]:
    """Forecasts of so many days, every second one without a variance."""
    return [
        {
            "site_id": "S'1", "sku_id": 'P"1,{}', "on_date": date(2026, 1, 1) + timedelta(days=day),
            "mean_e6": mean_e6 + day, "variance_e6": None if day % 2 else 5, "stated_at": stated_at,
        } | more
        for day in range(count)
    ]  # fmt: skip


def stored(session: Session) -> list[dict[str, Any]]:
    """The forecast days of the table, by day."""
    rows = session.exec(select(ForecastDayRow).order_by(ForecastDayRow.on_date)).all()
    session.expunge_all()
    return [row.model_dump() for row in rows]


@pytest.mark.parametrize("count", [1, TOGETHER_MIN - 1, TOGETHER_MIN, MANY])
def test_rows_are_inserted_as_they_are(session: Session, count: int) -> None:
    assert upsert(session, ForecastDayRow, days(count, 100)) == count
    assert stored(session) == days(count, 100)


@pytest.mark.parametrize("count", [3, MANY])
def test_rows_that_are_there_are_brought_up_to_date_unless_they_are_newer(session: Session, count: int) -> None:
    later, earlier = MONDAY + timedelta(hours=1), MONDAY - timedelta(hours=1)
    upsert(session, ForecastDayRow, days(count, 100), newest_by="stated_at")
    upsert(session, ForecastDayRow, days(count, 200, earlier), newest_by="stated_at")
    assert stored(session) == days(count, 100)
    upsert(session, ForecastDayRow, days(count, 300, later), newest_by="stated_at")
    assert stored(session) == days(count, 300, later)
    upsert(session, ForecastDayRow, days(count, 400, earlier))
    assert stored(session) == days(count, 400, earlier)


def test_where_a_key_comes_twice_the_last_row_counts(session: Session) -> None:
    upsert(session, ForecastDayRow, days(MANY, 100) + days(2, 900))
    assert [row["mean_e6"] for row in stored(session)][:4] == [900, 901, 102, 103]


def test_more_rows_than_one_statement_carries_go_in_several(session: Session) -> None:
    count = TOGETHER_MAX + 3
    rows = [
        {"site_id": f"S{n}", "sku_id": "P1", "next_arrival_on": date(2026, 3, 9), "review_period_days": None}
        for n in range(count)
    ]
    assert upsert(session, ReplenishmentRow, rows) == count
    assert len(session.exec(select(ReplenishmentRow.site_id)).all()) == count


def test_documents_are_stored_as_documents_however_many(session: Session) -> None:
    upsert(session, MasterRow, [{"kind": "sku", "key": str(n), "body": {"n": n}} for n in range(MANY)])
    assert sorted(row.body["n"] for row in session.exec(select(MasterRow)).all()) == list(range(MANY))


def test_no_rows_are_no_work(session: Session) -> None:
    assert upsert(session, ForecastDayRow, []) == 0


def test_a_row_that_the_table_refuses_refuses_all(session: Session) -> None:
    rows = days(MANY, 100)
    rows[-1]["site_id"] = None
    with pytest.raises(IntegrityError):
        upsert(session, ForecastDayRow, rows)
