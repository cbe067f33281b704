"""The tools a model is offered: each reads, asks what-if, or forms a plan request. None of them writes.

A tool is a name, a sentence, a strict argument schema and a call on the desk. What
the desk answers is plain JSON, limited in size, cut to the caller's sites, and says
as of when it is true. Names of SKUs and sites come in as the caller wrote them; the
desk resolves them or says what comes nearest. Tools that solve cost time: `calls_max`
says how often one run may ask them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.execution import OrderState

NAME_PATTERN = r"^[ -~\u00c0-\u012f\u0132-\u017e\u2192]+$"
"""Printable ASCII, Latin letters with accents, and the arrow of a lane: no look-alikes from other scripts, nothing unseen."""
PLAN_PATTERN = r"^[0-9a-f]{8,64}$"

Name = Annotated[str, Field(min_length=1, max_length=80, pattern=NAME_PATTERN)]
Names = Annotated[tuple[Name, ...], Field(max_length=200)]
Lanes = Annotated[tuple[Name, ...], Field(max_length=50)]
PlanName = Annotated[str, Field(pattern=PLAN_PATTERN, description="the first 8 or more characters of a plan's id")]
Limit = Annotated[int, Field(ge=1, le=50)]
Offset = Annotated[int, Field(ge=0, le=1_000_000, description="rows to pass over, to see what follows the rows shown")]
WholeMoney = Annotated[int, Field(ge=0, le=10**9)]
LinesMax = Annotated[int, Field(ge=0, le=10_000)]
UnitsMax = Annotated[int, Field(ge=0, le=1_000_000_000)]
Days = Annotated[int, Field(ge=0, le=365)]

_LANES = "lanes that cannot be used, each as ORIGIN->DESTINATION, or ORIGIN->DESTINATION by MODE for one mode only"
_BUDGET = "most to spend on moving, in whole currency units"


class Arguments(BaseModel):
    """Arguments of a tool: nothing unknown, nothing coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Imbalances(Arguments):
    """Find where stock is short, over, about to expire or stranded, the costliest first unless ranked otherwise."""

    kinds: Annotated[tuple[Literal["shortage", "surplus", "expiring", "stranded"], ...], Field(max_length=4)] = ()
    mentions: Names = Field(default=(), description="SKUs, sites or categories to look at, as the user named them")
    at_stake_min: WholeMoney = Field(default=0, description="least money at stake, in whole currency units")
    rank_by: Literal["at_stake", "days_of_cover", "units"] = Field(
        default="at_stake", description="at_stake: most money first; days_of_cover: shortest first; units: most first"
    )
    limit: Limit = 10
    offset: Offset = 0


class Coverage(Arguments):
    """Stock, demand, target and days of cover of SKUs at sites, the shortest cover first, and what they come to together."""

    mentions: Names = Field(min_length=1, description="SKUs and sites, as the user named them")
    days_of_cover_max: Annotated[int, Field(ge=0, le=3650)] | None = Field(
        default=None, description="only what lasts so many days at most"
    )
    limit: Limit = 20
    offset: Offset = 0


class ProposePlan(Arguments):
    """Form a plan request. The solver finds the lines, the checker checks them; nothing is sent for approval."""

    mentions: Names = Field(default=(), description="SKUs, sites or categories; empty means the whole network")
    from_sites: Names = ()
    to_sites: Names = ()
    without: Names = Field(default=(), description="SKUs or sites that must stay out")
    closed_lanes: Lanes = Field(default=(), description=_LANES)
    within_days: Days | None = Field(default=None, description="everything arrives within so many days")
    lines_max: LinesMax | None = None
    units_max: UnitsMax | None = None
    transport_budget: WholeMoney | None = Field(default=None, description=_BUDGET)
    emergency_rescue: bool = Field(
        default=False,
        description="true only when the user speaks of an emergency or a rescue: only sites that will very likely run out"
        " are served, and donors may go below what they ordinarily keep; policy decides whether and for whom",
    )


