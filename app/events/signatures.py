"""Signatures of webhooks, out and in, by the Standard Webhooks scheme: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime

from app.errors import NotSignedInError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
SKEW_SECONDS_MAX = 300
"""So far from now a signature's time may lie: what was overheard is of no use for long."""
_SIGNATURES_MAX = 8
_VERSION = "v1"


def new_secret() -> str:
    """A secret for both sides."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(shared: Iterable[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a signed message. Under several secrets it carries a signature by each."""
    stamp = str(int(at.timestamp()))
    signatures = [f"{_VERSION},{_signature(secret, message_id, stamp, body)}" for secret in shared]
    return {ID: message_id, TIMESTAMP: stamp, SIGNATURE: " ".join(signatures)}


def require_signature(shared: Iterable[str], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raise NotSignedInError unless one of the secrets has signed this body, under this id, about now.

    The words never say what exactly was wrong.
    """
    message_id, stamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    given = headers.get(SIGNATURE, "").split(" ")[:_SIGNATURES_MAX]
    in_time = (
        stamp.isascii()
        and stamp.isdigit()
        and len(stamp) < 12
        and abs(int(stamp) - now.timestamp()) <= SKEW_SECONDS_MAX
    )
    expected = [f"{_VERSION},{_signature(secret, message_id, stamp, body)}".encode() for secret in shared]
    same = [hmac.compare_digest(one.encode(), other) for one in given for other in expected]
    if not (message_id and in_time and any(same)):
        raise NotSignedInError(
            "signature", "the message is not signed by its source, or not just now",
            "sign `webhook-id.webhook-timestamp.body` with the source's secret, and check your clock",
        )  # fmt: skip


def _signature(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as wrong:
        raise ValueError("a webhook's secret is base64 behind its prefix") from wrong
    return base64.b64encode(hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, "sha256")).decode()
