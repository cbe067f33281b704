"""The optimiser. One door: `solve(snapshot, limits, request) -> Solution`; `make_plan` turns its answer into a plan.

Behind the door: `table` values packs and prunes; `exact` is the audited PuLP formulation
for HiGHS; `fast` plans large requests by a flow per SKU (`flow`) under prices (`bound`),
and refuses arrays that mean nothing (`checks`). Beside them, sharing nothing with them,
`evaluate` and `breaches` recompute every cost and constraint from the moves alone.
`replan` solves what is touched, `blocked` says why a wish cannot be met.
"""

from tools.planning.evaluate import Evaluation, evaluate
from tools.planning.limits import Limits
from tools.planning.plan import UnsoundSolutionError, fill_rate, make_plan, moves_of
from tools.planning.solution import Move, Solution
from tools.planning.solve import Planner, solve

__all__ = [
    "Evaluation",
    "Limits",
    "Move",
    "Planner",
    "Solution",
    "UnsoundSolutionError",
    "evaluate",
    "fill_rate",
    "make_plan",
    "moves_of",
    "solve",
]
