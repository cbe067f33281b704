"""The map: places on a globe to points of a picture, lanes between them, and labels that do not lie on each other.

The projection is equirectangular with the standard parallel in the middle of the
sites (Snyder, 1987, Map Projections: A Working Manual, ch. 12): true to scale there, and
good enough for the network of a country. Sites without coordinates stand on an oval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, cos, floor, hypot, pi, radians, sin, sqrt

WIDTH, HEIGHT, MARGIN = 1_000.0, 560.0, 60.0
RADIUS_MIN, RADIUS_MAX = 7.0, 26.0
LABEL_HEIGHT = 15.0
CHARACTER_WIDTH = 6.9
"""How wide a character of a label is, on average, at the size that the style sheet gives it."""
LABEL_CHARACTERS_MAX, SHORT_CHARACTERS = 40, 22
"""A name that is longer than the first is cut. Where a whole name finds no room, its beginning may."""
_LED_SITES_MAX = 60
"""With more sites than this, labels with a line to their circles would make the map no clearer."""
_LED_AWAY = (20.0, 44.0, 72.0, 104.0)
"""How far from its circle a label with a line may begin."""
_STEPS_DEGREES = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0)
_SPAN_MIN_DEGREES = 0.02
Degrees = tuple[float, float]
"""Latitude and longitude."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the picture."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A line of the graticule, and the degrees that it stands for."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class MapFrame:
    """Where everything lies: each site, and the graticule if there is a globe behind it."""

    points: Mapping[str, Point]
    meridians: tuple[Grid, ...] = ()
    parallels: tuple[Grid, ...] = ()
    without_place: int = 0


def lay_out(places: Mapping[str, Degrees | None]) -> MapFrame:
    """Every site in the picture. Those without coordinates stand on an oval around the others, or around nothing."""
    known = {site_id: place for site_id, place in places.items() if place is not None}
    lost = sorted(places.keys() - known.keys())
    on_oval = _oval(lost)
    if not known:
        return MapFrame(on_oval, without_place=len(lost))
    margin = MARGIN + (50.0 if lost else 0.0)
    known = _one_way_round(known)
    south, north = _widened([latitude for latitude, _ in known.values()])
    west, east = _widened([longitude for _, longitude in known.values()])
    narrow = max(cos(radians((south + north) / 2)), 0.05)
    scale = min((WIDTH - 2 * margin) / ((east - west) * narrow), (HEIGHT - 2 * margin) / (north - south))
    middle_latitude, middle_longitude = (south + north) / 2, (west + east) / 2

    def across(longitude: float) -> float:
        return round(WIDTH / 2 + (longitude - middle_longitude) * narrow * scale, 1)

    def down(latitude: float) -> float:
        return round(HEIGHT / 2 - (latitude - middle_latitude) * scale, 1)

    points = {site_id: Point(across(longitude), down(latitude)) for site_id, (latitude, longitude) in known.items()}
    step = _step(max(WIDTH / (narrow * scale), HEIGHT / scale))
    half_width, half_height = WIDTH / 2 / (narrow * scale), HEIGHT / 2 / scale
    return MapFrame(
        _apart(points) | on_oval,
        tuple(Grid(across(at), _degrees(at, "E", "W")) for at in _round_values(middle_longitude - half_width, middle_longitude + half_width, step)),
        tuple(Grid(down(at), _degrees(at, "N", "S")) for at in _round_values(middle_latitude - half_height, middle_latitude + half_height, step)),
        len(lost),
    )  # fmt: skip


def _one_way_round(known: Mapping[str, Degrees]) -> dict[str, Degrees]:
    """The same places on the side of the globe on which they lie nearest together: across the date line if need be."""
    longitudes = [longitude for _, longitude in known.values()]
    turned = [longitude % 360 for longitude in longitudes]
    if max(turned) - min(turned) < max(longitudes) - min(longitudes):
        return {site_id: (latitude, longitude % 360) for site_id, (latitude, longitude) in known.items()}
    return dict(known)


