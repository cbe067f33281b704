"""Everything a node may touch comes in through one context object: this one.

`app` implements it for the caller of a run. Nodes hold no connection, no clock and
no credential, and there is exactly one method that leads to a posting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from langchain_core.messages import AIMessage, BaseMessage

from graphs.grounding import Gate
from policies.rules import Facts
from policies.schema import Tier
from tools.execution import OrderState
from tools.inventory import Snapshot
from tools.kpis import Workload
from tools.planning import Limits, Solution
from tools.rejections import Rejection
from tools.transfers import PlanRequest, TransferPlan

BASELINE = "baseline"
"""The name of what answers where no vendor's llm does."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a run works, and what they may see. `sites` None means all."""

    user_id: str
    sites: frozenset[str] | None
    sees_sensitive: bool


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The most that one run may use. Money is in ten-thousandths of a unit of the llm vendor's currency.

    Of a conversation with more than `memory_characters_max` the llm is sent the last turns and a summary.
    """

    llm_calls_max: int
    tool_calls_max: int
    tokens_max: int
    seconds_max: int
    money_e4_max: int
    memory_characters_max: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What the llm said, and what the caller should know about how it came to say it.

    `llm` is the vendor's model name or `baseline`; the baseline has no temperature.
    """

    message: AIMessage
    notice: str | None = None
    llm: str = BASELINE
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the vendor's llm said to a question beside the conversation. No message: it was not asked, or `failure`."""

    message: AIMessage | None
    llm: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An approval request as far as the graph needs to know it.

    `signatures`: in words, what has to be signed beyond one approver. `released_by`: the
    policy that has released the plan without asking anybody.
    """

    approval_id: str
    tier: str
    expires_at: str
    signatures: str = ""
    released_by: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionView:
    """Where an approval request stands: its status, who decided, and the reason of a rejection.

    Where the plan was edited it is the request for the edited plan that stands there: then it and that plan are named.
    """

    status: str
    decided_by: str | None
    rejection: Rejection | None
    successor: str | None = None
    successor_plan: str | None = None


@dataclass(frozen=True, slots=True)
class OrderView:
    """A transfer order as the reporter tells it."""

    transfer_id: str
    line_no: int
    state: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which approval requests and transfer orders a question is about, `limit` of each at most.

    No `order_states` means any, no `sites` all that the caller may see; `mine` what the caller asked for.
    """

    limit: int
    approval_statuses: tuple[str, ...] = ("pending",)
    order_states: tuple[OrderState, ...] = ()
    sites: tuple[str, ...] = ()
    mine: bool = False


class World(Protocol):
    """What nodes may ask for. Every method may be called twice for the same step."""

    @property
    def caller(self) -> Caller:
        """On whose behalf this run works."""

    @property
    def limits(self) -> RunLimits:
        """What this run may use."""

    @property
    def thread_id(self) -> str:
        """The thread this run belongs to."""

    def facts(self) -> Facts:
        """The facts, the policy and the kill switch of now, cut to the caller's sites."""

    def facts_of(self, plan: TransferPlan) -> Facts:
        """The same with the snapshot that the plan was made on."""

    def reply(self, messages: Sequence[BaseMessage], schemas: Sequence[dict[str, Any]], gate: Gate) -> Reply:
        """What the llm says next; the baseline answers where no vendor is configured or reachable.

        Whoever watches the run sees of it, while it is said, what the gate lets through, and no more.
        """

    def consult(self, messages: Sequence[BaseMessage], schema: dict[str, Any]) -> Opinion:
        """What the vendor's llm says to one question beside the conversation, within seconds; no baseline stands in for it."""

    def solve(self, snapshot: Snapshot, limits: Limits, request: PlanRequest) -> Solution:
        """The solver: a large request may be worked out by several processes."""

    def store_plan(self, plan: TransferPlan, negotiation: dict[str, Any], asked: dict[str, Any] | None = None) -> None:
        """Keep a plan under its digest, with the record of how it came about and who asked for it."""

    def with_standing_reasons(self, request: PlanRequest) -> PlanRequest:
        """The request with what was lately rejected in this thread left out, as far as policy has reasons stand."""

    def plan(self, digest: str) -> TransferPlan:
        """A plan that was stored."""

    def negotiation(self, digest: str) -> dict[str, Any]:
        """The negotiation record of a plan; empty without one."""

    def request_approval(self, plan: TransferPlan, tier: Tier) -> Ticket:
        """Put the plan into the queue in the caller's name."""

    def decision(self, approval_id: str) -> DecisionView:
        """The decision as it is recorded, which is all that counts."""

    def carry_out(self, approval_id: str) -> tuple[OrderView, ...]:
        """Release the transfer orders of an approved plan to the ERP. Only the executor node calls this."""

    def now(self) -> datetime:
        """The instant that expiry and ages are reckoned from."""

    def plans_named(self, start: str) -> tuple[TransferPlan, ...]:
        """Stored plans whose id begins so and whose sites are all the caller's; two at most."""

    def queue(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Approval requests that touch the caller's sites, the most valuable first."""

    def orders(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Transfer orders that touch the caller's sites, the newest first."""

    def workload(self, sites: tuple[str, ...]) -> Workload:
        """What waits and what is under way at these sites of the caller's, or at all of theirs."""

    def tell(self, step: str, detail: str) -> None:
        """Let whoever watches the run know what happens."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a run brings along and no checkpoint keeps: LangGraph wants a dataclass round the world."""

    world: World
