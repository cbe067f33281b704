"""A request as the question that LangGraph clients show to people, and their answer as what it is worth here.

The question has the shape of langchain's human-in-the-loop middleware: one action, and
what may be decided about it. The answer that comes back proves nothing. It is read,
held against the request as it stands, and put before the approvals module under the
identity of whoever sent it; the graph hears of the outcome from the decision row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError, field_validator
from sqlmodel import Session, select

from app.approvals.asking import ask
from app.approvals.authority import require_decider
from app.approvals.comments import comments_for
from app.approvals.decisions import OutrunError, decide
from app.approvals.edits import edit
from app.approvals.parts import approve_part
from app.approvals.requests import withdraw
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import SigningView, signing_view, visible_request
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, EvenkeelError, ForbiddenError, InvalidError
from app.plans.store import read_plan
from app.views import LineView, PlanView, plan_view
from tools.money import money_text
from tools.rejections import Rejection, RejectionCode
from tools.transfers import Digest, Id, Minor, Value, Verdict

ACTION = "release_transfer_plan"
"""What approvers are asked about. An edit keeps this name: there is no other action to go to."""
LINES_MAX = 2_000
"""A plan with more lines is shown in part, and cannot be edited here."""
WITHOUT_WORDS = "Rejected without words."
Message = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]


class Approve(Value):
    """Release the plan, or these lines of it: what is left is a plan of its own, checked from scratch."""

    type: Literal["approve"]
    line_nos: Annotated[tuple[Annotated[int, Field(ge=1)], ...] | None, Field(max_length=LINES_MAX)] = None
    plan_digest: Digest | None = Field(default=None, description="the plan that was seen; checked where it is sent")


class Reject(Value):
    """Send the plan back. `reason` and what it names go into the next plan; the message changes no number."""

    type: Literal["reject"]
    message: Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00]*$")] | None = None
    reason: RejectionCode = RejectionCode.OTHER
    line_nos: tuple[Annotated[int, Field(ge=1)], ...] = ()
    sites: tuple[Id, ...] = ()
    skus: tuple[Id, ...] = ()
    limit: Annotated[Minor, Field(ge=0)] | None = None
    plan_digest: Digest | None = None


class EditArguments(Value):
    """The lines that stay, as they were shown; only `packs` may be fewer. A line left out, or with 0 packs, is dropped."""

    plan_digest: Digest
    lines: Annotated[tuple[dict[str, Any], ...], Field(max_length=LINES_MAX)]

    @field_validator("lines", mode="before")
    @classmethod
    def _may_be_written_out(cls, value: object) -> object:
        """Chat UIs hand back what was edited in a text field as text."""
        lines = json.loads(value) if isinstance(value, str) else value
        return tuple(lines) if isinstance(lines, list) else lines


class EditedAction(Value):
    """The action with other arguments."""

    name: Annotated[str, Field(max_length=100)]
    args: EditArguments


class Edit(Value):
    """Ask for less: another plan, checked from scratch, that somebody else decides on."""

    type: Literal["edit"]
    edited_action: EditedAction


class Respond(Value):
    """Ask or remark something. The plan goes on waiting."""

    type: Literal["respond"]
    message: Message


class Decisions(Value):
    """What a client sends back: one decision, for the one action there is."""

    decisions: Annotated[
        tuple[Annotated[Approve | Reject | Edit | Respond, Field(discriminator="type")], ...],
        Field(min_length=1, max_length=1),
    ]


_ANSWER = TypeAdapter(Decisions)
RESPONSE_SCHEMA = _ANSWER.json_schema()


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of an answer. `refusal` says what to tell the client although the change is to be committed.

    `successor` is the request for the edited plan. After `respond`, and where others have to
    sign as well, the status is still pending, and nothing wakes the graph.
    """

    kind: Literal["approve", "reject", "edit", "respond"]
    approval_id: UUID
    status: ApprovalStatus
    plan_digest: str
    transfer_ids: tuple[UUID, ...] = ()
    successor: UUID | None = None
    refusal: EvenkeelError | None = None


def question_of(session: Session, principal: Principal, approval_id: UUID) -> dict[str, Any]:
    """The request as a question, as far as the principal may see the plan. Raises NotFoundError.

    `allowed_decisions` is empty for whoever may not decide, and once nobody may any more.
    """
    request = visible_request(session, principal, approval_id)
    plan = plan_view(session, principal, request.plan_digest)
    said = [row.model_dump(mode="json") for row in comments_for(session, principal, request)]
    shown, signing = plan.lines[:LINES_MAX], signing_view(session, principal, request, detailed=True)
    return {
        "action_requests": [
            {
                "name": ACTION,
                "args": {"plan_digest": plan.digest, "lines": [_line(line) for line in shown]},
                "description": _description(plan, request, signing),
            }
        ],
        "review_configs": [{"action_name": ACTION, "allowed_decisions": _allowed(session, principal, request, plan)}],
        "response_schema": RESPONSE_SCHEMA,
        "approval_id": str(approval_id),
        "plan_digest": plan.digest,
        "expires_at": request.expires_at.isoformat(),
        "status": request.status.value,
        "signing": signing.model_dump(mode="json"),
        "lines_not_shown": len(plan.lines) - len(shown) + plan.lines_hidden,
        "comments": said,
    }


