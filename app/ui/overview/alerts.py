"""What somebody should look at first: what has gone wrong, what waits for the reader, and what became of their plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.approvals.listing import Wanted, page_of
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.db.database import database_now
from app.ui.network.pending import Waiting
from app.ui.network.stock_table import Seen
from app.ui.overview.history import may_see_signals
from app.ui.overview.kpis import Work
from app.ui.queue.rows import title_of
from app.ui.status_words import status_words
from tools.counted import counted
from tools.kpis import Workload

EXPIRES_SOON = timedelta(hours=6)
NEWS = timedelta(days=1)
"""So long it is told that a plan was not approved."""
NEWS_SHOWN = 3
_NOT_APPROVED = (ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED, ApprovalStatus.OUTRUN)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should act on or know, and where."""

    kind: str
    words: str
    href: str
    action: str


def alerts(
    session: Session, caller: Principal, seen: Seen, waiting: Sequence[Waiting], work: Work, load: Workload
) -> list[Alert]:
    """The gravest first. What is stopped stands above every page."""
    at = database_now(session)
    return [
        *_about_orders(load), *_about_to_expire(waiting, at), *_about_data(caller, seen, work),
        *_for_the_reader(session, caller), *_not_approved(session, caller, at),
    ]  # fmt: skip


def _about_orders(load: Workload) -> Iterator[Alert]:
    if load.orders_need_attention:
        words = f"{counted(load.orders_need_attention, 'transfer order needs', 'transfer orders need')} somebody to look at what happened."
        yield Alert("bad", words, "/orders?show=attention", "Look at them")
    if load.orders_overdue:
        words = (
            f"{counted(load.orders_overdue, 'transfer is', 'transfers are')} overdue: the goods should have arrived."
        )
        yield Alert("warn", words, "/orders?show=overdue", "See where they are")


def _about_to_expire(waiting: Sequence[Waiting], at: datetime) -> Iterator[Alert]:
    soon = sorted((each for each in waiting if each.expires_at - at < EXPIRES_SOON), key=lambda each: each.expires_at)
    if soon:
        left = max(int((soon[0].expires_at - at).total_seconds() // 60), 0)
        first = f"{left} minutes" if left < 120 else f"{left // 60} hours"
        words = f"{counted(len(soon), 'plan expires', 'plans expire')} undecided within 6 hours, the first in {first}."
        yield Alert("warn", words, f"/queue?open=/queue/{soon[0].approval_id}", "Decide")


def _about_data(caller: Principal, seen: Seen, work: Work) -> Iterator[Alert]:
    today = work.quarantined[-1] if work.quarantined else 0
    if today and may_see_signals(caller):
        words = f"{counted(today, 'report of another system was', 'reports of other systems were')} refused today because they cannot be right."
        yield Alert("warn", words, "/network/stock?show=held", "See what is held back")
    if work.too_old:
        after = seen.facts.policy.data_quality.stale_after_hours
        words = f"{counted(work.too_old, 'stock count is', 'stock counts are')} older than {counted(after, 'hour')}."
        yield Alert("warn", words, "/network/stock?show=stale", "See which")


def _for_the_reader(session: Session, caller: Principal) -> Iterator[Alert]:
    """Plans that the reader could sign now."""
    found = page_of(session, caller, Wanted(for_me=True), rows_max=1)
    if found.rows:
        words = f"{counted(found.total, 'plan waits', 'plans wait')} for your signature."
        opened = f"&open=/queue/{found.rows[0].approval_id}" if found.total == 1 else ""
        yield Alert("info", words, f"/queue?show=for_me{opened}", "Decide")


def _not_approved(session: Session, caller: Principal, at: datetime) -> Iterator[Alert]:
    """Plans that the reader asked for and that nobody approved, the newest first."""
    row = ApprovalRequest
    query = select(row).where(
        row.requested_by == caller.user_id, col(row.status).in_(_NOT_APPROVED), col(row.closed_at) > at - NEWS
    )
    for each in session.exec(query.order_by(col(row.closed_at).desc()).limit(NEWS_SHOWN)).all():
        words = f"Your {title_of(each.plan_digest).lower()} is {status_words(each.status)}."
        yield Alert("info", words, f"/reports/plans/{each.plan_digest}", "Read what became of it")
