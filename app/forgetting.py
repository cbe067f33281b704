"""Forgetting a person: what they said goes, what they decided stays, under an id that no longer says who it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select, update

from app.auth.directory import forget_identities
from app.auth.people import SHELL, SYSTEM, revoke_tokens
from app.auth.roles import Act, Principal
from app.auth.tables import Person
from app.db.database import Database, database_now
from app.errors import InvalidError, NotFoundError
from app.ledger.append import EventType, append, lock_streams
from app.ledger.sealing import (
    FORGOTTEN,
    destroy_key,
    destroy_key_of_months_before,
    person,
    subjects_of_months_before,
    unsealed,
)
from app.orders.tables import TransferOrder
from app.threads.tables import ACTIVE, Run, Thread


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What became of a person.

    What the graph remembers of `threads` is the driver's to forget: their own, and those that were told their words.
    """

    user_id: str
    threads: tuple[UUID, ...]
    new: bool


_REJECTIONS = text("""
    update decision set rejection = jsonb_set(rejection, '{words}', to_jsonb(cast(:nothing as text)))
    where decided_by = :user_id and rejection is not null
""")

_DELEGATIONS = text("update delegation set reason = :nothing where delegator = :user_id")
_STOPS = text("""
    update stop set reason = case when engaged_by = :user_id then :nothing else reason end,
      release_reason = case when released_by = :user_id then :nothing else release_reason end
    where :user_id in (engaged_by, released_by)
""")
_DIFFERENCES = text("update erp_difference set reason = :nothing where settled_by = :user_id")
_ACTED = text("select body from ledger_event where type = any(:types) and position(:acted in body) > 0")
# What has been cleared is passed over, and so is what nobody can read any more: its keys went the last time.
_SAID_BEFORE = text("""
    select found.transfer_id, event.seq, event.body
    from transfer_order found
    join ledger_event event on event.stream = 'stock/' || found.origin || '/' || found.sku_id
      and event.type = any(:types) and event.occurred_at < :before
      and position(convert_to(found.transfer_id::text, 'UTF8') in event.body) > 0
    cross join lateral (select convert_from(event.body, 'UTF8')::json as body) told
    left join sealing_key key on key.subject = told.body #>> '{sealed,subject}'
    where found.attention is not null and not starts_with(found.attention, :nothing)
      and (found.transfer_id, event.seq) > (:transfer_id, :seq)
      and case when told.body -> 'sealed' is not null
        then told.body #> '{sealed,fields,reason}' is not null and key.wrapped is not null and key.made_at < :before
        else told.body ->> 'actor' <> :system and told.body #> '{facts,validated_because}' is null
             and starts_with(found.attention || '; ', (told.body #>> '{facts,reason}') || '; ') end
    order by found.transfer_id, event.seq limit :events_max
""")
_EVENTS_AT_ONCE = 100
"""How many old events are looked at in one transaction."""
_SHOWN = [EventType.TRANSFER_CANCELLING.value, EventType.TRANSFER_CANCELLED.value]
"""Events whose reason an order shows, until something else is to be known about it."""
_OWN_ANSWERS = text("delete from kept_answer where user_id = :user_id")
# What others were answered may hold the words too. The keys of those requests stay used, whatever they are sent again with.
_ANSWERS = text("""
    update kept_answer set body = '', standing = ''
    where exists (select from unnest(cast(:marks as text[])) mark where position(convert_to(mark, 'UTF8') in body) > 0)
""")

# Words of an approver are told in the conversation that asked: with the decision, or as a question back.
_TOLD_IN = text("""
    select distinct request.thread_id from approval_request request
    where request.thread_id is not null and (
      exists (select 1 from decision where decision.approval_id = request.approval_id and decided_by = :user_id
              and rejection is not null)
      or exists (select 1 from ledger_event event where event.type = 'approval_commented'
                 and event.stream = 'plan/' || request.plan_digest
                 and starts_with(event.key, 'approval/' || request.approval_id || '/approval_commented/' || :user_id || '/')))
""")


def forget(session: Session, by: Principal, user_id: str) -> Forgotten:
    """Destroy the key of a person's words, and remove their name, tokens and conversations. There is no way back.

    So go the reasons of what they did, lent and stopped, the subject that a directory knows them by, what requests were answered that
    may hold their words, and the transcript of every conversation that was told what they said. Its plans and decisions
    stay, and so does the person's id in the ledger, because who decided what is a business record. Raises
    ForbiddenError, NotFoundError, and InvalidError while one of their runs is active.
    Backups keep the key for as long as they are kept themselves.
    """
    if by.user_id != SHELL:
        by.require(Act.MANAGE_PEOPLE)
    stream = f"person/{user_id}"
    lock_streams(session, [stream])
    known = session.get(Person, user_id, with_for_update=True)
    if known is None:
        raise NotFoundError("unknown_person", f"there is no person {user_id}", "check the id", user_id=user_id)
    own = _own_threads(session, user_id)
    told = session.connection().execute(_TOLD_IN, {"user_id": user_id}).scalars()
    orders = _clear_orders(session, user_id)
    _clear_reasons(session, user_id)
    new = destroy_key(session, person(user_id)) or known.name != FORGOTTEN
    _clear_person(session, known)
    threads = {*own, *map(UUID, told)}
    _clear_words(session, user_id, (*threads, *orders))
    _clear_threads(session, user_id, own)
    append(
        session, stream=stream, key=f"{stream}/forgotten", event_type=EventType.PERSON_FORGOTTEN, actor=by.user_id,
        facts={"user_id": user_id},
    )  # fmt: skip
    return Forgotten(user_id, tuple(threads), new)


