"""Points in a plane: each dot has a number, and the names are listed below the chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from vadkit.report.axis_ticks import Axis, linear_axis
from vadkit.report.plot import colour, figure, left_space, percent, x_axis, y_axis

HEIGHT, RADIUS = 300, 8  # pixels


@dataclass(frozen=True)
class Point:
    """A point with its name and, where known, half the length of its error bar."""

    name: str
    x: float
    y: float
    y_spread: float = 0.0


def scatter(points: Sequence[Point], *, x_label: str, y_label: str) -> Markup:
    """Return a chart of ``points`` as markup. Points that are not finite are listed as missing."""
    known = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    x = linear_axis([p.x for p in known], None, 7)
    y = linear_axis([v for p in known for v in (p.y - p.y_spread, p.y + p.y_spread)])
    dots = "".join(_dot(number, p, x, y) for number, p in enumerate(known, 1))
    return figure(
        y_axis(y, HEIGHT, y_label) + x_axis(x, HEIGHT, x_label) + dots,
        height=HEIGHT,
        description=f"{y_label} against {x_label}: {', '.join(p.name for p in known)}",
        left=left_space(y),
        after=_names(known, [p.name for p in points if p not in known]),
    )


def _names(known: Sequence[Point], missing: Sequence[str]) -> str:
    text = f'<ol class="names">{"".join(f"<li>{escape(p.name)}</li>" for p in known)}</ol>' if known else ""
    return text + (f'<p class="soft">Not shown, no value: {escape(", ".join(missing))}.</p>' if missing else "")


def _dot(number: int, p: Point, x: Axis, y: Axis) -> str:
    cx, cy = percent(x.place(p.x)), HEIGHT * (1 - y.place(p.y))
    return (
        f"<g><title>{escape(f'{p.name}: {p.y:.4g} at {p.x:.4g}')}</title>{_error_bar(p, cx, y)}"
        f'<circle class="dot" cx="{cx}" cy="{cy:.1f}" r="{RADIUS}" fill="{colour(0)}"/>'
        f'<text class="number" x="{cx}" y="{cy + 3.5:.1f}" text-anchor="middle">{number}</text></g>'
    )


def _error_bar(p: Point, cx: str, y: Axis) -> str:
    if p.y_spread <= 0:
        return ""
    low, high = (HEIGHT * (1 - y.place(v)) for v in (p.y - p.y_spread, p.y + p.y_spread))
    return f'<line class="whisker" x1="{cx}" x2="{cx}" y1="{low:.1f}" y2="{high:.1f}"/>'
