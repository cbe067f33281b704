"""Which other plans that wait compete with one: they change the same stock, or travel on the same departure.

Whichever is approved first gets what it takes; the others are checked again on what is left. Nothing is said of sites
outside the reader's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Text, cast, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session, col, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.ui.network.pending import lines_of_plans
from app.ui.queue.rows import title_of
from app.ui.rendering import words_text
from tools.transfers import TransferPlan

Stock = tuple[str, str]
"""A site and a SKU that it has."""
Departure = tuple[str, str, str, date]
"""Origin, destination, mode and day: what approved transfers take of its room is not there for others."""


@dataclass(frozen=True, slots=True)
class Competing:
    """A plan that competes with another one, and what about: stock that both change, departures that both travel on."""

    approval_id: UUID
    title: str
    requested_by: str
    saving_minor: int
    stock: frozenset[Stock]
    departures: frozenset[Departure]


class _Waiting(NamedTuple):
    """A request that waits."""

    approval_id: UUID
    plan_digest: str
    requested_by: str
    saving_minor: int


def competing(
    session: Session, request: ApprovalRequest, plan: TransferPlan, own_sites: frozenset[str] | None, now: datetime
) -> list[Competing]:
    """What waits and competes with the plan at the reader's sites, what shares most first. Two statements, however many wait."""
    stock: set[Stock] = {(end, line.sku_id) for line in plan.lines for end in (line.origin, line.destination)}
    departures: set[Departure] = {(*line.lane, line.depart_on) for line in plan.lines}
    if own_sites is not None:
        stock = {each for each in stock if each[0] in own_sites}
        departures = {each for each in departures if own_sites.issuperset(each[:2])}
    others = _waiting_at(session, {site for site, _ in stock}, now)
    lines_by_plan = lines_of_plans(session, [each.plan_digest for each in others])
    found = []
    for other in others:
        lines = lines_by_plan.get(other.plan_digest, ())
        both_change = {(line[2], line[1]) for line in lines} | {(line[3], line[1]) for line in lines}
        both_change &= stock
        both_take = departures & {(line[2], line[3], line[4], line[6]) for line in lines}
        if other.approval_id != request.approval_id and (both_change or both_take):
            found.append(
                Competing(
                    other.approval_id, title_of(other.plan_digest), other.requested_by, other.saving_minor,
                    frozenset(both_change), frozenset(both_take),
                )
            )  # fmt: skip
    return sorted(
        found, key=lambda each: (-len(each.stock), -len(each.departures), -each.saving_minor, each.approval_id)
    )


def _waiting_at(session: Session, sites: set[str], now: datetime) -> list[_Waiting]:
    """The requests that wait and touch one of the sites. These are the reader's, so each of them may be named."""
    row = ApprovalRequest
    query = select(row.approval_id, row.plan_digest, row.requested_by, row.saving_minor).where(
        col(row.status) == ApprovalStatus.PENDING,
        col(row.expires_at) > now,
        type_coerce(col(row.sites), JSONB).has_any(cast(sorted(sites), ARRAY(Text))),
    )
    return [_Waiting(*found) for found in session.exec(query).all()]


NAMED = 3
"""So much of what two plans share is named; the rest is counted."""


def shared_words(each: Competing, sku: Callable[[str], str]) -> Iterator[str]:
    """What two plans share, in words for the reader, for whom a SKU is called what `sku` says."""
    if each.stock:
        yield f"Both change the stock of {_some([f'{sku(sku_id)} at {site}' for site, sku_id in sorted(each.stock)])}."
    if each.departures:
        ways = [
            f"{origin} → {destination} by {words_text(mode)} on {day.day} {day:%b}"
            for origin, destination, mode, day in sorted(each.departures)
        ]
        yield f"Both travel {_some(ways)}."


def _some(names: list[str]) -> str:
    shown, more = ", ".join(names[:NAMED]), len(names) - NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown
