"""Curves over a common axis, with bands, levels, marks and shaded spans."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup, escape

from vadkit.report import plot
from vadkit.report.axis_ticks import Axis, linear_axis, time_axis
from vadkit.report.plot import HIGH, WIDE, percent
from vadkit.report.thinning import as_points, thinned


@dataclass(frozen=True)
class Line:
    """A curve. A value that is not finite leaves a gap.

    Args:
        x: as many places as ``y``; or, if ``step``, the edges of the steps, one more.
        y: values.
        spread: half the height of a band around the curve (say, a standard deviation); not for steps.
        step: each value holds from its edge to the next.
        dots: draw a dot at each value.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] | None = None
    step: bool = False
    dots: bool = False


def line_chart(
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    x_bounds: tuple[float, float] | None = None,
    y_bounds: tuple[float, float] | None = None,
    spans: Sequence[tuple[float, float]] = (),
    levels: Sequence[tuple[float, str]] = (),
    marks: Sequence[tuple[float, str]] = (),
    height: float = 220,
    time: bool = False,
    left: float | None = None,
    data: str = "",
    description: str = "",
) -> Markup:
    """Return a chart of ``lines`` as markup. Long curves are thinned to what can be seen of them.

    Args:
        x_label, y_label: what the axes show, with the unit.
        spans: (start, end) shaded over the whole height.
        levels: (value, text) drawn as dashed lines across.
        marks: (x, text) drawn as dashed lines down.
        time: the x axis is time in seconds from 0 (to ``x_bounds[1]`` or the last x).
        left, data: see ``plot.figure``.
    """
    lines = [_drawable(line) for line in lines]
    x, y = _axes(lines, x_bounds, y_bounds, levels, marks, time)
    shades = "".join(shade(WIDE * x.place(start), WIDE * x.place(end)) for start, end in spans)
    names = [line.name for line in lines]
    curves = "".join(_band(line, x, y, i) + _curve(line, x, y, i) for i, line in enumerate(lines))
    content = (
        plot.y_axis(y, height, y_label)
        + plot.x_axis(x, height, x_label)
        + plot.inner(f'<g class="spans">{shades}</g>{curves}')
        + "".join(_dots(line, x, y, i, height) for i, line in enumerate(lines) if line.dots)
        + "".join(_level(value, text, y, height) for value, text in levels)
        + "".join(_mark(x.place(value), text, row, height) for row, (value, text) in enumerate(marks))
    )
    return plot.figure(
        content,
        height=height,
        description=description or f"{title or y_label}: {', '.join(names)} over {x_label}",
        title=title,
        key=plot.legend(names, {i for i, line in enumerate(lines) if len(line.y) == 1}),
        left=plot.left_space(y) if left is None else left,
        data=f'{data} data-x0="{x.low:g}" data-x1="{x.high!r}" data-y0="{y.low!r}" data-y1="{y.high!r}"',
    )


def _drawable(line: Line) -> Line:
    """Return the line as points, no more of them than can be seen."""
    if len(line.x) != len(line.y) + line.step:
        raise ValueError(f"'{line.name}' has {len(line.x)} places for {len(line.y)} values")
    if line.spread is not None and not line.step:
        return line
    x, y = thinned(*(as_points(line.x, line.y) if line.step else (line.x, line.y)))
    return replace(line, x=x.tolist(), y=y.tolist(), spread=None, step=False)


def _axes(
    lines: Sequence[Line],
    x_bounds: tuple[float, float] | None,
    y_bounds: tuple[float, float] | None,
    levels: Sequence[tuple[float, str]],
    marks: Sequence[tuple[float, str]],
    time: bool,
) -> tuple[Axis, Axis]:
    xs = [float(v) for line in lines for v in line.x] + [value for value, _ in marks]
    ys = [float(v) for line in lines for v in line.y] + [value for value, _ in levels]
    for line in lines:
        for value, spread in zip(line.y, line.spread or ()):
            ys += [value - spread, value + spread]
    if time:
        return time_axis(x_bounds[1] if x_bounds else max(xs, default=1.0)), linear_axis(ys, y_bounds)
    return linear_axis(xs, x_bounds, 8), linear_axis(ys, y_bounds)


def shade(start: float, end: float) -> str:
    """Return the shading of a span, in units of the inner svg."""
    return f'<rect class="span" x="{start:.1f}" y="0" width="{end - start:.1f}" height="{HIGH}"/>'


def _point(x: float, y: float, x_axis: Axis, y_axis: Axis) -> str:
    return f"{WIDE * x_axis.place(x):.0f} {HIGH * (1 - y_axis.place(y)):.1f}"


def _runs(line: Line) -> Iterator[list[tuple[float, float]]]:
    """Yield the stretches of the curve without a gap, as points."""
    run: list[tuple[float, float]] = []
    for i, value in enumerate(line.y):
        if not math.isfinite(value):
            if run:
                yield run
            run = []
        else:
            run.append((line.x[i], value))
    if run:
        yield run


def _curve(line: Line, x: Axis, y: Axis, index: int) -> str:
    paths = []
    for run in _runs(line):
        points = [_point(a, b, x, y) for a, b in run]
        points = [p for p, q in pairwise([*points, ""]) if p != q]
        # A single point has no length; a line to itself with round ends is visible.
        points = points * 2 if len(points) == 1 else points
        paths.append("M" + "L".join(points))
    drawn = "".join(paths)
    return f'<path class="curve" {plot.stroke(index)} stroke-linecap="round" d="{drawn}"/>' if drawn else ""


def _band(line: Line, x: Axis, y: Axis, index: int) -> str:
    if line.spread is None:
        return ""
    known = [(a, b, s) for a, b, s in zip(line.x, line.y, line.spread) if math.isfinite(b + s)]
    above = [_point(a, b + s, x, y) for a, b, s in known]
    below = [_point(a, b - s, x, y) for a, b, s in reversed(known)]
    if not known:
        return ""
    return f'<path fill="{plot.colour(index)}" fill-opacity=".18" d="M{"L".join(above + below)}Z"/>'


def _dots(line: Line, x: Axis, y: Axis, index: int, height: float) -> str:
    return "".join(
        f'<circle class="dot" cx="{percent(x.place(a))}" cy="{height * (1 - y.place(b)):.1f}" r="4.5" '
        f'fill="{plot.colour(index)}"><title>{escape(f"{line.name}: {b:.4g} at {a:.4g}")}</title></circle>'
        for a, b in zip(line.x, line.y)
        if math.isfinite(b)
    )


def _level(value: float, text: str, y: Axis, height: float) -> str:
    place = height * (1 - y.place(value))
    shown = f'<text class="level-name" x="100%" y="{place - 5:.1f}" text-anchor="end">{escape(text)}</text>'
    return f'<g class="level"><line x1="0" x2="100%" y1="{place:.1f}" y2="{place:.1f}"/>{shown}</g>'


def _mark(place: float, text: str, row: int, height: float) -> str:
    """Return a dashed line down, named next to it on the side with more space; each further name is lower."""
    x, (shift, anchor) = percent(place), (4, "start") if place < 0.5 else (-4, "end")
    y, name = 12 + 15 * row, escape(text)
    shown = f'<text class="level-name" x="{x}" dx="{shift}" y="{y}" text-anchor="{anchor}">{name}</text>'
    return f'<g class="level"><line x1="{x}" x2="{x}" y1="0" y2="{height:g}"/>{shown}</g>'
