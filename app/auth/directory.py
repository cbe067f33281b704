"""Who somebody is that a directory vouches for: known here already, or made from the claims of their token."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, select

from app.auth.configuration import AuthSettings
from app.auth.jwts import JwtVerifier, keys_at, not_valid
from app.auth.people import DIRECTORY, add_person, is_free_name, principal_of
from app.auth.roles import Kind, Principal
from app.auth.tables import Person, PersonIdentity
from app.db.database import beside, database_now
from app.errors import SetUpError
from app.ledger.append import lock_streams
from app.ledger.sealing import mark
from app.outbound import Outbound
from tools.inventory import SITE_SKU_ID_PATTERN

EVERY_SITE = "*"
ROLES_MAX, SITES_MAX = 200, 5_000
_MARKED = re.compile(r"forgotten:[0-9a-f]{64}")


@dataclass(frozen=True)
class Directory:
    """Implements `people.Vouching` for bearer tokens, and knows people by their claims for logins too."""

    settings: AuthSettings
    bearer: JwtVerifier | None

    def person(self, session: Session, token: str) -> Principal:
        """Whose access token it is. Raises NotSignedInError."""
        if self.bearer is None:
            raise not_valid()
        return self.known(session, self.bearer.issuer, self.bearer.claims(token, database_now(session)))

    def known(self, session: Session, issuer: str, claims: Mapping[str, Any]) -> Principal:
        """The active person that checked claims are about. Raises NotSignedInError where there is none."""
        if self.settings.directory_people == "created":
            user_id = self._from_claims(session, issuer, claims)
        else:
            user_id = claims.get(self.settings.directory_user_claim)
        found = principal_of(session, user_id) if isinstance(user_id, str) else None
        nobody = found is None or found.kind is not Kind.PERSON
        if found is None or nobody or (self.settings.directory_people == "created" and not found.roles):
            raise not_valid()
        return found

    def _from_claims(self, session: Session, issuer: str, claims: Mapping[str, Any]) -> str | None:
        """The user id of whoever the claims are about, made or brought up to date by claims that are newer than the last.

        A right that newer claims take away is gone for good, also where the request that brought them is refused for it.
        """
        subject, issued_at = str(claims["sub"]), _issued_at(claims)
        identity = _identity(session, issuer, subject)
        if identity is not None and identity.claims_at >= issued_at:
            return identity.user_id
        if identity is None or self._described(identity.user_id, claims) == principal_of(session, identity.user_id):
            return self._brought_up_to_date(session, issuer, claims)
        with beside(session) as own:
            return self._brought_up_to_date(own, issuer, claims)

    def _brought_up_to_date(self, session: Session, issuer: str, claims: Mapping[str, Any]) -> str | None:
        subject, issued_at = str(claims["sub"]), _issued_at(claims)
        lock_streams(session, ["person/"])  # one at a time: two first logins must not make two people, or one of two
        identity = _identity(session, issuer, subject, lock=True)
        if identity is None:
            person = self._described(_name_for(session, issuer, claims), claims)
            if not person.roles:
                return None
            add_person(session, person, by=DIRECTORY)
            session.add(PersonIdentity(issuer=issuer, subject=subject, user_id=person.user_id, claims_at=issued_at))
            session.flush()
            return person.user_id
        if identity.claims_at < issued_at:
            if not session.get_one(Person, identity.user_id).active:
                return None  # whoever was shut out here is not let in again by claims
            add_person(session, self._described(identity.user_id, claims), by=DIRECTORY)
            identity.claims_at = issued_at
            session.add(identity)
        return identity.user_id

    def _described(self, user_id: str, claims: Mapping[str, Any]) -> Principal:
        """A person as the claims describe them. What gives or widens a right has to be said; without sites there is no role."""
        sites = _sites(claims.get(self.settings.directory_sites_claim))
        ours, theirs = self.settings.roles_of_directory, _strings(claims.get(self.settings.directory_roles_claim))
        theirs = [] if sites is not None and not sites else theirs[:ROLES_MAX]
        limit = claims.get("value_limit_minor")
        return Principal(
            user_id=user_id,
            name=str(claims.get("name") or user_id)[:200],
            roles=frozenset(role for name in theirs for role in ours.get(name, ())),
            sites=sites,
            sees_sensitive=claims.get("sees_sensitive") is True,
            value_limit_minor=limit if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0 else 0,
        )


def forget_identities(session: Session, user_id: str) -> None:
    """Leave nothing of the subjects that directories mean somebody by but a mark: their claims go on letting nobody in."""
    for row in session.exec(select(PersonIdentity).where(PersonIdentity.user_id == user_id).with_for_update()).all():
        if not _MARKED.fullmatch(row.subject):
            row.subject = _marked(session, row.issuer, row.subject)
            session.add(row)
    session.flush()


def _marked(session: Session, issuer: str, subject: str) -> str:
    return f"forgotten:{mark(session, issuer, subject)}"


def _identity(session: Session, issuer: str, subject: str, *, lock: bool = False) -> PersonIdentity | None:
    """Whom a directory means by a subject, also where they were forgotten."""
    found = session.get(PersonIdentity, (issuer, subject), with_for_update=lock or None, populate_existing=lock)
    if found is not None:
        return found
    key = (issuer, _marked(session, issuer, subject))
    return session.get(PersonIdentity, key, with_for_update=lock or None, populate_existing=lock)


def directory_of(settings: AuthSettings, outbound: Outbound) -> Directory:
    """The directory that the settings name. Raises SetUpError for settings that belong together and are not all there."""
    _require_all(settings, "jwt_issuer", "jwt_audience", "jwt_keys")
    _require_all(settings, "oidc_issuer", "oidc_client_id", "oidc_client_secret", "public_url")
    if settings.jwt_issuer is None or settings.jwt_audience is None or settings.jwt_keys is None:
        return Directory(settings, None)
    bearer = JwtVerifier(
        settings.jwt_issuer, settings.jwt_audience, keys_at(settings.jwt_keys, outbound), settings.jwt_algorithms,
        settings.jwt_type, settings.jwt_leeway_seconds,
    )  # fmt: skip
    return Directory(settings, bearer)


def _require_all(settings: AuthSettings, first: str, *others: str) -> None:
    missing = [name for name in (first, *others) if getattr(settings, name) is None]
    alone = first == "oidc_issuer" and missing == [first, *others[:-1]]  # the public address is good for itself
    if missing and len(missing) <= len(others) and not alone:
        names = ", ".join(f"EVENKEEL_{name.upper()}" for name in missing)
        raise SetUpError("settings", f"the directory is set up by half: {names} is missing", "set it, or none of them")


def _issued_at(claims: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(float(claims.get("iat", claims.get("nbf", 0))), UTC)


def _name_for(session: Session, issuer: str, claims: Mapping[str, Any]) -> str:
    """A user id that is nobody's yet. Who is called like somebody here gets another one, and never becomes them."""
    wished = re.sub(r"[^a-z0-9._-]", "-", str(claims.get("preferred_username", "")).lower())[:24]
    if is_free_name(wished) and session.get(Person, wished) is None:
        return wished
    mark = hashlib.sha256(f"{issuer}\n{claims['sub']}".encode()).hexdigest()[:12]
    return f"{wished}-{mark}" if is_free_name(f"{wished}-{mark}") else f"p-{mark}"


def _sites(claim: object) -> frozenset[str] | None:
    """The sites of a claim; None for every site, and none at all where the claim says nothing that makes sense."""
    if claim == EVERY_SITE:
        return None
    return frozenset(each for each in _strings(claim)[:SITES_MAX] if re.fullmatch(SITE_SKU_ID_PATTERN, each))


def _strings(claim: object) -> list[str]:
    """The strings of a claim that is one or a list of them."""
    listed = claim if isinstance(claim, list) else str(claim or "").split()
    return [each for each in listed if isinstance(each, str)]