def answer(
    session: Session,
    principal: Principal,
    approval_id: UUID,
    resume: object,
    *,
    interrupt_id: str | None = None,
    seen: bool = False,
) -> Answered:
    """Take an answer to a request for what it is worth, under the identity of whoever sent it. The caller commits.

    `resume` is what the client sent: decisions, or a map from the id of the one open
    interrupt to them. Such an id has to be `interrupt_id`, the request's id as 32
    hexadecimal digits unless another is given. Decisions that name neither the question
    nor the plan count only where the thread has asked nothing else before, so that one
    that comes late or twice does not decide on a plan that nobody has looked at; `seen`
    says that the client has shown otherwise which question it answers.

    Raises NotFoundError (not for their eyes), InvalidError (not an answer), ForbiddenError
    and ConflictError (answered before, expired, another plan or question), and then
    nothing has changed.
    """
    request = visible_request(session, principal, approval_id)
    given, named = _named(resume, interrupt_id or approval_id.hex)
    (decision,) = _read(given).decisions
    digest = None if isinstance(decision, Edit | Respond) else decision.plan_digest
    if not (isinstance(decision, Edit) or named or seen or digest):
        _require_only_question(session, request)
    match decision:
        case Respond():
            ask(session, principal, approval_id, decision.message)
            return Answered("respond", approval_id, request.status, request.plan_digest)
        case Edit():
            return _edit(session, principal, request, decision.edited_action)
        case Approve(line_nos=tuple() as line_nos):
            return _approve_part(session, principal, request, decision.plan_digest, line_nos)
        case Approve():
            return _decide(session, principal, request, Verdict.APPROVE, decision.plan_digest, None)
        case Reject():
            return _decide(session, principal, request, Verdict.REJECT, decision.plan_digest, _rejection(decision))


def take_back(session: Session, principal: Principal, thread_id: UUID) -> ApprovalRequest:
    """Withdraw the plan that a thread waits for; only its authors may. Raises ConflictError where nothing waits."""
    principal.require(Act.PLAN)
    query = select(ApprovalRequest).where(
        ApprovalRequest.thread_id == str(thread_id), ApprovalRequest.status == ApprovalStatus.PENDING
    )
    request = session.exec(query).first()
    if request is None or principal.user_id not in request.authors:
        # To others it waits for nothing, like a thread that does not exist.
        raise ConflictError("no_open_question", "the thread waits for no decision", "look at the thread again")
    return withdraw(session, request.approval_id, principal)


def _named(resume: object, interrupt_id: str) -> tuple[object, bool]:
    """What is answered, and whether to the question by its id. Raises ConflictError for an answer to another one."""
    if not isinstance(resume, Mapping) or "decisions" in resume:
        return resume, False
    if len(resume) != 1:
        raise ConflictError(
            "another_question", f"one question is open, {len(resume)} are answered", "answer the one that is open"
        )
    ((named, given),) = resume.items()
    if named != interrupt_id:
        raise ConflictError(
            "another_question", f"the question {str(named)[:40]!r} is not open (any more)",
            "read the thread again and answer what it asks now",
        )  # fmt: skip
    return given, True


def _require_only_question(session: Session, request: ApprovalRequest) -> None:
    query = select(ApprovalRequest.approval_id).where(
        ApprovalRequest.thread_id == request.thread_id, ApprovalRequest.approval_id != request.approval_id
    )
    if session.exec(query.limit(1)).first() is not None:
        raise ConflictError(
            "another_question", "the thread has asked before, and the answer does not say which question it is for",
            f'send it as {{"{request.approval_id.hex}": {{"decisions": […]}}}}, or name its plan_digest',
        )  # fmt: skip


def _read(given: object) -> Decisions:
    """The decisions of an answer. Raises InvalidError."""
    try:
        return _ANSWER.validate_json(json.dumps(given))
    except (ValidationError, ValueError, TypeError, RecursionError) as wrong:
        raise InvalidError(
            "answer", f"this is no answer: {_words(wrong)}", "see the question's response_schema"
        ) from None


def _words(wrong: Exception) -> str:
    if not isinstance(wrong, ValidationError):
        return "it cannot be read"
    first = wrong.errors()[0]
    where = ".".join(str(part)[:40] for part in first["loc"][:8]) or "the answer"
    return f"{where}: {first['msg']}"


