"""What an operator may set about who is let in: bearer tokens and logins of a directory, browser sessions, and keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from app.auth.roles import Role

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key of which we hold the public half only. A shared secret or none at all can never be set."""
Name = Annotated[str, Field(min_length=1, max_length=200)]
Address = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+[^\s?#@]*$", max_length=500)]
Words = Annotated[tuple[str, ...], NoDecode]


class AuthSettings(BaseSettings):
    """Part of the settings. Unset, only tokens and keys of our own are good."""

    jwt_issuer: Name | None = None
    jwt_audience: Name | None = None
    jwt_keys: Name | None = None
    """Where the issuer's public keys are: the https address of a JWKS, or a file that holds one. No token says it."""
    jwt_algorithms: Annotated[tuple[Algorithm, ...], NoDecode, Field(min_length=1)] = ("RS256", "ES256", "EdDSA")
    jwt_type: Name = "at+jwt"
    """The `typ` of access tokens, so that no other token of the issuer passes for one."""
    jwt_leeway_seconds: Annotated[int, Field(ge=0, le=60)] = 10

    oidc_issuer: Address | None = None
    oidc_client_id: Name | None = None
    oidc_client_secret: SecretStr | None = None
    public_url: Address | None = None
    """The address under which people reach the service; the directory sends them back to it."""

    directory_people: Literal["known", "created"] = "known"
    """Whether somebody whom the directory vouches for has to be known here, or is made from the claims of their token."""
    directory_user_claim: Name = "sub"
    """The claim that says who a known person is here; the subject itself by default."""
    directory_roles_claim: Name = "roles"
    directory_roles: Words = ()
    """What roles of the directory are here: `theirs=ours`, with commas between them."""
    directory_sites_claim: Name = "sites"
    """The sites of those who are made from claims: a list of site ids, or `*` for every site. Without it nobody is made."""

    session_idle_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    session_hours: Annotated[int, Field(ge=1, le=24)] = 10

    @field_validator("jwt_algorithms", "directory_roles", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return tuple(filter(None, (word.strip() for word in value.split(",")))) if isinstance(value, str) else value

    @field_validator("directory_roles")
    @classmethod
    def _pairs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pair in value:
            theirs, _, ours = pair.rpartition("=")
            if not theirs or ours not in list(Role):
                raise ValueError(f"{pair!r} is not theirs=ours with one of {', '.join(Role)}")
        return value

    @property
    def roles_of_directory(self) -> dict[str, frozenset[Role]]:
        """Our roles by theirs."""
        found: dict[str, frozenset[Role]] = {}
        for pair in self.directory_roles:
            theirs, _, ours = pair.rpartition("=")
            found[theirs] = found.get(theirs, frozenset()) | {Role(ours)}
        return found
