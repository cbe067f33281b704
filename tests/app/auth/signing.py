"""A directory's keys for tests: real ones, tokens that they sign, and tokens that are forged in every way we know."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://login.example", "evenkeel"
_WAYS: dict[str, tuple[Any, Any]] = {
    "RS256": (lambda: rsa.generate_private_key(65_537, 2_048), RSAAlgorithm),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (Ed25519PrivateKey.generate, OKPAlgorithm),
}


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id."""

    kid: str
    algorithm: str = "RS256"
    private: Any = field(default=None, repr=False)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half as directories publish it."""
        public = json.loads(_WAYS[self.algorithm][1].to_jwk(self.private.public_key()))
        return public | {"kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def pem(self) -> bytes:
        """The public half as a file holds it."""
        public: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return public

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token."""
        named = {"kid": self.kid, "typ": "at+jwt"} | header
        return jwt.encode(claims, self.private, self.algorithm, {name: v for name, v in named.items() if v is not None})


@cache
def signing_key(kid: str = "key-1", algorithm: str = "RS256") -> SigningKey:
    """A key, made once: making one takes its time."""
    return SigningKey(kid, algorithm, _WAYS[algorithm][0]())


def claims_of(sub: str, at: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """Claims of a token that is good from an instant on. A change to None leaves a claim out."""
    now = int((at or datetime.now(UTC)).timestamp())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "iat": now, "nbf": now, "exp": now + 300} | changes
    return {name: value for name, value in claims.items() if value is not None}


def part(document: object) -> str:
    """A part of a token as it is sent."""
    text = document if isinstance(document, str) else json.dumps(document)
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def forged(header: object, claims: object, secret: bytes = b"") -> str:
    """A token that is signed with a shared secret, or by nobody."""
    signed = f"{part(header)}.{part(claims)}"
    seal = (
        urlsafe_b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).rstrip(b"=").decode() if secret else ""
    )
    return f"{signed}.{seal}"


def signed_as_written(key: SigningKey, header: str, claims: str) -> str:
    """A token over exactly these texts, with a good signature: what a JSON library would never write."""
    signed = f"{part(header)}.{part(claims)}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return f"{signed}.{urlsafe_b64encode(algorithm.sign(signed.encode(), key.private)).rstrip(b'=').decode()}"
