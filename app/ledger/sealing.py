"""Words of people in the ledger, sealed so that they can be forgotten: the chain holds ciphertext, and the key can go.

Each subject has a data key (AES-256-GCM) for each month, kept wrapped by the
installation's master key, and one beside them without which nothing more is sealed: so
all that somebody said can be forgotten, and all that was said long ago. The hash of an
event covers what is sealed, so destroying a data key changes no hash: the words are gone
and `verify` stays clean. The nonce follows from key, place and words: no nonce ever serves
two texts, and an event that is appended again in the same month is the same event. In
another month it is another one. So whoever may come again with the same words sees first,
in what they hold, whether the event is there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from app.db.database import database_now
from app.errors import ConflictError, SetUpError
from app.ledger.tables import SealingKey

MASTER_KEY = "master_key"
"""Under this name a session finds whom to ask for the installation's master key."""
FORGOTTEN = "(forgotten)"
"""What stands for words whose key was destroyed."""
_NONCE_BYTES = 12
_OF = "@"
"""Between a subject and the month of its words; no subject has it."""


class ForgottenError(ConflictError):
    """Nothing more is sealed about somebody who was forgotten."""

    def __init__(self, subject: str) -> None:
        super().__init__("forgotten", f"{subject} was forgotten; nothing more is kept about them", "use another id")


@dataclass(frozen=True, slots=True)
class Sealed:
    """Words to be sealed about a subject, by the name of each fact."""

    subject: str
    words: Mapping[str, str]


def person(user_id: str) -> str:
    """The subject of what a person has said."""
    return f"person/{user_id}"


def sealed_document(session: Session, place: str, sealed: Sealed) -> dict[str, Any]:
    """What stands in an event for the words. Raises ForgottenError and SetUpError."""
    month, key = _key_of_the_month(session, sealed.subject)
    fields = {name: _seal(key, f"{place}/{name}", words) for name, words in sorted(sealed.words.items())}
    return {"subject": month, "fields": fields}


