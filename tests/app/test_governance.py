"""Governance: one policy in force from the first moment, and every change of it ordered, recorded and reasoned."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.auth.roles import Role
from app.errors import ForbiddenError, InvalidError, NotFoundError
from app.governance.state import STREAM, activate_policy, active_policy, governance
from app.governance.stops import kill_switch, set_kill_switch, stops_in_force
from app.governance.switch import engage, release
from app.governance.tables import Governance
from app.ledger.reasons import facts_told
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.service import Service
from policies.library import releases
from tests.installation import ADA, OTTO, PAULA, VERA, person, until

FIRST, SECOND = releases()[:2]


def changes(service: Service) -> list[tuple[str, dict[str, Any]]]:
    """The recorded changes of governance: type and body, the oldest first."""
    with service.database.transaction() as session:
        rows = session.exec(select(LedgerEvent).where(LedgerEvent.stream == STREAM).order_by(LedgerEvent.seq)).all()
        return [(row.type, json.loads(row.body)) for row in rows]


def activate(service: Service, name: str, reason: str = "the quarter begins") -> None:
    with service.database.transaction() as session:
        activate_policy(session, name, "otto", reason)


def test_a_new_installation_is_under_the_first_release_with_the_switch_released(service: Service) -> None:
    with service.database.transaction() as session:
        assert active_policy(session) == FIRST
        assert stops_in_force(session) == ()
    ((kind, body),) = changes(service)
    assert (kind, body["facts"]["policy"], body["actor"]) == ("policy_activated", FIRST.digest, "system")


def test_many_who_come_first_find_one_policy_in_force(service: Service) -> None:
    together = threading.Barrier(8)

    def first(_: int) -> str:
        with service.database.transaction() as session:
            together.wait()
            return governance(session).policy_digest

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(first, range(8))) == {FIRST.digest}
    assert len(changes(service)) == 1


def test_there_is_one_row_of_what_is_in_force(service: Service) -> None:
    with service.database.transaction() as session:
        governance(session)
    with pytest.raises(Exception, match="governance_one_row"), service.database.transaction() as session:
        session.add(
            Governance(row_no=2, policy_digest="x", policy_since=governance(session).policy_since, policy_by="x")
        )


def test_a_release_is_put_in_force_by_name_or_digest_and_recorded_with_its_reason(service: Service) -> None:
    for name in (SECOND.release, SECOND.digest, SECOND.digest[:12]):
        activate(service, FIRST.release, "back")
        activate(service, name)
        with service.database.transaction() as session:
            row = governance(session)
            assert (active_policy(session), row.policy_by) == (SECOND, "otto")
            kind, body = changes(service)[-1]
            assert (kind, body["actor"]) == ("policy_activated", "otto")
            told = facts_told(session, body)
        assert (told["policy"], told["reason"]) == (SECOND.digest, "the quarter begins")


def test_going_back_is_a_change_of_its_own(service: Service) -> None:
    for name in (SECOND.release, FIRST.release, SECOND.release):
        activate(service, name)
    digests = [body["facts"]["policy"] for _, body in changes(service)]
    assert digests == [FIRST.digest, SECOND.digest, FIRST.digest, SECOND.digest]
    assert verify(service.database).verified


def test_what_is_in_force_already_is_no_change(service: Service) -> None:
    activate(service, SECOND.release)
    before = changes(service)
    activate(service, SECOND.release, "again")
    with service.database.transaction() as session:
        set_kill_switch(session, engaged=False, actor="otto", reason="it is not engaged")
    assert changes(service) == before


def test_a_policy_that_was_never_released_cannot_be_put_in_force(service: Service) -> None:
    with pytest.raises(NotFoundError, match="see `evenkeel policy list`") as refused:
        activate(service, "2025-01")
    assert refused.value.code == "unknown_policy"
    assert changes(service) == []


def test_no_change_is_made_without_a_reason(service: Service) -> None:
    for reason in ("", " ", "\n\t"):
        with pytest.raises(InvalidError):
            activate(service, SECOND.release, reason)
        with pytest.raises(InvalidError), service.database.transaction() as session:
            set_kill_switch(session, engaged=True, actor="otto", reason=reason)
    assert changes(service) == []


def test_the_switch_is_recorded_with_who_and_why(service: Service) -> None:
    with service.database.transaction() as session:
        row = engage(session, ADA, "the ERP posts nonsense")
        assert row.stop.holds_everything
        assert (row.engaged_by, row.reason) == ("ada", "the ERP posts nonsense")
    with service.database.transaction() as session:
        release(session, OTTO, "repaired")
        assert kill_switch(session) is None
    assert [(kind, body["actor"]) for kind, body in changes(service)[1:]] == [
        ("kill_switch_engaged", "ada"), ("kill_switch_released", "otto")
    ]  # fmt: skip


def test_more_people_may_stop_than_may_go_on(service: Service) -> None:
    permitted = {OTTO: (True, True), person("adam", Role.ADMIN): (True, True), ADA: (True, False)}
    for principal, (may_engage, may_release) in {**permitted, PAULA: (False, False), VERA: (False, False)}.items():
        for act, may in ((engage, may_engage), (release, may_release)):
            if may:
                with service.database.transaction() as session:
                    act(session, principal, "a drill")
            else:
                with pytest.raises(ForbiddenError), service.database.transaction() as session:
                    act(session, principal, "a drill")


def test_a_change_waits_for_whoever_relies_on_what_is_in_force(service: Service) -> None:
    """A decision or a post that has begun is before the switch; what begins after it sees it."""
    with service.database.transaction() as session:
        governance(session)
    engaged = threading.Event()

    def stop() -> None:
        with service.database.transaction() as session:
            engage(session, OTTO, "stop")
        engaged.set()

    thread = threading.Thread(target=stop)
    with service.database.transaction() as session:
        assert stops_in_force(session, share=True) == ()
        thread.start()
        until("the change to wait", lambda: _who_wait(service) == 1)
        assert not engaged.is_set()
    thread.join()
    with service.database.transaction() as session:
        assert kill_switch(session) is not None


def test_who_comes_after_a_change_that_waits_does_not_go_before_it(service: Service) -> None:
    """Else a steady flow of decisions and posts would keep a stop waiting for ever."""
    with service.database.transaction() as session:
        governance(session)
    seen = []

    def stop() -> None:
        with service.database.transaction() as session:
            engage(session, OTTO, "stop")

    def decide() -> None:
        with service.database.transaction() as session:
            seen.append(len(stops_in_force(session, share=True)))

    with ThreadPoolExecutor(2) as pool:
        with service.database.transaction() as session:
            assert stops_in_force(session, share=True) == ()
            engaging = pool.submit(stop)
            until("the change to wait", lambda: _who_wait(service) == 1)
            deciding = pool.submit(decide)
            until("the decision to wait behind it", lambda: _who_wait(service) == 2, 10)
        engaging.result(timeout=20)
        deciding.result(timeout=20)
    assert seen == [1]


def _who_wait(service: Service) -> int:
    with service.database.engine.connect() as connection:
        query = text(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        return int(connection.execute(query).scalar_one())


def test_changes_by_many_at_once_are_one_unbroken_sequence(service: Service) -> None:
    def change(number: int) -> None:
        with service.database.transaction() as session:
            set_kill_switch(session, engaged=number % 2 == 0, actor=f"p{number}", reason=f"drill {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(24)))
    kinds = [kind for kind, _ in changes(service)[1:]]
    assert kinds == ["kill_switch_engaged", "kill_switch_released"] * (len(kinds) // 2) + ["kill_switch_engaged"] * (
        len(kinds) % 2
    )
    with service.database.transaction() as session:
        assert (kill_switch(session) is not None) is (kinds[-1] == "kill_switch_engaged")
    assert verify(service.database).verified
