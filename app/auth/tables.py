"""Tables of people, their tokens, sessions and keys, and of kept answers. No secret itself is ever stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from app.db.columns import document, instant, octets


class Person(SQLModel, table=True):
    """Someone who uses the service. `sites` None means every site."""

    __tablename__ = "person"

    user_id: str = Field(primary_key=True)
    name: str
    roles: list[str] = Field(sa_column=document())
    sites: list[str] | None = Field(default=None, sa_column=document(nullable=True))
    sees_sensitive: bool = False
    value_limit_minor: int | None = Field(default=None, sa_type=BigInteger)
    active: bool = True


class AccessToken(SQLModel, table=True):
    """The SHA-256 of a bearer token, and until when it is good."""

    __tablename__ = "access_token"

    token_sha256: str = Field(primary_key=True)
    user_id: str = Field(index=True, foreign_key="person.user_id")
    created_at: datetime = Field(sa_column=instant())
    expires_at: datetime = Field(sa_column=instant())
    revoked_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))


class PersonIdentity(SQLModel, table=True):
    """Whom a directory means by a subject: somebody who was made from claims, and follows newer ones.

    `claims_at` is when the token was issued whose claims they have now.
    """

    __tablename__ = "person_identity"

    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    user_id: str = Field(index=True, foreign_key="person.user_id")
    claims_at: datetime = Field(sa_column=instant())


class BrowserSession(SQLModel, table=True):
    """A browser that somebody is signed in with: the SHA-256 of its cookie, when it was last seen, and its end."""

    __tablename__ = "browser_session"

    session_sha256: str = Field(primary_key=True)
    user_id: str = Field(index=True, foreign_key="person.user_id")
    created_at: datetime = Field(sa_column=instant())
    seen_at: datetime = Field(sa_column=instant())
    expires_at: datetime = Field(sa_column=instant(index=True))
    ended_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))


class LoginAttempt(SQLModel, table=True):
    """A login that has gone to the directory and not come back: what its answer has to fit. Good once, and not for long."""

    __tablename__ = "login_attempt"

    browser_sha256: str = Field(primary_key=True)
    state_sha256: str
    nonce: str
    code_verifier: str
    expires_at: datetime = Field(sa_column=instant(index=True))


class ServiceKey(SQLModel, table=True):
    """A key of another program: the SHA-256 of its secret, what it may, where, and until when.

    `owner` is the person who answers for it; it never may more than they do.
    """

    __tablename__ = "service_key"

    key_id: str = Field(primary_key=True)
    secret_sha256: str
    name: str
    owner: str = Field(index=True, foreign_key="person.user_id")
    acts: list[str] = Field(sa_column=document())
    sites: list[str] | None = Field(default=None, sa_column=document(nullable=True))
    sees_sensitive: bool = False
    created_at: datetime = Field(sa_column=instant())
    created_by: str
    expires_at: datetime = Field(sa_column=instant())
    revoked_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    last_used_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))


class KeptAnswer(SQLModel, table=True):
    """What a request with an Idempotency-Key was answered, kept with its effect, so that a repeat has none.

    `fingerprint` is of method, path and body; `standing` of what the caller was permitted to see at the time.
    """

    __tablename__ = "kept_answer"

    user_id: str = Field(primary_key=True)
    idempotency_key: str = Field(primary_key=True)
    fingerprint: str
    standing: str
    status: int
    media_type: str
    body: bytes = Field(sa_column=octets())
    answered_at: datetime = Field(sa_column=instant(index=True))
