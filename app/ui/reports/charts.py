"""The geometry of the bars that reports draw. Templates draw them; the words beside them carry the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.ui.reports.backtest import Replayed

WIDTH = 100.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it stands for, its figure in words, how long it is of `WIDTH`, and what kind it is of."""

    name: str
    words: str
    length: float
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars that are to be compared."""

    title: str
    bars: tuple[Bar, ...]

    @property
    def words(self) -> str:
        """All of them, for whoever does not see them."""
        return f"{self.title}: " + "; ".join(f"{bar.name} {bar.words}" for bar in self.bars)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a stacked bar."""

    name: str
    start: float
    length: float
    kind: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A bar of several pieces, with its sum in words."""

    name: str
    words: str
    parts: tuple[Part, ...]


def bars(
    title: str, figures: Sequence[tuple[str, float, str]], whole: float | None = None, kinds: Sequence[str] = ()
) -> Bars:
    """Bars of these names, figures and words; the longest, or `whole`, takes the whole width."""
    most = max([figure for _, figure, _ in figures], default=0.0) if whole is None else whole
    return Bars(
        title,
        tuple(
            Bar(name, words, _length(figure, most), kinds[number] if number < len(kinds) else "")
            for number, (name, figure, words) in enumerate(figures)
        ),
    )


def _length(figure: float, most: float) -> float:
    return round(min(max(WIDTH * figure / most, 0.0), WIDTH), 2) if most > 0 else 0.0


def cost_stacks(found: Replayed) -> tuple[Stack, ...]:
    """What each rule cost, in its parts."""
    most = max(rule.total_cost for rule in found.rules)
    stacks = []
    for rule in found.rules:
        start, parts = 0.0, []
        for name, amount in (
            ("lost sales", rule.lost_cost),
            ("left over", rule.left_cost),
            ("moving", rule.transfer_cost),
        ):
            length = _length(amount, most)
            parts.append(
                Part(f"{name} {amount:,.0f} {found.currency}", round(start, 2), length, name.replace(" ", "-"))
            )
            start += length
        stacks.append(Stack(rule.name, f"{rule.total_cost:,.0f} {found.currency}", tuple(parts)))
    return tuple(stacks)
