"""What is known about one scored video, and its JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from vadkit import __version__
from vadkit.extract.one_pass import Extracted
from vadkit.predict.events import Event, find_events
from vadkit.predict.playable import Packing, probe
from vadkit.predict.system import System

FORMAT = 1


@dataclass
class Result:
    """One video, scored. Scores are rounded to 1e-6 and times to 1e-3 s before anything is derived
    from them, so JSON, CSV and page agree to the last digit.

    ``edges`` are the t + 1 times between which the t snippets lie.
    """

    video: Path
    name: str
    system: System
    packing: Packing
    extracted: Extracted
    edges: list[float]
    scores: list[float]
    contributions: dict[str, list[float]]
    warnings: list[str]

    @property
    def events(self) -> list[Event]:
        return find_events(self.scores, self.edges, self.system.threshold)


def score_video(system: System, video: Path, name: str, progress: Any = None) -> Result:
    """Extract, score and explain one video. Raises VadkitError for one that cannot be used."""
    packing = probe(video)
    found = system.extract(video, progress)
    warnings = [_sentence(text) for text in (*system.warnings, *found.warnings)]
    warnings += _say_missing_sound(system, packing)
    scores = system.score(found.streams)
    moved = system.contributions(found.streams, scores)
    if len(scores) == 1:
        warnings.append("There is only one snippet: a stream's mean is the stream, so no contribution can be told.")
    edges = [*found.snippet_times[:, 0].tolist(), float(found.snippet_times[-1, 1])]
    return Result(
        video,
        name,
        system,
        packing,
        found,
        [round(t, 3) for t in edges],
        _rounded(scores),
        {stream: _rounded(values) for stream, values in moved.items()},
        warnings,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(v), 6) + 0.0 for v in values]  # + 0.0 turns -0.0 into 0.0


def _say_missing_sound(system: System, packing: Packing) -> list[str]:
    """Return what is to be said if the model listens and there is nothing to hear.

    Such a stream holds the features of silence, as it does in a store that training and evaluation
    read: a video gets the same scores here and there.
    """
    heard = [name for name, backbone in system.backbones.items() if backbone.modality == "audio"]
    if packing.sound is not None or not heard:
        return []
    return [f"Without sound, the stream {', '.join(heard)} holds the features of silence."]


def as_data(result: Result) -> dict[str, Any]:
    """Return the result as plain data, the contents of NAME.json."""
    system, found = result.system, result.extracted
    spec, extra = system.header["spec"], system.header.get("extra", {})
    spans = zip(result.edges, result.edges[1:])
    return {
        "vadkit_predict": FORMAT,
        "video": {
            "file": str(result.video),
            "duration": round(found.duration, 3),
            "fps": round(found.fps, 6),
            "num_frames": found.num_frames,
            "height": found.size[0],
            "width": found.size[1],
            "video_codec": result.packing.video,
            "audio_codec": result.packing.sound,
            "audio": _say_sound(result),
        },
        "warnings": result.warnings,
        "threshold": system.threshold,
        "events": [asdict(event) for event in result.events],
        "scores": [
            {"start": start, "end": end, "score": score}
            | {"contributions": {name: values[i] for name, values in result.contributions.items()}}
            for i, ((start, end), score) in enumerate(zip(spans, result.scores))
        ],
        "model": {
            "file": str(system.path),
            "sha256": system.sha256,
            "about": spec.get("about"),
            "output_range": system.model.output_range,
            "lookahead": system.model.lookahead,
            "post": (spec.get("eval") or {}).get("post") or [],
            "trained": extra,
        },
        "recipe": system.recipes,
        "device": str(system.device),
        "versions": {
            "vadkit": __version__,
            "torch": str(torch.__version__),
            "av": av.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _say_sound(result: Result) -> str:
    if result.packing.sound is None:
        return "missing"
    return "present" if result.extracted.has_sound else "silent"


def as_json(result: Result) -> str:
    """Return the text of NAME.json."""
    return json.dumps(as_data(result), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def as_csv(result: Result) -> str:
    """Return the text of NAME.csv: start, end (seconds), score, and what each stream contributes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["start", "end", "score", *(f"contribution_{name}" for name in result.contributions)])
    columns = [result.edges[:-1], result.edges[1:], result.scores, *result.contributions.values()]
    writer.writerows(zip(*columns))
    return text.getvalue()