def unsealed(session: Session, body: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of an event with its sealed words in their places, or FORGOTTEN where their key is gone."""
    facts = dict(body["facts"])
    sealed = body.get("sealed")
    if sealed is None:
        return facts
    key = _stored(session, sealed["subject"])
    for name, text in sealed["fields"].items():
        facts[name] = FORGOTTEN if key is None else _opened(key, f"{body['key']}/{name}", text)
    return facts


def fingerprint(session: Session, subject: str, words: str) -> str:
    """What tells words apart without giving them away: a keyed digest, which means nothing once the key is gone."""
    key = _key_of(session, subject)
    if key is None:
        raise ForgottenError(subject)
    return hmac.digest(key, b"fingerprint\0" + words.encode(), "sha256").hex()[:32]


def mark(session: Session, place: str, words: str) -> str:
    """All that is left of words that are forgotten and have to be known again: a digest under the master key."""
    key = hmac.digest(_master(session), b"mark", "sha256")
    return hmac.digest(key, f"{place}\0{words}".encode(), "sha256").hex()


def destroy_key(session: Session, subject: str) -> bool:
    """Forget the keys of a subject for ever. False when they are gone already, or there never were any."""
    now = database_now(session)
    never = insert(SealingKey).values(subject=subject, wrapped=None, made_at=now, destroyed_at=now)
    if session.connection().execute(never.on_conflict_do_nothing().returning(col(SealingKey.subject))).first():
        return False
    row = session.exec(select(SealingKey).where(SealingKey.subject == subject).with_for_update()).one()
    if row.wrapped is None:
        return False
    row.wrapped, row.destroyed_at = None, now
    session.add(row)
    session.flush()
    of_months = col(SealingKey.subject).startswith(subject + _OF, autoescape=True)
    gone = update(SealingKey).where(of_months, col(SealingKey.wrapped).is_not(None))
    session.exec(gone.values(wrapped=None, destroyed_at=now))
    return True


def subjects_of_months_before(session: Session, day: date) -> Sequence[str]:
    """The keys under which words may lie that were said in months before the one of this day."""
    return session.exec(select(SealingKey.subject).where(*_of_months_before(day)).order_by(SealingKey.subject)).all()


def destroy_key_of_months_before(session: Session, subject: str, day: date) -> None:
    """Forget one of them, unless it is gone by now. Under the key of a month nothing more is sealed.

    Under the key of a subject itself lies what was sealed before months had keys of their own: it gets a new one.
    """
    held = select(SealingKey).where(SealingKey.subject == subject, *_of_months_before(day)).with_for_update()
    row = session.exec(held.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return
    now = database_now(session)
    if _OF in subject:
        row.wrapped, row.destroyed_at = None, now
    else:
        row.wrapped, row.made_at = _fresh_key(session, subject), now
    session.add(row)


def _of_months_before(day: date) -> tuple[ColumnElement[bool], ...]:
    first = datetime(day.year, day.month, 1, tzinfo=UTC)
    return col(SealingKey.wrapped).is_not(None), col(SealingKey.made_at) < first


def seal_secret(session: Session, place: str, secret: str) -> bytes:
    """A secret of the service itself, such as a webhook's, under the master key."""
    return _wrap(_master(session), place, secret.encode())


def open_secret(session: Session, place: str, sealed: bytes) -> str:
    """The secret again. Raises SetUpError under another master key."""
    return _unwrap(_master(session), place, sealed).decode()


def _key_of_the_month(session: Session, subject: str) -> tuple[str, bytes]:
    """What words are sealed under now, and its name. Raises ForgottenError."""
    month = f"{subject}{_OF}{database_now(session).astimezone(UTC):%Y-%m}"
    if _key_of(session, subject) is None or (key := _key_of(session, month)) is None:
        raise ForgottenError(subject)
    return month, key


def _key_of(session: Session, subject: str) -> bytes | None:
    """The data key of a subject, made if there is none; None where it was destroyed. Nobody destroys it before we commit."""
    held = select(SealingKey).where(SealingKey.subject == subject).with_for_update(read=True)
    row = session.exec(held.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        wrapped = _fresh_key(session, subject)
        fresh = insert(SealingKey).values(subject=subject, wrapped=wrapped, made_at=database_now(session))
        session.connection().execute(fresh.on_conflict_do_nothing())
        row = session.exec(held.execution_options(populate_existing=True)).one()
    return None if row.wrapped is None else _unwrap(_master(session), subject, row.wrapped)


def _stored(session: Session, subject: str) -> bytes | None:
    wrapped = session.exec(select(SealingKey.wrapped).where(col(SealingKey.subject) == subject)).one_or_none()
    return None if wrapped is None else _unwrap(_master(session), subject, wrapped)


def _fresh_key(session: Session, subject: str) -> bytes:
    return _wrap(_master(session), subject, secrets.token_bytes(32))


def _master(session: Session) -> bytes:
    ask: Callable[[], bytes] | None = session.info.get(MASTER_KEY)
    if ask is None:
        raise SetUpError(
            "no_master_key", "this database was opened without a master key", "open it through the service"
        )
    return ask()


def _wrap(master: bytes, subject: str, key: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, key, subject.encode())


def _unwrap(master: bytes, subject: str, wrapped: bytes) -> bytes:
    try:
        return AESGCM(master).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], subject.encode())
    except InvalidTag as wrong:
        raise SetUpError(
            "master_key", f"the key of {subject} was wrapped by another master key",
            "give this process the master key of the installation (EVENKEEL_MASTER_KEY, or master.key in its data directory)",
        ) from wrong  # fmt: skip


def _seal(key: bytes, place: str, words: str) -> str:
    plain = words.encode()
    nonce = hmac.digest(key, b"nonce\0" + hashlib.sha256(place.encode()).digest() + plain, "sha256")[:_NONCE_BYTES]
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, place.encode())).decode()


def _opened(key: bytes, place: str, text: str) -> str:
    """The words, or FORGOTTEN where the key that they were sealed under has been replaced."""
    try:
        return _open(key, place, text)
    except InvalidTag:
        return FORGOTTEN


def _open(key: bytes, place: str, text: str) -> str:
    raw = base64.b64decode(text)
    return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode()).decode()
