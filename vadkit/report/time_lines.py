"""What happens in several videos, a row for each, on a common time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from vadkit.report.axis_ticks import Axis, moment, time_axis, time_label
from vadkit.report.plot import LETTER, figure, percent, x_axis

ROW, HIGH, LOW = 22, 14, 5  # pixels: of a row, of a stretch that counts, of one that does not


@dataclass(frozen=True)
class Stretch:
    """Something that happens from ``start`` to ``end``, in seconds. If it ``counts``, it is drawn high and in red."""

    name: str
    start: float
    end: float
    counts: bool = True


@dataclass(frozen=True)
class TimeLine:
    """A video of ``length`` seconds, and what happens in it."""

    name: str
    length: float
    stretches: Sequence[Stretch] = ()


def time_lines(lines: Sequence[TimeLine], *, title: str = "") -> Markup:
    """Return a chart with a row for each video, as markup."""
    longest = max((line.length for line in lines), default=1.0)
    axis, height = time_axis(longest), float(ROW * len(lines))
    rows = "".join(_row(line, axis, ROW * number) for number, line in enumerate(lines))
    said = "; ".join(f"{line.name}: {', '.join(map(_said, line.stretches)) or 'nothing'}" for line in lines)
    left = 16 + LETTER * max((len(line.name) for line in lines), default=1)
    content = x_axis(axis, height, time_label(longest)) + rows
    return figure(content, height=height, description=f"{title or 'events'}: {said}", title=title, left=left)


def _said(stretch: Stretch) -> str:
    return f"{stretch.name} from {moment(stretch.start)} to {moment(stretch.end)}"


def _row(line: TimeLine, axis: Axis, y: float) -> str:
    middle = y + ROW / 2
    parts = [
        f'<text class="name" x="-7" y="{middle + 4:g}" text-anchor="end">{escape(line.name)}</text>',
        f'<line class="edge" x1="0" x2="{percent(axis.place(line.length))}" y1="{middle:g}" y2="{middle:g}"/>',
    ]
    # Those that count are drawn last, over the others.
    for stretch in sorted(line.stretches, key=lambda stretch: stretch.counts):
        size = HIGH if stretch.counts else LOW
        wide = axis.place(stretch.end) - axis.place(stretch.start)
        fill = "var(--alarm)" if stretch.counts else "var(--s0)"
        parts.append(
            f'<rect x="{percent(axis.place(stretch.start))}" width="{percent(wide)}" y="{middle - size / 2:g}" '
            f'height="{size}" fill="{fill}"><title>{escape(_said(stretch))}</title></rect>'
        )
    return "".join(parts)
