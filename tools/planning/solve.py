"""The one door to the optimiser."""

from __future__ import annotations

from tools.inventory import Snapshot
from tools.planning.exact import solve_exactly
from tools.planning.instance import build_instance
from tools.planning.limits import Limits
from tools.planning.solution import Solution
from tools.transfers import PlanRequest
from tools.whatif import assumed

GAP_PPM = 5_000
"""The exact path stops when its plan is proven to be within 0.5 % of the best possible."""


def solve(snapshot: Snapshot, limits: Limits, request: PlanRequest, gap_ppm: int = GAP_PPM) -> Solution:
    """The best transfers for a request: deterministic, and the same for the same facts, limits and request.

    `limits` must be derived from the same snapshot and request. The solution's status
    says what was proven; only `optimal` claims optimality.
    """
    facts = assumed(snapshot, request.overlays)
    return solve_exactly(build_instance(facts, limits, request), facts, limits, request, gap_ppm)