class WhatIf(Arguments):
    """Compare the plan as things are with the plan as they would be. Nothing is kept."""

    mentions: Names = Field(default=(), description="SKUs, sites or categories to plan; empty means the whole network")
    closed_lanes: Lanes = Field(default=(), description=_LANES)
    without: Names = Field(default=(), description="SKUs or sites that are frozen: nothing of them moves")
    demand_percent: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="demand as a percentage of the forecast: 120 means a fifth more"
    )
    demand_of: Names = Field(
        default=(),
        description="SKUs, sites or categories whose demand changes by demand_percent; empty means everywhere",
    )
    supply_delay_days: Days | None = Field(default=None, description="open purchase orders come so much later")
    supply_delay_of: Names = Field(
        default=(),
        description="SKUs, sites or categories whose purchase orders come later; a SKU and a site mean that SKU at that"
        " site; empty means every purchase order",
    )
    service_level_percent: Annotated[int, Field(ge=50, le=99)] | None = None
    transport_budget: WholeMoney | None = Field(default=None, description=_BUDGET)
    lines_max: LinesMax | None = None
    units_max: UnitsMax | None = None

    @model_validator(mode="after")
    def _says_how_demand_and_supply_change(self) -> Self:
        if self.demand_of and self.demand_percent is None:
            raise ValueError("demand_of says whose demand changes; say by demand_percent how much it will be")
        if self.supply_delay_of and self.supply_delay_days is None:
            raise ValueError("supply_delay_of says whose supply is late; say by supply_delay_days how late it is")
        return self


class ExplainLine(Arguments):
    """Why a line is in the current plan, what it costs, and the risk at both ends without it."""

    line_no: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="a line of the plan; none means the most valuable one"
    )
    plan: PlanName | None = Field(default=None, description="another plan than the current one, by the start of its id")


class ExplainPlan(Arguments):
    """Why a plan has these lines, what binds it, what it costs and saves, how good it is, and what it leaves behind."""

    plan: PlanName | None = Field(default=None, description="another plan than the current one, by the start of its id")
    limit: Annotated[int, Field(ge=1, le=10, description="so many lines, the most valuable, are explained")] = 3


class ComparePlans(Arguments):
    """What differs between two plans, by line and in money. Without names: the current plan and the one before it."""

    plan: PlanName | None = Field(
        default=None, description="the one plan, by the start of its id; none: the current one"
    )
    other: PlanName | None = Field(
        default=None, description="the other, by the start of its id; none: the one before in this conversation"
    )
    limit: Annotated[int, Field(ge=1, le=20, description="so many of the lines that differ, the most valuable")] = 10


class ExplainNegotiation(Arguments):
    """How a plan was negotiated: who claimed the same stock and bid for it, how that was settled, and what limits cost."""

    plan: PlanName | None = Field(default=None, description="another plan than the current one, by the start of its id")


class ExplainBlocked(Arguments):
    """Why a site does not get a SKU, or not enough of it: what is in the way, what relaxing it is worth, or what it lacks in money."""

    mentions: Names = Field(min_length=1, description="the SKU and the site; one alone means its costliest shortage")
    units_wanted: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="how many the site should get; none means what it is short of"
    )
    within_days: Days | None = None


class SignalQuality(Arguments):
    """Which stock figures are too bad or too old to plan on, at which sites, and why."""

    mentions: Names = Field(default=(), description="SKUs, sites or categories; empty means everything")
    limit: Limit = 10
    offset: Offset = 0


class Status(Arguments):
    """What waits for a decision or was decided, and where transfer orders stand."""

    about: Literal["all", "approvals", "orders"] = "all"
    approval_statuses: Annotated[
        tuple[Literal["pending", "approved", "rejected", "expired", "outrun", "withdrawn"], ...], Field(max_length=6)
    ] = Field(default=("pending",), description="approval requests in these states; pending ones wait for a decision")
    order_states: Annotated[tuple[OrderState, ...], Field(max_length=11)] = Field(
        default=(), description="transfer orders in these states; empty means any"
    )
    sites: Names = Field(default=(), description="only what touches one of these sites")
    mine: bool = Field(default=False, description="true: only what the user has asked for themselves")
    limit: Limit = 10


class Kpis(Arguments):
    """Key figures with their definitions: expected fill rate, stock-outs, coverage, value in excess, approvals, orders."""

    mentions: Names = Field(default=(), description="SKUs, sites or categories; empty means all of the user's sites")


class PolicyInWords(Arguments):
    """What the policy in force says."""


class SubmitPlan(Arguments):
    """Send the current plan of this conversation to the approvers. It moves nothing; people decide."""


