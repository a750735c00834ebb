"""The study as one page: what the clips look like, the scores beside the truth, the figures with their spread."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from vadkit.demo.script import FPS, KINDS, SHOWS_IN, SNIPPET
from vadkit.demo.table import COLUMNS, heading, rows, text, verdict
from vadkit.report import Bar, Html, Line, bar_chart, line_chart, link, page, section, table

STYLE = """
.clips { display: flex; flex-wrap: wrap; gap: 1rem; }
.clips figure { margin: 0; flex: 0 1 11rem; }
.clips img { width: 100%; border-radius: 4px; }
"""


def study_page(study: dict[str, Any], out: Path) -> str:
    """Return the page of a study that lies in ``out``."""
    chosen = [_one(study["clips"], kind, number) for number, kind in enumerate(KINDS)]
    return page(
        "vadkit demo",
        [
            section("The clips", _pictures(chosen, out)),
            section("Figures", verdict(study) + ".", _bars(study), _table(study)),
            section("Scores of one clip of each kind", *[_curves(study, clip) for clip in chosen]),
            section("How it was made", _method(study)),
        ],
        subtitle="Weakly supervised anomaly detection on a rendered surveillance data set with sound.",
        style=STYLE,
    )


def _one(clips: list[dict[str, Any]], kind: str, number: int) -> dict[str, Any]:
    """Return a clip of a kind; another number shows another camera."""
    of_kind = [clip for clip in clips if clip["kind"] == kind]
    return of_kind[number % len(of_kind)]


def _pictures(clips: list[dict[str, Any]], out: Path) -> Html:
    figures = []
    for clip in clips:
        file = out / "videos" / f"{clip['name']}.mp4"
        middle = sum(clip["span"]) // 2 if clip["span"] else clip["frames"] // 2
        shows = SHOWS_IN.get(clip["kind"])
        caption = f"{clip['kind']}: shows in {shows}" if shows else "normal"
        figures.append(
            f'<figure><a href="{link(f"videos/{file.name}")}"><img alt="a frame of {clip["name"]}" '
            f'src="{_jpeg(file, middle)}"></a><figcaption>{caption}</figcaption></figure>'
        )
    return Html(f'<div class="clips">{"".join(figures)}</div>')


def _jpeg(file: Path, number: int) -> str:
    """Return frame ``number`` of a video as a data URI."""
    with av.open(str(file)) as media:
        picture = next(frame for i, frame in enumerate(media.decode(video=0)) if i == number)
    image = picture.to_ndarray(format="bgr24")
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert good
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _bars(study: dict[str, Any]) -> Html:
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
    label = "average precision over frames (bar: standard deviation, ticks: seeds)"
    return bar_chart(bars, x_label=label, x_bounds=(0.0, 1.0))


def _table(study: dict[str, Any]) -> Html:
    body = [
        {"system": title, **{heading(c): text(row[c]).replace("+-", "\u00b1") for c in COLUMNS}}
        for title, row in rows(study).items()
    ]
    return table(body, caption=f"Mean and standard deviation over {study['seeds']} seeds")


def _curves(study: dict[str, Any], clip: dict[str, Any]) -> Html:
    lines = []
    for system in study["systems"]:
        runs = np.array([run["scores"][clip["name"]] for run in system["runs"]])
        times = (np.arange(runs.shape[1]) + 0.5) * SNIPPET / FPS
        lines.append(Line(system["title"], times.tolist(), runs.mean(0).tolist()))
    spans = [(clip["span"][0] / FPS, clip["span"][1] / FPS)] if clip["span"] else []
    return line_chart(
        lines,
        x_label="seconds",
        y_label="score, mean over seeds",
        title=f"{clip['kind']} ({clip['name']})",
        y_bounds=(0.0, 1.0),
        spans=spans,
    )


def _method(study: dict[str, Any]) -> str:
    return (
        "The clips are rendered, with H.264 pictures and AAC sound. Each kind of anomaly is made to show in some "
        "modalities only; bright clothes, coloured lights, fast passers-by and loud noises are in every clip, normal "
        "or not. Training knows one label per clip; the intervals (shaded) are used for the figures alone. The three "
        "graphs are the paper's with smaller widths, on offline features: an ImageNet network for pictures, a "
        "descriptor of optical flow, and log-mel statistics for sound. The last weights of each training are used, "
        "none are chosen by their test figures."
    )
