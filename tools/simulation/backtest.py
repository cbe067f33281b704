"""The backtest: every rule on the same cycles, ours with knobs fitted on others, as a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tools.demand import FloatArray
from tools.simulation.approval import TopLines
from tools.simulation.cycle import Cycle
from tools.simulation.foresight import foresight_cost, foresight_lost
from tools.simulation.knobs import AS_PLANNED, LANE_DAYS, Fold, fit
from tools.simulation.metrics import Score, score
from tools.simulation.model import Outcome, Rule, no_transfers, play
from tools.simulation.optimised import FullHorizon, Knobs, Ours, mean_demand
from tools.simulation.report import Backtest, RuleResult, Stress
from tools.simulation.thumb import by_availability, by_equalisation, largest_to_largest, nearest_surplus

OURS = "Evenkeel"
NOTHING = "no transfers"
PLANNER_RULES: dict[str, Rule] = {
    "nearest surplus": nearest_surplus,
    "largest to largest": largest_to_largest,
    "by availability (TBA)": by_availability,
    "by equalisation (TIE)": by_equalisation,
}
SOLVER_RULES: dict[str, Rule] = {
    "mean demand": mean_demand,
    "full horizon, every period": FullHorizon(),
    "full horizon, once": FullHorizon(once=True),
}
APPROVED_SHARES = (0.1, 0.25, 0.5, 0.75)
BIASES = (0.7, 1.3)
DELAY_PERIODS = 1


@dataclass(frozen=True)
class _Frame:
    """The scored cycles with what frames every rule: doing nothing, and foresight."""

    cycles: tuple[Cycle, ...]
    knobs: tuple[Knobs, ...]
    nothing: tuple[Outcome, ...]
    foresight: tuple[FloatArray, ...]

    @classmethod
    def of(cls, cycles: Sequence[Cycle], knobs: Sequence[Knobs]) -> _Frame:
        idle = tuple(play(cycle, no_transfers) for cycle in cycles)
        return cls(tuple(cycles), tuple(knobs), idle, tuple(foresight_cost(cycle) for cycle in cycles))

    def scored(self, rule_for: Callable[[Knobs], Rule], seen: Callable[[Cycle], Cycle] = lambda cycle: cycle) -> Score:
        """The score of the rule that the knobs of each cycle make; `seen` changes what the rule is told of a cycle."""
        outcomes = [play(seen(each), rule_for(knobs)) for each, knobs in zip(self.cycles, self.knobs, strict=True)]
        return score(self.cycles, outcomes, self.nothing, self.foresight)


def backtest(
    title: str, folds: Sequence[Fold], *, stressed: bool = True, rules: Mapping[str, Rule] | None = None
) -> Backtest:
    """Play every rule on the scored cycles of the folds, ours with the knobs that are best on the cycles held out.

    `stressed` adds partial approval, a delay of one period and biased forecasts for our
    rule; `rules` replaces the alternatives. Raises ValueError without folds.
    """
    if not folds:
        raise ValueError("a backtest needs at least one fold")
    costly = any(cycle.lanes.cost_days for fold in folds for cycle in fold.scored)
    fitted = [fit(fold.held_out, LANE_DAYS if costly else AS_PLANNED) for fold in folds]
    frame = _Frame.of(
        [cycle for fold in folds for cycle in fold.scored],
        [knobs for fold, knobs in zip(folds, fitted, strict=True) for _ in fold.scored],
    )
    others = (PLANNER_RULES | SOLVER_RULES) if rules is None else rules
    results = [RuleResult(OURS, frame.scored(Ours)), RuleResult(NOTHING, frame.scored(_always(no_transfers)))]
    results += [RuleResult(name, frame.scored(_always(rule))) for name, rule in others.items()]
    lost = sum(int(foresight_lost(cycle).sum()) for cycle in frame.cycles)
    return Backtest(
        title=title,
        cycles=len(frame.cycles),
        instances=sum(cycle.skus for cycle in frame.cycles),
        knobs=tuple(dict.fromkeys(fitted)),
        results=tuple(results),
        foresight_cost=float(sum(each.sum() for each in frame.foresight)),
        foresight_fill_rate=1.0 - lost / max(results[0].score.demanded_units, 1),
        stress=_stress(frame) if stressed else None,
    )


def _always(rule: Rule) -> Callable[[Knobs], Rule]:
    return lambda _: rule


def _stress(frame: _Frame) -> Stress:
    def top(share: float) -> Score:
        return frame.scored(lambda knobs: TopLines(Ours(knobs), share))

    def misjudged(factor: float) -> Score:
        return frame.scored(Ours, lambda cycle: cycle.misjudged(factor))

    return Stress(
        approved=tuple((share, top(share)) for share in APPROVED_SHARES),
        delayed=frame.scored(Ours, lambda cycle: cycle.delayed(DELAY_PERIODS)),
        biased=tuple((factor, misjudged(factor)) for factor in BIASES),
    )
