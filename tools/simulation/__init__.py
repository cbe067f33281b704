"""Simulation: how good rules for transfers are over whole order cycles, before anybody follows them.

A cycle is played period by period under every rule on the same demand; knobs are fitted
on other cycles than those that are scored.
"""

from tools.simulation.backtest import NOTHING, OURS, PLANNER_RULES, SOLVER_RULES, backtest
from tools.simulation.cycle import Cycle, Lanes
from tools.simulation.history import SkuCosts, cycles_of
from tools.simulation.knobs import AS_PLANNED, LANE_DAYS, NEAR_HORIZONS, Fold, crossed, fit
from tools.simulation.metrics import Score
from tools.simulation.model import Outcome, Rule, no_transfers, play
from tools.simulation.optimised import NEAR_HORIZON, FullHorizon, Knobs, Ours, mean_demand
from tools.simulation.plot import cost_against_fill
from tools.simulation.report import HEADINGS, Backtest, RuleResult
from tools.simulation.sources import Generator, generated

__all__ = [
    "AS_PLANNED",
    "HEADINGS",
    "LANE_DAYS",
    "NEAR_HORIZON",
    "NEAR_HORIZONS",
    "NOTHING",
    "OURS",
    "PLANNER_RULES",
    "SOLVER_RULES",
    "Backtest",
    "Cycle",
    "Fold",
    "FullHorizon",
    "Generator",
    "Knobs",
    "Lanes",
    "Ours",
    "Outcome",
    "Rule",
    "RuleResult",
    "Score",
    "SkuCosts",
    "backtest",
    "cost_against_fill",
    "crossed",
    "cycles_of",
    "fit",
    "generated",
    "mean_demand",
    "no_transfers",
    "play",
]
