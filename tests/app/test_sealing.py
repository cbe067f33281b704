"""Words of people are sealed in the ledger, each month under keys of its own; a key that is gone takes them along and breaks no chain."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from app.db.database import Database, database_now
from app.errors import SetUpError
from app.ledger.append import EventType, KeyTakenError, append
from app.ledger.checkpoints import make_checkpoint, read_checkpoints
from app.ledger.notes import Signer
from app.ledger.sealing import (
    FORGOTTEN,
    MASTER_KEY,
    ForgottenError,
    Sealed,
    _stored,
    _wrap,
    destroy_key,
    destroy_key_of_months_before,
    open_secret,
    person,
    seal_secret,
    subjects_of_months_before,
    unsealed,
)
from app.ledger.tables import LedgerEvent, SealingKey
from app.ledger.verify import verify
from evals.databases import Servers
from tests.signals import a_database

CANARY = "Quizzical Zephyr"
SIGNER = Signer(bytes(32))


@pytest.fixture
def ledger(servers: Servers) -> Iterator[Database]:
    with a_database(servers) as opened:
        opened.session_info[MASTER_KEY] = lambda: bytes(32)
        yield opened


def say(session: Session, words: str, key: str = "said/1", by: str = "ada") -> bool:
    sealed = Sealed(person(by), {"words": words})
    return append(
        session,
        stream="test",
        key=key,
        event_type=EventType.APPROVAL_COMMENTED,
        actor=by,
        facts={"n": 1},
        sealed=sealed,
    ).new


def facts_said(session: Session) -> list[dict[str, object]]:
    events = session.exec(select(LedgerEvent).order_by("seq")).all()
    return [unsealed(session, json.loads(event.body)) for event in events]


def destroy_keys_of_months_before(session: Session, day: date) -> list[str]:
    """What is done key by key, here in one transaction. Returns which."""
    found = list(subjects_of_months_before(session, day))
    for subject in found:
        destroy_key_of_months_before(session, subject, day)
    return found


def test_words_are_sealed_and_read_again(ledger: Database) -> None:
    with ledger.transaction() as session:
        assert say(session, CANARY) is True
        assert say(session, CANARY) is False
        assert say(session, CANARY, "said/2") is True
        assert facts_said(session) == [{"n": 1, "words": CANARY}] * 2
        stored = [event.body for event in session.exec(select(LedgerEvent)).all()]
    assert not any(CANARY.encode() in body for body in stored)
    first, second = (body.split(b'"words":"')[1].split(b'"')[0] for body in stored)
    assert first != second
    with pytest.raises(KeyTakenError), ledger.transaction() as session:
        say(session, "something else")


def a_month_goes_by(session: Session) -> None:
    """What was said until now lies under keys of another month."""
    session.connection().execute(text("update sealing_key set subject = subject || ' ago' where subject like '%@%'"))


def test_the_same_words_are_another_event_in_another_month(ledger: Database) -> None:
    with ledger.transaction() as session:
        say(session, CANARY)
        a_month_goes_by(session)
    with pytest.raises(KeyTakenError), ledger.transaction() as session:
        say(session, CANARY)


def test_a_destroyed_key_takes_the_words_with_it_and_leaves_the_chain(ledger: Database, tmp_path: Path) -> None:
    with ledger.transaction() as session:
        say(session, CANARY)
        say(session, "mine", "said/2", by="bob")
    made = make_checkpoint(ledger, SIGNER, tmp_path / "checkpoints")
    with ledger.transaction() as session:
        assert [destroy_key(session, person("ada")) for _ in range(2)] == [True, False]
    with ledger.transaction() as session:
        assert [facts["words"] for facts in facts_said(session)] == [FORGOTTEN, "mine"]
        assert destroy_key(session, person("never heard of")) is False
        for gone in ("ada", "never heard of"):
            with pytest.raises(ForgottenError):
                say(session, "again", f"again/{gone}", by=gone)
    assert made is not None
    assert verify(ledger, read_checkpoints(tmp_path / "checkpoints", SIGNER.verifier)).problems == ()


def test_words_of_a_month_that_is_long_over_go_and_younger_ones_stay(ledger: Database, tmp_path: Path) -> None:
    with ledger.transaction() as session:
        say(session, CANARY)
        today = database_now(session).date()
        assert destroy_keys_of_months_before(session, today) == [], "this month is not over"
        assert facts_said(session) == [{"n": 1, "words": CANARY}]
    made = make_checkpoint(ledger, SIGNER, tmp_path / "checkpoints")
    with ledger.transaction() as session:
        next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        assert destroy_keys_of_months_before(session, next_month) == [person("ada"), f"{person('ada')}@{today:%Y-%m}"]
        assert facts_said(session) == [{"n": 1, "words": FORGOTTEN}]
        assert say(session, "something new", "said/2", by="bob") is True
        assert destroy_key(session, person("ada")) is True, "the person is not forgotten with their old words"
    assert made is not None
    assert verify(ledger, read_checkpoints(tmp_path / "checkpoints", SIGNER.verifier)).problems == ()


def test_words_from_before_months_had_keys_go_as_well_once_they_are_old(ledger: Database) -> None:
    with ledger.transaction() as session:
        say(session, CANARY)
        document = json.loads(session.exec(select(LedgerEvent.body)).one())
        key = _stored(session, document["sealed"]["subject"])
        assert key is not None
        older = document | {"sealed": {"subject": person("ada"), "fields": document["sealed"]["fields"]}}
        row = session.get_one(SealingKey, person("ada"))
        row.wrapped = _wrap(bytes(32), person("ada"), key)
        session.add(row)
        session.flush()
        assert unsealed(session, older)["words"] == CANARY
        destroy_keys_of_months_before(session, database_now(session).date())
        assert unsealed(session, older)["words"] == CANARY, "they are of this month, as far as anybody knows"
        session.connection().execute(
            text("update sealing_key set made_at = made_at - interval '40 days' where subject not like '%@%'")
        )
        destroy_keys_of_months_before(session, database_now(session).date())
        assert unsealed(session, older)["words"] == FORGOTTEN
        assert say(session, "something new", "said/2") is True


def test_a_rotated_key_is_not_given_back_to_somebody_who_is_being_forgotten(ledger: Database) -> None:
    with ledger.transaction() as session:
        say(session, CANARY)
        session.connection().execute(text("update sealing_key set made_at = made_at - interval '400 days'"))
    with ThreadPoolExecutor(1) as pool:
        with ledger.transaction() as session:
            destroy_key(session, person("ada"))
            rotating = pool.submit(rotate, ledger)
            waits(ledger)
        rotating.result()
    with ledger.transaction() as session, pytest.raises(ForgottenError):
        say(session, "again", "said/2")


def rotate(ledger: Database) -> None:
    with ledger.transaction() as session:
        destroy_keys_of_months_before(session, database_now(session).date())


def waits(ledger: Database) -> None:
    """Until somebody waits for a lock."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with ledger.engine.connect() as connection:
            if connection.execute(text(query)).scalar_one():
                return
        time.sleep(0.02)


def test_under_another_master_key_nothing_is_read(ledger: Database) -> None:
    with ledger.transaction() as session:
        say(session, CANARY)
        kept = seal_secret(session, "here", "a secret")
        assert open_secret(session, "here", kept) == "a secret"
        with pytest.raises(SetUpError, match="another master key"):
            open_secret(session, "elsewhere", kept)
    ledger.session_info[MASTER_KEY] = lambda: bytes([1]) * 32
    with ledger.transaction() as session, pytest.raises(SetUpError, match="EVENKEEL_MASTER_KEY"):
        facts_said(session)
    del ledger.session_info[MASTER_KEY]
    with ledger.transaction() as session, pytest.raises(SetUpError, match="without a master key"):
        say(session, "x", "said/3", by="cleo")
