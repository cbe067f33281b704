"""Facts that are told apart only by what transfers have changed are the facts that a look at everything finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, func, select

from app.approvals.freshness import facts_now, facts_to_check_on
from app.auth.roles import Role
from app.db.database import Database
from app.orders.receipts import Report, receive_order
from app.plans.store import snapshot_now, snapshot_to_check_on
from app.plans.tables import SnapshotOfFacts, SnapshotRow
from app.stock.facts import freeze
from app.stock.since import frozen_since
from graphs.planning import draft
from policies.narrowing import fresh
from policies.rules import Facts, check
from policies.tiers import tier_of, traits_of
from tests.app.approvals.house import House, approving
from tests.installation import person
from tests.signals import (
    a_count,
    a_reading,
    a_signal,
    an_order,
    counts,
    forecast,
    lane_takes,
    late,
    order,
    send,
    sold,
    undone,
)
from tools.execution import OrderState
from tools.inventory import Snapshot, SupplyKind
from tools.transfers import PlanRequest, TransferPlan

OTTO = person("otto", Role.OPERATOR)
Event = Callable[[Session, int], object]


def moved(state: OrderState, **fields: object) -> Event:
    """A transfer of a few units that has come to this state."""
    return lambda session, number: an_order(session, 1 + number % 4, state, **fields)


def reported_as_ours(session: Session, number: int) -> None:
    """The ERP reports a transfer under our reference, which is over or still under way."""
    ours = an_order(session, 2, OrderState.SHIPPED if number % 2 else OrderState.CANCELLED)
    units = order(7, reference=str(ours.transfer_id), site_id="S2", kind=SupplyKind.TRANSFER)
    send(session, a_signal(units, f"ours-{number}"))


def reported_first(session: Session, number: int) -> None:
    """The ERP reports an order under a reference that looks like ours and is not."""
    reference = f"00000000-0000-4000-8000-{number:012d}"
    send(session, a_signal(order(4, reference=reference), f"theirs-{number}"))


def received(session: Session, number: int) -> None:
    """A part of a transfer has arrived, or all of it, or the rest is lost."""
    ours = an_order(session, 4, OrderState.SHIPPED)
    report = Report(units=number % 5 or None, receipt_key=f"r-{number}", is_last=number % 3 == 0)
    receive_order(session, OTTO, ours.transfer_id, report)


EVENTS: dict[str, Event] = {
    **{state.value: moved(state) for state in (
        OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.CANCELLED,
        OrderState.REFUSED,
    )},
    "another lane": moved(OrderState.SHIPPED, destination="S3"),
    "another SKU": moved(OrderState.RELEASED, sku_id="P2"),
    "long ago": lambda session, number: an_order(session, 1, planned_on=freeze(session).as_of.date() - timedelta(89 + number % 3)),
    "departed": lambda session, number: an_order(session, 1, depart_on=freeze(session).as_of.date() - timedelta(number % 2)),
    "received": received,
    "ours": reported_as_ours,
    "theirs": reported_first,
    "count": lambda session, number: send(session, a_signal(a_count(180 + number % 9, minutes=6 + number), f"c-{number}")),
    "quarantined": lambda session, number: send(session, a_signal(counts(a_reading(-1, sku_id="P2"), minutes=6 + number), f"q-{number}")),
    "sales": lambda session, number: send(session, a_signal(sold(number % 5), f"s-{number}")),
    "forecast": lambda session, number: send(session, a_signal(forecast(1 + number % 3), f"f-{number}")),
    "lead time": lambda session, number: send(session, a_signal(lane_takes(1 + number % 4), f"l-{number}")),
    "supplier": lambda session, number: send(session, a_signal(late(), f"p-{number}")),
}  # fmt: skip


def whole(session: Session) -> Snapshot:
    """The facts now with nothing that was worked out before."""
    return replace(freeze(session))


def assert_same(found: Snapshot, expected: Snapshot) -> None:
    """Equal facts of equal digest, and everything that is kept with them is what they come to.

    The reason of a hold is free text, of which a stored snapshot keeps what was said first.
    """
    held = {name: {key: replace(hold, reason="") for key, hold in facts.hold_by_key.items()}
            for name, facts in (("found", found), ("expected", expected))}  # fmt: skip
    assert held["found"] == held["expected"]
    assert replace(found, holds=()) == replace(expected, holds=())
    assert found.digest == expected.digest
    for name in ("site_by_id", "sku_by_id", "lane_by_key", "position_by_key", "forecast_by_key",
                 "replenishment_by_key", "supply_by_key"):  # fmt: skip
        assert getattr(found, name) == getattr(expected, name), name


def verdicts(plan: TransferPlan, facts: Facts) -> tuple[object, ...]:
    """All that rules say about the plan on these facts."""
    policy, snapshot = facts.policy, facts.snapshot
    traits = traits_of(policy, plan, snapshot, frozenset(), facts.now)
    return check(plan, facts), fresh(plan, facts), traits, tier_of(policy, plan, snapshot)


@pytest.fixture(scope="module")
def plan(database: Database) -> TransferPlan:
    """A plan on the facts as they are before anything has happened."""
    with undone(database) as session:
        made = draft(facts_now(session), PlanRequest()).plan
        assert made is not None
        assert made.lines
        return made


@settings(max_examples=12)
@given(happened=st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 30)), min_size=1, max_size=5))
@example(happened=[("shipped", 1), ("count", 2), ("released", 3), ("received", 4)])
@example(happened=[("ours", 1), ("shipped", 1), ("ours", 2), ("theirs", 3), ("cancelled", 4)])
@example(happened=[("forecast", 1), ("quarantined", 2), ("another SKU", 3), ("received", 5)])
def test_a_check_is_made_on_the_facts_that_a_look_at_everything_finds_and_comes_to_the_same(
    database: Database, plan: TransferPlan, happened: list[tuple[str, int]]
) -> None:
    with undone(database) as session:
        snapshot_now(session)
        for place, (name, number) in enumerate(happened):
            EVENTS[name](session, place * 31 + number)
            session.flush()
            session.expire_all()
            known, expected = facts_to_check_on(session), whole(session)
            assert_same(known.snapshot, expected)
            assert verdicts(plan, known) == verdicts(plan, replace(known, snapshot=expected))


@pytest.mark.parametrize("name", EVENTS)
def test_what_happens_after_a_snapshot_is_in_the_next_one_that_is_stored(session: Session, name: str) -> None:
    before = snapshot_now(session)
    EVENTS[name](session, 1)
    session.flush()
    session.expire_all()
    after = snapshot_now(session)
    assert_same(after, whole(session))
    assert session.get_one(SnapshotRow, after.digest).body
    assert (after.hold_by_key.keys() != before.hold_by_key.keys()) == (name == "quarantined")


def test_a_check_stores_no_snapshot_and_one_that_nothing_has_changed_for_is_the_one_before(session: Session) -> None:
    before = snapshot_now(session)
    stored = session.exec(select(func.count()).select_from(SnapshotRow)).one()
    assert snapshot_to_check_on(session) is snapshot_to_check_on(session)
    assert snapshot_to_check_on(session) == before
    an_order(session, 6)
    rows = session.exec(select(func.count()).select_from(SnapshotRow)).one()
    after = snapshot_to_check_on(session)
    assert after.digest != before.digest
    assert rows - stored <= 1, "the one that the made-up order rests on"
    assert session.exec(select(func.count()).select_from(SnapshotRow)).one() == rows
    assert session.get(SnapshotRow, after.digest) is None


def test_the_first_check_after_a_signal_stores_what_the_next_ones_start_from(session: Session) -> None:
    snapshot_now(session)
    send(session, a_signal(a_count(190), "a count"))
    session.flush()
    first = snapshot_to_check_on(session)
    assert session.get_one(SnapshotRow, first.digest).as_of == first.as_of
    keys = session.exec(select(SnapshotOfFacts.key).where(SnapshotOfFacts.digest == first.digest)).all()
    assert len([key for key in keys if key.startswith("since/")]) == 1


def test_merchandise_and_names_go_into_the_digest_of_what_changed_as_into_any_other(session: Session) -> None:
    """Where parts do not make up the digest that is known, the digest is asked for itself."""
    before = replace(freeze(session))
    an_order(session, 3, OrderState.SHIPPED)
    odd = replace(before, currency="EUR")
    vars(odd)["digest"] = "0" * 64
    for start in (before, odd):
        found = frozen_since(session, start)
        assert found.digest == replace(found).digest


def test_two_decisions_in_a_row_rest_on_what_the_first_one_has_left(house: House) -> None:
    near, far = house.ask("near"), house.ask("near")
    assert house.do(approving(near, person("ada", Role.APPROVER))) == "approved"
    with house.database.transaction() as session:
        assert_same(snapshot_to_check_on(session), whole(session))
    outcome = house.do(approving(far, person("bob", Role.APPROVER)))
    with house.database.transaction() as session:
        assert_same(snapshot_to_check_on(session), whole(session))
    assert outcome in ("approved", "outrun")
