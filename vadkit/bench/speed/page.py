"""A run as a page: how far each train step is from its limit, and all tables."""

from __future__ import annotations

from vadkit.bench.speed import table
from vadkit.bench.speed.result import Run
from vadkit.report import Bar, bar_chart, render


def as_page(run: Run) -> str:
    """Return the page as HTML."""
    return render(
        "speed.html",
        title=table.TITLE,
        bars=_bars(run),
        steps=table.steps(run),
        growths=table.growths(run),
        missing=[{"what": m.what, "why": m.why} for m in run.missing.values()],
        legend=table.LEGEND,
        conditions=table.conditions(run),
    )


def _bars(run: Run) -> str:
    rows = [row for row in run.rows.values() if row.kind == "graph" and row.what == "train"]
    bars = [Bar(f"{row.subject}, {row.bags} x {row.snippets}, {row.precision}", row.over_limit) for row in rows]
    return str(bar_chart(bars, x_label="train step, times the limit")) if bars else ""
