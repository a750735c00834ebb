from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from vadkit.report import (
    Bar,
    Difference,
    Line,
    Point,
    Stretch,
    TimeLine,
    bar_chart,
    forest_chart,
    heat_table,
    line_chart,
    scatter,
    spark_chart,
    time_lines,
    wave_chart,
)
from vadkit.report.axis_ticks import linear_axis
from vadkit.report.scatter import pareto_front

EVIL = "<script>alert('x')</script>&\""


def tree(markup: str) -> ElementTree.Element:
    """Return a chart as elements; it must be well-formed."""
    return ElementTree.fromstring(markup)


def texts(markup: str, kind: str) -> list[str]:
    return [e.text or "" for e in tree(markup).iter("text") if kind in (e.get("class") or "").split()]


def points(path: str) -> list[tuple[float, float]]:
    return [tuple(map(float, p.split())) for p in path.replace("M", "L").split("L") if p]  # type: ignore[misc]


def test_a_curve_goes_through_its_values() -> None:
    chart = line_chart([Line("a", [0, 1, 2], [0.0, 1.0, 0.5])], x_label="x", y_label="y")
    curve = tree(chart).find(".//path[@class='curve']")
    assert curve is not None
    assert points(curve.get("d", "")) == [(0, 1000), (5000, 0), (10000, 500)]


def test_steps_hold_their_values_and_a_gap_is_left_where_a_value_is_missing() -> None:
    line = Line("a", [0, 1, 2, 3, 4], [0.0, math.nan, 1.0, 1.0], step=True)
    curve = tree(line_chart([line], x_label="s", y_label="y")).find(".//path[@class='curve']")
    assert curve is not None
    parts = [points(part) for part in curve.get("d", "").split("M") if part]
    assert parts == [[(0, 1000), (2500, 1000)], [(5000, 0), (7500, 0), (10000, 0)]]


def test_spans_and_levels_are_at_their_values() -> None:
    chart = line_chart(
        [Line("score", [0, 10], [0.2], step=True)],
        x_label="time (s)",
        y_label="score",
        time=True,
        y_bounds=(0, 1),
        spans=[(2, 4.5)],
        levels=[(0.75, "threshold")],
        height=200,
    )
    span, level = tree(chart).find(".//rect[@class='span']"), tree(chart).find(".//g[@class='level']/line")
    assert span is not None and (span.get("x"), span.get("width")) == ("2000.0", "2500.0")
    assert level is not None and level.get("y1") == "50.0"
    assert "threshold" in chart


@pytest.mark.guards("3")
def test_marks_are_lines_down_that_are_named_on_the_side_with_space() -> None:
    chart = line_chart(
        [Line("F1", [0, 1], [0.2, 0.8])],
        x_label="threshold",
        y_label="F1",
        marks=[(0.25, "threshold"), (0.75, "best F1")],
        height=200,
    )
    lines = [e for e in tree(chart).findall(".//g[@class='level']/line")]
    assert [(e.get("x1"), e.get("x2"), e.get("y2")) for e in lines] == [
        ("25.00%", "25.00%", "200"),
        ("75.00%", "75.00%", "200"),
    ]
    names = [e for e in tree(chart).findall(".//g[@class='level']/text")]
    assert [(e.text, e.get("text-anchor")) for e in names] == [("threshold", "start"), ("best F1", "end")]
    assert names[0].get("y") != names[1].get("y")  # so that close marks can be read


def test_a_band_is_drawn_around_a_curve() -> None:
    chart = line_chart([Line("a", [0, 1], [0.5, 0.5], spread=[0.5, 0.25])], x_label="x", y_label="y", y_bounds=(0, 1))
    band = next(e for e in tree(chart).iter("path") if e.get("fill-opacity"))
    assert points(band.get("d", "").rstrip("Z")) == [(0, 0), (10000, 250), (10000, 750), (0, 1000)]


