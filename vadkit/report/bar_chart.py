"""Horizontal bars with error bars. Names and values are above their bars, so long ones fit on a phone too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from vadkit.report.axis_ticks import Axis, linear_axis
from vadkit.report.plot import colour, figure, percent, x_axis

BAR, TEXT, GAP, GROUP = 10, 16, 8, 24  # pixels
LONGEST = 30  # letters; longer names lose their middle, since variants often differ at the end


@dataclass(frozen=True)
class Bar:
    """One bar.

    Args:
        name: what it is.
        value: its length; None or not finite is shown as "no value".
        spread: half the length of the error bar.
        points: single runs, drawn as dots.
        group: bars of one group are listed under its name.
        series: picks the colour; bars of one series share it.
        text: shown instead of the value and the spread.
    """

    name: str
    value: float | None
    spread: float | None = None
    points: Sequence[float] = ()
    group: str = ""
    series: int = 0
    text: str | None = None


def bar_chart(
    bars: Sequence[Bar],
    *,
    x_label: str,
    title: str = "",
    x_bounds: tuple[float, float] | None = None,
    decimals: int = 3,
    description: str = "",
) -> Markup:
    """Return a chart of ``bars``, in their order, as markup.

    Args:
        x_label: what the bars measure, with the unit, and what the error bars are.
        x_bounds: ends of the axis; by default from 0 to a tick beyond the longest bar.
        decimals: of all values, so that they can be compared.
    """
    values = [v for bar in bars for v in _reach(bar)]
    axis = linear_axis(values, x_bounds, zero=True)
    parts, y, group = [], 0.0, ""
    for bar in bars:
        if bar.group != group:
            group = bar.group
            parts.append(f'<text class="group" x="0" y="{y + 16:g}">{escape(group)}</text>')
            y += GROUP
        parts.append(_bar(bar, axis, y, decimals))
        y += TEXT + BAR + GAP
    content = x_axis(axis, y, x_label) + "".join(parts)
    read_out = ", ".join(f"{bar.group} {bar.name} {_value_text(bar, decimals)}".strip() for bar in bars)
    return figure(content, height=y, description=description or f"{title or x_label}: {read_out}", title=title, left=14)


def _reach(bar: Bar) -> list[float]:
    if bar.value is None or not math.isfinite(bar.value):
        return list(bar.points)
    spread = bar.spread or 0.0
    return [bar.value - spread, bar.value + spread, *bar.points]


def _value_text(bar: Bar, decimals: int) -> str:
    if bar.text is not None:
        return bar.text
    if bar.value is None or not math.isfinite(bar.value):
        return "no value"
    value = f"{bar.value:.{decimals}f}"
    if bar.spread is None or not math.isfinite(bar.spread):
        return value
    return f"{value} \u00b1 {bar.spread:.{decimals}f}"


def shortened(name: str) -> str:
    """Return a name that fits next to its value on a phone."""
    if len(name) <= LONGEST:
        return name
    half = LONGEST // 2
    return f"{name[: half - 1]}\u2026{name[-half:]}"


def _bar(bar: Bar, axis: Axis, y: float, decimals: int) -> str:
    value = _value_text(bar, decimals)
    top, middle = y + TEXT + 2, y + TEXT + 2 + BAR / 2
    parts = [
        f"<g><title>{escape(f'{bar.group} {bar.name}: {value}'.strip())}</title>"
        f'<text class="name" x="0" y="{y + 13:g}">{escape(shortened(bar.name))}</text>'
        f'<text class="value" x="100%" y="{y + 13:g}" text-anchor="end">{escape(value)}</text>'
    ]
    if bar.value is not None and math.isfinite(bar.value):
        start, end = sorted((_inside(axis.place(0.0)), _inside(axis.place(bar.value))))
        parts.append(
            f'<rect x="{percent(start)}" width="{percent(end - start)}" y="{top:g}" height="{BAR}" '
            f'fill="{colour(bar.series)}"/>'
        )
        parts.append(_whisker(bar.value, bar.spread, axis, middle))
    parts += [_run(point, axis, middle) for point in bar.points if math.isfinite(point)]
    return "".join(parts) + "</g>"


def _inside(part: float) -> float:
    return min(1.0, max(0.0, part))


def _whisker(value: float, spread: float | None, axis: Axis, y: float) -> str:
    if not spread or not math.isfinite(spread):
        return ""
    a, b = (percent(_inside(axis.place(v))) for v in (value - spread, value + spread))
    ends = "".join(f'<line class="whisker" x1="{x}" x2="{x}" y1="{y - 4:g}" y2="{y + 4:g}"/>' for x in (a, b))
    return f'<line class="whisker" x1="{a}" x2="{b}" y1="{y:g}" y2="{y:g}"/>{ends}'


def _run(value: float, axis: Axis, y: float) -> str:
    x = percent(_inside(axis.place(value)))
    return f'<circle class="dot" cx="{x}" cy="{y:g}" r="3" fill="var(--ink)"/>'
