"""Reports: every plan that was put to a decision as a page to print, and backtests."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.approvals.tables import ApprovalStatus
from app.errors import InvalidError, UnavailableError
from app.governance.state import active_policy
from app.ui.exports import ROWS_MAX, Table, downloads
from app.ui.plan_lines import plan_lines
from app.ui.plan_words import REASON_WORDS, URGENCY_WORDS
from app.ui.rendering import render
from app.ui.reports import backtest as replay
from app.ui.reports import reading, words
from app.ui.reports.backtest import SKUS_CHOICES, Asked, Replayed
from app.ui.reports.charts import Bars, bars, cost_stacks
from app.ui.reports.reading import Explained, PlanReport, Wanted
from app.ui.visitor import FRAGMENT, Looking, PageRoute, Visitor
from app.views import plan_view
from app.web.dependencies import InSession
from policies.brief import brief, rule_sentences

router = APIRouter(route_class=PageRoute)
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
BACKTESTS_KEPT = 32


def _wanted(status: ApprovalStatus | None = None, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Wanted:
    """Which plans are wanted."""
    return Wanted(status, page)


def _asked(
    skus: Annotated[int, Query()] = SKUS_CHOICES[1], cycles: Annotated[int, Query(ge=1, le=replay.CYCLES_MAX)] = 1
) -> Asked:
    """How much a backtest plays."""
    if skus not in SKUS_CHOICES:
        raise InvalidError(
            "skus",
            f"a backtest here plays {SKUS_CHOICES[0]} to {SKUS_CHOICES[-1]} SKUs",
            f"choose one of {', '.join(map(str, SKUS_CHOICES))}",
        )
    return Asked(skus, cycles)


InWanted = Annotated[Wanted, Depends(_wanted)]
InAsked = Annotated[Asked, Depends(_asked)]


@router.get("/reports")
def index(request: Request, looking: Looking, session: InSession, wanted: InWanted) -> Response:
    """The plans that were put to a decision, the newest first, and the way to backtests."""
    content = _listed(looking, session, wanted) | {"statuses": list(ApprovalStatus)}
    return render(request, "reports/page.html", content)


@router.get("/reports/rows")
def rows(request: Request, looking: Looking, session: InSession, wanted: InWanted) -> Response:
    """The list alone."""
    return render(request, "reports/rows.html", _listed(looking, session, wanted))


@downloads(router, "/reports/plans/export")
def export(looking: Looking, session: InSession, wanted: InWanted) -> Table:
    """The list as a file, all pages of it."""
    found = reading.plans_listed(session, looking.caller, Wanted(wanted.status), ROWS_MAX + 1)
    heads = words.index_heads(looking.currency or "")
    return Table("plans", heads, (words.index_cells(row) for row in found.rows))


def _listed(looking: Visitor, session: Session, wanted: Wanted) -> dict[str, Any]:
    found = reading.plans_listed(session, looking.caller, wanted)
    return {"looking": looking, "found": found, "wanted": wanted, "fingerprint": words.fingerprint}


@router.get("/reports/plans/{digest}")
def plan(request: Request, looking: Looking, session: InSession, digest: Digest) -> Response:
    """A plan with everything about it, to read, to print and to keep."""
    content = _plan_content(looking, reading.plan_report(session, looking.caller, digest))
    return render(request, "reports/plan_body.html" if FRAGMENT in request.headers else "reports/plan.html", content)


@downloads(router, "/reports/plans/{digest}/lines")
def lines(looking: Looking, session: InSession, digest: Digest) -> Table:
    """The lines of a plan as a file."""
    return plan_lines(plan_view(session, looking.caller, digest))


@downloads(router, "/reports/plans/{digest}/orders")
def orders(looking: Looking, session: InSession, digest: Digest) -> Table:
    """The orders of a plan as a file."""
    plan_view(session, looking.caller, digest)
    found = reading.orders_of_plan(session, looking.caller, digest)
    return Table(f"plan-{digest[:12]}-orders", words.ORDER_HEADS, map(words.order_cells, found))


@downloads(router, "/reports/plans/{digest}/left")
def left_behind(looking: Looking, session: InSession, digest: Digest) -> Table:
    """What had to leave a site and stays, with the reasons."""
    found = plan_view(session, looking.caller, digest).left_behind
    cells = ((row.site_id, row.sku_id, row.due_units, row.left_units, row.leave_by, row.words) for row in found)
    heads = ("Site", "SKU", "Should leave", "Stays", "By", "Why, and what can be done")
    return Table(f"plan-{digest[:12]}-left-behind", heads, cells)


def _plan_content(looking: Visitor, report: PlanReport) -> dict[str, Any]:
    view, currency = report.plan, report.plan.currency
    before, after = view.fill_rate_before_ppm, view.fill_rate_after_ppm
    return {
        "looking": looking,
        "report": report,
        "plan": view,
        "fingerprint": words.fingerprint(view.digest),
        "summary": words.summary(view),
        "solved": words.solve_words(view),
        "urgency_words": URGENCY_WORDS,
        "reason_words": REASON_WORDS,
        "outcome": words.outcome([each.view for each in report.asked], report.orders),
        "served": bars(
            "Demand served until the regular supply",
            [(name, ppm, f"{ppm / 10_000:.1f} %") for name, ppm in (("Without the plan", before), ("With the plan", after))],
            1_000_000, ("bad", "good"),
        ),
        "risks": [_risk(each) for each in report.explained],
        "policy_lines": brief(report.policy, currency).split("\n"),
        "rules": rule_sentences(),
    }  # fmt: skip


def _risk(explained: Explained) -> Bars:
    figures = (("Without", explained.without_ppm), ("With", explained.with_ppm))
    return bars(
        f"Risk that {explained.line.destination} runs out of {explained.line.sku_id}",
        [(name, ppm, f"{ppm / 10_000:.1f} %") for name, ppm in figures], 1_000_000, ("bad", "good"),
    )  # fmt: skip


@router.get("/reports/backtest")
def backtest(request: Request, looking: Looking, session: InSession, asked: InAsked) -> Response:
    """What transfers would have been worth in the past. It plays nothing until it is asked to."""
    content: dict[str, Any] = {
        "looking": looking, "asked": asked, "skus_choices": SKUS_CHOICES, "cycles_max": replay.CYCLES_MAX,
        "sites_max": replay.SITES_MAX, "found": None, "nothing": "", "policy": active_policy(session).label,
        "query": f"skus={asked.skus}&cycles={asked.cycles}", "is_cut": not looking.caller.sees_everything,
    }  # fmt: skip
    if request.query_params and looking.currency:
        try:
            found = _replayed(looking, session, asked)
        except InvalidError as unfit:
            content["nothing"] = unfit.detail
        else:
            saved = [(rule.name, rule.fill_rate, rule.availability) for rule in found.rules]
            lost = [(rule.name, float(rule.lost_units), f"{rule.lost_units:,} units") for rule in found.rules]
            content |= {
                "found": found, "stacks": cost_stacks(found),
                "availability": bars("Availability", saved, 1.0, ("bad", "", "good")),
                "lost": bars("Units lost", lost, None, ("bad", "", "good")),
            }  # fmt: skip
    return render(request, "reports/backtest.html", content)


@downloads(router, "/reports/backtest/export")
def backtest_file(looking: Looking, session: InSession, asked: InAsked) -> Table:
    """The backtest's table as a file."""
    found = _replayed(looking, session, asked)
    return Table("backtest", replay.heads(found.currency), replay.cells(found))


