"""Geometry of charts and of the map: figures in, coordinates out."""

from __future__ import annotations

import pytest

from app.ui.charts import Series, band_chart, columns, sparkline, ticks
from app.ui.network.projection import HEIGHT, WIDTH, Point, Spot, labels, lane_path, lane_width, lay_out, radius_of


def _points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.split())]


def test_a_sparkline_goes_from_left_to_right_and_its_highest_value_is_on_top() -> None:
    line = sparkline([1.0, 5.0, 3.0], 100, 20)
    assert line is not None
    points = _points(line.line)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert min(points, key=lambda point: point[1]) == points[1]
    assert line.last == points[-1]


def test_a_sparkline_needs_two_values_and_bears_that_they_are_the_same() -> None:
    assert sparkline([]) is None
    assert sparkline([3.0]) is None
    line = sparkline([2.0, 2.0])
    assert line is not None
    assert len({y for _, y in _points(line.line)}) == 1


def test_columns_are_as_high_as_their_values_and_what_is_not_nothing_can_be_seen() -> None:
    nothing, little, half, most = columns(list("abcd"), [0, 1, 500, 1000], list("0123"), height=100)
    assert (nothing.height, most.height, half.height) == (0.0, 100.0, 50.0)
    assert little.height >= 2
    assert most.y == 0.0
    assert [each.label for each in (nothing, little, half, most)] == list("abcd")
    assert columns([], [], []) == []
    assert columns(["only"], [0], ["0"])[0].height == 0.0


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-7, 13, [-5, 0, 5, 10]), (3, 3, [3])],
)
def test_ticks_are_round_and_lie_within(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_a_band_chart_has_its_line_within_its_band_and_says_where_zero_is() -> None:
    chart = band_chart(
        Series([4, 0, -6], [5, 2, -2], [6, 4, 2], [5, 9, 5]),
        ["1", "2", "3"],
        [(8.0, "target 8")],
        [(1, "+7"), (9, "+1")],
    )
    line, band = _points(chart.line), _points(chart.band)
    for place, (x, y) in enumerate(line):
        upper, lower = band[place], band[-1 - place]
        assert upper[0] == lower[0] == x
        assert upper[1] <= y <= lower[1]
    assert chart.zero is not None
    assert line[1][1] < chart.zero < line[2][1]
    assert len(_points(chart.second)) == 3
    assert [each.words for each in chart.arrivals] == ["+7"], "what comes after the last day is not in the picture"
    assert chart.levels[0].at < line[0][1]
    assert all(chart.left <= x <= chart.right for x, _ in line)


def test_north_is_up_east_is_right_and_distances_keep_their_proportion() -> None:
    frame = lay_out({"north": (61.0, 10.0), "south": (59.0, 10.0), "east": (60.0, 12.0), "west": (60.0, 8.0)})
    at = frame.points
    assert at["north"].y < at["east"].y == at["west"].y < at["south"].y
    assert at["west"].x < at["north"].x < at["east"].x
    # At 60 degrees a degree of longitude is half as long as one of latitude.
    assert (at["east"].x - at["west"].x) / (at["south"].y - at["north"].y) == pytest.approx(4 * 0.5 / 2, rel=0.01)
    assert frame.meridians
    assert frame.parallels


def test_sites_on_both_sides_of_the_date_line_are_neighbours() -> None:
    frame = lay_out({"fiji": (-18.0, 178.0), "samoa": (-14.0, -172.0), "tonga": (-21.0, -175.0)})
    assert frame.points["fiji"].x < frame.points["tonga"].x < frame.points["samoa"].x
    assert {each.words for each in frame.meridians} & {"180°E", "180°", "180°W"}


def test_sites_without_coordinates_stand_on_an_oval_and_are_counted() -> None:
    frame = lay_out(dict.fromkeys("abcdef"))
    assert frame.without_place == 6
    assert len(set(frame.points.values())) == 6
    assert frame.meridians == ()
    assert all(0 < each.x < WIDTH and 0 < each.y < HEIGHT for each in frame.points.values())
    mixed = lay_out({"a": (50.0, 8.0), "b": (51.0, 9.0), "lost": None})
    assert mixed.without_place == 1
    assert lay_out({}).points == {}


def test_one_site_and_sites_at_the_same_spot_have_places_of_their_own() -> None:
    assert lay_out({"only": (50.0, 8.0)}).points["only"] == Point(WIDTH / 2, HEIGHT / 2)
    frame = lay_out(dict.fromkeys("abcd", (50.0, 8.0)) | {"far": (55.0, 9.0)})
    assert len(set(frame.points.values())) == 5


def test_labels_of_a_crowd_do_not_lie_on_each_other_and_the_first_get_theirs() -> None:
    spots = [Spot(f"S{n}", 60 + n * 37 % 880, 40 + n * 53 % 480, 8, f"Site number {n}") for n in range(300)]
    found = labels(spots)
    assert spots[0].site_id in found
    assert 20 < len(found) < 300
    boxes = []
    for label in found.values():
        wide = len(label.words) * 6.9
        left = {"start": label.x, "end": label.x - wide, "middle": label.x - wide / 2}[label.anchor]
        boxes.append((left, label.y - 11, left + wide, label.y + 3))
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_name_is_written_whole_where_there_is_room_and_else_cut() -> None:
    found = labels(
        [Spot("S1", 500, 300, 10, "Ashdale distribution center"), Spot("S2", 500, 100, 10, "On and on " * 9)]
    )
    assert found["S1"].words == "Ashdale distribution center"
    assert found["S2"].words.endswith("…")
    assert len(found["S2"].words) <= 40
    crowd = [
        Spot(f"S{n}", 60 + n * 37 % 880, 40 + n * 53 % 480, 8, f"Site number {n} of a great many") for n in range(100)
    ]
    cut = [label.words for label in labels(crowd).values() if label.words.endswith("…")]
    assert cut
    assert all(len(words) <= 22 for words in cut)


def test_a_site_between_others_is_labelled_further_away_with_a_line_to_it() -> None:
    ring = [
        Spot(f"S{n}", 500 + x, 300 + y, 16, "Cedarview College Hill")
        for n, (x, y) in enumerate(((-26, 0), (26, 0), (0, -26), (0, 26)))
    ]
    found = labels([*ring, Spot("S9", 500, 300, 7, "Cedarview Harbor Square")])
    assert set(found) == {"S0", "S1", "S2", "S3", "S9"}
    label = found["S9"]
    assert label.line.startswith("M")
    assert label.line.endswith(f"L{label.x + (-3 if label.anchor == 'start' else 3):.1f} {label.y - 4:.1f}")
    assert not found["S0"].line


def test_circles_and_lanes_grow_with_what_they_stand_for() -> None:
    assert radius_of(0, 100) < radius_of(25, 100) < radius_of(100, 100)
    assert radius_of(5, 0) == radius_of(0, 100)
    assert lane_width(0, 10) < lane_width(1, 10) < lane_width(10, 10)
    there, back = (
        lane_path(Point(100, 100), Point(300, 100), 10, 10), lane_path(Point(300, 100), Point(100, 100), 10, 10)
    )  # fmt: skip
    assert there != back
    assert there.startswith("M")
