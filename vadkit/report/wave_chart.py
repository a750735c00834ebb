"""The loudness of a sound over time, as the filled shape that audio programs draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from vadkit.report import plot
from vadkit.report.axis_ticks import Axis, linear_axis, short, time_axis
from vadkit.report.line_chart import shade
from vadkit.report.plot import HIGH, WIDE

COLUMNS = 1000


def wave_chart(
    peaks: np.ndarray,
    rate: float,
    duration: float,
    *,
    x_label: str,
    y_label: str = "loudest sample (share of full scale)",
    title: str = "",
    spans: Sequence[tuple[float, float]] = (),
    height: float = 90,
    left: float | None = None,
    data: str = "",
    description: str = "",
) -> Markup:
    """Return the chart of ``peaks`` (n,), each the loudest sample in 1 / ``rate`` seconds.

    ``spans``, ``left`` and ``data`` as in ``line_chart``.
    """
    x = time_axis(duration)
    top = float(peaks.max()) if peaks.size and peaks.max() > 0 else 1.0
    step = linear_axis([], (0.0, top), 3).ticks[1][0]  # always exists: steps are at most 5/6 of the axis
    y = Axis(-top, top, ((-step, short(step)), (0.0, "0"), (step, short(step))))
    shades = "".join(shade(WIDE * x.place(a), WIDE * x.place(b)) for a, b in spans)
    content = (
        plot.y_axis(y, height, y_label)
        + plot.x_axis(x, height, x_label)
        + plot.inner(f'<g class="spans">{shades}</g>{_shape(peaks / top, rate, duration)}')
    )
    return plot.figure(
        content,
        height=height,
        description=description or f"{title or y_label} over {x_label}",
        title=title,
        left=plot.left_space(y) if left is None else left,
        data=f'{data} data-x0="0" data-x1="{x.high!r}"',
    )


def _shape(peaks: np.ndarray, rate: float, duration: float) -> str:
    """Return the path around ``peaks`` (0..1), many of which share a column."""
    if not peaks.size:
        return ""
    share = max(1, -(-len(peaks) // COLUMNS))
    edges = np.arange(0, len(peaks), share)
    columns = np.maximum(np.maximum.reduceat(peaks, edges), 0.004)  # silence is still a line
    times = np.append(edges, len(peaks)) / rate / (duration or 1.0)
    places = np.repeat(np.round(np.minimum(times, 1.0) * WIDE).astype(int), 2)[1:-1]
    half = np.repeat(columns, 2) * HIGH / 2
    above = [f"{x} {HIGH / 2 - h:.0f}" for x, h in zip(places, half)]
    below = [f"{x} {HIGH / 2 + h:.0f}" for x, h in zip(places[::-1], half[::-1])]
    return f'<path class="wave" d="M{"L".join(above + below)}Z"/>'
