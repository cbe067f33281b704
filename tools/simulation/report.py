"""The result of a backtest as a value, as a document for machines and as a table for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tools.simulation.metrics import Score
from tools.simulation.optimised import Knobs

HEADINGS = (
    "rule", "total cost", "of ours", "transfers", "lost units", "fill rate", "gap closed", "95 %", "turns", "went back"
)  # fmt: skip


@dataclass(frozen=True)
class RuleResult:
    """A rule and its score."""

    rule: str
    score: Score


@dataclass(frozen=True)
class Stress:
    """Our rule when people and forecasts fall short.

    `approved`: only this share of the lines of every plan, the most valuable first.
    `delayed`: every transfer one period later. `biased`: every forecast times the factor.
    """

    approved: tuple[tuple[float, Score], ...]
    delayed: Score
    biased: tuple[tuple[float, Score], ...]


@dataclass(frozen=True)
class Backtest:
    """All rules on the same cycles; the first result is ours, the second doing nothing."""

    title: str
    cycles: int
    instances: int
    knobs: tuple[Knobs, ...]
    results: tuple[RuleResult, ...]
    foresight_cost: float
    foresight_fill_rate: float
    stress: Stress | None

    @property
    def ours(self) -> Score:
        """The score of our rule."""
        return self.results[0].score

    @property
    def nothing(self) -> Score:
        """The score of leaving everything where it is."""
        return self.results[1].score

    def of(self, rule: str) -> Score:
        """The score of a rule by its name. Raises KeyError."""
        return {result.rule: result.score for result in self.results}[rule]

    def to_document(self) -> dict[str, Any]:
        """The report as plain JSON values; money and ratios rounded."""
        document = {
            "title": self.title,
            "cycles": self.cycles,
            "instances": self.instances,
            "knobs_fitted_on_other_cycles": [asdict(knobs) for knobs in self.knobs],
            "rules": [{"rule": result.rule} | score_document(result.score) for result in self.results],
            "foresight": {"total_cost": round(self.foresight_cost, 2), "fill_rate": round(self.foresight_fill_rate, 6)},
        }
        if self.stress is not None:
            document["stress"] = {
                "approved_share": [{"share": s} | score_document(found) for s, found in self.stress.approved],
                "one_period_later": score_document(self.stress.delayed),
                "forecast_factor": [{"factor": f} | score_document(found) for f, found in self.stress.biased],
            }
        return document

    def rows(self) -> list[tuple[str, ...]]:
        """The table under `HEADINGS`, foresight last."""
        ours = self.ours.total_cost
        rows = [_row(result.rule, result.score, ours) for result in self.results]
        ratio = f"{self.foresight_cost / ours:.3f}" if ours else "–"
        fill = f"{self.foresight_fill_rate:.2%}"
        rows.append(("perfect foresight", f"{self.foresight_cost:,.0f}", ratio, "", "", fill, "1.000", "", "", ""))
        return rows

    def stress_rows(self) -> list[tuple[str, ...]]:
        """Our rule under stress, under the same headings; nothing where it was not asked for."""
        if self.stress is None:
            return []
        ours = self.ours.total_cost
        rows = [_row(f"best {share:.0%} of lines approved", found, ours) for share, found in self.stress.approved]
        rows.append(_row("every transfer a period later", self.stress.delayed, ours))
        rows += [_row(f"forecasts {factor - 1:+.0%}", found, ours) for factor, found in self.stress.biased]
        return rows


def score_document(score: Score) -> dict[str, Any]:
    """A score as plain JSON values."""
    document = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(score).items()}
    document["interval"] = None if score.interval is None else [round(end, 6) for end in score.interval]
    return document | {"reversed_share": round(score.reversed_share, 6)}


def _row(name: str, score: Score, ours: float) -> tuple[str, ...]:
    interval = "–" if score.interval is None else f"{score.interval[0]:.2f} to {score.interval[1]:.2f}"
    return (
        name,
        f"{score.total_cost:,.0f}",
        f"{score.total_cost / ours:.3f}" if ours else "–",
        f"{score.transfer_cost + score.lane_cost:,.0f}",
        f"{score.lost_units:,}",
        f"{score.fill_rate:.2%}",
        f"{score.foresight_gap_closed:.3f}",
        interval,
        f"{score.turns:.2f}",
        f"{score.reversed_share:.2%}",
    )
