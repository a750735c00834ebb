"""The README's tables of measured figures, from the files in benchmarks/results.

    python benchmarks/measured.py

rewrites the tables in README.md: of costs, and of the demo's precision. A row without its result file is left out: no
figure can be in a table without one.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vadkit.bench.speed.result import Growth, Row, Run, read

FOLDER = Path(__file__).parent / "results"
README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- measured -->", "<!-- end measured -->"
DEMO_BEGIN, DEMO_END = "<!-- demo -->", "<!-- end demo -->"
HEAD = ("measured", "vadkit", "baseline, same run", "on")
SPEED = "speed*-cpu.json"  # one of all systems; others go on with some, such as longer videos or larger batches
# The graphs with a row of their own, where they were measured.
NAMED = (
    "seed_xd_rgb",
    "seed_xd_three_stream",
    "ur_dmu_xd",
    "pel4vad_xd",
)
LONG = 20_000  # snippets of the long video
Cells = tuple[str, str, str]
Rows = list[dict[str, Any]]


# -- the files -----------------------------------------------------------------------------------
def latest(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the newest results/NAME-cpu-YEAR-MONTH.json, or None."""
    files = sorted(folder.glob(f"{name}-cpu-[0-9][0-9][0-9][0-9]-[0-9][0-9].json"))
    return dict(json.loads(files[-1].read_text())) if files else None


def pick(rows: Rows, **wanted: str) -> dict[str, Any]:
    """Return the row whose columns, written with _ for a space, begin as wanted."""
    found = [r for r in rows if all(str(r.get(k.replace("_", " "), "")).startswith(v) for k, v in wanted.items())]
    if not found:
        raise SystemExit(f"no result file has a row with {wanted}")
    return found[0]


# -- the rows ------------------------------------------------------------------------------------
def nominator(rows: Rows) -> Cells:
    row = pick(rows, bags_x_snippets="64 x 200")
    ours, theirs = (f"{seconds(row[f'{n}, ms'] / 1e3)}, {row[f'{n}, MiB']:,.0f} MiB" for n in ("mask", "one-hot"))
    return "top-k nominator, 64 bags of 200, forward and backward", ours, f"one-hot form of published code: {theirs}"


def train_step(rows: Rows) -> Cells:
    ours, theirs = (
        f"{seconds(row['train step, s'])}, {row['peak memory, MiB'] / 1024:.1f} GiB"
        for row in (pick(rows, nominator="mask"), pick(rows, nominator="one-hot"))
    )
    return "train step of the paper's RGB system, 32 + 32 bags of 200", ours, f"with the one-hot form: {theirs}"


def full_training(rows: Rows) -> Cells:
    row = pick(rows, phase="all together")
    ours, usual = (seconds(row[f"{who}, s"]) for who in ("vadkit", "usual way"))
    what = "the same system trained and evaluated as the field does, a few steps end to end"
    return what, ours, f"the usual way: {usual}"


def startup(rows: Rows) -> Cells:
    times = [pick(rows, command=name)["seconds"] for name in ("vadkit --help", "vadkit build", "python -c 'import")]
    return "`vadkit --help`, `vadkit build`", ", ".join(map(seconds, times[:2])), f"`import torch`: {seconds(times[2])}"


def loading(rows: Rows, column: str) -> tuple[str, ...]:
    """Return our time, the usual loader's, and its time with workers, of a training batch of three streams."""
    ways = ("vadkit, files unchanged", "usual, in the main process", "usual, 2 workers")
    return tuple(f"{pick(rows, loader=way, of='rgb+flow+audio, a batch')[column]:,.0f} ms" for way in ways)


def loader(rows: Rows) -> Cells:
    ours, usual, workers = loading(rows, "warm, ms")
    packed = pick(rows, loader="vadkit, packed float32", of="rgb+flow+audio, a batch")["warm, ms"]
    what = "a batch of XD-Violence, 64 + 64 crops, three streams, from the page cache"
    return what, f"{ours}; packed {packed:,.0f} ms", f"the usual loader: {usual}; with 4 workers {workers}"


def loader_whole(rows: Rows) -> Cells:
    ours, usual, workers = loading(rows, "cold, ms")
    return "the same at the true size, 49 GB, from the disk", ours, f"{usual}; with 4 workers {workers}"


def tvl1(rows: Rows) -> Cells:
    row = pick(rows, scene="film")
    what = "TV-L1 of a pair, 256 x 340, one thread"
    return what, seconds(row["ours, ms"] / 1e3), f"OpenCV: {seconds(row['OpenCV, ms'] / 1e3)}"


def extraction(rows: Rows) -> Cells:
    row = pick(rows, stage="vadkit extract")
    ours, usual = (f"{row[f'{who}, CPU s']:,.0f} CPU s" for who in ("ours", "usual"))
    what = "a minute of video, 5 crops: I3D on pictures and flow, CLIP, VGGish"
    return what, f"{ours}, all in", f"the usual chain, its stages: {usual}"


def extraction_fp32(rows: Rows) -> Cells:
    _, ours, usual = extraction(rows)
    return "the same in single precision", ours, usual


