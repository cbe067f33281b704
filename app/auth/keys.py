"""Service keys: what other programs sign in with. Each may certain acts at certain sites, for a time, and is shown once.

A key is 256 random bits, so its SHA-256 is as good as a slow hash: nobody can try out
what they would have to guess. The id in front of the secret finds the row without it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlmodel import Session, col, select

from app.auth.roles import Act, Principal
from app.auth.tables import ServiceKey
from app.db.database import database_now
from app.errors import ForbiddenError, InvalidError, NotFoundError
from app.ledger.append import EventType, append

KEY_PREFIX = "key."
"""In front of a key's id: by this name it acts, and no person can have one."""
DAYS_MAX = 90
FOR_PEOPLE = frozenset((Act.DECIDE, Act.APPROVE, Act.GOVERN, Act.MANAGE_PEOPLE))
"""What no key may: the rules forbid it to keys as well."""
_KEY = re.compile(r"evs_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_USED = text("""
    update service_key set last_used_at = transaction_timestamp() where key_id in (
        select key_id from service_key
        where key_id = :key_id and (last_used_at is null or last_used_at < transaction_timestamp() - interval '1 minute')
        for update skip locked
    )
""")


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key. `secret` is the whole of it, and is shown this one time."""

    row: ServiceKey
    secret: str


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """What a key is to be good for. `sites` None: every site of its owner."""

    name: str
    acts: Sequence[Act]
    sites: Sequence[str] | None
    sees_sensitive: bool
    days: int


def add_key(session: Session, owner: Principal, grant: KeyGrant, *, by: str) -> MadeKey:
    """A key for a program that `owner` answers for. Raises ForbiddenError for more than they have, and InvalidError."""
    if not grant.name.strip() or len(grant.name) > 80 or not grant.acts or not 1 <= grant.days <= DAYS_MAX:
        raise InvalidError("key", f"a key has a name, some acts, and 1 to {DAYS_MAX} days", "give all three")
    for act in sorted(grant.acts):
        if act in FOR_PEOPLE:
            raise ForbiddenError("role", f"no key may {act.replace('_', ' ')}: that is for people", "leave it out")
        owner.require(act)
    if grant.sites is not None and (not grant.sites or not owner.covers(grant.sites)):
        raise ForbiddenError("scope", f"{owner.user_id} does not have all of these sites", "name sites of theirs")
    if grant.sees_sensitive and not owner.sees_sensitive:
        raise ForbiddenError("clearance", f"{owner.user_id} may not see sensitive SKUs", "leave it out")
    now, key_id, secret = database_now(session), secrets.token_hex(6), secrets.token_urlsafe(32)
    row = ServiceKey(
        key_id=key_id, secret_sha256=_fingerprint(secret), name=grant.name.strip(), owner=owner.user_id, acts=sorted(set(grant.acts)),
        sites=None if grant.sites is None else sorted(set(grant.sites)), sees_sensitive=grant.sees_sensitive, created_at=now,
        created_by=by, expires_at=now + timedelta(days=grant.days),
    )  # fmt: skip
    session.add(row)
    session.flush()
    facts = {
        "owner": row.owner, "name": row.name, "acts": row.acts, "sites": row.sites, "sees_sensitive": row.sees_sensitive,
        "expires_at": row.expires_at.isoformat(),
    }  # fmt: skip
    _record(session, row, EventType.KEY_ADDED, by, facts)
    return MadeKey(row, f"evs_{key_id}_{secret}")


def keys_now(session: Session) -> list[ServiceKey]:
    """Every key there is or was, the newest first."""
    return list(session.exec(select(ServiceKey).order_by(col(ServiceKey.created_at).desc(), ServiceKey.key_id)).all())


def revoke_key(session: Session, key_id: str, *, by: str) -> ServiceKey:
    """Make a key useless at once. Again it changes nothing. Raises NotFoundError."""
    row = session.get(ServiceKey, key_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError("unknown_key", f"there is no service key {key_id}", "see `evenkeel keys list`")
    if row.revoked_at is None:
        row.revoked_at = database_now(session)
        session.add(row)
        _record(session, row, EventType.KEY_REVOKED, by, {"owner": row.owner})
    return row


def key_of(session: Session, token: str) -> str | None:
    """The name by which a key acts, if this is one; whether it is good is asked by that name. Notes that it was used."""
    found = _KEY.fullmatch(token)
    row = session.get(ServiceKey, found[1]) if found else None
    if found is None or row is None or not hmac.compare_digest(row.secret_sha256, _fingerprint(found[2])):
        return None
    session.connection().execute(_USED, {"key_id": row.key_id})
    return f"{KEY_PREFIX}{row.key_id}"


def good_key(session: Session, user_id: str) -> ServiceKey | None:
    """The key that acts by this name, if it is neither revoked nor expired by the database's clock."""
    row = session.get(ServiceKey, user_id.removeprefix(KEY_PREFIX), populate_existing=True)
    if row is None or row.revoked_at is not None or row.expires_at <= database_now(session):
        return None
    return row


def _record(session: Session, row: ServiceKey, event: EventType, by: str, facts: Mapping[str, object]) -> None:
    append(
        session,
        stream=f"key/{row.key_id}",
        key=f"key/{row.key_id}/{event}",
        event_type=event,
        actor=by,
        facts={"key_id": row.key_id, **facts},
    )


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
