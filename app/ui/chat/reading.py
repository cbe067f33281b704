"""What the pages of a conversation are made of, read for its owner."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError
from sqlmodel import Session, col, select

from app.approvals.freshness import facts_to_check_on
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import approval_view, approval_views
from app.auth.roles import Principal
from app.auth.tables import Person
from app.errors import NotFoundError
from app.llm import BASELINE_NOTICE
from app.orders.queries import orders_of_approval
from app.service import Service
from app.threads.access import pending_requests
from app.threads.runs import own_thread, threads_of
from app.threads.stream import StreamEvent
from app.threads.tables import ACTIVE, Run, RunKind, RunStatus, Thread
from app.ui.chat.plan_card import Standing, rejected_words, standing_of
from app.ui.chat.suggestions import first_questions, questions_about_a_plan, questions_while_it_waits
from app.ui.chat.turns import START, Proposed, Turn, plans_said, timed_steps, turns_of, with_runs
from app.views import imbalance_views, plan_view
from graphs.planning import imbalances_of
from graphs.world import BASELINE

RUNS_READ = 500
EVENTS_READ = 1_000
REJECTED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """A thread in the list: whether it works just now, or waits for a decision."""

    thread: Thread
    is_active: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread as far as it has gone. `active` is the run that is under way; `pending` the request that it waits for.

    `current` is the plan that it has come to, and `place` the turn that shows it whole. `rejected` says of plans, the last
    first, by whom and why.
    """

    thread: Thread
    turns: list[Turn]
    active: Run | None
    pending: ApprovalRequest | None
    current: str | None
    place: str | None
    plans: tuple[str, ...]
    notices: tuple[str, ...]
    trouble: str | None
    messages: int
    rejected: Mapping[str, tuple[str, ...]]

    def proposed(self, digest: str) -> Proposed | None:
        """A plan as it was proposed last."""
        found = [plan for turn in self.turns for plan in turn.plans if plan.plan == digest]
        return found[-1] if found else None

    def before(self, digest: str) -> str | None:
        """The plan of this conversation that came before this one."""
        others = self.plans[: self.plans.index(digest)] if digest in self.plans else self.plans
        return others[-1] if others else None


def listed(session: Session, caller: Principal, limit: int) -> list[Listed]:
    """The caller's threads, the newest first."""
    threads = threads_of(session, caller, limit)
    ids = [thread.thread_id for thread in threads]
    waiting = pending_requests(session, ids)
    query = select(Run.thread_id).where(col(Run.thread_id).in_(ids), col(Run.status).in_(ACTIVE))
    active = set(session.exec(query).all())
    return [Listed(each, each.thread_id in active, each.thread_id in waiting) for each in threads]


def conversation(service: Service, session: Session, caller: Principal, thread_id: UUID) -> Conversation:
    """A conversation of the caller's. Raises NotFoundError for any other."""
    thread = own_thread(session, caller, thread_id)
    newest = select(Run).where(Run.thread_id == thread_id).order_by(col(Run.created_at).desc(), col(Run.run_id))
    runs = session.exec(newest.limit(RUNS_READ)).all()
    values: Mapping[str, Any] = service.driver.state(thread_id).values
    messages = values.get("messages", [])
    turns = with_runs(turns_of(messages), runs)
    current: str | None = values.get("plan_digest")
    plans = tuple(dict.fromkeys((*plans_said(turns), *([current] if current else []))))
    return Conversation(
        thread=thread, turns=turns, active=next((run for run in runs if run.status in ACTIVE), None),
        pending=pending_requests(session, [thread_id]).get(thread_id), current=current,
        place=_place(session, turns, current), plans=plans,
        notices=tuple(each for each in values.get("notices", []) if each != BASELINE_NOTICE),
        trouble=_trouble(runs), messages=len(messages), rejected=_rejected(session, caller, thread_id),
    )  # fmt: skip


def _rejected(session: Session, caller: Principal, thread_id: UUID) -> dict[str, tuple[str, ...]]:
    """What was rejected in a conversation, by the plan's digest: by whom and why."""
    query = select(ApprovalRequest).where(
        ApprovalRequest.thread_id == str(thread_id), ApprovalRequest.status == ApprovalStatus.REJECTED
    )
    rows = session.exec(query.order_by(col(ApprovalRequest.closed_at).desc()).limit(REJECTED_SHOWN)).all()
    views = approval_views(session, caller, rows)
    names = names_of(session, [view.decided_by for view in views if view.decided_by])
    return {
        view.plan_digest: tuple(rejected_words(view, names.get(view.decided_by or "", view.decided_by or "somebody")))
        for view in views
    }


