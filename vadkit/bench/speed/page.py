"""A run as a page: how far each train step is from its limit, and all tables."""

from __future__ import annotations

from markupsafe import Markup

from vadkit.bench.speed import table
from vadkit.bench.speed.result import Run
from vadkit.report import Bar, bar_chart, render


def as_page(run: Run) -> str:
    """Return the page as HTML."""
    steps = table.steps(run)
    whys = [
        {"what": f"{row['what']}, {row['bags x snippets']}, {row['precision']}", "why": row["why"]} for row in steps
    ]
    return render(
        "speed.html",
        title=table.TITLE,
        bars=_bars(run),
        steps=[{name: cell for name, cell in row.items() if name != "why"} for row in steps],
        whys=[row for row in whys if row["why"] != "-"],
        growths=table.growths(run),
        missing=[{"what": m.what, "why": m.why} for m in run.missing.values()],
        legend=table.LEGEND,
        conditions=table.conditions(run),
    )


def _bars(run: Run) -> Markup:
    rows = [row for row in run.rows.values() if row.kind == "graph" and row.what == "train"]
    bars = [Bar(f"{row.subject}, {row.bags} x {row.snippets}, {row.precision}", row.over_limit) for row in rows]
    return bar_chart(bars, x_label="train step, times the limit", decimals=1) if bars else Markup()
