"""The tools a model is offered: each reads, asks what-if, or forms a plan request. None of them writes.

A tool is a name, a sentence, a strict argument schema and a call on the desk. What
the desk answers is plain JSON, limited in size, cut to the caller's sites, and says
as of when it is true. Names of SKUs and sites come in as the caller wrote them; the
desk resolves them or says what comes nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=80)]
Names = Annotated[tuple[Name, ...], Field(max_length=200)]


class Arguments(BaseModel):
    """Arguments of a tool: nothing unknown, nothing coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Imbalances(Arguments):
    """Find where stock is short, over, about to expire or stranded, the costliest first."""

    kinds: tuple[Annotated[str, Field(pattern="^(shortage|surplus|expiring|stranded)$")], ...] = ()
    mentions: Names = Field(default=(), description="SKUs, sites or categories to look at, as the user named them")
    limit: Annotated[int, Field(ge=1, le=50)] = 10


class Coverage(Arguments):
    """Stock, demand, target and days of cover of SKUs at sites."""

    mentions: Names = Field(min_length=1, description="SKUs and sites, as the user named them")
    limit: Annotated[int, Field(ge=1, le=50)] = 20


class ProposePlan(Arguments):
    """Form a plan request. The solver finds the lines, the checker checks them; nothing is sent for approval."""

    mentions: Names = Field(default=(), description="SKUs, sites or categories; empty means the whole network")
    from_sites: Names = ()
    to_sites: Names = ()
    without: Names = Field(default=(), description="SKUs or sites that must stay out")
    closed_lanes: Annotated[tuple[Name, ...], Field(max_length=50)] = Field(
        default=(), description="lanes that cannot be used, each as ORIGIN->DESTINATION"
    )
    within_days: Annotated[int, Field(ge=0, le=365)] | None = None
    lines_max: Annotated[int, Field(ge=0, le=10_000)] | None = None
    units_max: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    transport_budget: Annotated[int, Field(ge=0, le=10**9)] | None = Field(
        default=None, description="most to spend on moving, in whole currency units"
    )
    emergency_rescue: bool = Field(
        default=False,
        description="true only when the user speaks of an emergency or a rescue: only sites that will very likely run out"
        " are served, and donors may go below what they ordinarily keep; policy decides whether and for whom",
    )


class WhatIf(Arguments):
    """Compare the plan as things are with the plan as they would be. Nothing is kept."""

    mentions: Names = ()
    closed_lanes: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    without: Names = ()
    demand_percent: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="demand as a percentage of the forecast: 120 means a fifth more"
    )
    supply_delay_days: Annotated[int, Field(ge=0, le=365)] | None = None
    service_level_percent: Annotated[int, Field(ge=50, le=99)] | None = None
    transport_budget: Annotated[int, Field(ge=0, le=10**9)] | None = None


class ExplainLine(Arguments):
    """Why a line is in the current plan, what it costs, and the risk at both ends without it."""

    line_no: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="a line of the current plan; none means the most valuable one"
    )


class ExplainBlocked(Arguments):
    """Why a site does not get a SKU, or not enough of it: what is in the way, what relaxing it is worth, or what it lacks in money."""

    mentions: Names = Field(min_length=1, description="the SKU and the site; one alone means its costliest shortage")
    units_wanted: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="how many the site should get; none means what it is short of"
    )
    within_days: Annotated[int, Field(ge=0, le=365)] | None = None


class Status(Arguments):
    """What waits for a decision, and where transfer orders stand."""

    limit: Annotated[int, Field(ge=1, le=50)] = 10


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

    def explain_blocked(self, arguments: ExplainBlocked) -> Mapping[str, Any]:
        """What keeps a site from getting a SKU."""

    def status(self, arguments: Status) -> Mapping[str, Any]:
        """The queue and the orders."""

    def policy(self, arguments: PolicyInWords) -> Mapping[str, Any]:
        """The policy in words."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One entry of the catalogue. `answer` is None for requests: the graph acts on those itself."""

    name: str
    arguments: type[Arguments]
    reach: Reach
    answer: Callable[[Desk, Any], Mapping[str, Any]] | None

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


CATALOG: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("find_imbalances", Imbalances, Reach.READ, lambda desk, arguments: desk.imbalances(arguments)),
        Tool("coverage", Coverage, Reach.READ, lambda desk, arguments: desk.coverage(arguments)),
        Tool("what_if", WhatIf, Reach.WHAT_IF, lambda desk, arguments: desk.what_if(arguments)),
        Tool("explain_line", ExplainLine, Reach.READ, lambda desk, arguments: desk.explain_line(arguments)),
        Tool("explain_blocked", ExplainBlocked, Reach.READ, lambda desk, arguments: desk.explain_blocked(arguments)),
        Tool("status", Status, Reach.READ, lambda desk, arguments: desk.status(arguments)),
        Tool("policy", PolicyInWords, Reach.READ, lambda desk, arguments: desk.policy(arguments)),
        Tool("propose_plan", ProposePlan, Reach.REQUEST, None),
        Tool("submit_plan", SubmitPlan, Reach.REQUEST, None),
    )
}
