"""Points in a plane with names that do not run into one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vadkit.report.markup import Html, escape
from vadkit.report.plot import LETTER, colour, dot_legend, figure, left_space, percent, x_axis, y_axis
from vadkit.report.ticks import Axis, linear_axis, log_axis

WIDTHS = (300, 420, 560, 760, 920)  # a name stands free if it does so at all these widths of the plot
# dx, dy, share of the text left of the point; those above and below keep clear of the error bar
SIDES = ((9, 4, 0.0), (-9, 4, 1.0), (0, -10, 0.5), (0, 19, 0.5))
ANCHORS = {0.0: "start", 0.5: "middle", 1.0: "end"}
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A point with its name and, where known, half the lengths of its error bars."""

    name: str
    x: float
    y: float
    x_spread: float = 0.0
    y_spread: float = 0.0
    series: int = 0


def scatter(
    points: Sequence[Point],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    series: Sequence[str] = (),
    x_log: bool = False,
    x_bounds: tuple[float, float] | None = None,
    y_bounds: tuple[float, float] | None = None,
    height: float = 300,
    description: str = "",
) -> Html:
    """Return a chart of ``points`` as markup. Points that are not finite are left out and said so.

    A name that finds no free place gets a number in its dot and is listed below the chart.
    """
    known = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y) and (p.x > 0 or not x_log)]
    xs = [v for p in known for v in ((p.x,) if x_log else (p.x - p.x_spread, p.x + p.x_spread))]
    ys = [v for p in known for v in (p.y - p.y_spread, p.y + p.y_spread)]
    x, y = (log_axis(xs) if x_log else linear_axis(xs, x_bounds, 7)), linear_axis(ys, y_bounds)
    sides = _sides(known, x, y, height)
    numbers = {i: n for n, i in enumerate((i for i, s in enumerate(sides) if s is None), 1)}
    dots = "".join(_dot(p, x, y, height, sides[i], numbers.get(i)) for i, p in enumerate(known))
    names = ", ".join(p.name for p in known)
    missing = [p.name for p in points if p not in known]
    return figure(
        y_axis(y, height, y_label) + x_axis(x, height, x_label) + dots,
        height=height,
        description=description or f"{title or y_label} against {x_label}: {names}",
        title=title,
        key=dot_legend(series),
        left=left_space(y),
        after=_after([known[i].name for i in numbers], missing),
    )


def _after(numbered: Sequence[str], missing: Sequence[str]) -> str:
    keys = "".join(f"<li>{escape(name)}</li>" for name in numbered)
    text = f'<ol class="keys">{keys}</ol>' if keys else ""
    if missing:
        text += f'<p class="soft">Not shown, no value: {escape(", ".join(missing))}.</p>'
    return text


def _box(point: Point, side: tuple[int, int, float], x: Axis, y: Axis, width: float, height: float) -> Box:
    """Return left, top, right, bottom of a name in pixels."""
    dx, dy, share = side
    length = LETTER * len(point.name)
    left = x.place(point.x) * width + dx - share * length
    base = _base(point, dy, y, height)
    return left, base - 11, left + length, base + 3


def _base(point: Point, dy: int, y: Axis, height: float) -> float:
    """Return where the line of text of a name stands that is ``dy`` from its dot."""
    away = 0.0 if dy == 4 else point.y_spread if dy < 0 else -point.y_spread
    reach = max(0.0, abs(y.place(point.y + away) - y.place(point.y)) * height - 6)
    return height * (1 - y.place(point.y)) + dy + (-reach if dy < 0 else reach)


def _dot_box(point: Point, x: Axis, y: Axis, width: float, height: float) -> Box:
    a, b = x.place(point.x) * width, height * (1 - y.place(point.y))
    return a - 6, b - 6, a + 6, b + 6


def _whisker_box(point: Point, x: Axis, y: Axis, width: float, height: float) -> Box:
    """Return the box of the vertical error bar, which no name may cross."""
    a = x.place(point.x) * width
    top, bottom = (height * (1 - y.place(v)) for v in (point.y + point.y_spread, point.y - point.y_spread))
    return a - 2, top, a + 2, bottom


def _apart(a: Box, b: Box) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _sides(points: Sequence[Point], x: Axis, y: Axis, height: float) -> list[tuple[int, int, float] | None]:
    """Return for each point the side its name stands on, or None if no side is free."""
    taken = {w: [_dot_box(p, x, y, w, height) for p in points] for w in WIDTHS}
    whiskers = {w: [_whisker_box(p, x, y, w, height) for p in points] for w in WIDTHS}
    chosen: list[tuple[int, int, float] | None] = []
    for i, point in enumerate(points):
        best = None
        for side in SIDES:
            boxes = {w: _box(point, side, x, y, w, height) for w in WIDTHS}
            if all(
                box[0] >= -4
                and box[2] <= w + 12
                and box[1] >= -8
                and box[3] <= height + 4
                and all(_apart(box, other) for j, other in enumerate(taken[w]) if j != i)
                and all(_apart(box, other) for other in whiskers[w])
                for w, box in boxes.items()
            ):
                best = side
                for w, box in boxes.items():
                    taken[w].append(box)
                break
        chosen.append(best)
    return chosen


def _dot(p: Point, x: Axis, y: Axis, height: float, side: tuple[int, int, float] | None, number: int | None) -> str:
    cx, cy = percent(x.place(p.x)), height * (1 - y.place(p.y))
    parts = [f"<g><title>{escape(f'{p.name}: {p.y:.4g} at {p.x:.4g}')}</title>", _errors(p, x, y, height)]
    radius = 5.5 if number is None else 8
    parts.append(f'<circle class="dot" cx="{cx}" cy="{cy:.1f}" r="{radius}" fill="{colour(p.series)}"/>')
    if side is not None:
        dx, dy, share = side
        anchor = ANCHORS[share]
        parts.append(
            f'<text class="name" x="{cx}" dx="{dx}" y="{_base(p, dy, y, height):.1f}" text-anchor="{anchor}">'
            f"{escape(p.name)}</text>"
        )
    if number is not None:
        parts.append(f'<text class="number" x="{cx}" y="{cy + 3.5:.1f}" text-anchor="middle">{number}</text>')
    return "".join(parts) + "</g>"


def _errors(p: Point, x: Axis, y: Axis, height: float) -> str:
    cx, cy = percent(x.place(p.x)), height * (1 - y.place(p.y))
    text = ""
    if p.y_spread > 0:
        a, b = (height * (1 - y.place(v)) for v in (p.y - p.y_spread, p.y + p.y_spread))
        text += f'<line class="whisker" x1="{cx}" x2="{cx}" y1="{a:.1f}" y2="{b:.1f}"/>'
    if p.x_spread > 0:
        a_x, b_x = (percent(x.place(v)) for v in (p.x - p.x_spread, p.x + p.x_spread))
        text += f'<line class="whisker" x1="{a_x}" x2="{b_x}" y1="{cy:.1f}" y2="{cy:.1f}"/>'
    return text