def test_axes_are_named_and_several_curves_have_a_key_with_dashes() -> None:
    chart = line_chart(
        [Line(n, [0, 1], [0, 1]) for n in ("RGB", "flow")], x_label="epoch", y_label="AP", title="Training"
    )
    shown = [e.text for e in tree(chart).iter("text")]
    assert "epoch" in shown and "AP" in shown
    assert [e.get("stroke-dasharray") for e in tree(chart).iter("path")] == [None, "7 4"]
    assert [li.findtext(".") or "".join(li.itertext()) for li in tree(chart).iter("li")] == ["RGB", "flow"]


def test_a_curve_of_one_value_is_visible() -> None:
    curve = tree(line_chart([Line("a", [3], [1.0])], x_label="x", y_label="y")).find(".//path[@class='curve']")
    assert curve is not None and len(points(curve.get("d", ""))) == 2


def test_values_and_places_must_match() -> None:
    with pytest.raises(ValueError, match="'a' has 2 places for 2 values"):
        line_chart([Line("a", [0, 1], [0, 1], step=True)], x_label="x", y_label="y")


def test_bars_have_their_lengths_and_error_bars() -> None:
    chart = bar_chart(
        [Bar("RGB", 0.5, 0.1, (0.4, 0.6)), Bar("all", 1.0), Bar("none", None), Bar("nan", math.nan)], x_label="AP"
    )
    widths = [r.get("width") for r in tree(chart).iter("rect")]
    assert widths == ["50.00%", "100.00%"]
    assert texts(chart, "value") == ["0.500 \u00b1 0.100", "1.000", "no value", "no value"]
    whisker = tree(chart).find(".//line[@class='whisker']")
    assert whisker is not None and (whisker.get("x1"), whisker.get("x2")) == ("40.00%", "60.00%")
    assert [c.get("cx") for c in tree(chart).iter("circle")] == ["40.00%", "60.00%"]


@pytest.mark.guards("3")
def test_values_of_a_chart_have_equal_decimals() -> None:
    bars = [Bar("a", 0.5, 0.1), Bar("b", 0.51234, 0.00012), Bar("c", 1)]
    assert texts(bar_chart(bars, x_label="AP"), "value") == ["0.500 \u00b1 0.100", "0.512 \u00b1 0.000", "1.000"]
    assert texts(bar_chart(bars, x_label="AP", decimals=1), "value") == ["0.5 \u00b1 0.1", "0.5 \u00b1 0.0", "1.0"]


@pytest.mark.guards("3")
def test_long_names_differ_if_their_ends_do_and_are_whole_in_the_tooltip() -> None:
    long = [f"transformer with a very long description and {n} heads" for n in (4, 8)]
    chart = bar_chart([Bar(name, 0.5) for name in long], x_label="AP")
    shown = texts(chart, "name")
    assert len(set(shown)) == 2 and all(len(name) <= 30 for name in shown)
    assert [e.text for e in tree(chart).iter("title")] == [f"{name}: 0.500" for name in long]


def test_bars_below_zero_grow_to_the_left() -> None:
    chart = bar_chart([Bar("gain", -0.5), Bar("gain", 0.5)], x_label="gain")
    bars = [(r.get("x"), r.get("width")) for r in tree(chart).iter("rect")]
    zero, width = linear_axis([-0.5, 0.5], zero=True).place(0), "41.67%"
    assert [b[1] for b in bars] == [width, width]
    assert bars[1][0] == f"{100 * zero:.2f}%"


def test_groups_are_headed_once() -> None:
    bars = [Bar(n, 0.5, group=g) for g in ("motion", "sound") for n in ("a", "b")]
    assert texts(bar_chart(bars, x_label="AP"), "group") == ["motion", "sound"]


