"""The page over all videos of a run: what was found in each, and which could not be used and why."""

from __future__ import annotations

from collections.abc import Sequence

from vadkit import __version__
from vadkit.predict.outcome import Outcome, Summary
from vadkit.report import Html, escape, link, page, section, table
from vadkit.report.ticks import moment

SPARK = (140, 28)  # pixels of the small curve in the table
STYLE = """
td:first-child{min-width:9rem}
.spark{display:block;background:var(--panel)}.spark path{fill:none;stroke:var(--s0);stroke-width:1.5}
.spark line{stroke:var(--alarm);stroke-dasharray:3 2}
"""


def index_page(outcomes: Sequence[Outcome], model: str, threshold: float) -> str:
    """Return the page as HTML, linked to the pages of the videos beside it."""
    done = [o.summary for o in outcomes if o.summary is not None]
    failed = [o for o in outcomes if o.error is not None]
    bounds = _bounds(done, threshold)
    body = [section("Videos", table([_row(s, bounds, threshold) for s in done]))] if done else []
    if failed:
        rows = [{"video": str(o.video), "cause": o.error} for o in failed]
        body.append(section("Could not be used", table(rows)))
    count = f"{len(done)} of {len(outcomes)} videos" if failed else f"{len(done)} video{'s' * (len(done) != 1)}"
    return page(
        f"Videos scored by {model}",
        body,
        subtitle=f"{count} scored; events are stretches with a score of {threshold:g} or more.",
        footer=f"Made by vadkit {__version__}.",
        style=STYLE,
    )


def _row(summary: Summary, bounds: tuple[float, float], threshold: float) -> dict[str, object]:
    return {
        "video": Html(f'<a href="{escape(link(summary.name + ".html"))}">{escape(summary.title)}</a>'),
        "length": moment(summary.duration),
        "score over time": _spark(summary.curve, bounds, threshold),
        "highest score": f"{summary.top:.3f}",
        "at": moment(summary.top_time),
        "events": len(summary.events),
        "notes": " ".join(summary.warnings),
    }


def _bounds(summaries: Sequence[Summary], threshold: float) -> tuple[float, float]:
    """Return the lowest and highest end of the small curves, the same for all."""
    values = [v for s in summaries for v in s.curve] + [threshold, 0.0, 1.0]
    return min(values), max(values)


def _spark(curve: Sequence[float], bounds: tuple[float, float], threshold: float) -> Html:
    width, height = SPARK
    low, high = bounds

    def y(value: float) -> float:
        return 2 + (height - 4) * (1 - (value - low) / (high - low))

    step = width / len(curve)
    path = "L".join(f"{i * step:.1f} {y(v):.1f}L{(i + 1) * step:.1f} {y(v):.1f}" for i, v in enumerate(curve))
    return Html(
        f'<svg class="spark" width="{width}" height="{height}" role="img" '
        f'aria-label="score between {min(curve):.2f} and {max(curve):.2f}">'
        f'<line x1="0" x2="{width}" y1="{y(threshold):.1f}" y2="{y(threshold):.1f}"/><path d="M{path}"/></svg>'
    )
