"""Conversations with the agent, and the plans that come of them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.errors import NotFoundError
from app.explanations import explanation_view
from app.service import Service
from app.threads.runs import own_thread
from app.ui.chat import plan_card
from app.ui.chat.reading import Conversation, conversation, listed, standing, suggested, told_steps, who_answers
from app.ui.chat.turns import STEP_WORDS, TOOL_WORDS, Turn
from app.ui.exports import Table, downloads
from app.ui.plan_lines import plan_lines
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute, Visitor
from app.views import PlanView, plan_view
from app.web.dependencies import InService, InSession

router = APIRouter(route_class=PageRoute)
THREADS_SHOWN = 30
TURNS_SHOWN = 12
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
TurnId = Annotated[str, Path(pattern=r"^(?:start|[0-9a-f-]{36})$")]


@router.get("/chat")
def begin(
    request: Request, looking: Looking, service: InService, session: InSession,
    say: Annotated[str, Query(max_length=1_000)] = "",
) -> Response:  # fmt: skip
    """A new conversation, beside those there are. `say` lies ready to be sent, and is not sent by itself."""
    return _page(request, looking, service, session, None, say)


@router.get("/chat/threads")
def threads(
    request: Request, looking: Looking, session: InSession,
    limit: Annotated[int, Query(ge=1, le=1_000)] = THREADS_SHOWN, here: UUID | None = None,
) -> Response:  # fmt: skip
    """The list of conversations."""
    return render(request, "chat/threads.html", _threads(looking, session, limit, here))


@router.get("/chat/{thread_id}")
def read(request: Request, looking: Looking, service: InService, session: InSession, thread_id: UUID) -> Response:
    """A conversation: its last turns, or all of them with `?all`."""
    return _page(request, looking, service, session, conversation(service, session, looking.caller, thread_id))


@router.get("/chat/{thread_id}/standing")
def stands(request: Request, looking: Looking, service: InService, session: InSession, thread_id: UUID) -> Response:
    """What a conversation is at, and what may be asked next."""
    talk = conversation(service, session, looking.caller, thread_id)
    return render(request, "chat/standing.html", _stands(looking, session, talk))


@router.get("/chat/{thread_id}/turns/{turn_id}")
def turn_of(
    request: Request, looking: Looking, service: InService, session: InSession, thread_id: UUID, turn_id: TurnId
) -> Response:
    """One turn of a conversation."""
    talk = conversation(service, session, looking.caller, thread_id)
    found = next((turn for turn in talk.turns if turn.turn_id == turn_id), None)
    if found is None:
        raise NotFoundError("unknown_turn", "there is no such message in this conversation", "load the page again")
    return render(
        request, "chat/turn.html", {"looking": looking, "talk": talk, **_turn(service, session, looking, talk, found)}
    )


@router.get("/chat/{thread_id}/plans/{digest}")
def card(
    request: Request, looking: Looking, service: InService, session: InSession, thread_id: UUID, digest: Digest
) -> Response:
    """A plan of a conversation, whole."""
    talk = conversation(service, session, looking.caller, thread_id)
    return render(request, "chat/plan_card.html", {"looking": looking, **_card(session, looking, talk, digest)})


@router.get("/chat/{thread_id}/plans/{digest}/standing")
def plan_stands(
    request: Request, looking: Looking, service: InService, session: InSession, thread_id: UUID, digest: Digest
) -> Response:
    """Where a plan stands, and what may be done with it."""
    talk = conversation(service, session, looking.caller, thread_id)
    plan = plan_view(session, looking.caller, digest)
    content = {"looking": looking, "talk": talk, "plan": plan, **_standing(session, looking, talk, plan)}
    return render(request, "chat/plan_standing.html", content)


@router.get("/chat/{thread_id}/plans/{digest}/lines")
def lines(request: Request, looking: Looking, session: InSession, thread_id: UUID, digest: Digest) -> Response:
    """More lines of a plan."""
    own_thread(session, looking.caller, thread_id)
    plan = plan_view(session, looking.caller, digest)
    content = {
        "looking": looking, "thread_id": thread_id, "plan": plan, "first": plan_card.LINES_MAX, "is_explained": plan_card.is_explained,
    }  # fmt: skip
    return render(request, "chat/plan_lines.html", content)


@router.get("/chat/{thread_id}/plans/{digest}/lines/{line_no}")
def why(
    request: Request, looking: Looking, session: InSession, thread_id: UUID, digest: Digest,
    line_no: Annotated[int, Path(ge=1, le=100_000)],
) -> Response:  # fmt: skip
    """Why a line is in a plan."""
    own_thread(session, looking.caller, thread_id)
    found = explanation_view(session, looking.caller, digest, line_no)
    return render(request, "chat/plan_line.html", {"looking": looking, "found": found})


@router.get("/chat/{thread_id}/plans/{digest}/beside")
def beside(
    request: Request, looking: Looking, service: InService, session: InSession, thread_id: UUID, digest: Digest
) -> Response:
    """A plan beside the one before it in the same conversation."""
    talk = conversation(service, session, looking.caller, thread_id)
    before = talk.before(digest)
    if before is None:
        raise NotFoundError(
            "no_plan_before", "there is no plan before this one in the conversation", "ask for another plan"
        )
    plan, other = (plan_view(session, looking.caller, each) for each in (digest, before))
    titles = (f"This plan, {digest[:12]}", f"The plan before, {before[:12]}")
    columns = tuple(plan_card.column_of(title, each) for title, each in zip(titles, (plan, other), strict=True))
    words = plan_card.lines_that_differ(plan, other)
    return render(request, "chat/beside.html", {"columns": columns, "currency": plan.currency, "words": words})


@downloads(router, "/chat/{thread_id}/plans/{digest}/export")
def export(looking: Looking, session: InSession, thread_id: UUID, digest: Digest) -> Table:
    """The lines of a plan as a file."""
    own_thread(session, looking.caller, thread_id)
    return plan_lines(plan_view(session, looking.caller, digest))


def _page(
    request: Request, looking: Visitor, service: Service, session: Session, talk: Conversation | None, say: str = ""
) -> Response:
    whole = "all" in request.query_params
    first = 0 if talk is None or whole else max(0, len(talk.turns) - TURNS_SHOWN)
    shown = [] if talk is None else [_turn(service, session, looking, talk, turn) for turn in talk.turns[first:]]
    content = {
        "answers": who_answers(service), "tool_words": TOOL_WORDS, "step_words": STEP_WORDS, "shown": shown,
        "earlier": first, "say": say, **_threads(looking, session, THREADS_SHOWN, None if talk is None else talk.thread.thread_id),
    }  # fmt: skip
    return render(request, "chat/page.html", content | _stands(looking, session, talk))


def _stands(looking: Visitor, session: Session, talk: Conversation | None) -> dict[str, Any]:
    may_ask = looking.currency is not None and looking.may("plan")
    questions = suggested(session, looking.caller, talk) if may_ask else []
    return {"looking": looking, "talk": talk, "questions": questions}


def _threads(looking: Visitor, session: Session, limit: int, here: UUID | None) -> dict[str, Any]:
    found = listed(session, looking.caller, limit + 1)
    return {"looking": looking, "threads": found[:limit], "are_more": len(found) > limit, "limit": limit, "here": here}


def _turn(service: Service, session: Session, looking: Visitor, talk: Conversation, turn: Turn) -> dict[str, Any]:
    """A turn, its plans in short, and the plan of the conversation whole where this is its place."""
    older = [plan for plan in turn.plans if not (turn.turn_id == talk.place and plan.plan == talk.current)]
    whole = None
    if turn is talk.turns[-1]:
        turn.timed = told_steps(service, turn)
    if turn.turn_id == talk.place and talk.current is not None and not turn.is_active:
        try:
            whole = _card(session, looking, talk, talk.current)
        except NotFoundError:
            whole = None  # the caller's sites have changed since
    return {"turn": turn, "older": older, "whole": whole, "is_last": turn is talk.turns[-1]}


def _card(session: Session, looking: Visitor, talk: Conversation, digest: str) -> dict[str, Any]:
    plan = plan_view(session, looking.caller, digest)
    proposed = talk.proposed(digest)
    is_empty = not plan.lines and not plan.lines_hidden
    return {
        "nothing": plan_card.nothing_words(plan, proposed.note if proposed else "") if is_empty else (),
        "talk": talk, "thread_id": talk.thread.thread_id, "plan": plan, "quality": plan_card.quality_of(plan),
        "bars": plan_card.bars_of(plan), "proposed": proposed, "first": plan_card.LINES_FIRST,
        "before": talk.before(digest), "is_explained": plan_card.is_explained, **_standing(session, looking, talk, plan),
    }  # fmt: skip


def _standing(session: Session, looking: Visitor, talk: Conversation, plan: PlanView) -> dict[str, Any]:
    found, approval_id, is_own = standing(session, looking.caller, talk.thread.thread_id, plan.digest)
    proposed = talk.proposed(plan.digest)
    is_current = plan.digest == talk.current and talk.active is None and talk.pending is None
    may_submit = (
        is_current and found.word in ("proposed", "expired", "withdrawn") and looking.may("plan")
        and proposed is not None and proposed.may_be_submitted
    )  # fmt: skip
    return {
        "standing": found, "approval_id": approval_id, "may_submit": may_submit,
        "may_ask": is_current and looking.may("plan"), "may_withdraw": is_own and looking.may("plan"),
    }  # fmt: skip
