"""Geometry of small charts: figures in, points of an SVG out. Templates draw them (`charts.html`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

Points = Sequence[float]


def _number(value: float) -> str:
    """A coordinate as short as it can be."""
    return f"{value:.1f}".removesuffix(".0")


def _joined(xs: Points, ys: Points) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in zip(xs, ys, strict=True))


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on coordinates from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies; in the middle where all values are the same."""
        span = self.high - self.low
        return (
            (self.start + self.end) / 2
            if span == 0
            else self.start + (value - self.low) / span * (self.end - self.start)
        )


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A line without axes. `last` is the place of its last point."""

    width: int
    height: int
    line: str
    area: str
    last: tuple[float, float]


def sparkline(values: Points, width: int = 120, height: int = 28) -> Sparkline | None:
    """A line through the values; None for fewer than two."""
    if len(values) < 2:
        return None
    across = Scale(0, len(values) - 1, 2, width - 3)
    up = Scale(min(values), max(values), height - 3, 3)
    xs, ys = [across.at(place) for place in range(len(values))], [up.at(value) for value in values]
    line = _joined(xs, ys)
    area = f"{_number(xs[0])},{height} {line} {_number(xs[-1])},{height}"
    return Sparkline(width, height, line, area, (round(xs[-1], 1), round(ys[-1], 1)))


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart, with the words that stand by it. Coordinates are of its rectangle."""

    label: str
    value: float
    words: str
    x: float
    y: float
    width: float
    height: float
    href: str = ""


def columns(
    labels: Sequence[str], values: Points, words: Sequence[str], width: int = 480, height: int = 120, gap: float = 8
) -> list[Bar]:
    """Upright bars side by side, each as high as its value; what is not 0 can be seen."""
    if not values:
        return []
    wide = (width - gap * (len(values) - 1)) / len(values)
    up = Scale(0, max(*values, 1e-9) if len(values) > 1 else max(values[0], 1e-9), 0, height)
    bars = []
    for place, (label, value, said) in enumerate(zip(labels, values, words, strict=True)):
        tall = max(up.at(value), 2.0) if value > 0 else 0.0
        bars.append(
            Bar(
                label,
                value,
                said,
                round(place * (wide + gap), 1),
                round(height - tall, 1),
                round(wide, 1),
                round(tall, 1),
            )
        )
    return bars


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from `low` to `high`, at most so many and one."""
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return [low]
    rough = (high - low) / most
    size = 10.0 ** floor(log10(rough))
    step = next(size * each for each in (1, 2, 5, 10) if size * each >= rough * 0.999)
    return [place * step for place in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its place and its words."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line: its place, and what it says."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class BandChart:
    """Lines over days with a band around one of them. Coordinates are those of a picture of `width` by `height`."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    band: str
    line: str
    second: str
    zero: float | None
    levels: tuple[Level, ...]
    arrivals: tuple[Tick, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """What a band chart shows, day by day: the band's edges, the line in it, and a second line if there is one."""

    low: Points
    line: Points
    high: Points
    second: Points = ()


def band_chart(
    series: Series,
    days: Sequence[str],
    levels: Sequence[tuple[float, str]] = (),
    arrivals: Sequence[tuple[int, str]] = (),
    size: tuple[int, int] = (440, 190),
    at_least_zero: bool = True,
) -> BandChart:
    """The geometry of a line with its band; `days` are the words under each day, of which as many as fit are shown."""
    width, height = size
    left, right, top, bottom = 44.0, width - 10.0, 12.0, height - 24.0
    shown = [*series.low, *series.high, *series.line, *series.second, *(value for value, _ in levels)]
    low, high = min(shown), max(shown)
    if at_least_zero:
        low, high = min(low, 0.0), max(high, 1.0)
    marks = ticks(low, high, 4)
    high = max(high, marks[-1]) if marks else high
    across, up = Scale(0, max(len(series.line) - 1, 1), left, right), Scale(low, high, bottom, top)
    xs = [across.at(place) for place in range(len(series.line))]
    upper, lower = [up.at(each) for each in series.high], [up.at(each) for each in series.low]
    every = max(1, ceil(len(days) / 6))
    return BandChart(
        width, height, left, right, top, bottom,
        band=f"{_joined(xs, upper)} {_joined(xs[::-1], lower[::-1])}",
        line=_joined(xs, [up.at(each) for each in series.line]),
        second=_joined(xs, [up.at(each) for each in series.second]) if series.second else "",
        zero=round(up.at(0), 1) if low < 0 < high else None,
        levels=tuple(Level(round(up.at(value), 1), words) for value, words in levels),
        arrivals=tuple(Tick(round(across.at(day), 1), words) for day, words in arrivals if 0 <= day < len(series.line)),
        across=tuple(Tick(round(across.at(place), 1), days[place]) for place in range(0, len(days), every)),
        up=tuple(Tick(round(up.at(mark), 1), f"{mark:,.0f}" if mark == round(mark) else f"{mark:,.1f}") for mark in marks),
    )  # fmt: skip
