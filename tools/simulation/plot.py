"""Total cost against fill rate as a picture in SVG, readable without colour and by a screen reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from tools.simulation.report import Backtest

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 96, 210, 56, 64
TICKS = 5
LABEL_GAP = 15
MARGIN_SHARE = 0.06
PICTURE = 'role="img" aria-labelledby="title desc" font-family="sans-serif" font-size="13"'


@dataclass(frozen=True)
class _Scale:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers within the scale."""
        rough = (self.high - self.low) / TICKS
        unit = 10.0 ** floor(log10(rough))
        step = next(factor * unit for factor in (1.0, 2.0, 5.0, 10.0) if factor * unit >= rough)
        return [number * step for number in range(ceil(self.low / step), floor(self.high / step) + 1)]


def cost_against_fill(report: Backtest) -> str:
    """The picture: every rule a labelled point, ours filled; lower and further right is better."""
    points = [(result.rule, result.score.fill_rate, result.score.total_cost) for result in report.results]
    points.append(("perfect foresight", report.foresight_fill_rate, report.foresight_cost))
    x = _scale([fill for _, fill, _ in points], LEFT, WIDTH - RIGHT)
    y = _scale([cost for _, _, cost in points], HEIGHT - BOTTOM, TOP)
    told = "; ".join(f"{name}: cost {cost:,.0f}, fill rate {fill:.2%}" for name, fill, cost in points)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {PICTURE}>',
        f'<title id="title">{escape(f"{report.title}: total cost against fill rate")}</title>',
        f'<desc id="desc">{escape(f"Lower and further right is better. {told}.")}</desc>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="28" font-size="16" fill="#1a1a1a">{escape(report.title)}</text>',
        *_axes(x, y),
        *_points(points, x, y),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _scale(values: Sequence[float], start: float, end: float) -> _Scale:
    low, high = min(values), max(values)
    margin = (high - low) * MARGIN_SHARE or max(abs(high), 1.0) * MARGIN_SHARE
    return _Scale(low - margin, high + margin, start, end)


def _axes(x: _Scale, y: _Scale) -> Iterator[str]:
    ink, grid = 'fill="#1a1a1a"', 'stroke="#d0d0d0"'
    for tick in x.ticks():
        at = f"{x(tick):.1f}"
        yield f'<line x1="{at}" y1="{TOP}" x2="{at}" y2="{HEIGHT - BOTTOM}" {grid}/>'
        yield f'<text x="{at}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" {ink}>{tick:.1%}</text>'
    for tick in y.ticks():
        at = f"{y(tick):.1f}"
        yield f'<line x1="{LEFT}" y1="{at}" x2="{WIDTH - RIGHT}" y2="{at}" {grid}/>'
        yield f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" {ink}>{tick:,.0f}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle:.0f}" y="{HEIGHT - 16}" text-anchor="middle" {ink}>fill rate</text>'
    across = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<text transform="translate(20 {across:.0f}) rotate(-90)" text-anchor="middle" {ink}>total cost</text>'


def _points(points: Sequence[tuple[str, float, float]], x: _Scale, y: _Scale) -> Iterator[str]:
    """Each rule with its name beside it; names that would overlap move down and keep a line to their point."""
    ours = points[0][0]
    lowest = float("-inf")
    for name, fill, cost in sorted(points, key=lambda point: (y(point[2]), point[0])):
        across, down = x(fill), y(cost)
        at = max(down, lowest + LABEL_GAP)
        lowest = at
        label = WIDTH - RIGHT + 12
        own = name == ours
        yield (
            f'<line x1="{across:.1f}" y1="{down:.1f}" x2="{label - 4}" y2="{at:.1f}" '
            'stroke="#8a8a8a" stroke-dasharray="2 3"/>'
        )
        yield (
            f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{7 if own else 5}" '
            f'fill="{"#0b5fa5" if own else "#ffffff"}" stroke="#0b3d66" stroke-width="2"/>'
        )
        weight = ' font-weight="bold"' if own else ""
        yield f'<text x="{label}" y="{at + 4:.1f}"{weight} fill="#1a1a1a">{escape(name)}</text>'
