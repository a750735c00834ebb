"""A run as tables: the steps, the growth, and what was not measured."""

from __future__ import annotations

from vadkit.bench.speed.growth import memory_exponent, time_exponent
from vadkit.bench.speed.result import Growth, Row, Run
from vadkit.tables import markdown_table, markdown_text

WHAT = {"train": "train step", "score": "scoring"}
PASSES = {"train": "forward, backward", "score": "forward"}
TITLE = "Speed, next to the authors' way and to the limit"
LEGEND = (
    "Times are medians over rounds in which ours, the authors' way, a large product and a large copy take turns; "
    "+- is the median deviation. The authors' way is a plain restatement of their code, in fp32. The limit is the time "
    "that the counted operations, or the bytes that must move (parameters, gradients, optimizer state, inputs), take "
    "at the rate of the product or the copy, whichever is longer. Below the limit, a cache holds what must move. "
    "A train step is forward, losses, backward and Adam."
)


def steps(run: Run) -> list[dict[str, str]]:
    """Return the rows of graphs and components as text."""
    rows = sorted(run.rows.values(), key=lambda row: (row.kind != "graph", row.kind, row.subject, row.what != "train"))
    is_gpu = any(row.memory_mib is not None for row in rows)
    return [_step(row, is_gpu) for row in rows]


def _step(row: Row, is_gpu: bool) -> dict[str, str]:
    found = {
        "what": f"{row.subject}, {(WHAT if row.kind == 'graph' else PASSES)[row.what]}",
        "bags x snippets": f"{row.bags} x {row.snippets}",
        "precision": row.precision if row.mode == "eager" else f"{row.precision}, {row.mode}",
        "ms": f"{number(row.ms)} +- {row.spread:.0%}",
        "authors' way, x": "-" if row.ratio is None else f"{row.ratio:.2f}",
        "GFLOP": "?" if row.flops is None else number(row.flops / 1e9),
        "limit, ms": number(row.limit),
        "over the limit, x": number(row.over_limit),
    }
    if is_gpu:
        found |= {
            "peak, MiB": "-" if row.memory_mib is None else f"{row.memory_mib:,.0f}",
            "kernels": "-" if row.kernels is None else f"{row.kernels:,}",
            "host waits": "-" if row.host_waits is None else str(row.host_waits),
        }
    return {**found, "why": row.why or "-"}


def growths(run: Run) -> list[dict[str, str]]:
    """Return the growth of scoring as text."""
    return [_growth(growth) for growth in run.growth.values()]


def _growth(growth: Growth) -> dict[str, str]:
    by_length = {size.snippets: size for size in growth.sizes}
    cells = {"graph": growth.subject}
    for length in (200, 2000, 20_000, 60_000):
        size = by_length.get(length)
        memory = "" if size is None or size.peak_mib is None else f", {size.peak_mib / 1024:.2f} GiB"
        cells[f"{length:,} snippets"] = "-" if size is None else f"{number(size.ms)} ms{memory}"
    for name, value in (("time", time_exponent(growth)), ("memory", memory_exponent(growth))):
        cells[f"exponent of {name}"] = "-" if value is None else f"{value:.2f}"
    return {**cells, "note": growth.stopped or "-"}


def number(value: float) -> str:
    """Return a number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.01 else f"{value:.1e}"


def conditions(run: Run) -> str:
    where = run.machine
    packages = ", ".join(f"{name} {version}" for name, version in where.packages.items())
    stated = ", ".join(f"{key}: {value}" for key, value in run.conditions.items() if value is not None)
    return (
        f"{where.device}, {where.threads} threads; {where.system}, Python {where.python}, {packages}; "
        f"commit {where.commit}, {where.date}; {stated}."
    )


def as_markdown(run: Run) -> str:
    """Return all tables."""
    parts = [f"# {TITLE}", LEGEND]
    for title, rows in (("Steps", steps(run)), ("Scoring one video, in a fresh process", growths(run))):
        if rows:
            parts += [f"## {title}", markdown_table(list(rows[0]), [list(row.values()) for row in rows]).strip()]
    if run.missing:
        listed = [f"- {markdown_text(missing.what)}: {markdown_text(missing.why)}" for missing in run.missing.values()]
        parts += ["## Not measured", "\n".join(listed)]
    return "\n\n".join([*parts, markdown_text(conditions(run))]) + "\n"
