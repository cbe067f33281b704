"""News that an ERP sends by itself: signed, fresh, and told in totals, so that twice, late or out of order does no harm."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from app.errors import NotSignedInError

WINDOW = timedelta(minutes=5)
"""How far the sender's clock may be from ours. What is older may have been recorded by somebody and sent again."""
BODY_BYTES_MAX = 64 * 1024
_ID_CHARACTERS_MAX = 100


def signature(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a delivery: HMAC-SHA256 in hexadecimal digits over id, timestamp and body, with dots between."""
    signed = b".".join((delivery_id.encode(), timestamp.encode(), body))
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def require_genuine(
    secret: str, delivery_id: str | None, timestamp: str | None, said: str | None, body: bytes, now: datetime
) -> None:
    """Raise NotSignedInError unless the delivery was signed with the secret just now. It never says which it was not.

    During a change of the secret a sender may give several signatures with commas between them.
    """
    fresh = _is_fresh(timestamp, now)
    named = bool(delivery_id) and len(delivery_id or "") <= _ID_CHARACTERS_MAX and (delivery_id or "").isascii()
    if not (fresh and named):
        raise _refusal()
    wanted = signature(secret, delivery_id or "", timestamp or "", body).encode()
    if not any(hmac.compare_digest(wanted, each.strip().encode()) for each in (said or "").split(",")):
        raise _refusal()


def _is_fresh(timestamp: str | None, now: datetime) -> bool:
    if timestamp is None or not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        return False
    return abs(now.timestamp() - int(timestamp)) <= WINDOW.total_seconds()


def _refusal() -> NotSignedInError:
    return NotSignedInError(
        "delivery_not_genuine", "the delivery is not signed as it has to be, or not of now",
        "sign it as docs/erp.md says, with the secret of EVENKEEL_ERP_WEBHOOK_SECRET, and set the clock by NTP",
    )  # fmt: skip
