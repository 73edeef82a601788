"""Charts: where lines and bars stand."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.report.figures import HEIGHT, WIDTH, bar_chart, line_chart


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in line.split())]


def test_a_line_goes_through_its_values_and_is_broken_where_one_is_not_known() -> None:
    chart = line_chart("KL", "kl", [2.0, 0.0, math.nan, 1.0])
    assert chart is not None
    assert [points(line) for line in chart.lines] == [
        [(0.0, 0.0), (WIDTH / 3, HEIGHT)],
        [(WIDTH, HEIGHT / 2)] * 2,
    ]
    assert (chart.top, chart.bottom, chart.zero) == ("2", "0", HEIGHT)


def test_the_axis_of_zero_stands_between_values_of_both_signs() -> None:
    chart = line_chart("difference", "difference", [3.0, -1.0])
    assert chart is not None
    assert (chart.top, chart.bottom, chart.zero) == ("3", "-1", 0.75 * HEIGHT)


def test_where_nothing_is_known_there_is_no_chart() -> None:
    assert line_chart("KL", "kl", [math.nan, math.inf]) is None
    assert line_chart("KL", "kl", []) is None


@given(st.lists(st.floats(-20, 20) | st.just(math.nan), min_size=1, max_size=40), st.integers(1, 300))
def test_a_long_line_keeps_its_highest_point_and_stays_inside_the_drawing(values: list[float], times: int) -> None:
    chart = line_chart("KL", "kl", values * times)
    known = [value for value in values if math.isfinite(value)]
    assert (chart is None) == (not known)
    if chart is not None:
        every = [point for line in chart.lines for point in points(line)]
        assert len(every) <= 2 * 2_001
        assert all(0 <= x <= WIDTH + 0.01 and 0 <= y <= HEIGHT for x, y in every)
        if max(known) > max(0.0, -min(known)):
            assert min(y for _, y in every) == 0


def test_the_pieces_of_a_bar_stand_on_each_other() -> None:
    chart = bar_chart("shares", [("1", "one", [("shifted", 0.5), ("marginal", 0.25)]), ("2", "two", [])])
    shifted, marginal = chart.bars[0].segments
    assert (shifted.y, shifted.height) == (HEIGHT / 2, HEIGHT / 2)
    assert (marginal.y, marginal.height) == (HEIGHT / 4, HEIGHT / 4)
    assert chart.bars[0].x + chart.bars[0].width < chart.bars[1].x < WIDTH
    assert chart.top == "100%"