def _widened(values: Sequence[float]) -> Degrees:
    low, high = min(values), max(values)
    lacking = max(_SPAN_MIN_DEGREES - (high - low), 0.0) / 2
    return low - lacking, high + lacking


def _oval(site_ids: Sequence[str]) -> dict[str, Point]:
    across, down = WIDTH / 2 - MARGIN, HEIGHT / 2 - MARGIN / 2 - 10
    found = {}
    for number, site_id in enumerate(site_ids):
        angle = 2 * pi * number / len(site_ids) - pi / 2
        found[site_id] = Point(round(WIDTH / 2 + across * cos(angle), 1), round(HEIGHT / 2 + down * sin(angle), 1))
    return found


def _apart(points: Mapping[str, Point]) -> dict[str, Point]:
    """Sites at the same spot are set side by side, so that each can be pressed."""
    taken: dict[tuple[int, int], int] = {}
    found = {}
    for site_id in sorted(points):
        point = points[site_id]
        spot = (round(point.x / 6), round(point.y / 6))
        number = taken.get(spot, 0)
        taken[spot] = number + 1
        reach, angle = 9.0 * sqrt(number), number * 2.4
        found[site_id] = Point(round(point.x + reach * cos(angle), 1), round(point.y + reach * sin(angle), 1))
    return found


def _step(span_degrees: float) -> float:
    return next((step for step in _STEPS_DEGREES if span_degrees / step <= 9), _STEPS_DEGREES[-1])


def _round_values(low: float, high: float, step: float) -> list[float]:
    return [place * step for place in range(ceil(low / step), floor(high / step) + 1)]


def _degrees(at: float, positive: str, negative: str) -> str:
    at = (at + 180) % 360 - 180 if positive == "E" else at
    side = positive if at > 0 else negative if at < 0 else ""
    return f"{abs(at):.10g}°{side}"


def radius_of(value: float, largest: float) -> float:
    """The radius of a site's circle: its area goes with the value."""
    share = value / largest if largest > 0 and value > 0 else 0.0
    return round(RADIUS_MIN + (RADIUS_MAX - RADIUS_MIN) * sqrt(share), 1)


@dataclass(frozen=True, slots=True)
class Spot:
    """A site's circle, and what would be written beside it. The most important are labelled first."""

    site_id: str
    x: float
    y: float
    radius: float
    words: str


@dataclass(frozen=True, slots=True)
class Label:
    """Words beside a circle. `line` leads to the circle from words that stand further away."""

    x: float
    y: float
    anchor: str
    words: str
    line: str = ""


_Box = tuple[float, float, float, float]


def labels(spots: Iterable[Spot]) -> dict[str, Label]:
    """As many labels as there is room for, the first spots first: to the right, to the left, below or above.

    Who finds no room beside their circle stands further away with a line to it, if there are few sites. No label lies
    on another, on a circle or across the edge. What gets none is named in the list and when pressed.
    """
    ordered = list(spots)
    taken = _Taken()
    for spot in ordered:
        taken.add(
            (spot.x - spot.radius, spot.y - spot.radius, spot.x + spot.radius, spot.y + spot.radius), spot.site_id
        )
    found = {}
    for spot in ordered:
        for label, box in _all_ways(spot, led=len(ordered) <= _LED_SITES_MAX):
            inside = box[0] >= 2 and box[2] <= WIDTH - 2 and box[1] >= 2 and box[3] <= HEIGHT - 2
            if inside and taken.is_free(box, spot.site_id):
                taken.add(box, "")
                found[spot.site_id] = label
                break
    return found


