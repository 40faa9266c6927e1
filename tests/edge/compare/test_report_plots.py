"""Plots: axes that hold what they show, labels that do not meet, words for who does not see them."""

import re
from collections.abc import Iterator
from itertools import combinations

import pytest
from edge.compare import hostile_reports, korean_reports, reports
from hypothesis import given
from hypothesis import strategies as st

from ophtimus_edge.compare.report import cells, measured
from ophtimus_edge.compare.report.elements import Element
from ophtimus_edge.compare.report.plots import axes, intervals, reliability, scatter
from ophtimus_edge.compare.report.plots.drawing import FONT, mark, width_of
from ophtimus_edge.compare.report.plots.intervals import Limit, Measured
from ophtimus_edge.compare.report.view import View
from ophtimus_edge.models.formats import Statistic

VALUES = st.lists(
    st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6), min_size=1, max_size=8
)
POSITIVE = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8)


@given(VALUES)
def test_a_linear_axis_holds_every_value_between_round_numbers(values: list[float]) -> None:
    scale = axes.linear(values, 10.0, 210.0)
    room = (scale.high - scale.low) * 1e-6
    assert scale.low <= min(values) + room
    assert scale.high >= max(values) - room
    assert 2 <= len(scale.ticks) <= 8
    assert len({scale.name(tick) for tick in scale.ticks}) == len(scale.ticks)
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(10 <= place <= 210 for place in places)


@given(POSITIVE)
def test_a_logarithmic_axis_holds_every_value(values: list[float]) -> None:
    scale = axes.logarithmic(values, 300.0, 20.0)
    assert scale.low <= min(values) * 1.000001
    assert scale.high >= max(values) * 0.999999
    assert scale.ticks
    assert len({scale.name(tick) for tick in scale.ticks}) == len(scale.ticks)
    assert all(20 - 1e-6 <= scale.place(value) <= 300 + 1e-6 for value in values)


def test_the_middle_of_a_logarithmic_axis_is_the_geometric_mean() -> None:
    scale = axes.logarithmic([0.01, 1.0], 0.0, 100.0)
    assert scale.place(0.1) == pytest.approx(50.0)
    assert axes.linear([0.0, 1.0], 0.0, 100.0).place(0.5) == pytest.approx(50.0)


def test_divergences_that_lie_far_apart_take_a_logarithmic_axis_and_a_zero_a_linear_one() -> None:
    assert axes.fitting([0.001, 0.4], 0, 1).logarithmic
    assert not axes.fitting([0.03, 0.05], 0, 1).logarithmic
    assert not axes.fitting([0.0, 0.4], 0, 1).logarithmic


def labels(drawing: Element, class_: str | None = None) -> Iterator[tuple[float, float, float, float, str]]:
    """Where the words of a drawing stand: left, top, right, bottom, and what they say."""
    for text in drawing.iter("text"):
        if text.get("transform") or (class_ and text.get("class") != class_):
            continue
        x, y, words = float(text.get("x", "")), float(text.get("y", "")), text.text or ""
        width = width_of(words) * 0.95
        left = {"start": x, "middle": x - width / 2, "end": x - width}[text.get("text-anchor", "start")]
        yield left, y - FONT * 0.75, left + width, y + FONT * 0.2, words


def point(place: int, name: str, gib: float, kl: float) -> scatter.Point:
    return scatter.Point(place, name, int(gib * (1 << 30)), Statistic(kl, kl * 0.9, kl * 1.1))


def drawings() -> Iterator[Element]:
    for report in (reports.rich(), korean_reports.korean(), hostile_reports.hostile()):
        view = View(report)
        for section in (measured.divergence(view), measured.choices(view), measured.speed(view)):
            yield from section.iter("svg")
    near = [point(1, "Q4_K_M", 4.58, 0.031), point(2, "IQ4_XS", 4.5, 0.033), point(3, "Q4_K_S", 4.4, 0.035)]
    for made in (scatter.draw("a", near, 0.034), scatter.draw("b", near[:1], None)):
        assert made is not None
        yield made


def test_no_words_meet_each_other_or_leave_the_picture() -> None:
    looked = 0
    for drawing in drawings():
        _, _, width, height = map(float, (drawing.get("viewBox") or "").split())
        found = list(labels(drawing))
        looked += len(found)
        for left, top, right, bottom, words in found:
            assert left >= -1, words
            assert right <= width + 1, words
            assert top >= 0, words
            assert bottom <= height, words
        for one, two in combinations(found, 2):
            across = one[0] < two[2] and two[0] < one[2]
            assert not (across and one[1] < two[3] and two[1] < one[3]), (one, two)
    assert looked > 200


