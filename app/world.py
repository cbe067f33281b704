"""The world of one run: what the graph's nodes may ask for, in the name of one caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage

from app.approvals.automatic import release_if_policy_does
from app.approvals.decisions import Decided
from app.approvals.freshness import facts_now
from app.approvals.needs import needed_of
from app.approvals.reasons import with_standing_reasons
from app.approvals.requests import get_request, request_approval
from app.approvals.tables import Decision
from app.approvals.views import words_of
from app.auth.roles import Principal
from app.db.database import Database, database_now
from app.governance.state import active_policy
from app.ledger.append import EventType, append, plan_stream
from app.llm import RunLlm
from app.orders.release import release_orders
from app.plans.store import read_negotiation, read_plan, read_snapshot, store_negotiation, store_plan
from app.status import approval_rows, order_rows, plans_named, workload
from app.stock.installation import planning_now
from graphs.grounding import Gate
from graphs.state import MADE_AGAIN_AFTER
from graphs.world import Caller, DecisionView, Opinion, OrderView, Reply, RunLimits, Ticket, Wanted
from policies.library import released
from policies.rules import Facts
from policies.schema import Tier
from policies.signatures import missing
from tools.inventory import Snapshot
from tools.kpis import Workload
from tools.planning import Limits, Planner, Solution, solve
from tools.rejections import Rejection
from tools.transfers import PlanRequest, TransferPlan

CONSULTED_SECONDS_MAX = 20.0
"""So long a plan waits for what an llm says beside the conversation; then it goes on without."""


class ServiceWorld:
    """Implements `graphs.world.World` on the service's own tables. Every call is one transaction."""

    def __init__(
        self,
        database: Database,
        principal: Principal,
        thread_id: UUID,
        llm: RunLlm,
        limits: RunLimits,
        tell: Callable[[str, str], None],
        planner: Planner,
    ) -> None:
        self._database = database
        self._principal = principal
        self._thread_id = thread_id
        self._llm = llm
        self._limits = limits
        self._tell = tell
        self._planner = planner

    @property
    def caller(self) -> Caller:
        """On whose behalf this run works."""
        return Caller(self._principal.user_id, self._principal.sites, self._principal.sees_sensitive)

    @property
    def limits(self) -> RunLimits:
        """What this run may use."""
        return self._limits

    @property
    def thread_id(self) -> str:
        """The thread this run belongs to."""
        return str(self._thread_id)

    def facts(self) -> Facts:
        """The facts, the policy and the kill switch of now."""
        with self._database.transaction() as session:
            return facts_now(session)

    def facts_of(self, plan: TransferPlan) -> Facts:
        """The facts and the policy that the plan was made on."""
        with self._database.transaction() as session:
            snapshot = read_snapshot(session, plan.snapshot_digest)
            return Facts(snapshot, released(plan.policy_digest), planning_now(session))

    def reply(self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]], gate: Gate) -> Reply:  # noqa: ARG002  nobody watches this world
        """What the llm says next."""
        return self._llm.reply(messages, schemas)

    def consult(self, messages: Sequence[BaseMessage], schema: dict[str, Any]) -> Opinion:
        """What the vendor's llm says to one question beside the conversation."""
        return self._llm.consult(messages, schema, CONSULTED_SECONDS_MAX)

    def solve(self, snapshot: Snapshot, limits: Limits, request: PlanRequest) -> Solution:
        """The solver, with the service's way of planning large requests."""
        return solve(snapshot, limits, request, planner=self._planner)

    def store_plan(self, plan: TransferPlan, negotiation: dict[str, Any], asked: dict[str, Any] | None = None) -> None:
        """Keep the plan, the record of how it came about, and who asked for it."""
        with self._database.transaction() as session:
            if store_plan(session, plan, asked):
                after = (asked or {}).get(MADE_AGAIN_AFTER)
                append(
                    session,
                    stream=plan_stream(plan.digest),
                    key=f"plan/{plan.digest}/proposed",
                    event_type=EventType.PLAN_PROPOSED,
                    actor=self._principal.user_id,
                    facts={
                        "plan": plan.digest,
                        "snapshot": plan.snapshot_digest,
                        "policy": plan.policy_digest,
                        "solver": list(plan.solver.versions),
                        "thread_id": self.thread_id,
                        **({MADE_AGAIN_AFTER: after} if after else {}),
                    },
                )
            if negotiation.get("rounds"):
                store_negotiation(session, plan.digest, negotiation)

    def with_standing_reasons(self, request: PlanRequest) -> PlanRequest:
        """The request with what was lately rejected in this thread left out."""
        with self._database.transaction() as session:
            return with_standing_reasons(session, request, self.thread_id)

    def plan(self, digest: str) -> TransferPlan:
        """A stored plan."""
        with self._database.transaction() as session:
            return read_plan(session, digest)

    def negotiation(self, digest: str) -> dict[str, Any]:
        """The negotiation record of a plan; empty without one."""
        with self._database.transaction() as session:
            return read_negotiation(session, digest) or {}

    def request_approval(self, plan: TransferPlan, tier: Tier) -> Ticket:
        """Put the plan into the queue in the caller's name."""
        with self._database.transaction() as session:
            request = request_approval(session, plan, tier, self._principal.hands, self.thread_id)
            released = release_if_policy_does(session, request)
            lacks = missing(needed_of(request), [])
            return Ticket(
                str(request.approval_id),
                request.tier,
                request.expires_at.isoformat(timespec="minutes"),
                words_of(self._principal, lacks) if len(lacks) > 1 else "",
                active_policy(session).label if isinstance(released, Decided) else None,
            )

    def decision(self, approval_id: str) -> DecisionView:
        """The decision as it is recorded."""
        with self._database.transaction() as session:
            asked = request = get_request(session, UUID(approval_id))
            while (successor := request.superseded_by) is not None:
                request = get_request(session, successor)
            decision = session.get(Decision, request.approval_id)
            reason = decision.rejection if decision else None
            rejection = None if reason is None else Rejection.model_validate(reason, strict=False)
            decided_by = decision.decided_by if decision else None
            if request is asked:
                return DecisionView(request.status.value, decided_by, rejection)
            return DecisionView(
                request.status.value, decided_by, rejection, str(request.approval_id), request.plan_digest
            )

    def carry_out(self, approval_id: str) -> tuple[OrderView, ...]:
        """Release the orders of an approved plan; nothing for any other."""
        with self._database.transaction() as session:
            orders = release_orders(session, UUID(approval_id))
            return tuple(OrderView(str(order.transfer_id), order.line_no, order.state) for order in orders)

    def now(self) -> datetime:
        """The database's clock."""
        with self._database.transaction() as session:
            return database_now(session)

    def plans_named(self, start: str) -> tuple[TransferPlan, ...]:
        """Stored plans whose id begins so, within the caller's sites; two at most."""
        with self._database.transaction() as session:
            return plans_named(session, self._principal, start)

    def queue(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Requests that touch the caller's sites."""
        with self._database.transaction() as session:
            return approval_rows(session, self._principal, wanted)

    def orders(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Orders that touch the caller's sites."""
        with self._database.transaction() as session:
            return order_rows(session, self._principal, wanted)

    def workload(self, sites: tuple[str, ...]) -> Workload:
        """What waits and what is under way at sites of the caller's."""
        with self._database.transaction() as session:
            return workload(session, self._principal, sites)

    def tell(self, step: str, detail: str) -> None:
        """News for whoever watches the run."""
        self._tell(step, detail)
