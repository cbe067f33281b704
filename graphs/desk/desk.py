"""The desk: where the catalogue's tools get their answers for one caller and one thread."""

from __future__ import annotations

from typing import Any

from graphs.desk.plans import PlanAnswers
from graphs.desk.seen import Seen
from graphs.desk.service import ServiceAnswers
from graphs.desk.stock import StockAnswers
from graphs.desk.what_ifs import WhatIfAnswers
from graphs.names import Names
from graphs.world import World
from policies.leaving import LeftBehind
from tools.catalog import (
    ComparePlans,
    Coverage,
    ExplainBlocked,
    ExplainLine,
    ExplainNegotiation,
    ExplainPlan,
    Imbalances,
    Kpis,
    PolicyInWords,
    ProposePlan,
    SignalQuality,
    Status,
    WhatIf,
)
from tools.transfers import PlanRequest, TransferPlan


class AtDesk:
    """Answers for one caller. Implements `tools.catalog.Desk`: what there is to it stands in the modules beside this one."""

    def __init__(self, world: World, plan_digest: str | None, thread_plans: tuple[str, ...] = ()) -> None:
        self._seen = Seen(world, plan_digest, thread_plans)
        self._stock = StockAnswers(self._seen)
        self._plans = PlanAnswers(self._seen)
        self._what_ifs = WhatIfAnswers(self._seen)
        self._service = ServiceAnswers(self._seen)

    @property
    def names(self) -> Names:
        """The names that this caller may use and see."""
        return self._seen.names

    def words(self, text: str) -> str:
        """Words of rules and people as this caller may read them."""
        return self._seen.words(text)

    def imbalances(self, arguments: Imbalances) -> dict[str, Any]:
        """Imbalances, the costliest first."""
        return self._stock.imbalances(arguments)

    def coverage(self, arguments: Coverage) -> dict[str, Any]:
        """Stock against demand and target, the shortest cover first."""
        return self._stock.coverage(arguments)

    def signal_quality(self, arguments: SignalQuality) -> dict[str, Any]:
        """What is held back for bad data, and what is too old."""
        return self._stock.signal_quality(arguments)

    def what_if(self, arguments: WhatIf) -> dict[str, Any]:
        """The plan as things are beside the plan as they would be."""
        return self._what_ifs.what_if(arguments)

    def plan_request(self, arguments: ProposePlan) -> PlanRequest:
        """The plan request that the arguments stand for, within the caller's own sites. Raises UnclearError."""
        return self._what_ifs.plan_request(arguments)

    def explain_line(self, arguments: ExplainLine) -> dict[str, Any]:
        """A line of a plan, explained from the facts it was made on."""
        return self._plans.explain_line(arguments)

    def explain_plan(self, arguments: ExplainPlan) -> dict[str, Any]:
        """A plan as a whole, explained from the facts it was made on."""
        return self._plans.explain_plan(arguments)

    def compare_plans(self, arguments: ComparePlans) -> dict[str, Any]:
        """What differs between two plans."""
        return self._plans.compare_plans(arguments)

    def explain_negotiation(self, arguments: ExplainNegotiation) -> dict[str, Any]:
        """How a plan was negotiated."""
        return self._plans.explain_negotiation(arguments)

    def explain_blocked(self, arguments: ExplainBlocked) -> dict[str, Any]:
        """What keeps a site from getting a SKU."""
        return self._plans.explain_blocked(arguments)

    def left_behind(self, plan: TransferPlan) -> tuple[LeftBehind, ...]:
        """What had to leave one of the caller's sites with a plan and stays."""
        return self._plans.left_behind(plan)

    def current_plan(self) -> TransferPlan:
        """The plan of this conversation. Raises NothingToExplainError while there is none within the caller's sites."""
        return self._seen.current_plan()

    def status(self, arguments: Status) -> dict[str, Any]:
        """What waits, and where orders stand."""
        return self._service.status(arguments)

    def kpis(self, arguments: Kpis) -> dict[str, Any]:
        """Key figures with their definitions."""
        return self._service.kpis(arguments)

    def policy(self, arguments: PolicyInWords) -> dict[str, Any]:
        """The policy in force, in words."""
        return self._service.policy(arguments)
