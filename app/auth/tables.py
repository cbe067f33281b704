"""Tables of people and their tokens. A token itself is never stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from app.db.columns import document, instant


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