def extraction_stages(rows: Rows) -> Cells:
    shown = ", ".join(f"{row['stage']} {row['ratio']:.2g}" for row in rows)
    return "stages of extraction in single precision, times their limits", shown, "1 is the limit"


def camera_hour(rows: Rows) -> Cells:
    shown = ", ".join(f"{row['system']} {row['all, CPU s']:,.0f} CPU s" for row in rows)
    what = "an hour of one camera, 1280 x 720 at 25 a second: decoding, features and scores of the demo's systems"
    return what, shown, f"decoding alone: {rows[0]['decode, CPU s']:,.0f} CPU s"


ROWS: dict[str, Callable[[Rows], Cells]] = {
    "nominator": nominator,
    "train_step": train_step,
    "full_training": full_training,
    "startup": startup,
    "loader": loader,
    "loader-whole": loader_whole,
    "tvl1": tvl1,
    "extraction": extraction,
    "extraction-fp32": extraction_fp32,
    "extraction_stages": extraction_stages,
    "camera_hour": camera_hour,
}


# -- vadkit bench speed --------------------------------------------------------------------------
def speed_rows(runs: Sequence[Run]) -> Iterable[Cells]:
    """Yield the train steps of some graphs, and what holds for all that were measured."""
    steps = [row for run in runs for row in run.rows.values() if row.kind == "graph" and row.mode == "eager"]
    for row in sorted(steps, key=lambda row: (row.subject, row.precision, row.bags)):
        if row.subject in NAMED and row.what == "train":
            yield step(row)
    for what, title in (("train", "train step"), ("score", "scoring")):
        found = {row.subject: row.ratio for row in steps if row.what == what and row.ratio and row.precision == "fp32"}
        ratios = list(found.values())
        if ratios:
            where = f"from {min(ratios):.2g} to {max(ratios):.2g} over {len(ratios)} graphs"
            yield f"{title} of all graphs, fp32", f"{statistics.median(ratios):.2f} x as fast", f"authors' way; {where}"
    longest: dict[str, Growth] = {}
    for growth in (growth for run in runs for growth in run.growth.values()):
        known = longest.setdefault(growth.subject, growth)
        if growth.sizes[-1].snippets > known.sizes[-1].snippets:
            longest[growth.subject] = growth
    if longest:
        yield long_video(list(longest.values()))


def step(row: Row) -> Cells:
    what = f"train step of `{row.subject}`, {row.bags} bags of {row.snippets}, {row.precision}"
    plain = "" if row.ratio is None else f"the authors' way: {seconds(row.ratio * row.ms / 1e3)}; "
    return what, seconds(row.ms / 1e3), f"{plain}the limit: {seconds(row.limit / 1e3)}"


def long_video(growths: list[Growth]) -> Cells:
    sizes = [size for growth in growths for size in growth.sizes if size.snippets == LONG]
    what = f"scoring a video of {LONG:,} snippets, {len(sizes)} of {len(growths)} graphs"
    if not sizes:
        return what, "not within the ceiling of time or memory", ""
    times = [size.ms / 1e3 for size in sizes]
    most = max(size.peak_mib or 0.0 for size in sizes) / 1024
    return what, f"{seconds(min(times))} to {seconds(max(times))}, at most {most:.1f} GiB", ""


# -- the table -----------------------------------------------------------------------------------
def seconds(value: float) -> str:
    """Return a time with two digits that count."""
    if value < 0.01:
        return f"{value * 1e3:.2g} ms"
    return f"{value:.2g} s" if value < 10 else f"{value:,.0f} s"


def place(device: str, threads: int) -> str:
    """Return a device in few words."""
    return f"{device.split(', ')[-1].removesuffix(' Processor')}, {threads} thread{'s' if threads > 1 else ''}"


def table(folder: Path = FOLDER) -> str:
    """Return the table, of the result files in a folder."""
    body = []
    for name, cells in ROWS.items():
        if found := latest(folder, name):
            where = place(found["machine"]["device"], found["machine"]["threads"])
            what, ours, baseline = cells(found["rows"])
            precision = found["conditions"].get("ours in")
            body.append([what, f"{ours}, {precision}" if precision else ours, baseline, where])
    runs = [read(file) for file in sorted(folder.glob(SPEED))]
    if runs:
        where = " and ".join(sorted({place(run.machine.device, run.machine.threads) for run in runs}))
        body += [[*cells, where] for cells in speed_rows(runs)]
    if not body:
        return "Nothing was measured."
    lines = [HEAD, ["---"] * len(HEAD), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def demo_table(folder: Path = FOLDER) -> str:
    """Return the table of the demo."""
    found = latest(folder, "demo")
    if found is None:
        return "Nothing was measured."
    names = list(found["rows"][0])
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *([row[name] for name in names] for row in found["rows"])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def between(text: str, begin: str, end: str) -> str:
    """Return what a text has between two marks."""
    return text.split(begin)[1].split(end)[0].strip()


def main() -> None:
    text = README.read_text(encoding="utf-8")
    for begin, end, written in ((BEGIN, END, table()), (DEMO_BEGIN, DEMO_END, demo_table())):
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{written.strip()}\n{end}{rest.split(end)[1]}"
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