def test_points_are_numbered_and_their_names_listed_in_order() -> None:
    chart = scatter([Point("tca", 10, 0.5, 0.1), Point("mlp", 20, 1.0)], x_label="ms", y_label="AP")
    assert texts(chart, "number") == ["1", "2"]
    assert [li.text for li in tree(chart).iter("li")] == ["tca", "mlp"]
    assert [title.text for title in tree(chart).iter("title")] == ["tca: 0.5 at 10", "mlp: 1 at 20"]
    x, y = linear_axis([10, 20], None, 7), linear_axis([0.4, 0.6, 1.0])
    for circle, a, b in zip(tree(chart).iter("circle"), (10, 20), (0.5, 1.0), strict=True):
        assert circle.get("cx") == f"{100 * x.place(a):.2f}%"
        assert float(circle.get("cy", "")) == pytest.approx(300 * (1 - y.place(b)), abs=0.1)
    (bar,) = (line for line in tree(chart).iter("line") if line.get("class") == "whisker")
    length = float(bar.get("y1", "")) - float(bar.get("y2", ""))
    assert length == pytest.approx(300 * (y.place(0.6) - y.place(0.4)), abs=0.2)


def test_points_without_a_value_are_named() -> None:
    cloud = [Point("good", 1, 1), Point("bad", math.nan, 1), Point("worse", 0, math.inf)]
    chart = scatter(cloud, x_label="x", y_label="y")
    assert "Not shown, no value: bad, worse." in chart
    assert len(list(tree(chart).iter("circle"))) == 1


def test_the_pareto_front_is_what_no_other_beats() -> None:
    cheap, good, both = Point("cheap", 1, 0.2), Point("good", 9, 0.9), Point("both", 3, 0.7)
    beaten = [Point("dear", 4, 0.7), Point("weak", 3, 0.6), Point("all", 9, 0.1)]
    assert pareto_front([good, *beaten, both, cheap]) == [cheap, both, good]
    twin = Point("twin", 3, 0.7)
    assert pareto_front([both, twin]) == [both, twin]  # neither beats the other
    chart = scatter([good, *beaten, both, cheap], x_label="ms", y_label="AP", front=True)
    assert texts(chart, "number") == ["1", "5", "6"] and texts(chart, "number-hollow") == ["2", "3", "4"]
    named = [li.text or "" for li in tree(f"<div>{chart}</div>").iter("li")]
    assert [name.removesuffix(" (Pareto front)") for name in named if "Pareto" in name] == ["good", "both", "cheap"]
    assert len([line for line in tree(chart).iter("line") if line.get("class") == "front"]) == 2


def test_intervals_are_around_zero_and_at_their_values() -> None:
    shown = Difference("good", 0.2, 0.1, 0.3, [0.15, 0.25], "AP", True, "better")
    hidden = Difference("same", -0.05, -0.2, 0.1, group="AP")
    chart = forest_chart([shown, hidden, Difference("none", None, group="AUC")], x_label="difference")
    axis = linear_axis([0.1, 0.3, 0.15, 0.25, -0.2, 0.1], None, 6, zero=True)

    def place(value: float) -> str:
        return f"{100 * axis.place(value):.2f}%"

    lines = [(line.get("x1"), line.get("x2")) for line in tree(chart).iter("line") if line.get("class") == "whisker"]
    assert lines[0] == (place(0.1), place(0.3)) and lines[3] == (place(-0.2), place(0.1))
    edges = [line.get("x1") for line in tree(chart).iter("line") if line.get("class") == "edge"]
    assert place(0.0) in edges
    marks = [(c.get("cx"), c.get("fill")) for c in tree(chart).iter("circle") if c.get("class") == "mark"]
    assert marks == [(place(0.2), "var(--s0)"), (place(-0.05), "var(--paper)")]
    assert [c.get("cx") for c in tree(chart).iter("circle") if c.get("class") == "dot"] == [place(0.15), place(0.25)]
    assert texts(chart, "value") == ["+0.200 better", "-0.050", "no value"]
    assert texts(chart, "group") == ["AP", "AUC"] and texts(chart, "name") == ["good", "same", "none"]


def test_cells_of_a_heat_table_are_as_deep_as_their_values() -> None:
    table = tree(heat_table(["a", "b", "c"], {"x": [0.0, 1.0, None]}, caption="shares"))
    cells = list(table.iter("td"))
    assert [cell.text for cell in cells] == ["0.000", "1.000", "undefined"]
    assert [cell.get("style") for cell in cells] == ["--heat:0%", "--heat:45%", None]