class Reach(StrEnum):
    """What a tool may lead to. A WRITE does not exist here."""

    READ = "read"
    WHAT_IF = "what_if"
    REQUEST = "request"


class Desk(Protocol):
    """Where the tools get their answers: facts, policy and plans, cut to what the caller may see."""

    def imbalances(self, arguments: Imbalances) -> Mapping[str, Any]:
        """Imbalances, the costliest first."""

    def coverage(self, arguments: Coverage) -> Mapping[str, Any]:
        """Stock against demand and target."""

    def what_if(self, arguments: WhatIf) -> Mapping[str, Any]:
        """Two plans side by side."""

    def explain_line(self, arguments: ExplainLine) -> Mapping[str, Any]:
        """A line of the current plan, explained."""

    def explain_plan(self, arguments: ExplainPlan) -> Mapping[str, Any]:
        """A plan as a whole, explained."""

    def compare_plans(self, arguments: ComparePlans) -> Mapping[str, Any]:
        """What differs between two plans."""

    def explain_negotiation(self, arguments: ExplainNegotiation) -> Mapping[str, Any]:
        """How a plan was negotiated."""

    def explain_blocked(self, arguments: ExplainBlocked) -> Mapping[str, Any]:
        """What keeps a site from getting a SKU."""

    def signal_quality(self, arguments: SignalQuality) -> Mapping[str, Any]:
        """What is held back for bad data, and what is too old."""

    def kpis(self, arguments: Kpis) -> Mapping[str, Any]:
        """Key figures with their definitions."""

    def status(self, arguments: Status) -> Mapping[str, Any]:
        """The queue and the orders."""

    def policy(self, arguments: PolicyInWords) -> Mapping[str, Any]:
        """The policy in words."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One entry of the catalogue. `answer` is None for requests: the graph acts on those itself.

    `calls_max` is how often one run may call it; None where only the run's own limits count.
    """

    name: str
    arguments: type[Arguments]
    reach: Reach
    answer: Callable[[Desk, Any], Mapping[str, Any]] | None
    calls_max: int | None = None

    @property
    def description(self) -> str:
        """What the tool does, in one or two sentences."""
        return (self.arguments.__doc__ or "").strip()

    def schema(self) -> dict[str, Any]:
        """The tool in the form that chat completion APIs take."""
        parameters = self.arguments.model_json_schema()
        parameters.pop("description", None)
        parameters.pop("title", None)
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        }


SOLVING_CALLS_MAX = 5
"""A tool that solves may be asked so often in one run: each call takes as long as a plan or two."""

CATALOG: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("find_imbalances", Imbalances, Reach.READ, lambda desk, arguments: desk.imbalances(arguments)),
        Tool("coverage", Coverage, Reach.READ, lambda desk, arguments: desk.coverage(arguments)),
        Tool("what_if", WhatIf, Reach.WHAT_IF, lambda desk, arguments: desk.what_if(arguments), SOLVING_CALLS_MAX),
        Tool("explain_line", ExplainLine, Reach.READ, lambda desk, arguments: desk.explain_line(arguments)),
        Tool("explain_plan", ExplainPlan, Reach.READ, lambda desk, arguments: desk.explain_plan(arguments)),
        Tool("compare_plans", ComparePlans, Reach.READ, lambda desk, arguments: desk.compare_plans(arguments)),
        Tool(
            "explain_negotiation", ExplainNegotiation, Reach.READ,
            lambda desk, arguments: desk.explain_negotiation(arguments),
        ),
        Tool(
            "explain_blocked", ExplainBlocked, Reach.READ,
            lambda desk, arguments: desk.explain_blocked(arguments), SOLVING_CALLS_MAX,
        ),
        Tool("signal_quality", SignalQuality, Reach.READ, lambda desk, arguments: desk.signal_quality(arguments)),
        Tool("status", Status, Reach.READ, lambda desk, arguments: desk.status(arguments)),
        Tool("kpis", Kpis, Reach.READ, lambda desk, arguments: desk.kpis(arguments)),
        Tool("policy", PolicyInWords, Reach.READ, lambda desk, arguments: desk.policy(arguments)),
        Tool("propose_plan", ProposePlan, Reach.REQUEST, None),
        Tool("submit_plan", SubmitPlan, Reach.REQUEST, None),
    )
}  # fmt: skip
