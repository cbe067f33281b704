"""Whether the decision that released an order still stands: asked of its signers as they are at the moment of its use."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlmodel import Session

from app.approvals.authority import signatures_now
from app.approvals.needs import needed_of
from app.approvals.requests import get_request
from app.plans.store import DamagedError
from policies.signatures import missing


def reasons_not_to_rely_on(session: Session, approval_id: UUID) -> Iterator[str]:
    """Why the decision does not carry an order any more: who has signed it and may not now, if too few are left.

    What a released policy decided has no signatures; whether policy admits it is asked elsewhere.
    """
    request = get_request(session, approval_id)
    try:
        signed = signatures_now(session, request)
    except DamagedError as damaged:
        yield f"The plan that was approved has been tampered with: {damaged}."
        return
    left = [counts for _, counts in signed if counts is not None]
    if signed and missing(needed_of(request), left):
        for row, counts in signed:
            if counts is None:
                yield f"{row.signed_by} has approved it, and may not do so any more."
