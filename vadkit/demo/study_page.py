"""The study as one page: what the clips look like, scores with the truth, and figures with their spread."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vadkit.demo.script import FPS, KINDS, SHOWS_IN, SNIPPET
from vadkit.demo.study_table import COLUMNS, heading, rows, table_title, text, verdict
from vadkit.extract.open_file import open_input
from vadkit.report import Bar, Line, bar_chart, line_chart, render


def study_page(study: dict[str, Any], out: Path) -> str:
    """Return the page of a study whose videos are in ``out``, as HTML."""
    chosen = [_one(study["clips"], kind, number) for number, kind in enumerate(KINDS)]
    return render(
        "study.html",
        clips=[_shown(study, clip, out) for clip in chosen],
        verdict=verdict(study),
        bars=_bars(study),
        seeds=study["seeds"],
        rows=_rows(study),
        table_caption=table_title(study),
    )


def _one(clips: list[dict[str, Any]], kind: str, number: int) -> dict[str, Any]:
    """Return a clip of a kind; another number shows another camera."""
    of_kind = [clip for clip in clips if clip["kind"] == kind]
    return of_kind[number % len(of_kind)]


def _shown(study: dict[str, Any], clip: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return what the page shows of a clip."""
    middle = sum(clip["span"]) // 2 if clip["span"] else clip["frames"] // 2
    file = f"videos/{clip['name']}.mp4"
    return {
        "name": clip["name"],
        "kind": clip["kind"],
        "shows_in": SHOWS_IN.get(clip["kind"]),
        "file": file,
        "picture": _jpeg(out / file, middle),
        "curves": _curves(study, clip),
    }


def _jpeg(file: Path, number: int) -> str:
    """Return a frame of a video as a data URL."""
    with open_input(file) as media:
        picture = next(frame for i, frame in enumerate(media.decode(video=0)) if i == number)
    image = picture.to_ndarray(format="bgr24")
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert good
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _bars(study: dict[str, Any]) -> str:
    bars = []
    for column in ("AP", *KINDS[1:]):
        for series, system in enumerate(study["systems"]):
            values = [
                run["figures"]["ap"] if column == "AP" else run["figures"]["per_class"][column]["ap"]
                for run in system["runs"]
            ]
            found = rows(study)[system["title"]][column]
            mean, deviation = found if found else (None, None)
            group = "all clips" if column == "AP" else heading(column).removeprefix("AP, ")
            bars.append(Bar(system["title"], mean, deviation, [v for v in values if v is not None], group, series))
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
        lines.append(Line(system["title"], times.tolist(), runs.mean(0).tolist()))
    return line_chart(
        lines,
        x_label="time (s)",
        y_label="score, mean over seeds",
        title=f"{clip['kind']} ({clip['name']})",
        y_bounds=(0.0, 1.0),
        spans=[(clip["span"][0] / FPS, clip["span"][1] / FPS)] if clip["span"] else [],
    )
