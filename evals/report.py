"""The report: a table for people, one JSON document for machines, and the word of the gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.scenario import Verdict

ORACLE_SHARE_MIN = 0.99
"""The posted plans must save so much of what the proven optimum saves, over all scenarios."""


@dataclass(frozen=True)
class Report:
    """All verdicts of one run."""

    verdicts: tuple[Verdict, ...]

    @property
    def oracle_share(self) -> float:
        """Mean share of the optimum over the scenarios that posted a plan; 1 where none did."""
        shares = [verdict.oracle_share for verdict in self.verdicts if verdict.oracle_share is not None]
        return sum(shares) / len(shares) if shares else 1.0

    @property
    def passed(self) -> bool:
        """The gate: every trial of every scenario passed, and the plans are as good as they claim to be."""
        return bool(self.verdicts) and all(v.passed for v in self.verdicts) and self.oracle_share >= ORACLE_SHARE_MIN

    def to_document(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return {
            "passed": self.passed,
            "oracle_share": round(self.oracle_share, 4),
            "never_events": sum(len(verdict.never) for verdict in self.verdicts),
            "scenarios": [asdict(verdict) | {"passed": verdict.passed} for verdict in self.verdicts],
        }


def row(verdict: Verdict) -> str:
    """One trial as a line of the table."""
    word = "pass" if verdict.passed else "FAIL"
    share = "–" if verdict.oracle_share is None else f"{verdict.oracle_share:.1%}"
    return (
        f"{word}  {verdict.scenario:30} {verdict.held:3} held  {verdict.posted:3} posted  {verdict.events:4} events"
        f"  {share:>7} of optimum  {verdict.seconds:5.1f} s"
    )


def details(verdict: Verdict) -> Iterator[str]:
    """What went wrong in a trial."""
    for sentence in verdict.broken:
        yield f"      expected and not so: {sentence}"
    for sentence in verdict.never:
        yield f"      MUST NEVER HAPPEN: {sentence}"


def closing(verdicts: Sequence[Verdict], report: Report) -> str:
    """The last lines."""
    failed = sum(not verdict.passed for verdict in verdicts)
    never = sum(len(verdict.never) for verdict in verdicts)
    return (
        f"{len(verdicts) - failed} passed, {failed} failed; never-events {never}; plans at"
        f" {report.oracle_share:.1%} of the optimum. The gate is {'open' if report.passed else 'CLOSED'}."
    )
