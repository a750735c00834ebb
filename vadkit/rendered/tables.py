"""The labels of a rendered set, as tables that ``vadkit extract --list`` and ``--labels`` take.

A training video has its label, its class and a click in each anomaly; only a test video has the intervals.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from vadkit.demo.script import FPS
from vadkit.rendered.plan import Happening, Recording

COLUMNS = ("video", "label", "split", "classes", "intervals", "clicks", "frames", "fps", "scene", "camera")
LABELS, RECORDINGS = "LABELS.csv", "recordings.json"


def tables(recordings: Sequence[Recording]) -> dict[str, str]:
    """Return the text of each table by the name of its file.

    In LABELS.csv no scene is in training and in test. transfer_a.csv and transfer_b.csv are halves of the scenes,
    each with a split of its own.
    """
    found = {LABELS: _table((r, r.split) for r in recordings)}
    for domain in ("a", "b"):
        found[f"transfer_{domain}.csv"] = _table((r, r.domain_split) for r in recordings if r.domain == domain)
    return found


def _table(rows: Iterable[tuple[Recording, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for recording, split in rows:
        normal, test = recording.kind == "normal", split == "test"
        writer.writerow([
            f"videos/{recording.name}.mp4",
            "normal" if normal else "abnormal",
            split,
            "" if normal else recording.kind,
            " ".join(f"{a.start}-{a.end}" for a in recording.anomalies) if test else "",
            "" if test else " ".join(map(str, recording.clicks)),
            recording.frames,
            FPS,
            recording.scene.name,
            recording.camera,
        ])  # fmt: skip
    return text.getvalue()


def facts(recordings: Iterable[Recording]) -> list[dict[str, Any]]:
    """Return all that is known of each recording, as plain data; no training reads it."""
    return [
        {
            "name": recording.name,
            "scene": recording.scene.name,
            "camera": recording.camera,
            "split": recording.split,
            "kind": recording.kind,
            "frames": recording.frames,
            "time": recording.time,
            "weather": recording.weather,
            "crowd": round(recording.crowd, 2),
            "anomalies": [_happening(event) for event in recording.anomalies],
            "distractors": [_happening(event) for event in recording.distractors],
        }
        for recording in recordings
    ]


def _happening(event: Happening) -> dict[str, Any]:
    return {"kind": event.kind, "span": [event.start, event.end], "strength": event.strength}
