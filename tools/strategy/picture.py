"""The curve of fill rate against investment as a picture: SVG that stands alone, and that can be read without seeing it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from tools.money import money_text
from tools.strategy.curve import PPM
from tools.strategy.results import Standing, Strategy

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 72, 70
FLOOR_PPM = 500_000
TICKS = 5
INK, LINE, PRESENT, PROPOSED, GRID = "#1b1b1b", "#1f5fa8", "#a33b00", "#1f6b2c", "#d9d9d9"
"""Dark enough on white for 4.5 to 1; what is marked differs in shape as well as in colour."""

_HOW_IT_IS_READ = 'role="img" aria-labelledby="title desc" font-family="sans-serif" font-size="13"'


@dataclass(frozen=True)
class _Scale:
    """From money and fill rate to places in the picture."""

    money_max: int
    fill_min: int

    def x(self, minor: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * minor / self.money_max

    def y(self, fill_ppm: int) -> float:
        height = HEIGHT - TOP - BOTTOM
        return HEIGHT - BOTTOM - height * max(fill_ppm - self.fill_min, 0) / (PPM - self.fill_min)

    def at(self, minor: int, fill_ppm: int) -> str:
        return f"{self.x(minor):.1f},{self.y(fill_ppm):.1f}"


def curve_svg(strategy: Strategy) -> str:
    """The picture of a strategy's curve, with the present position and the proposed one marked on it.

    The same figures stand in its description, so that a screen reader tells what the
    picture shows.
    """
    marks = (strategy.present, strategy.proposed)
    shown = [point for point in strategy.curve if point.fill_rate_ppm >= FLOOR_PPM] or list(strategy.curve)
    money = [point.investment_minor for point in shown] + [mark.investment_minor for mark in marks]
    fills = [point.fill_rate_ppm for point in shown] + [mark.fill_rate_ppm for mark in marks]
    scale = _Scale(max([*money, 1]), min([*fills, PPM - 10_000]) // 50_000 * 50_000)
    line = " ".join(scale.at(point.investment_minor, point.fill_rate_ppm) for point in shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {_HOW_IT_IS_READ} fill="{INK}">',
        '<title id="title">Fill rate against investment in stock</title>',
        f'<desc id="desc">{escape(_description(strategy))}</desc>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="16" font-weight="bold">Fill rate against investment in stock</text>',
        *_axes(scale, strategy.currency),
        f'<polyline points="{line}" fill="none" stroke="{LINE}" stroke-width="2.5"/>',
        *_mark(scale, strategy.present, ("present", strategy.currency), PRESENT, is_square=True),
        *_mark(scale, strategy.proposed, ("proposed", strategy.currency), PROPOSED, is_square=False),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _description(strategy: Strategy) -> str:
    def said(name: str, minor: int, fill_ppm: int) -> str:
        return f"{name}: {money_text(minor, strategy.currency)} for a fill rate of {_percent(fill_ppm)}"

    present, proposed = strategy.present, strategy.proposed
    points = (said("Curve", point.investment_minor, point.fill_rate_ppm) for point in strategy.curve)
    return ". ".join(
        (
            said("Present levels", present.investment_minor, present.fill_rate_ppm),
            said("Proposed levels", proposed.investment_minor, proposed.fill_rate_ppm),
            *points,
        )
    )


def _axes(scale: _Scale, currency: str) -> list[str]:
    parts = []
    bottom = HEIGHT - BOTTOM
    for tick in range(TICKS + 1):
        fill = scale.fill_min + (PPM - scale.fill_min) * tick // TICKS
        minor = scale.money_max * tick // TICKS
        x, y = scale.x(minor), scale.y(fill)
        parts += [
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{GRID}"/>',
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{fill / 1e4:.1f} %</text>',
            f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{_short(minor, currency)}</text>',
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    label = f"investment at cost, {escape(currency)}"
    return [*parts, f'<text x="{middle:.1f}" y="{bottom + 46}" text-anchor="middle">{label}</text>']


def _short(minor: int, currency: str) -> str:
    """An amount without its currency and, where it is large, without its fractions."""
    number = money_text(minor, currency).rpartition(" ")[0]
    return escape(number.partition(".")[0] if minor >= 10_000 else number)


def _mark(scale: _Scale, standing: Standing, called: tuple[str, str], colour: str, *, is_square: bool) -> list[str]:
    """A mark on the curve, and the same mark with its name and figures above the picture."""
    name, currency = called
    draw = _square if is_square else _dot
    left = LEFT if is_square else (LEFT + WIDTH) / 2
    money = f"{_short(standing.investment_minor, currency)} {escape(currency)}"
    return [
        draw(scale.x(standing.investment_minor), scale.y(standing.fill_rate_ppm), colour),
        draw(left + 7, 46, colour),
        f'<text x="{left + 22:.1f}" y="51">{name}: {_percent(standing.fill_rate_ppm)} for {money}</text>',
    ]


def _square(x: float, y: float, colour: str) -> str:
    return f'<rect x="{x - 6:.1f}" y="{y - 6:.1f}" width="12" height="12" fill="{colour}"/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}"/>'


def _percent(fill_ppm: int) -> str:
    """A fill rate for people, cut down: 100 % is said of nothing less."""
    return f"{fill_ppm // 100 / 100:.2f} %"