def _own_threads(session: Session, user_id: str) -> Sequence[UUID]:
    """The conversations that somebody has begun. Raises InvalidError while a run of one is active."""
    own = session.exec(select(Thread.thread_id).where(Thread.owner == user_id)).all()
    active = select(Run.run_id).where(col(Run.thread_id).in_(own), col(Run.status).in_(ACTIVE))
    if session.exec(active.limit(1)).first() is not None:
        raise InvalidError("run_active", f"a run of {user_id} is active", "cancel it first, or wait for its end")
    return own


def _clear_person(session: Session, known: Person) -> None:
    """Take somebody's name, roles, tokens and identities at directories away. Their id stays."""
    known.name, known.active, known.roles = FORGOTTEN, False, []
    session.add(known)
    revoke_tokens(session, known.user_id)
    forget_identities(session, known.user_id)


def _clear_threads(session: Session, user_id: str, own: Sequence[UUID]) -> None:
    """Take what somebody asked out of the rows of their conversations and runs."""
    session.exec(update(Thread).where(col(Thread.owner) == user_id).values(title="", labels={}))
    session.exec(update(Run).where(col(Run.thread_id).in_(own)).values(input={}, labels={}, error=None))


_OLD_WORDS = tuple(
    text(statement)
    for statement in (
        """update decision set rejection = jsonb_set(rejection, '{words}', to_jsonb(cast(:nothing as text)))
           where rejection is not null and decided_at < :before and rejection ->> 'words' <> :nothing""",
        "update delegation set reason = :nothing where ends_at < :before and reason <> :nothing",
        """update stop set reason = :nothing, release_reason = :nothing
           where released_at < :before and (reason <> :nothing or release_reason <> :nothing)""",
        "update erp_difference set reason = :nothing where settled_at < :before and settled_by is not null and reason <> :nothing",
    )
)


def forget_old_words(database: Database, days: int) -> None:
    """Forget what people said in months that ended more than so many days ago. What is still in force keeps its reason.

    Conversations that were told it are kept as long as any other. Each part is a short transaction, and what one has done
    is done: after a crash the next time goes on.
    """
    with database.transaction() as session:
        first = (database_now(session).astimezone(UTC) - timedelta(days=days)).date().replace(day=1)
    before = datetime.combine(first, time(), UTC)
    _clear_orders_before(database, before)  # as long as their keys are there
    with database.transaction() as session:
        subjects = subjects_of_months_before(session, first)
    for subject in subjects:  # whoever seals words holds a key, and waits for nobody who waits for another one
        with database.transaction() as session:
            destroy_key_of_months_before(session, subject, first)
    for statement in _OLD_WORDS:
        with database.transaction() as session:
            session.connection().execute(statement, {"nothing": FORGOTTEN, "before": before})


def _clear_orders_before(database: Database, before: datetime) -> None:
    """Take why orders were called back out of those that still show it, a few at a time."""
    asked = {"types": _SHOWN, "before": before, "nothing": FORGOTTEN, "system": SYSTEM, "events_max": _EVENTS_AT_ONCE}
    last: dict[str, object] = {"transfer_id": UUID(int=0), "seq": 0}
    while True:
        with database.transaction() as session:
            found = session.connection().execute(_SAID_BEFORE, asked | last).all()
            _without_reasons(session, (row.body for row in found))
        if len(found) < _EVENTS_AT_ONCE:
            return
        last = {"transfer_id": found[-1].transfer_id, "seq": found[-1].seq}


def _clear_orders(session: Session, user_id: str) -> list[UUID]:
    """Take why somebody called orders back out of those that still show it. Their key has to be there."""
    acted = f'"actor":{json.dumps(user_id, ensure_ascii=False)}'.encode()
    return _without_reasons(session, session.connection().execute(_ACTED, {"types": _SHOWN, "acted": acted}).scalars())


def _without_reasons(session: Session, bodies: Iterable[bytes]) -> list[UUID]:
    """Take the reasons of these events out of the orders that show them, before what has become known since. Returns which."""
    said = dict[UUID, list[str]]()
    for body in map(json.loads, bodies):
        words = _reason(session, body)
        if words is not None:
            said.setdefault(UUID(body["facts"]["transfer_id"]), []).append(words)
    cleared = list[UUID]()
    for transfer_id, reasons in sorted(said.items()):
        order = session.get_one(TransferOrder, transfer_id, with_for_update=True, populate_existing=True)
        for words in reasons:
            if order.attention is not None and f"{order.attention}; ".startswith(f"{words}; "):
                order.attention = FORGOTTEN + order.attention.removeprefix(words)
                session.add(order)
                cleared.append(transfer_id)
    session.flush()
    return cleared


def _reason(session: Session, body: Mapping[str, Any]) -> str | None:
    """What a person said with an event: sealed, or plain in one from before that. What a validation found is the service's."""
    if "sealed" in body:
        return unsealed(session, body)["reason"] if "reason" in body["sealed"]["fields"] else None
    is_said = body["actor"] != SYSTEM and "validated_because" not in body["facts"]
    return body["facts"].get("reason") if is_said else None


def _clear_reasons(session: Session, user_id: str) -> None:
    """Take why somebody stopped, released and settled something out of the tables."""
    for statement in (_STOPS, _DIFFERENCES):
        session.connection().execute(statement, {"nothing": FORGOTTEN, "user_id": user_id})


def _clear_words(session: Session, user_id: str, shown_in: Iterable[UUID]) -> None:
    """Take what somebody said out of decisions, delegations and kept answers; others were told it with what is `shown_in`."""
    for statement in (_REJECTIONS, _DELEGATIONS):
        session.connection().execute(statement, {"nothing": FORGOTTEN, "user_id": user_id})
    session.connection().execute(_OWN_ANSWERS, {"user_id": user_id})
    session.connection().execute(_ANSWERS, {"marks": [json.dumps(user_id), *map(str, shown_in)]})