def _place(session: Session, turns: Sequence[Turn], current: str | None) -> str | None:
    """The last turn that proposed or submitted the current plan; the last of all for one that nobody spoke of."""
    if current is None or not turns:
        return None
    submitted = {request for turn in turns for request in turn.approvals}
    query = select(ApprovalRequest.approval_id).where(ApprovalRequest.plan_digest == current)
    about = {str(each) for each in session.exec(query).all()} & submitted if submitted else set()
    for turn in reversed(turns):
        if any(plan.plan == current for plan in turn.plans) or about.intersection(turn.approvals):
            return turn.turn_id
    return turns[-1].turn_id


def _trouble(runs: Sequence[Run]) -> str | None:
    """What went wrong with the newest run, where no message shows it: a decision that could not be taken up, a scan."""
    newest = runs[0] if runs else None
    if newest is None or newest.kind is RunKind.MESSAGE or newest.status is not RunStatus.FAILED:
        return None
    return newest.error or "the last step did not come to its end"


def told_steps(service: Service, turn: Turn) -> list[tuple[str, float]]:
    """What a turn took step by step, while its news are kept; nothing afterwards, and without Redis."""
    if turn.is_active or turn.turn_id == START:
        return []
    events: list[StreamEvent] = []
    try:
        while new := service.stream.read(UUID(turn.turn_id), events[-1].event_id if events else "0"):
            events += new
            if len(events) >= EVENTS_READ or new[-1].kind == "done":
                break
    except (RedisError, ValueError):
        return []
    return timed_steps(events)


def request_for(
    session: Session, caller: Principal, thread_id: UUID, digest: str
) -> tuple[ApprovalRequest | None, bool]:
    """The newest request for a plan that the caller may see, and whether an edit has put another plan into its place."""
    query = select(ApprovalRequest).where(ApprovalRequest.plan_digest == digest)
    rows = session.exec(query.order_by(col(ApprovalRequest.attempt).desc())).all()
    own = [row for row in rows if row.thread_id == str(thread_id)]
    seen = [row for row in rows if caller.touches(row.sites)]
    request = next(iter(own or seen), None)
    edited = False
    while request is not None and request.superseded_by is not None:
        request, edited = get_request(session, request.superseded_by), True
    return request, edited


def standing(session: Session, caller: Principal, thread_id: UUID, digest: str) -> tuple[Standing, UUID | None, bool]:
    """Where a plan stands; the id of its request, and whether the caller may still take it back."""
    request, edited = request_for(session, caller, thread_id, digest)
    if request is None:
        return standing_of(None, (), {}), None, False
    view = approval_view(session, caller, request, detailed=request.status is ApprovalStatus.PENDING)
    orders = [
        order for order in orders_of_approval(session, request.approval_id)
        if caller.touches((order.origin, order.destination))
    ]  # fmt: skip
    signing = [each.signed_by for each in view.signing.signed] + list(view.signing.may_sign or ())
    people = [each for each in (view.decided_by, view.claimed_by, *signing) if each]
    is_own = request.status is ApprovalStatus.PENDING and caller.user_id in request.authors
    return standing_of(view, orders, names_of(session, people), edited), request.approval_id, is_own


def names_of(session: Session, user_ids: Collection[str]) -> dict[str, str]:
    """The names of people."""
    if not user_ids:
        return {}
    query = select(Person.user_id, Person.name).where(col(Person.user_id).in_(set(user_ids)))
    return dict(session.exec(query).all())


def suggested(session: Session, caller: Principal, talk: Conversation | None) -> list[str]:
    """What may be asked next, by what is out of balance or by the plan that the conversation has come to."""
    if talk is not None and talk.pending is not None:
        return questions_while_it_waits()
    if talk is not None and talk.current is not None:
        try:
            plan = plan_view(session, caller, talk.current)
        except NotFoundError:
            return list(questions_while_it_waits())
        return questions_about_a_plan(plan.lines, has_one_before=talk.before(talk.current) is not None)
    facts = facts_to_check_on(session)
    found = imbalance_views(caller, facts.snapshot, imbalances_of(facts))
    known = facts.snapshot.sku_by_id
    return first_questions(found, {row.sku_id for row in found if row.sku_id not in known})


def who_answers(service: Service) -> str:
    """An honest word about what answers, where it is not a language model; empty where it is."""
    if service.llm.name == BASELINE:
        return (
            "No language model is connected; a rule-based planner answers. It understands plain requests such as those below,"
            " and reckons with the same solver and rules."
        )
    alone = service.llm.left_alone
    if alone is None:
        return ""
    return f"The language model is left alone for now, because it {alone.why}. Meanwhile a rule-based planner answers."
