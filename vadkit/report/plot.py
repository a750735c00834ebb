"""The frame that all charts share: axes, grid, labels.

A chart is fluid: it fills the width it is given while its text keeps its size. Places across are
percentages, places down are pixels, and curves live in an inner svg that is stretched.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from markupsafe import Markup, escape

from vadkit.report.axis_ticks import Axis

WIDE, HIGH = 10_000, 1_000  # units of the inner svg
LETTER = 6.7  # width of a letter at 12 px, rather too wide than too narrow
SERIES = 6  # colours --s0 to --s5 of page.css
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 4")


def percent(part: float) -> str:
    """Return 0..1 as an SVG percentage."""
    return f"{100 * part:.2f}%"


def colour(index: int) -> str:
    """Return the CSS colour of the series with this index."""
    return f"var(--s{index % SERIES})"


def stroke(index: int) -> str:
    """Return the SVG attributes of the series' line: colour, and dashes from the second on."""
    dash = DASHES[index % len(DASHES)]
    return f'stroke="{colour(index)}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def legend(names: Sequence[str], points: Container[int] = ()) -> str:
    """Return the key of several series, of which some are single ``points``; nothing for a single series."""
    if len(names) < 2:
        return ""
    items = (
        f'<li><svg width="26" height="9" aria-hidden="true">{_sample(i, i in points)}</svg>{escape(name)}</li>'
        for i, name in enumerate(names)
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _sample(index: int, point: bool) -> str:
    if point:
        return f'<circle cx="13" cy="4.5" r="4.5" fill="{colour(index)}"/>'
    return f'<line x1="0" x2="26" y1="4" y2="4" stroke-width="3" {stroke(index)}/>'


def x_axis(axis: Axis, height: float, label: str, lines: bool = True) -> str:
    """Return ticks, their texts and the name of the axis below a plot of this height."""
    parts = []
    for i, (value, text) in enumerate(axis.ticks):
        x = percent(axis.place(value))
        top = 0 if lines else height
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{height + 4:g}"/>')
        optional = ' class="optional"' if i % 2 and len(axis.ticks) > 5 else ""  # hidden on a phone
        parts.append(f'<text{optional} x="{x}" y="{height + 17:g}" text-anchor="middle">{escape(text)}</text>')
    parts.append(f'<line class="edge" x1="0" x2="100%" y1="{height:g}" y2="{height:g}"/>')
    parts.append(f'<text x="50%" y="{height + 36:g}" text-anchor="middle">{escape(label)}</text>')
    return "".join(parts)


def y_axis(axis: Axis, height: float, label: str) -> str:
    """Return grid lines, their texts and, above the plot, the name of the axis."""
    parts = []
    for value, text in axis.ticks:
        y = height * (1 - axis.place(value))
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="-7" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    parts.append(f'<text x="{-left_space(axis) + 4:g}" y="-12">{escape(label)}</text>')
    return "".join(parts)


def left_space(axis: Axis) -> float:
    """Return the pixels that the tick texts of a vertical axis need."""
    return 16 + LETTER * max((len(text) for _, text in axis.ticks), default=1)


def inner(content: str) -> str:
    """Return the stretched part of a plot, which clips what is outside."""
    return (
        f'<svg class="inner" width="100%" height="100%" viewBox="0 0 {WIDE} {HIGH}" '
        f'preserveAspectRatio="none">{content}</svg>'
    )


def figure(
    content: str,
    *,
    height: float,
    description: str,
    title: str = "",
    key: str = "",
    left: float | None = None,
    data: str = "",
    after: str = "",
) -> Markup:
    """Return a chart: caption, ``key`` (a legend), the plot and what is ``after`` it.

    Args:
        description: text for readers who cannot see the chart.
        left: pixels kept free on the left; the same for stacked plots.
        data: more attributes of the figure element.

    All of it is markup but ``description`` and ``title``.
    """
    space = "" if left is None else f' style="padding-left:{left:.0f}px"'
    caption = f"<figcaption>{escape(title)}</figcaption>" if title else ""
    return Markup(
        f'<figure class="chart"{data}>{caption}{key}<div class="plot"{space}>'
        f'<svg width="100%" height="{height:g}" role="img" aria-label="{escape(description)}">'
        f"{content}</svg></div>{after}</figure>"
    )
