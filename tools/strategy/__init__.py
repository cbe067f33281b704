"""The strategic horizon, weeks to months: levels by demand class and site, and where in the network stock belongs.

One door: `propose(view, rules, request) -> Strategy`. It is read only; nothing here changes a target.
"""

from __future__ import annotations

from tools.strategy.picture import curve_svg
from tools.strategy.propose import propose
from tools.strategy.requests import StrategyRequest, StrategyRules
from tools.strategy.results import (
    Aim,
    CurvePoint,
    EchelonRow,
    Echelons,
    LevelLine,
    LevelRow,
    Placed,
    PlacementLine,
    Standing,
    Strategy,
)

__all__ = [
    "Aim",
    "CurvePoint",
    "EchelonRow",
    "Echelons",
    "LevelLine",
    "LevelRow",
    "Placed",
    "PlacementLine",
    "Standing",
    "Strategy",
    "StrategyRequest",
    "StrategyRules",
    "curve_svg",
    "propose",
]