_KEPT: OrderedDict[tuple[object, ...], Replayed] = OrderedDict()
_KEPT_LOCK, _ONE_AT_A_TIME = Lock(), Lock()


def _replayed(looking: Visitor, session: Session, asked: Asked) -> Replayed:
    """The backtest, kept while facts and policy are the same. One is played at a time; others are asked to come back.

    Raises InvalidError where there is nothing to play, UnavailableError while another one is played.
    """
    caller, policy = looking.caller, active_policy(session)
    reach = None if caller.sites is None else tuple(sorted(caller.sites))
    key = (
        str(session.get_bind().engine.url),
        reading.facts_version(session),
        looking.now.date(),
        policy.digest,
        reach,
        caller.sees_sensitive,
        asked,
    )
    with _KEPT_LOCK:
        if key in _KEPT:
            return _KEPT[key]
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise UnavailableError("busy", "another backtest is being played", "try again in a few seconds")
    try:
        network = reading.network_to_replay(session, caller, asked)
        if network is None:
            raise InvalidError("no_sales", "there are no past sales to play again", "import a network with sales.csv")
        try:
            found = replay.replayed(network, policy, asked)
        except ValueError as wrong:
            raise InvalidError("no_cycles", str(wrong), "import more sales") from wrong
    finally:
        _ONE_AT_A_TIME.release()
    with _KEPT_LOCK:
        _KEPT[key] = found
        while len(_KEPT) > BACKTESTS_KEPT:
            _KEPT.popitem(last=False)
    return found
