"""Logging in with the organisation's directory: OpenID Connect, authorisation code with PKCE, state and nonce.

Authlib makes the requests; every request leaves through `Outbound`, and the token that
comes back is checked like any other.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2 import ClientAuth, OAuth2Client, OAuth2Error
from sqlmodel import Session

from app.auth.browsers import fingerprint
from app.auth.configuration import AuthSettings
from app.auth.jwts import LOGIN_CLAIMS, JwtVerifier, keys_at, not_valid
from app.auth.tables import LoginAttempt
from app.db.database import database_now
from app.errors import UnavailableError
from app.outbound import NoAnswerError, Outbound

CALLBACK = "/login/callback"
ATTEMPT_MINUTES = 10
DESCRIBED_SECONDS = 3_600.0
"""So long the directory's description of itself is taken to be true."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an answer of the directory has to fit."""

    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class _Provider:
    """The directory as it describes itself."""

    authorization_endpoint: str
    token_endpoint: str
    verifier: JwtVerifier


class Login:
    """Logins with one directory. Safe for many threads."""

    def __init__(self, settings: AuthSettings, outbound: Outbound) -> None:
        self._settings = settings
        self._outbound = outbound
        self._lock = threading.Lock()
        self._provider: tuple[float, _Provider] | None = None

    @property
    def issuer(self) -> str:
        """The directory's name for itself."""
        return self._settings.oidc_issuer or ""

    def begin(self, session: Session) -> tuple[str, str]:
        """Where to send the browser, and the cookie that ties the answer to it. Raises UnavailableError."""
        provider = self._described()
        browser, state, nonce, code_verifier = (secrets.token_urlsafe(48) for _ in range(4))
        url, _ = self._client().create_authorization_url(
            provider.authorization_endpoint, state=state, nonce=nonce, code_verifier=code_verifier
        )
        session.add(
            LoginAttempt(
                browser_sha256=fingerprint(browser), state_sha256=fingerprint(state), nonce=nonce,
                code_verifier=code_verifier, expires_at=database_now(session) + timedelta(minutes=ATTEMPT_MINUTES),
            )
        )  # fmt: skip
        return url, browser

    def claims(self, attempt: Attempt, answer: Mapping[str, str], now: datetime) -> dict[str, Any]:
        """Who has logged in, by the directory's word: the claims of the token for the code. Raises NotSignedInError."""
        provider = self._described()
        if answer.get("iss", self.issuer) != self.issuer:
            raise not_valid()
        try:
            token = self._client().fetch_token(
                provider.token_endpoint, code=answer["code"], code_verifier=attempt.code_verifier,
                grant_type="authorization_code",
            )  # fmt: skip
        except (OAuth2Error, httpx.HTTPError, ValueError, KeyError) as refused:
            raise not_valid() from refused
        except NoAnswerError as silent:
            raise _silent() from silent
        claims = provider.verifier.claims(str(token.get("id_token", "")), now)
        ours = claims.get("azp", self._settings.oidc_client_id) == self._settings.oidc_client_id
        if not ours or not hmac.compare_digest(str(claims.get("nonce", "")), attempt.nonce):
            raise not_valid()
        return claims

    def _client(self) -> OAuth2Client:
        secret = self._settings.oidc_client_secret
        return OAuth2Client(
            _ThroughOutbound(self._outbound), self._settings.oidc_client_id, secret.get_secret_value() if secret else None,
            scope="openid profile email", redirect_uri=f"{(self._settings.public_url or '').rstrip('/')}{CALLBACK}",
            code_challenge_method="S256",
        )  # fmt: skip

    def _described(self) -> _Provider:
        with self._lock:
            if self._provider is None or time.monotonic() - self._provider[0] > DESCRIBED_SECONDS:
                self._provider = (time.monotonic(), self._describe())
            return self._provider[1]

    def _describe(self) -> _Provider:
        settings = self._settings
        try:
            answer = self._outbound.send("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            document = json.loads(answer.body)
            if document["issuer"] != self.issuer:
                raise UnavailableError("directory", "the directory goes by another name", "check EVENKEEL_OIDC_ISSUER")
            keys = keys_at(str(document["jwks_uri"]), self._outbound)
            return _Provider(
                str(document["authorization_endpoint"]), str(document["token_endpoint"]),
                JwtVerifier(
                    self.issuer, settings.oidc_client_id or "", keys, settings.jwt_algorithms, None,
                    settings.jwt_leeway_seconds, LOGIN_CLAIMS,
                ),
            )  # fmt: skip
        except (NoAnswerError, ValueError, KeyError, TypeError) as failed:
            raise _silent() from failed


def login_of(settings: AuthSettings, outbound: Outbound) -> Login | None:
    """Logins with the directory that the settings name, if they name one."""
    return None if settings.oidc_issuer is None else Login(settings, outbound)


def take_attempt(session: Session, browser: str, state: str) -> Attempt | None:
    """What the answer with this state has to fit, for the browser that began; None for any other. It is good once."""
    row = session.get(LoginAttempt, fingerprint(browser), with_for_update=True)
    if row is None:
        return None
    session.delete(row)
    in_time = row.expires_at > database_now(session)
    fits = hmac.compare_digest(row.state_sha256, fingerprint(state))
    return Attempt(row.nonce, row.code_verifier) if in_time and fits else None


def _silent() -> UnavailableError:
    return UnavailableError("directory", "the directory of the organisation does not answer", "try again in a minute")


class _ThroughOutbound:
    """The session that Authlib posts with: its requests leave the way that everything does."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    def post(
        self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: ClientAuth
    ) -> httpx.Response:
        """One request, one answer."""
        url, headers, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        answer = self._outbound.send("POST", url, headers=headers, content=body.encode())
        return httpx.Response(answer.status, content=answer.body, request=httpx.Request("POST", url))
