"""Governance: what is in force and what is stopped, released policies and how they differ, and the quality of data."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.auth.roles import Act
from app.governance.state import active_policy, governance
from app.governance.views import StopView, stop_views
from app.ui.exports import ROWS_MAX, Table, downloads
from app.ui.governance import quality_board, reading
from app.ui.governance.policy_diff import Change, Sentence, changed_sentences, changed_values
from app.ui.orders import reading as orders_reading
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute, Visitor, has_network
from app.views import policy_views
from app.web.dependencies import InSession
from graphs.names import Names
from policies.library import released, releases

router = APIRouter(route_class=PageRoute)
HISTORY_SHOWN = 5
Release = Annotated[str, Query(max_length=64)]


@router.get("/governance")
def in_force(request: Request, looking: Looking, session: InSession) -> Response:
    """What is in force, who changed it, and what is stopped."""
    content = _policy(looking, session) | _stops(looking, session) | {"tab": "force"}
    if looking.may("stop"):
        content["stoppable"] = reading.stoppable(session, orders_reading.sites_of(session, looking.caller))
    return render(request, "governance/page.html", content)


@router.get("/governance/policy")
def policy_card(request: Request, looking: Looking, session: InSession) -> Response:
    """The policy in force alone."""
    return render(request, "governance/policy.html", _policy(looking, session))


@router.get("/governance/stops")
def stops(request: Request, looking: Looking, session: InSession) -> Response:
    """What is stopped and was stopped, alone."""
    return render(request, "governance/stops.html", _stops(looking, session))


@downloads(router, "/governance/stops/export")
def export_stops(looking: Looking, session: InSession) -> Table:
    """Every stop, those that were released as well."""
    heads = ("What", "Stopped at", "By", "Why", "Orders waiting", "Released at", "Released by", "Why released")
    cells = (
        (row.words, row.engaged_at, row.engaged_by, row.reason, row.waiting, row.released_at, row.released_by,
         row.release_reason)
        for row in stop_views(session, looking.caller, released=True)
    )  # fmt: skip
    return Table("stops", heads, cells)


@router.get("/governance/policies")
def policies(
    request: Request, looking: Looking, session: InSession, before: Release = "", after: Release = ""
) -> Response:
    """Released policies, how two of them differ, and who put which in force."""
    found = _policy(looking, session) | _difference(looking, session, before, after) | _releases(looking, session)
    return render(request, "governance/policies.html", found | {"tab": "policies"})


@router.get("/governance/policies/releases")
def release_list(request: Request, looking: Looking, session: InSession) -> Response:
    """The releases alone, each with what becomes of the plans that wait if it is put in force."""
    return render(request, "governance/releases.html", _releases(looking, session))


@router.get("/governance/policies/difference")
def difference(
    request: Request, looking: Looking, session: InSession, before: Release = "", after: Release = ""
) -> Response:
    """The lists to choose two releases from, and how these differ, alone."""
    return render(request, "governance/difference.html", _difference(looking, session, before, after))


@downloads(router, "/governance/policies/difference")
def difference_table(looking: Looking, session: InSession, before: Release = "", after: Release = "") -> Table:
    """How two releases differ: sentences, then values."""
    found = _difference(looking, session, before, after)
    old, new = found["before"], found["after"]
    sentences = [
        ("In words", "", None if each.added else each.words, each.words if each.added else None)
        for each in found["sentences"]
    ]
    values = [(each.section, each.what, each.before, each.after) for each in found["values"]]
    return Table(f"policies-{old}-{new}", ("Part", "What", old, new), sentences + values)


@downloads(router, "/governance/policies/export")
def export_activations(looking: Looking, session: InSession) -> Table:
    """Who put which policy in force."""
    found = reading.activations(session, reading.names_of(session, looking.caller))
    heads = ("At", "Release", "Name", "By", "Why", "In force before")
    cells = ((row.at, row.release, row.name, row.by, row.reason, row.before) for row in found)
    return Table("policies-in-force", heads, cells)


def _sought(
    verdict: Annotated[str, Query(pattern="^(|accepted|warned|quarantined)$")] = "",
    source: Annotated[str, Query(max_length=300)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> quality_board.Sought:
    """What the list of signals is asked for."""
    return quality_board.Sought(verdict, source, "", page)


InSought = Annotated[quality_board.Sought, Depends(_sought)]


@router.get("/governance/data")
def data(request: Request, looking: Looking, session: InSession, sought: InSought) -> Response:
    """Whether the data is good enough to plan on. The board spans every site, so it is for those who see them all."""
    content = _signals(looking, session, sought) | {"tab": "data", "network": has_network(session)}
    if content["may_look"]:
        hours = active_policy(session).data_quality.stale_after_hours
        sources = quality_board.sources(session, looking.now, hours)
        holds, holds_count = quality_board.holds(session)
        content |= {
            "sources": sources, "verdicts": quality_board.by_verdict(sources), "stale_hours": hours, "holds": holds,
            "holds_count": holds_count,
        }  # fmt: skip
    return render(request, "governance/data.html", content)


@router.get("/governance/data/signals")
def signals(request: Request, looking: Looking, session: InSession, sought: InSought) -> Response:
    """The list of signals alone."""
    return render(request, "governance/signals.html", _signals(looking, session, sought))


@downloads(router, "/governance/data/export")
def export_signals(looking: Looking, session: InSession, sought: InSought) -> Table:
    """The list of signals as a file."""
    _require_signals(looking)
    found, _ = quality_board.signals(session, sought, ROWS_MAX)
    heads = ("Source", "Id", "Kind", "Verdict", "Speaks of", "Came", "Findings", "What was found")
    cells = (
        (row.source, row.signal_id, row.kind, row.verdict, row.stated_at, row.received_at, row.findings,
         " ".join(row.reasons))
        for row in found
    )  # fmt: skip
    return Table("signals", heads, cells)


@downloads(router, "/governance/data/sources")
def sources_table(looking: Looking, session: InSession) -> Table:
    """How fresh each source is."""
    _require_signals(looking)
    heads = ("Source", "Kind", "Speaks of", "Age (hours)", "Too old", "Came", "Signals", "Warned", "Quarantined")
    hours = active_policy(session).data_quality.stale_after_hours
    cells = (
        (row.source, row.kind, row.stated_at, round(max(row.age_hours, 0), 1), "yes" if row.is_stale else "no",
         row.received_at, row.signals, row.warned, row.quarantined)
        for row in quality_board.sources(session, looking.now, hours)
    )  # fmt: skip
    return Table("sources", heads, cells)


@downloads(router, "/governance/data/holds")
def holds_table(looking: Looking, session: InSession) -> Table:
    """What is not planned on, all of it."""
    _require_signals(looking)
    found, _ = quality_board.holds(session, ROWS_MAX)
    cells = ((row.site_id, row.sku_id, row.kind, row.reason, row.source, row.signal_id) for row in found)
    return Table("not-planned-on", ("Site", "SKU", "Kind", "What was found", "Source", "Signal"), cells)


def _may_look_at_signals(looking: Visitor) -> bool:
    return looking.may("send_signals") and looking.caller.sees_everything


def _require_signals(looking: Visitor) -> None:
    """As the list of signals in the API."""
    looking.caller.require(Act.SEND_SIGNALS)
    looking.caller.require_everything("the list of signals")


def _signals(looking: Visitor, session: Session, sought: quality_board.Sought) -> dict[str, Any]:
    content: dict[str, Any] = {"looking": looking, "sought": sought, "may_look": _may_look_at_signals(looking)}
    if content["may_look"]:
        content["signals"], content["more"] = quality_board.signals(session, sought)
    return content


def _policy(looking: Visitor, session: Session) -> dict[str, Any]:
    history = reading.activations(session, reading.names_of(session, looking.caller))
    return {
        "looking": looking, "policy": active_policy(session), "now_in_force": governance(session), "history": history,
        "history_shown": HISTORY_SHOWN,
    }  # fmt: skip


def _releases(looking: Visitor, session: Session) -> dict[str, Any]:
    currency, names = looking.currency or "USD", reading.names_of(session, looking.caller)
    in_force = active_policy(session)
    return {
        "looking": looking, "policies": list(reversed(policy_views(in_force.digest, currency, names))),
        "in_force": in_force.release, "in_force_digest": in_force.digest, "waiting": reading.waiting_by_policy(session, looking.caller),
    }  # fmt: skip


def _stops(looking: Visitor, session: Session) -> dict[str, Any]:
    every = stop_views(session, looking.caller, released=True)
    current = [stop for stop in every if stop.released_at is None]
    return {
        "looking": looking,
        "current": current,
        "kill_switch": next((stop for stop in current if _holds_everything(stop)), None),
        "past": [stop for stop in every if stop.released_at is not None],
        "may_release": {str(stop.stop_id): _may_release(looking, stop) for stop in current},
        "may_stop_all": looking.may("stop") and looking.caller.sites is None,
        "held": orders_reading.counts(session, looking.caller, looking.now.date())["held"],
    }


def _holds_everything(stop: StopView) -> bool:
    return not any((stop.site_id, stop.origin, stop.destination, stop.mode, stop.sku_class))


def _may_release(looking: Visitor, stop: StopView) -> bool:
    """What the API will say, as far as the page can know it."""
    sites = [each for each in (stop.site_id, stop.origin, stop.destination) if each is not None]
    return looking.may("govern") and (looking.caller.covers(sites) if sites else looking.caller.sites is None)


def _difference(looking: Visitor, session: Session, before: str, after: str) -> dict[str, Any]:
    """How two releases differ: without names, the one in force from the one before it, or the first from the second."""
    names = [each.release for each in releases()]
    now = active_policy(session).release
    new = reading.release_named(after).release if after else max(now, names[min(1, len(names) - 1)])
    old = (
        reading.release_named(before).release
        if before
        else names[max(names.index(new) - 1, 0)]
        if not after or new == now
        else now
    )
    currency, seen = looking.currency or "USD", reading.names_of(session, looking.caller)
    one, other = released(old), released(new)
    return {
        "looking": looking, "before": old, "after": new, "releases": list(reversed(names)), "in_force": now,
        "sentences": [_seen(each, seen) for each in changed_sentences(one, other, currency)],
        "values": [_seen_value(each, seen) for each in changed_values(one, other, currency)],
    }  # fmt: skip


def _seen(sentence: Sentence, names: Names | None) -> Sentence:
    return sentence if names is None else Sentence(names.words(sentence.words), added=sentence.added)


def _seen_value(change: Change, names: Names | None) -> Change:
    if names is None:
        return change
    return Change(change.section, names.words(change.what), names.words(change.before), names.words(change.after))
