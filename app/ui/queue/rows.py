"""The queue in words: a request as a row, how long it still waits, and the views that everybody has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from app.approvals.listing import Beside, Page, Sort, Wanted
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.ui.exports import Cell
from app.ui.rendering import ago_text
from app.ui.status_words import status_kind, status_words
from policies.approvals import Bulk
from tools.money import minor_digits

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SITES_SHOWN = 4
SOON_SECONDS = 2 * HOUR
BUILT_IN = (
    ("Waiting for me", {"show": "for_me"}),
    ("Expiring soon", {"sort": "expiry"}),
    ("Largest", {"sort": "-value"}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A request as the queue shows it."""

    approval_id: UUID
    plan_digest: str
    title: str
    status: str
    kind: str
    waits: bool
    tier: str
    signatures: str
    requester: str
    lines: int
    units: int
    value_minor: int
    saving_minor: int
    currency: str
    sites: str
    requested_at: datetime
    age: str
    expires_at: datetime
    left: str
    soon: bool
    escalated: bool
    claimed_by: str
    claimed_until: datetime | None
    comments: int
    stopped: bool
    mine: bool
    together: bool


def rows_of(page: Page, beside: Beside, caller: Principal, bulk: Bulk | None) -> list[Row]:
    """The rows of a page, for whoever looks."""
    return [_row(each, page.now, beside, caller, bulk) for each in page.rows]


def _row(request: ApprovalRequest, now: datetime, beside: Beside, caller: Principal, bulk: Bulk | None) -> Row:
    waits = request.status is ApprovalStatus.PENDING and request.expires_at > now
    over = request.status is ApprovalStatus.PENDING and not waits
    status = ApprovalStatus.EXPIRED if over else request.status
    needs = beside.needed[request.approval_id].approvals
    claimed = request.claimed_by if waits and request.claimed_until and request.claimed_until > now else None
    own = [site for site in request.sites if caller.covers((site,))]
    mine = bool(set(caller.hands) & set(request.authors))
    return Row(
        approval_id=request.approval_id,
        plan_digest=request.plan_digest,
        title=title_of(request.plan_digest),
        status=status_words(status),
        kind=status_kind(status),
        waits=waits,
        tier=tier_words(request.tier),
        signatures=signature_words(needs, beside.signed.get(request.approval_id, 0), waits=waits),
        requester=request.requested_by,
        lines=request.lines,
        units=request.units,
        value_minor=request.goods_value_minor,
        saving_minor=request.saving_minor,
        currency=request.currency,
        sites=site_words(own, len(request.sites) - len(own)),
        requested_at=request.requested_at,
        age=ago_text((now - request.requested_at).total_seconds()),
        expires_at=request.expires_at,
        left=left_words((request.expires_at - now).total_seconds()) if waits else "",
        soon=waits and (request.expires_at - now).total_seconds() < SOON_SECONDS,
        escalated=request.escalated_at is not None and waits,
        claimed_by=claimed or "",
        claimed_until=request.claimed_until if claimed else None,
        comments=beside.comments.get(f"plan/{request.plan_digest}", 0),
        stopped=request.approval_id in beside.stopped,
        mine=mine,
        together=waits and not mine and bulk is not None and request.tier in bulk.tiers and needs == 1,
    )


def title_of(plan_digest: str) -> str:
    """What a request is called: short, and telling it from others by the first eight signs of its plan."""
    return f"Plan {plan_digest[:8]}"


def tier_words(tier: str) -> str:
    """A tier for people."""
    return tier.replace("_", " ").capitalize()


def signature_words(needs: int, signed: int, *, waits: bool) -> str:
    """How many signatures are needed, and how many there are."""
    people = "1 signature" if needs == 1 else f"{needs} signatures"
    return f"{signed} of {people}" if waits and signed else people


def site_words(own: list[str], others: int) -> str:
    """The sites of a plan, the first few by name."""
    shown = ", ".join(own[:SITES_SHOWN])
    more = len(own) - SITES_SHOWN
    parts = [shown] if shown else []
    parts += [f"{more} more"] if more > 0 else []
    parts += [f"{others} elsewhere"] if others else []
    return ", ".join(parts)


def left_words(seconds: float) -> str:
    """How long something still waits: `3 h 20 min left`. The script says it the same way."""
    return f"{_span(seconds)} left" if seconds > 0 else f"over since {_span(-seconds)}"


def _span(seconds: float) -> str:
    if seconds >= 2 * DAY:
        return f"{int(seconds // DAY)} days"
    if seconds >= HOUR:
        hours, minutes = int(seconds // HOUR), int(seconds % HOUR // MINUTE)
        return f"{hours} h {minutes} min" if hours < 10 and minutes else f"{hours} h"
    return f"{max(int(seconds // MINUTE), 1)} min"


def query_of(wanted: Wanted, page: int = 1) -> str:
    """The address that shows the same again."""
    sort = "" if wanted.sort is None else f"{'-' if wanted.descending else ''}{wanted.sort}"
    status = "" if wanted.status is ApprovalStatus.PENDING else (wanted.status.value if wanted.status else "any")
    given = {
        "words": wanted.words, "status": status, "tier": wanted.tier, "show": show_of(wanted), "stop": wanted.stop_id,
        "policy": wanted.policy, "sort": sort, "page": str(page) if page > 1 else "",
    }  # fmt: skip
    return urlencode({name: value for name, value in given.items() if value})


def show_of(wanted: Wanted) -> str:
    """Which part of the queue is shown."""
    parts = {"for_me": wanted.for_me, "claimed": wanted.claimed, "stopped": wanted.stopped}
    return next((name for name, is_wanted in parts.items() if is_wanted), "")


def sort_of(sort: str) -> tuple[Sort | None, bool]:
    """What is sorted by, and whether the greatest come first; nothing for what cannot be sorted by."""
    name = sort.removeprefix("-")
    return (Sort(name), sort.startswith("-")) if name in set(Sort) else (None, False)


def heads(currency: str) -> list[str]:
    """The heads of the queue as a file."""
    return [
        "Request", "Status", "Requested by", "Requested at (UTC)", "Expires at (UTC)", "Approval", "Signatures",
        f"Saving ({currency})", f"Value of goods ({currency})", "Units", "Lines", "Sites", "Claimed by", "Stopped",
    ]  # fmt: skip


def cells(rows: list[Row]) -> Iterator[list[Cell]]:
    """The queue as a file, row by row. Money in units of its currency."""
    for row in rows:
        unit = 10 ** minor_digits(row.currency)
        yield [
            str(row.approval_id), row.status, row.requester, row.requested_at.replace(tzinfo=None).isoformat(" ", "minutes"),
            row.expires_at.replace(tzinfo=None).isoformat(" ", "minutes"), row.tier, row.signatures,
            row.saving_minor / unit, row.value_minor / unit, row.units, row.lines, row.sites, row.claimed_by,
            "yes" if row.stopped else "no",
        ]  # fmt: skip
