"""How long decisions take is measured once there are enough of them, unless the operator has said it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import Session

from app.approvals.latency import latency_of_decisions
from app.approvals.tables import ApprovalRequest, Decision
from app.db.database import database_now
from app.plans.store import snapshot_now
from app.service import Service
from evals.databases import Servers
from tests.installation import settle_in
from tests.signals import a_database, signal_network, take_in
from tools.transfers import Verdict

NINE, TEN = [1.5] * 9, [1.5] * 10


@pytest.fixture
def session(servers: Servers) -> Iterator[Session]:
    """A session on a database with a network and nothing decided."""
    with a_database(servers) as database, database.transaction() as opened:
        take_in(opened, signal_network())
        yield opened


def decided(session: Session, waits_days: Sequence[float], days_ago: float = 0.0, by: str = "ada") -> None:
    """Decisions that took so many days each, made so many days ago."""
    session.connection().execute(text("set session_replication_role = replica"))  # no plans are needed here
    at = database_now(session) - timedelta(days=days_ago)
    for wait in waits_days:
        asked = at - timedelta(days=wait)
        request = ApprovalRequest(
            approval_id=uuid4(), plan_digest=uuid4().hex, attempt=0, tier="standard", status="approved",
            requested_by="paula", authors=["paula"], sites=[], requested_at=asked, expires_at=asked + timedelta(days=99),
            lines=1, units=1, goods_value_minor=1, saving_minor=1, currency="USD",
        )  # fmt: skip
        session.add(request)
        session.flush()
        session.add(
            Decision(
                approval_id=request.approval_id, verdict=Verdict.APPROVE, decided_by=by, decided_at=at,
                seen_digest=request.plan_digest,
            )
        )  # fmt: skip
    session.flush()
    session.connection().execute(text("set session_replication_role = origin"))


def test_a_handful_of_decisions_says_nothing(session: Session) -> None:
    decided(session, NINE)
    assert latency_of_decisions(session) is None
    decided(session, [1.5])
    assert latency_of_decisions(session) == 2


def test_what_a_policy_releases_by_itself_does_not_count(session: Session) -> None:
    decided(session, [0.0] * 90, by="policy/0123456789ab")
    assert latency_of_decisions(session) is None
    decided(session, TEN)
    assert latency_of_decisions(session) == 2


@pytest.mark.parametrize(
    ("waits_days", "days"),
    [
        ([0.01] * 10, 1),
        ([1.0] * 8 + [9.0] * 2, 1),
        ([1.0] * 7 + [9.0] * 3, 9),
        ([1.001] * 10, 2),
        ([0.0] * 10, 0),
    ],
)
def test_four_of_five_decisions_are_made_within_the_measured_days(
    session: Session, waits_days: list[float], days: int
) -> None:
    decided(session, waits_days)
    assert latency_of_decisions(session) == days


def test_decisions_of_long_ago_do_not_count(session: Session) -> None:
    decided(session, [5.0] * 20, days_ago=90.1)
    assert latency_of_decisions(session) is None
    decided(session, TEN, days_ago=89.9)
    assert latency_of_decisions(session) == 2


def test_a_measured_latency_is_a_fact_of_the_next_snapshot(session: Session) -> None:
    before = snapshot_now(session)
    decided(session, TEN)
    after = snapshot_now(session)
    assert (before.approval_latency_days, after.approval_latency_days) == (None, 2)
    assert before.digest != after.digest
    assert snapshot_now(session) == after


def test_what_the_operator_sets_counts_before_what_is_measured(open_with: Callable[..., Service]) -> None:
    service = open_with(settings={"approval_latency_days": 4})
    settle_in(service)
    with service.database.transaction() as session:
        decided(session, TEN)
        assert latency_of_decisions(session) == 4
        assert snapshot_now(session).approval_latency_days == 4
