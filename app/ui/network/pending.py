"""What plans that wait for a decision would move. Plans never change, so their lines are read once and kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, cast, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session, col, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.plans.tables import PlanRow
from tools.inventory import SiteSku
from tools.transfers import TransferPlan

PLANS_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Planned:
    """A line of a plan that waits."""

    approval_id: UUID
    line_no: int
    sku_id: str
    origin: str
    destination: str
    mode: str
    units: int
    depart_on: date
    arrive_on: date
    saving_minor: int

    @property
    def ends(self) -> tuple[SiteSku, SiteSku]:
        """What it takes from, and what it brings to."""
        return SiteSku(self.origin, self.sku_id), SiteSku(self.destination, self.sku_id)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits."""

    approval_id: UUID
    plan_digest: str
    requested_at: datetime
    expires_at: datetime
    saving_minor: int
    lines: int


PlannedLine = tuple[int, str, str, str, str, int, date, date, int]
_KEPT: OrderedDict[str, tuple[PlannedLine, ...]] = OrderedDict()
_KEPT_LOCK = Lock()


def waiting_for(session: Session, principal: Principal) -> list[Waiting]:
    """The requests that touch the caller's sites and wait, the most valuable first."""
    row = ApprovalRequest
    query = (
        select(row.approval_id, row.plan_digest, row.requested_at, row.expires_at, row.saving_minor, row.lines)  # type: ignore[call-overload]  # six columns and no more than four are typed
        .where(col(row.status) == ApprovalStatus.PENDING)
        .order_by(col(row.saving_minor).desc(), col(row.approval_id))
    )
    if principal.sites is not None:
        own = cast(sorted(principal.sites), ARRAY(Text))
        query = query.where(type_coerce(col(row.sites), JSONB).has_any(own))
    return [Waiting(*found) for found in session.exec(query).all()]


def planned_lines(session: Session, waiting: list[Waiting], principal: Principal) -> list[Planned]:
    """Their lines that touch the caller's sites, plan by plan."""
    by_plan = lines_of_plans(session, [each.plan_digest for each in waiting])
    own = principal.sites
    return [
        Planned(each.approval_id, *line)
        for each in waiting
        for line in by_plan.get(each.plan_digest, ())
        if own is None or line[2] in own or line[3] in own
    ]


def lines_of_plans(session: Session, digests: list[str]) -> dict[str, tuple[PlannedLine, ...]]:
    """The lines of plans by digest, of every site: number, SKU, origin, destination, mode, units, days, saving."""
    with _KEPT_LOCK:
        found = {digest: _KEPT[digest] for digest in digests if digest in _KEPT}
    unread = cast([digest for digest in digests if digest not in found], ARRAY(Text))
    if len(found) < len(digests):
        rows = session.exec(select(PlanRow.digest, PlanRow.body).where(col(PlanRow.digest) == any_(unread))).all()
        for digest, body in rows:
            found[digest] = tuple(
                (
                    line.line_no, line.sku_id, line.origin, line.destination, line.mode, line.units, line.depart_on,
                    line.arrive_on, line.saving_minor,
                )
                for line in TransferPlan.model_validate_json(body).lines
            )  # fmt: skip
    with _KEPT_LOCK:
        for digest in digests:
            if digest in found:
                _KEPT[digest] = found[digest]
                _KEPT.move_to_end(digest)
        while len(_KEPT) > PLANS_KEPT:
            _KEPT.popitem(last=False)
    return found


def by_end(planned: list[Planned]) -> dict[SiteSku, list[Planned]]:
    """Lines by each site and SKU that they change."""
    found: dict[SiteSku, list[Planned]] = {}
    for line in planned:
        for key in line.ends:
            found.setdefault(key, []).append(line)
    return found