def _decide(
    session: Session,
    principal: Principal,
    request: ApprovalRequest,
    verdict: Verdict,
    seen: str | None,
    rejection: Rejection | None,
) -> Answered:
    """The question names one request, and a request one plan for ever: without a digest of its own it is that plan."""
    done = decide(session, principal, request.approval_id, verdict, seen or request.plan_digest, rejection)
    kind: Literal["approve", "reject"] = "approve" if verdict is Verdict.APPROVE else "reject"
    outrun = OutrunError(done) if done.status is ApprovalStatus.OUTRUN else None
    return Answered(kind, done.approval_id, done.status, done.plan_digest, done.transfer_ids, refusal=outrun)


def _approve_part(
    session: Session, principal: Principal, request: ApprovalRequest, seen: str | None, line_nos: tuple[int, ...]
) -> Answered:
    done = approve_part(session, principal, request.approval_id, seen or request.plan_digest, line_nos)
    outrun = OutrunError(done) if done.status is ApprovalStatus.OUTRUN else None
    return Answered(
        "approve", request.approval_id, request.status, request.plan_digest, done.transfer_ids, done.approval_id, outrun
    )


def _rejection(decision: Reject) -> Rejection:
    words = (decision.message or "").strip() or WITHOUT_WORDS
    fields = decision.model_dump(exclude={"type", "message", "reason", "plan_digest"})
    try:
        return Rejection(code=decision.reason, words=words, **fields)
    except ValidationError as wrong:
        raise InvalidError("answer", f"this is no answer: {_words(wrong)}", "name what the reason applies to") from None


def _edit(session: Session, principal: Principal, request: ApprovalRequest, action: EditedAction) -> Answered:
    if action.name != ACTION:
        raise InvalidError("edit", f"an edit keeps the action {ACTION}", "change the lines, not the name")
    shown = {line.line_no: _line(line) for line in plan_view(session, principal, request.plan_digest).lines}
    packs = _packs_by_line(action.args, shown)
    done = edit(session, principal, request.approval_id, action.args.plan_digest, packs)
    return Answered(
        "edit", request.approval_id, done.closed.status, done.closed.plan_digest, successor=done.successor.approval_id
    )


def _packs_by_line(arguments: EditArguments, shown: Mapping[int, Mapping[str, Any]]) -> dict[int, int]:
    """So many packs for each line that stays. Raises InvalidError where anything else than packs was changed."""
    packs: dict[int, int] = {}
    for sent in arguments.lines:
        number = sent.get("line_no")
        line = shown.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
        if line is None or number in packs:
            raise InvalidError(
                "edit", f"there is no line {str(number)[:20]}, or it comes twice", "name the plan's lines"
            )
        changed = sorted(str(key)[:40] for key, value in sent.items() if key != "packs" and line.get(key) != value)
        if changed:
            words = f"line {number}: {', '.join(changed[:5])} cannot be edited, only packs"
            raise InvalidError("edit", words, "ask the planner for another plan")
        count = sent.get("packs", line["packs"])
        if not isinstance(count, int) or isinstance(count, bool):
            raise InvalidError("edit", f"line {number}: packs is a whole number", "send fewer packs, or 0 to drop it")
        packs[int(line["line_no"])] = count
    return packs


def _line(line: LineView) -> dict[str, Any]:
    return {
        "line_no": line.line_no,
        "sku_id": line.sku_id,
        "sku_name": line.sku_name,
        "origin": line.origin,
        "destination": line.destination,
        "mode": line.mode,
        "packs": line.packs,
        "units_per_pack": line.units // line.packs,
        "depart_on": line.depart_on.isoformat(),
        "arrive_on": line.arrive_on.isoformat(),
        "saving_minor": line.saving_minor,
        "urgency": line.urgency,
    }


def _description(plan: PlanView, request: ApprovalRequest, signing: SigningView) -> str:
    signed = ", ".join(row.signed_by for row in signing.signed if row.counts)
    asked = f" Signed by {signed or 'nobody'} so far. Missing: {signing.words}" if len(signing.demands) > 1 else ""
    hidden = f" {plan.lines_hidden:,} lines lie outside your sites." if plan.lines_hidden else ""
    return (
        f"Plan {plan.digest[:12]} of {request.requested_by}: {request.lines:,} lines, {request.units:,} units, goods worth"
        f" {money_text(plan.goods_value_minor, plan.currency)}. It saves"
        f" {money_text(plan.expected_saving_minor, plan.currency)} and costs"
        f" {money_text(plan.transfer_cost_minor, plan.currency)} to move. Tier {request.tier}; expires"
        f" {request.expires_at.isoformat(timespec='minutes')}.{hidden}{asked} Nothing moves before somebody approves."
    )


def _allowed(session: Session, principal: Principal, request: ApprovalRequest, plan: PlanView) -> list[str]:
    if request.status is not ApprovalStatus.PENDING or request.expires_at <= database_now(session):
        return []
    try:
        require_decider(session, principal, request, read_plan(session, request.plan_digest))
    except ForbiddenError:
        return []
    return ["approve", *(["edit"] if len(plan.lines) <= LINES_MAX else []), "reject", "respond"]
