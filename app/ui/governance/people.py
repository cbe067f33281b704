"""Who may what, and how the service is set: read only, each part for those whom the service tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.approvals.delegations import delegations_of
from app.approvals.tables import Delegation
from app.auth.keys import keys_now
from app.auth.roles import Act
from app.db.database import database_now
from app.erp.limits import LimitedErp
from app.events.subscriptions import list_subscriptions
from app.llm_report import llm_report
from app.llm_usage import money_words
from app.orders.tables import ErpReading
from app.service import Service
from app.ui.exports import Table, downloads
from app.ui.governance import people_reading
from app.ui.governance.settings_shown import settings_shown
from app.ui.orders import reading as orders_reading
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute, Visitor
from app.web.dependencies import InService, InSession
from tools.money import minor_digits

router = APIRouter(route_class=PageRoute)
USAGE_ROWS = 100


@router.get("/governance/people")
def people(request: Request, looking: Looking, session: InSession) -> Response:
    """Everybody for those who manage people; for others, themselves and what they have lent or were lent."""
    content: dict[str, Any] = {"looking": looking, "tab": "people", "manages": looking.may("manage_people")}
    content |= {"now": database_now(session), "delegations": _delegations(looking, session)}
    if content["manages"]:
        content |= {"people": people_reading.people(session), "keys": keys_now(session)}
    return render(request, "governance/people.html", content)


@downloads(router, "/governance/people/export")
def export_people(looking: Looking, session: InSession) -> Table:
    """Everybody as a file."""
    looking.caller.require(Act.MANAGE_PEOPLE)
    heads = (
        "Person", "Name", "Active", "Roles", "Sites", "Sees sensitive SKUs",
        f"Signs up to ({looking.currency or 'minor units'})", "Tokens good now", "Good until", "Open in browsers",
    )  # fmt: skip
    per = 10 ** minor_digits(looking.currency) if looking.currency else 1
    cells = (
        (
            row.person.user_id, row.person.name, "yes" if row.person.active else "no", ", ".join(row.person.roles),
            "all" if row.person.sites is None else ", ".join(row.person.sites),
            "yes" if row.person.sees_sensitive else "no",
            None if row.person.value_limit_minor is None else row.person.value_limit_minor / per,
            row.tokens, row.good_until, row.sessions,
        )
        for row in people_reading.people(session)
    )  # fmt: skip
    return Table("people", heads, cells)


@downloads(router, "/governance/people/keys")
def keys_table(looking: Looking, session: InSession) -> Table:
    """The keys of other programs. No secret is in it: none is kept."""
    looking.caller.require(Act.MANAGE_PEOPLE)
    heads = ("For", "Key", "Answers for it", "May", "Sites", "Good until", "Revoked at", "Last used")
    cells = (
        (row.name, row.key_id, row.owner, ", ".join(row.acts), "all of theirs" if row.sites is None else ", ".join(row.sites),
         row.expires_at, row.revoked_at, row.last_used_at)
        for row in keys_now(session)
    )  # fmt: skip
    return Table("keys", heads, cells)


@downloads(router, "/governance/people/delegations")
def delegations_table(looking: Looking, session: InSession) -> Table:
    """Who stands in for whom, as far as the page tells the caller."""
    heads = (
        "Lends", "To", "Away", "From", "Until", "Sites", f"Up to ({looking.currency or 'minor units'})", "Why",
    )  # fmt: skip
    per = 10 ** minor_digits(looking.currency) if looking.currency else 1
    cells = (
        (
            row.delegator, row.delegate, "yes" if row.away else "no", row.starts_at, row.ends_at,
            "all" if row.sites is None else ", ".join(row.sites),
            None if row.value_limit_minor is None else row.value_limit_minor / per, row.reason,
        )
        for row in _delegations(looking, session)
    )  # fmt: skip
    return Table("delegations", heads, cells)


def _delegations(looking: Visitor, session: Session) -> Sequence[Delegation]:
    if looking.may("manage_people"):
        return people_reading.delegations(session)
    return delegations_of(session, looking.caller.user_id)


@router.get("/governance/settings")
def settings(request: Request, looking: Looking, session: InSession, service: InService) -> Response:
    """The settings in force, the ERP, the language model and who is told of events."""
    content: dict[str, Any] = {"looking": looking, "tab": "settings", "erp": _erp(looking, session, service)}
    content["groups"] = settings_shown(service.settings) if looking.may("govern") else None
    content["report"] = None
    if looking.may("verify"):
        content["report"] = llm_report(
            session, looking.caller, service.llm, service.settings, since=None, limit=USAGE_ROWS
        )
        content["money_words"] = money_words
    may_subscribe = looking.may("govern") and looking.caller.sees_everything
    content["subscriptions"] = list_subscriptions(session, looking.caller) if may_subscribe else None
    return render(request, "governance/settings.html", content)


@downloads(router, "/governance/settings/usage")
def export_usage(looking: Looking, session: InSession, service: InService) -> Table:
    """What the language model took, as a file."""
    found = llm_report(session, looking.caller, service.llm, service.settings, since=None, limit=1_000)
    heads = (
        "Day", "Person", "Language model", "Calls", "Calls without a count", "Prompt tokens", "Answer tokens",
        f"Cost ({found.currency})",
    )  # fmt: skip
    cells = (
        (row.day, row.user_id, row.llm, row.calls, row.estimated_calls, row.prompt_tokens, row.completion_tokens,
         row.cost_e6 / 1_000_000)
        for row in found.usage
    )  # fmt: skip
    return Table("language-model", heads, cells)


@downloads(router, "/governance/settings/subscriptions")
def subscriptions_table(looking: Looking, session: InSession) -> Table:
    """Who is told of events. Of an address what follows the question mark is left out, as on the page."""
    heads = ("Name", "Address", "Events", "Behind by", "Paused", "Failed", "Why", "Passed over", "By", "Since")
    cells = (
        (row.name, row.url.split("?")[0], ", ".join(row.types) or "all", row.behind, "yes" if row.paused else "no",
         row.attempts, row.error, row.dead_letters, row.created_by, row.created_at)
        for row in list_subscriptions(session, looking.caller)
    )  # fmt: skip
    return Table("subscriptions", heads, cells)


@downloads(router, "/governance/settings/in-force")
def settings_table(looking: Looking, service: InService) -> Table:
    """The settings in force, of secrets only whether they are set."""
    looking.caller.require(Act.GOVERN)
    groups = settings_shown(service.settings).items()
    cells = (
        (group, row.words, row.value, "no" if row.is_default else "yes", row.variable)
        for group, rows in groups
        for row in rows
    )
    return Table("settings", ("About", "Setting", "Value", "Set here", "Variable"), cells)


def _erp(looking: Visitor, session: Session, service: Service) -> dict[str, Any]:
    """How it stands with the ERP, as far as it is known without asking it."""
    erp, reading = service.carrier.erp, session.get(ErpReading, 1)
    return {
        "kind": service.settings.erp,
        "is_left_alone": isinstance(erp, LimitedErp) and erp.is_left_alone,
        "read_until": reading.read_until if reading else None,
        "need_attention": orders_reading.counts(session, looking.caller, looking.now.date())["attention"],
    }
