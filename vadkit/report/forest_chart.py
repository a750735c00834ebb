"""Differences with their intervals around a line at zero. Names and values are above, so long ones fit on a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from vadkit.report.axis_ticks import Axis, linear_axis
from vadkit.report.bar_chart import shortened
from vadkit.report.plot import figure, percent, x_axis

ROW, TEXT, GROUP = 36, 16, 24  # pixels


@dataclass(frozen=True)
class Difference:
    """One difference.

    Args:
        name: of what is compared.
        value, low, high: the difference and the ends of its interval; None is shown as "no value".
        points: differences of single runs, drawn as dots.
        group: differences of one group are listed under its name.
        shown: whether it counts as a difference; its mark is full, else hollow.
        text: said after the value.
    """

    name: str
    value: float | None
    low: float = 0.0
    high: float = 0.0
    points: Sequence[float] = ()
    group: str = ""
    shown: bool = False
    text: str = ""


def forest_chart(differences: Sequence[Difference], *, x_label: str, title: str = "") -> Markup:
    """Return a chart of ``differences``, in their order, as markup. ``x_label`` says what the intervals are."""
    values = [v for d in differences if d.value is not None for v in (d.low, d.high, *d.points)]
    axis = linear_axis([v for v in values if math.isfinite(v)], None, 6, zero=True)
    parts, y, group = [], 0.0, ""
    for difference in differences:
        if difference.group != group:
            group = difference.group
            parts.append(f'<text class="group" x="0" y="{y + 16:g}">{escape(group)}</text>')
            y += GROUP
        parts.append(_row(difference, axis, y))
        y += ROW
    zero = percent(axis.place(0.0))
    line = f'<line class="edge" x1="{zero}" x2="{zero}" y1="0" y2="{y:g}"/>'
    read_out = ", ".join(f"{d.group} {d.name} {_said(d)}".strip() for d in differences)
    content = x_axis(axis, y, x_label) + line + "".join(parts)
    return figure(content, height=y, description=f"{title or x_label}: {read_out}", title=title, left=14)


def _said(difference: Difference) -> str:
    if difference.value is None:
        return "no value"
    return f"{difference.value:+.3f} {difference.text}".strip()


def _row(difference: Difference, axis: Axis, y: float) -> str:
    said, middle = _said(difference), y + TEXT + 8
    full = f"{difference.group} {difference.name}: {said}".strip()
    if difference.value is not None:
        full += f", interval {difference.low:+.3f} to {difference.high:+.3f}"
    parts = [
        f"<g><title>{escape(full)}</title>"
        f'<text class="name" x="0" y="{y + 13:g}">{escape(shortened(difference.name))}</text>'
        f'<text class="value" x="100%" y="{y + 13:g}" text-anchor="end">{escape(said)}</text>'
    ]
    if difference.value is not None:
        low, high, at = (percent(axis.place(v)) for v in (difference.low, difference.high, difference.value))
        fill = "var(--s0)" if difference.shown else "var(--paper)"
        parts += [_line(low, high, middle, middle), *(_line(x, x, middle - 5, middle + 5) for x in (low, high))]
        parts += [_dot(percent(axis.place(v)), middle) for v in difference.points if math.isfinite(v)]
        parts.append(f'<circle class="mark" cx="{at}" cy="{middle:g}" r="5" fill="{fill}"/>')
    return "".join(parts) + "</g>"


def _line(x1: str, x2: str, y1: float, y2: float) -> str:
    return f'<line class="whisker" x1="{x1}" x2="{x2}" y1="{y1:g}" y2="{y2:g}"/>'


def _dot(x: str, y: float) -> str:
    return f'<circle class="dot" cx="{x}" cy="{y:g}" r="3" fill="var(--ink)"/>'
