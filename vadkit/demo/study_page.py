"""The study as one page: a player, figures with their spread, scores with the truth, and how to go on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.demo.baselines import CHANCE, LABEL, baselines
from vadkit.demo.clip_pages import chosen_clips
from vadkit.demo.script import FPS, KINDS, SHOWS_IN, SNIPPET
from vadkit.demo.still import still
from vadkit.demo.study_table import COLUMNS, heading, pair, rows, table_title, text, verdict
from vadkit.predict.events import find_events
from vadkit.problems import as_sentence
from vadkit.report import Bar, Line, bar_chart, line_chart, render

LEFT = 58  # pixels left of the charts of clips, so that their time axes are aligned


def study_page(study: dict[str, Any], out: Path) -> str:
    """Return the page of a study whose videos are in ``out``, as HTML."""
    chosen = chosen_clips(study["clips"])
    return render(
        "study.html",
        notice=as_sentence(study["notice"]),
        clips=[_shown(study, clip, out) for clip in chosen],
        player=_player(study, chosen[-1]),
        verdict=verdict(study),
        bars=_bars(study),
        seeds=study["seeds"],
        rows=_rows(study),
        label=LABEL,
        chance=CHANCE,
        table_caption=f"{table_title(study)}. {as_sentence(study['notice'])}",
        model=study["model"],
        command=own_video_command(study),
    )


def own_video_command(study: dict[str, Any]) -> str:
    """Return the command that scores a user's video with the system of all streams, in lines for a shell."""
    return f"vadkit predict MY_VIDEO.mp4 \\\n  --model {shlex.quote(study['model'])} \\\n  --out my-pages"


def _shown(study: dict[str, Any], clip: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return what the page shows of a clip."""
    middle = sum(clip["span"]) // 2 if clip["span"] else clip["frames"] // 2
    return {
        "name": clip["name"],
        "kind": clip["kind"],
        "shows_in": SHOWS_IN.get(clip["kind"]),
        "file": _file(clip),
        "page": study["pages"].get(clip["name"]),
        "picture": still(out / _file(clip), middle),
        "curves": _curves(study, clip),
    }


def _file(clip: dict[str, Any]) -> str:
    return f"videos/{clip['name']}.mp4"


def _player(study: dict[str, Any], clip: dict[str, Any]) -> dict[str, Any]:
    """Return what the player shows: a clip with the scores of all streams' system, first seed."""
    run = study["systems"][-1]["runs"][0]
    scores, threshold = run["scores"][clip["name"]], run["figures"]["threshold"]
    edges = [min(i * SNIPPET, clip["frames"]) / FPS for i in range(len(scores) + 1)]
    events = find_events(scores, edges, threshold)
    return {
        "clip": clip,
        "system": study["systems"][-1]["title"],
        "file": _file(clip),
        "page": study["pages"].get(clip["name"]),
        "annotated": [frame / FPS for frame in clip["span"] or ()],
        "edges": edges,
        "scores": scores,
        "threshold": threshold,
        "events": events,
        "chart": _score_chart(scores, edges, threshold, [(event.start, event.end) for event in events]),
    }


def _score_chart(scores: list[float], edges: list[float], threshold: float, events: list[tuple[float, float]]) -> str:
    return line_chart(
        [Line("score", edges, scores, step=True)],
        x_label="time (s)",
        y_label="score",
        x_bounds=(0.0, edges[-1]),
        y_bounds=(0.0, 1.0),
        spans=events,
        levels=[(threshold, f"threshold {threshold:.2f}")],
        time=True,
        height=160,
        left=LEFT,
        data=' id="score" data-timeline',
    )


def _bars(study: dict[str, Any]) -> str:
    compared = [*study["systems"], baselines(study["clips"])[0]]
    bars = []
    for column in ("AP", *KINDS[1:]):
        for series, system in enumerate(compared):
            figures = [run["figures"] for run in system["runs"]]
            values = [f["ap"] if column == "AP" else f["per_class"][column]["ap"] for f in figures]
            mean, deviation = pair(values) or (None, None)
            points = [v for v in values if v is not None] if len(values) > 1 else []
            group = "all clips" if column == "AP" else heading(column).removeprefix("AP, ")
            colour = 5 if system["title"] == LABEL else series
            bars.append(Bar(system["title"], mean, deviation, points, group, colour))
    return bar_chart(bars, x_label="average precision over frames", x_bounds=(0.0, 1.0))


def _rows(study: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"system": title, **{heading(c): text(row[c]).replace("+-", "\u00b1") for c in COLUMNS}}
        for title, row in rows(study).items()
    ]


def _curves(study: dict[str, Any], clip: dict[str, Any]) -> str:
    lines = []
    for system in study["systems"]:
        runs = np.array([run["scores"][clip["name"]] for run in system["runs"]])
        times = (np.arange(runs.shape[1]) + 0.5) * SNIPPET / FPS
        spread = runs.std(0, ddof=1).tolist() if len(runs) > 1 else None
        lines.append(Line(system["title"], times.tolist(), runs.mean(0).tolist(), spread))
    return line_chart(
        lines,
        x_label="time (s)",
        y_label="score, mean over seeds",
        title=f"{clip['kind']} ({clip['name']})",
        y_bounds=(0.0, 1.0),
        spans=[(clip["span"][0] / FPS, clip["span"][1] / FPS)] if clip["span"] else [],
    )