class _Taken:
    """Boxes that are taken, by the squares that they touch, so that each is compared with its neighbours only."""

    _SIDE = 80.0

    def __init__(self) -> None:
        self._boxes: dict[tuple[int, int], list[tuple[_Box, str]]] = {}

    def _squares(self, box: _Box) -> Iterable[tuple[int, int]]:
        side = self._SIDE
        for column in range(floor(box[0] / side), floor(box[2] / side) + 1):
            for row in range(floor(box[1] / side), floor(box[3] / side) + 1):
                yield column, row

    def add(self, box: _Box, owner: str) -> None:
        for square in self._squares(box):
            self._boxes.setdefault(square, []).append((box, owner))

    def is_free(self, box: _Box, owner: str) -> bool:
        """Whether nothing of anybody else lies there."""
        return not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
            for square in self._squares(box)
            for other, whose in self._boxes.get(square, ())
            if not owner or whose != owner
        )


def _all_ways(spot: Spot, *, led: bool) -> Iterable[tuple[Label, _Box]]:
    words = _cut(spot.words, LABEL_CHARACTERS_MAX)
    yield from _ways(spot, words)
    if led:
        yield from _led_ways(spot, words)
    if len(words) > SHORT_CHARACTERS:
        yield from _ways(spot, _cut(spot.words, SHORT_CHARACTERS))


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _led_ways(spot: Spot, words: str) -> Iterable[tuple[Label, _Box]]:
    """Further away, the nearest first, on either side and a little higher or lower."""
    wide, half = len(words) * CHARACTER_WIDTH, LABEL_HEIGHT / 2
    for away in _LED_AWAY:
        for up in (0.0, -away / 2, away / 2, -away, away):
            for side, anchor in ((1, "start"), (-1, "end")):
                x, y = round(spot.x + side * (spot.radius + away), 1), round(spot.y + up, 1)
                from_x, from_y = _towards(Point(spot.x, spot.y), x, y, spot.radius)
                line = f"M{from_x:.1f} {from_y:.1f}L{x - side * 3:.1f} {y:.1f}"
                left = x if side == 1 else x - wide
                yield Label(x, y + 4, anchor, words, line), (left, y - half, left + wide, y + half)


def _ways(spot: Spot, words: str) -> Iterable[tuple[Label, _Box]]:
    wide, beside = len(words) * CHARACTER_WIDTH, spot.radius + 4
    half, x, y = LABEL_HEIGHT / 2, spot.x, spot.y
    yield Label(x + beside, y + 4, "start", words), (x + beside, y - half, x + beside + wide, y + half)
    yield Label(x - beside, y + 4, "end", words), (x - beside - wide, y - half, x - beside, y + half)
    for top in (y + beside - 2, y - beside + 2 - LABEL_HEIGHT):
        yield Label(x, top + 12, "middle", words), (x - wide / 2, top, x + wide / 2, top + LABEL_HEIGHT)


def lane_path(start: Point, end: Point, start_radius: float, end_radius: float) -> str:
    """A bent line from circle to circle, to the left of its way, so that a lane and its way back are two lines."""
    across, down = end.x - start.x, end.y - start.y
    length = hypot(across, down)
    if length <= start_radius + end_radius + 4:
        return f"M{start.x:.1f} {start.y:.1f}L{end.x:.1f} {end.y:.1f}"
    bend = min(length * 0.12, 40.0)
    middle_x, middle_y = (start.x + end.x) / 2 + down / length * bend, (start.y + end.y) / 2 - across / length * bend
    from_x, from_y = _towards(start, middle_x, middle_y, start_radius)
    to_x, to_y = _towards(end, middle_x, middle_y, end_radius + 5)
    return f"M{from_x:.1f} {from_y:.1f}Q{middle_x:.1f} {middle_y:.1f} {to_x:.1f} {to_y:.1f}"


def _towards(point: Point, x: float, y: float, by: float) -> Degrees:
    length = hypot(x - point.x, y - point.y) or 1.0
    return point.x + (x - point.x) / length * by, point.y + (y - point.y) / length * by


def lane_width(units: int, largest: int) -> float:
    """How thick a lane is drawn: its area goes with the units on it."""
    return round(1.5 + 5.5 * sqrt(units / largest), 1) if largest > 0 and units > 0 else 0.8
