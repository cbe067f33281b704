"""Tokens of a directory: JSON Web Tokens that are taken at their word only after everything about them has been checked.

What is accepted is fixed beforehand: the algorithms, the issuer, the audience, the type,
and where the keys are. Nothing in a token chooses any of that.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
from structlog import get_logger

from app.errors import NotSignedInError, UnavailableError
from app.outbound import NoAnswerError, Outbound

TOKEN_CHARACTERS_MAX = 8_192
REFRESH_SECONDS_MIN = 60.0
"""So long after the keys were read an unknown key id does not have them read again, whoever sends it."""
FRESH_SECONDS, GOOD_SECONDS = 3_600.0, 24 * 3_600.0
"""After so long they are read again at the next use; and after so long without success none of them is good any more."""
_FORBIDDEN_HEADERS = frozenset(("crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"))
"""Extensions that we would have to understand, and keys that a token brings along or points at."""
ACCESS_CLAIMS = ("iss", "aud", "sub", "exp", "nbf")
LOGIN_CLAIMS = ("iss", "aud", "sub", "exp", "iat")
_log = get_logger(__name__)


class KeySet:
    """The public keys of an issuer by their id, read where the operator said. Safe for many threads."""

    def __init__(self, read: Callable[[], bytes], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, dict[str, Any]] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def key(self, key_id: str) -> dict[str, Any] | None:
        """A key as its JWK. None for one that is not there even after a fresh look. Raises UnavailableError without any keys."""
        with self._lock:
            now = self._monotonic()
            stale = self._read_at is None or now - self._read_at > FRESH_SECONDS
            if (stale or key_id not in self._keys) and self._may_try(now):
                self._refresh(now)
            if self._read_at is None or now - self._read_at > GOOD_SECONDS:
                raise UnavailableError("keys", "the keys of the directory cannot be read", "try again in a minute")
            return self._keys.get(key_id)

    def _may_try(self, now: float) -> bool:
        return self._tried_at is None or now - self._tried_at >= REFRESH_SECONDS_MIN

    def _refresh(self, now: float) -> None:
        self._tried_at = now
        try:
            found = json.loads(self._read())["keys"]
            self._keys = {key["kid"]: key for key in found if _signs(key)}
        except (OSError, NoAnswerError, ValueError, KeyError, TypeError) as failed:
            _log.warning("keys_not_read", reason=str(failed)[:200])
            return
        self._read_at = now


def _signs(key: Any) -> bool:
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and key.get("use", "sig") == "sig"
        and key.get("kty") in ("RSA", "EC", "OKP")
    )


def keys_at(place: str, outbound: Outbound) -> KeySet:
    """The keys at an address or in a file."""

    def read() -> bytes:
        if not place.startswith(("https://", "http://")):
            return Path(place).expanduser().read_bytes()
        answer = outbound.send("GET", place, headers={"accept": "application/json"})
        if answer.status != 200:
            raise ValueError(f"{place} answers {answer.status}")
        return answer.body

    return KeySet(read)


@dataclass(frozen=True)
class JwtVerifier:
    """Checks tokens of one issuer for one audience.

    `token_type` None: of any type, for tokens that came straight from the issuer. `required` are claims that may not be missing.
    """

    issuer: str
    audience: str
    keys: KeySet
    algorithms: Sequence[str]
    token_type: str | None
    leeway_seconds: int
    required: Sequence[str] = ACCESS_CLAIMS

    def claims(self, token: str, now: datetime) -> dict[str, Any]:
        """The claims of a good token. Raises NotSignedInError, which never says what exactly was wrong."""
        try:
            return self._claims(token, now.timestamp())
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError) as wrong:
            _log.info("token_refused", reason=f"{type(wrong).__name__}: {wrong}"[:200])
            raise not_valid() from wrong

    def _claims(self, token: str, now: float) -> dict[str, Any]:
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise ValueError("too long")
        header, body = (_read_part(part) for part in token.split(".")[:2])
        key = self._key(header)
        algorithm = header["alg"]
        found: dict[str, Any] = jwt.decode(
            token, jwt.PyJWK(key, algorithm).key, algorithms=[algorithm], audience=self.audience, issuer=self.issuer,
            options={
                "require": list(self.required), "strict_aud": False, "enforce_minimum_key_length": True,
                "verify_exp": False, "verify_nbf": False, "verify_iat": False,  # by the database's clock, below
            },
        )  # fmt: skip
        if found != body or not found["sub"] or len(found["sub"]) > 255:
            raise ValueError("no subject")
        self._require_time(found, now)
        return found

    def _key(self, header: Mapping[str, Any]) -> dict[str, Any]:
        if not _FORBIDDEN_HEADERS.isdisjoint(header):
            raise ValueError("a header that we do not take")
        if header["alg"] not in self.algorithms:
            raise ValueError("another algorithm")
        if self.token_type is not None and _type(header["typ"]) != _type(self.token_type):
            raise ValueError("another type of token")
        key = self.keys.key(header["kid"]) if isinstance(header["kid"], str) else None
        if key is None or key.get("alg", header["alg"]) != header["alg"]:
            raise ValueError("no such key")
        return key

    def _require_time(self, claims: Mapping[str, Any], now: float) -> None:
        times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
        if any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in times.values()):
            raise ValueError("a time that is none")
        if not now - self.leeway_seconds < times["exp"]:
            raise ValueError("expired")
        if not all(times[name] <= now + self.leeway_seconds for name in ("nbf", "iat") if name in times):
            raise ValueError("not good yet")


def not_valid() -> NotSignedInError:
    """The one refusal for whatever is wrong with a token."""
    return NotSignedInError("token", "the token is not valid (any more)", "sign in with a current token")


def _type(name: object) -> str:
    """A media type as it is compared: RFC 7515 lets `application/` be left out."""
    return str(name).lower().removeprefix("application/")


def _read_part(part: str) -> dict[str, Any]:
    """Header or claims. A name that stands there twice is refused: two readers could read two things."""
    found = json.loads(
        urlsafe_b64decode(part + "=" * (-len(part) % 4)), object_pairs_hook=_once, parse_constant=_no_number
    )
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
