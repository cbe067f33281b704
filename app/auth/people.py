"""People and their bearer tokens."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

from sqlalchemy import update
from sqlmodel import Session, col, select

from app.auth.keys import KEY_PREFIX, good_key, key_of
from app.auth.roles import Act, Kind, Principal, Role
from app.auth.tables import AccessToken, BrowserSession, Person
from app.db.database import database_now
from app.errors import InvalidError, NotSignedInError
from app.ledger.append import EventType, append, lock_streams

SYSTEM = "system"
"""The service itself: it scans and carries out, and may never decide."""

SYSTEM_PRINCIPAL = Principal(SYSTEM, "Evenkeel", frozenset((Role.PLANNER,)), None, sees_sensitive=True, kind=Kind.LOCAL)

SHELL = "shell"
"""Whoever sits at the machine that holds the data: may do everything that needs no second person, and never decide."""

SHELL_PRINCIPAL = Principal(
    SHELL, "Local shell", frozenset((Role.PLANNER, Role.OPERATOR)), None, sees_sensitive=True, kind=Kind.LOCAL
)

DIRECTORY = "directory"
"""The directory of the organisation: it vouches for people, and may have some made. It is nobody itself."""

_LOCAL = {SYSTEM: SYSTEM_PRINCIPAL, SHELL: SHELL_PRINCIPAL}
_USER_ID = re.compile(r"[a-z][a-z0-9._-]{1,39}")
_TOKEN = re.compile(r"evk_[A-Za-z0-9_-]{43}")
_RESERVED = frozenset((SYSTEM, SHELL, DIRECTORY, "policy", "llm", "agent"))


class Vouching(Protocol):
    """What knows people by the tokens of others; a session carries it under `DIRECTORY`."""

    def person(self, session: Session, token: str) -> Principal:
        """Whose token it is. Raises NotSignedInError."""


def add_person(
    session: Session,
    principal: Principal,
    *,
    by: str,
) -> Person:
    """Register a person, or bring roles and scope up to date. Raises InvalidError for a name that nobody may have."""
    if not is_free_name(principal.user_id):
        raise InvalidError(
            "user_id", f"{principal.user_id!r} cannot be a user id",
            "use 2 to 40 lowercase letters, digits, dots, dashes", field="user_id",
        )  # fmt: skip
    if principal.roles and principal.sites is not None and not principal.sites:
        raise InvalidError("no_sites", "a person needs at least one site", "name sites, or give all of them")
    lock_streams(session, [f"person/{principal.user_id}"])  # somebody who is not there yet has no row to lock
    person = session.get(Person, principal.user_id, with_for_update=True)
    row = Person(
        user_id=principal.user_id,
        name=principal.name,
        roles=sorted(principal.roles),
        sites=None if principal.sites is None else sorted(principal.sites),
        sees_sensitive=principal.sees_sensitive,
        value_limit_minor=principal.value_limit_minor,
    )
    if person is not None and (person.name, _facts_of(person)) == (row.name, _facts_of(row)):
        return person
    row = session.merge(row)
    session.flush()
    append(
        session,
        stream=f"person/{principal.user_id}",
        key=f"person/{principal.user_id}/{secrets.token_hex(8)}",
        event_type=EventType.PERSON_ADDED,
        actor=by,
        facts=_facts_of(row),
    )
    return row


def is_free_name(user_id: str) -> bool:
    """Whether a person may be called so: it has the form, and means neither the service nor a key."""
    return _USER_ID.fullmatch(user_id) is not None and user_id not in _RESERVED and not user_id.startswith(KEY_PREFIX)


def _facts_of(person: Person) -> dict[str, object]:
    return {
        "user_id": person.user_id,
        "roles": sorted(person.roles),
        "sites": None if person.sites is None else sorted(person.sites),
        "sees_sensitive": person.sees_sensitive,
        "value_limit_minor": person.value_limit_minor,
        "active": person.active,
    }


def issue_token(session: Session, user_id: str, days: int) -> str:
    """A new bearer token for a person. It is shown once; only its SHA-256 is kept."""
    token = f"evk_{secrets.token_urlsafe(32)}"
    now = database_now(session)
    session.add(
        AccessToken(
            token_sha256=_fingerprint(token), user_id=user_id, created_at=now, expires_at=now + timedelta(days=days)
        )
    )
    session.flush()
    return token


def sign_in(session: Session, token: str) -> Principal:
    """Whom a token stands for: a person's, a service key, or a token of the directory.

    Raises NotSignedInError; the words never say what exactly was wrong.
    """
    vouching: Vouching | None = session.info.get(DIRECTORY)
    if vouching is not None and token.count(".") == 2:
        return vouching.person(session, token)
    key = key_of(session, token)
    if key is not None and (found := principal_of(session, key)) is not None:
        return found
    if _TOKEN.fullmatch(token):
        row = session.get(AccessToken, _fingerprint(token))
        if row is not None and row.revoked_at is None and row.expires_at > database_now(session):
            found = principal_of(session, row.user_id)
            if found is not None:
                return found
    raise NotSignedInError("token", "the token is not valid (any more)", "sign in with a current token")


def principal_of(session: Session, user_id: str) -> Principal | None:
    """An active person as they stand now; None for anybody else. Roles may have changed since a token was issued."""
    if user_id in _LOCAL:
        return _LOCAL[user_id]
    if user_id.startswith(KEY_PREFIX):
        return _principal_of_key(session, user_id)
    query = select(Person).where(Person.user_id == user_id, Person.active)
    # What this session has read before may be old: a decision asks again once it holds its request.
    person = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if person is None:
        return None
    return Principal(
        user_id=person.user_id,
        name=person.name,
        roles=frozenset(Role(role) for role in person.roles),
        sites=None if person.sites is None else frozenset(person.sites),
        sees_sensitive=person.sees_sensitive,
        value_limit_minor=person.value_limit_minor,
    )


def _principal_of_key(session: Session, user_id: str) -> Principal | None:
    """A key that is good now, with what of its acts and sites its owner has too: a key is never more than its owner."""
    key = good_key(session, user_id)
    owner = None if key is None else principal_of(session, key.owner)
    if key is None or owner is None:
        return None
    sites = owner.sites if key.sites is None else frozenset(key.sites)
    return Principal(
        user_id=user_id,
        name=key.name,
        roles=frozenset(),
        sites=sites if owner.sites is None or sites is None else sites & owner.sites,
        sees_sensitive=key.sees_sensitive and owner.sees_sensitive,
        kind=Kind.KEY,
        acts=frozenset(act for act in map(Act, key.acts) if owner.may(act)),
        owner=key.owner,
    )


def revoke_tokens(session: Session, user_id: str) -> int:
    """Make every token of a person useless, and end what is open in browsers. Returns how many tokens were good until now."""
    now = database_now(session)
    open_now = (col(BrowserSession.user_id) == user_id, col(BrowserSession.ended_at).is_(None))
    session.connection().execute(update(BrowserSession).where(*open_now).values(ended_at=now))
    rows: Iterable[AccessToken] = session.exec(
        select(AccessToken).where(AccessToken.user_id == user_id, AccessToken.revoked_at.is_(None))  # type: ignore[union-attr]
    ).all()
    revoked = 0
    for row in rows:
        row.revoked_at = now
        session.add(row)
        revoked += 1
    return revoked


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
