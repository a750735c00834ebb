"""Points in a plane: each dot has a number, and the names are listed below the chart.

The Pareto front of a chart of accuracy against cost are the points of which no other is both as cheap and more
accurate, or as accurate and cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from vadkit.report.axis_ticks import Axis, linear_axis, log_axis
from vadkit.report.plot import colour, figure, left_space, percent, x_axis, y_axis

HEIGHT, RADIUS = 300, 8  # pixels


@dataclass(frozen=True)
class Point:
    """A point with its name and, where known, half the length of its error bar."""

    name: str
    x: float
    y: float
    y_spread: float = 0.0


def scatter(
    points: Sequence[Point],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    front: bool = False,
    x_log: bool = False,
) -> Markup:
    """Return a chart of ``points`` as markup. Points that cannot be drawn are listed as missing.

    With ``front``, less x and more y is better: the points of the Pareto front are full and joined by a line, the
    others hollow. With ``x_log`` the places across are those of logarithms.
    """
    known = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y) and (p.x > 0 or not x_log)]
    best = pareto_front(known) if front else known
    across = [p.x for p in known]
    x = log_axis(across) if x_log else linear_axis(across, None, 7)
    y = linear_axis([v for p in known for v in (p.y - p.y_spread, p.y + p.y_spread)])
    dots = "".join(_dot(number, p, x, y, p in best) for number, p in enumerate(known, 1))
    return figure(
        y_axis(y, HEIGHT, y_label) + x_axis(x, HEIGHT, x_label) + (_joined(best, x, y) if front else "") + dots,
        height=HEIGHT,
        description=f"{y_label} against {x_label}: {', '.join(map(_said, known))}"
        + (f"; on the Pareto front: {', '.join(p.name for p in best)}" if front else ""),
        title=title,
        left=left_space(y),
        after=_names(known, best if front else (), [p.name for p in points if p not in known]),
    )


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats: at most their x and at least their y, one of the two truly better."""
    front = [p for p in points if not any(q.x <= p.x and q.y >= p.y and (q.x < p.x or q.y > p.y) for q in points)]
    return sorted(front, key=lambda p: (p.x, p.y))


def _joined(front: Sequence[Point], x: Axis, y: Axis) -> str:
    places = [(percent(x.place(p.x)), HEIGHT * (1 - y.place(p.y))) for p in front]
    return "".join(
        f'<line class="front" x1="{a}" y1="{b:.1f}" x2="{c}" y2="{d:.1f}"/>' for (a, b), (c, d) in pairwise(places)
    )


def _said(p: Point) -> str:
    return f"{p.name} {p.y:.4g} at {p.x:.4g}"


def _names(known: Sequence[Point], front: Sequence[Point], missing: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(p.name)}{' (Pareto front)' if p in front else ''}</li>" for p in known)
    text = f'<ol class="names">{items}</ol>' if known else ""
    return text + (f'<p class="soft">Not shown, no value: {escape(", ".join(missing))}.</p>' if missing else "")


def _dot(number: int, p: Point, x: Axis, y: Axis, full: bool) -> str:
    cx, cy = percent(x.place(p.x)), HEIGHT * (1 - y.place(p.y))
    dot, text = (f'class="dot" fill="{colour(0)}"', "number") if full else ('class="hollow"', "number-hollow")
    return (
        f"<g><title>{escape(f'{p.name}: {p.y:.4g} at {p.x:.4g}')}</title>{_error_bar(p, cx, y)}"
        f'<circle {dot} cx="{cx}" cy="{cy:.1f}" r="{RADIUS}"/>'
        f'<text class="{text}" x="{cx}" y="{cy + 3.5:.1f}" text-anchor="middle">{number}</text></g>'
    )


def _error_bar(p: Point, cx: str, y: Axis) -> str:
    if p.y_spread <= 0:
        return ""
    low, high = (HEIGHT * (1 - y.place(v)) for v in (p.y - p.y_spread, p.y + p.y_spread))
    return f'<line class="whisker" x1="{cx}" x2="{cx}" y1="{low:.1f}" y2="{high:.1f}"/>'
