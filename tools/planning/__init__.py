"""The optimiser. One door: `solve(snapshot, limits, request) -> Solution`; `make_plan` turns its answer into a plan.

Behind the door: `instance` values packs and prunes, `exact` is the audited PuLP
formulation for HiGHS. Beside it, sharing nothing with them, `evaluate` and
`breaches` recompute every cost and constraint from the moves alone.
"""

from tools.planning.evaluate import Evaluation, evaluate
from tools.planning.limits import Limits
from tools.planning.plan import UnsoundSolutionError, fill_rate, make_plan, moves_of
from tools.planning.solution import Move, Solution
from tools.planning.solve import solve

__all__ = [
    "Evaluation",
    "Limits",
    "Move",
    "Solution",
    "UnsoundSolutionError",
    "evaluate",
    "fill_rate",
    "make_plan",
    "moves_of",
    "solve",
]