def test_a_spark_chart_is_drawn_between_its_bounds() -> None:
    chart = tree(spark_chart([0.0, 1.0], (0.0, 1.0), 0.5))
    path, level = chart.find("path"), chart.find("line")
    assert path is not None and points(path.get("d", "")) == [(0, 26), (70, 26), (70, 2), (140, 2)]
    assert level is not None and level.get("y1") == level.get("y2") == "14.0"


def test_a_wave_covers_the_sound_and_no_more() -> None:
    peaks = np.array([0.5] * 20 + [0.0] * 20, np.float32)
    wave = tree(wave_chart(peaks, 20, 4.0, x_label="time (s)")).find(".//path[@class='wave']")
    assert wave is not None
    shape = points(wave.get("d", "").rstrip("Z"))
    assert max(x for x, _ in shape) == 5000  # 2 of 4 s
    assert {y for x, y in shape if x < 2000} == {0, 1000}


@pytest.mark.parametrize("top", [0.0, 1e-4, 0.03, *(i / 40 for i in range(1, 41))])
def test_a_wave_of_any_loudness_has_a_scale(top: float) -> None:
    shown = [e.text for e in tree(wave_chart(np.array([top, 0], np.float32), 2, 1, x_label="t")).iter("text")]
    assert shown[0] == shown[2] != shown[1] == "0"
    assert 0 < float(str(shown[0])) <= (top or 1)


def test_a_long_wave_keeps_its_loudest_moments() -> None:
    peaks = np.zeros(100_000, np.float32)
    peaks[77_777] = 0.5
    wave = tree(wave_chart(peaks, 20, 5000, x_label="time")).find(".//path[@class='wave']")
    assert wave is not None
    shape = points(wave.get("d", "").rstrip("Z"))
    assert len(shape) <= 4000
    assert [abs(x - 7777.7) < 12 for x, y in shape if y == 0] == [True, True]


@pytest.mark.parametrize(
    "markup",
    [
        line_chart(
            [Line(EVIL, [0, 1], [0, 1], dots=True)] * 2,
            x_label=EVIL,
            y_label=EVIL,
            title=EVIL,
            levels=[(0.5, EVIL)],
            description=EVIL,
        ),
        bar_chart([Bar(EVIL, 1, group=EVIL, text=EVIL)], x_label=EVIL, title=EVIL),
        scatter([Point(EVIL, 1, 1), Point(EVIL, math.nan, 1)], x_label=EVIL, y_label=EVIL),
        forest_chart([Difference(EVIL, 0.1, 0.0, 0.2, group=EVIL, text=EVIL)], x_label=EVIL, title=EVIL),
        heat_table([EVIL], {EVIL: [0.5]}, caption=EVIL),
        wave_chart(np.ones(3, np.float32), 1, 3, x_label=EVIL, y_label=EVIL, title=EVIL),
    ],
)
def test_everything_is_escaped(markup: str) -> None:
    assert "<script" not in markup
    assert "alert" in "".join(tree(markup).itertext())


def test_time_lines_are_as_long_as_their_videos_and_stretches_at_their_times() -> None:
    lines = [TimeLine("a", 100.0, [Stretch("fire", 10, 30), Stretch("dance", 50, 60, counts=False)]), TimeLine("b", 50)]
    chart = tree(time_lines(lines, title=EVIL))
    assert [e.get("x2") for e in chart.iter("line") if e.get("class") == "edge"][1:] == ["100.00%", "50.00%"]
    assert [(e.get("x"), e.get("width")) for e in chart.iter("rect")] == [("50.00%", "10.00%"), ("10.00%", "20.00%")]
    assert [e.text for e in chart.iter("title")] == ["dance from 0:50.0 to 1:00.0", "fire from 0:10.0 to 0:30.0"]
    assert "b: nothing" in (chart.find(".//svg").get("aria-label") or "")  # type: ignore[union-attr]