def test_a_plot_says_in_words_what_it_shows() -> None:
    rows = [
        Measured(0, "BF16", Statistic(60.8, 58.8, 62.8), cells.Cell("60.8 %", "[58.8, 62.8]")),
        Measured(1, "Q2_K", None, cells.ABSENT),
    ]
    drawing = intervals.draw("x", "Accuracy", "accuracy (%)", rows, [Limit(60.0, "wanted")])
    assert drawing is not None
    assert drawing.get("aria-labelledby") == "x-title x-words"
    words = drawing.findtext("desc") or ""
    assert "BF16: 60.8 % [58.8, 62.8]" in words
    assert "Q2_K: not measured" in words
    assert "wanted: 60" in words
    assert "not measured" in [label[4] for label in labels(drawing)]


def test_nothing_measured_is_no_plot() -> None:
    assert intervals.draw("x", "", "", [Measured(1, "Q2_K", None, cells.ABSENT)]) is None
    assert scatter.draw("x", [], 0.05) is None
    assert reliability.draw("x", 1, "Q2_K", []) is None


def test_marks_differ_in_shape_as_well_as_in_colour() -> None:
    def shape(place: int) -> tuple[str, str, str]:
        drawn = mark(place, 0.0, 0.0)
        return drawn.tag, drawn.get("points") or "", "hollow" if place == 0 else ""

    assert len({shape(place) for place in range(8)}) == 8
    assert len({mark(place, 0.0, 0.0).get("class") for place in range(8)}) == 8


def test_a_mark_stands_at_its_value_and_its_bar_from_end_to_end() -> None:
    rows = [Measured(1, "Q4_K_M", Statistic(50.0, 0.0, 100.0), cells.Cell("50 %"))]
    drawing = intervals.draw("x", "t", "a", rows)
    assert drawing is not None
    axis = next(one for one in drawing.iter("line") if one.get("class") == "axis")
    bar = next(one for one in drawing.iter("line") if one.get("class") == "interval")
    middle = next(drawing.iter("circle"))
    assert (bar.get("x1"), bar.get("x2")) == (axis.get("x1"), axis.get("x2"))
    ends = float(axis.get("x1") or ""), float(axis.get("x2") or "")
    assert float(middle.get("cx") or "") == pytest.approx(sum(ends) / 2, abs=0.02)


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (cells.nats(Statistic(0.03127, 0.0288, 0.0338)), "0.031 [0.028, 0.034]"),
        (cells.nats(Statistic(0.00055, 0.0005, 0.0006)), "0.00055 [0.00050, 0.00060]"),
        (cells.nats(Statistic(0.0, 0.0, 0.0)), "0.000"),
        (cells.nats(Statistic(0.0499, 0.0481, 0.0502)), "0.050 [0.048, 0.051]"),
        (cells.percent(Statistic(0.601, 0.58, 0.6213)), "60.1 % [58.0, 62.2]"),
        (cells.points(Statistic(-0.007, -0.016, 0.002)), "−0.7 points [−1.6, +0.2]"),
        (cells.points(Statistic(-0.00001, -0.016, 0.0)), "0.0 points [−1.6, 0.0]"),
        (cells.points(Statistic(-0.00007, -0.0001, -0.00004), 2), "−0.0070 points [−0.0100, −0.0040]"),
        (cells.size(Statistic(4.58 * (1 << 30), 4.5 * (1 << 30), 4.6 * (1 << 30))), "4.58 GiB [4.50, 4.60]"),
        (cells.seconds(Statistic(0.0432, 0.04, 0.05)), "43 ms [40, 50]"),
        (cells.seconds(Statistic(2.414, 2.3, 2.5)), "2.41 s [2.30, 2.50]"),
        (cells.rate(Statistic(118.4, 117.0, 119.0)), "118 tok/s [117, 119]"),
        (cells.rate(Statistic(5.63, 5.6, 5.7)), "5.6 tok/s [5.6, 5.7]"),
        (cells.plain(None), "not measured"),
    ],
)
def test_figures_carry_their_unit_and_as_many_digits_as_they_are_worth(
    shown: cells.Cell, wanted: str
) -> None:
    assert shown.whole == wanted


def test_sizes_are_said_in_the_unit_that_suits_them() -> None:
    sizes = [cells.bytes_text(count) for count in (11_534_336, 763 << 20, 4_917_737_062, 900)]
    assert sizes == ["11.0 MiB", "763 MiB", "4.58 GiB", "1 KiB"]
    assert [cells.probability(value) for value in (0.4123, 0.0311, 1e-9)] == ["0.41", "0.031", "< 0.001"]
    assert not re.search(r"\d", cells.NOT_MEASURED)
