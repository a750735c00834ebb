"""One scored video, and its JSON and CSV."""

from __future__ import annotations

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
from vadkit.tables import csv_text

FORMAT = 1


@dataclass
class ScoredVideo:
    """One video, scored. Scores are rounded to 1e-6 and times to 1e-3 s before anything is derived
    from them, so JSON, CSV and page agree to the last digit.

    ``edges`` are the t + 1 times that bound the t snippets.
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


def score_video(system: System, video: Path, name: str, progress: Any = None) -> ScoredVideo:
    """Extract, score and explain one video. Raises VadkitError if it cannot be used."""
    packing = probe(video)
    found = system.extract(video, progress)
    warnings = [_sentence(text) for text in (*system.warnings, *found.warnings)]
    warnings += _missing_sound(system, packing)
    scores = system.score(found.streams)
    moved = system.contributions(found.streams, scores)
    if len(scores) == 1:
        warnings.append("There is only one snippet, which equals its stream's mean, so the contributions are 0.")
    edges = [*found.snippet_times[:, 0].tolist(), float(found.snippet_times[-1, 1])]
    return ScoredVideo(
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


def _missing_sound(system: System, packing: Packing) -> list[str]:
    """Return a note if the model uses sound and the video has none.

    Its stream then holds the features of silence, as in a store: prediction and evaluation give the same scores.
    """
    audio = [name for name, backbone in system.backbones.items() if backbone.modality == "audio"]
    if packing.sound is not None or not audio:
        return []
    return [f"Without sound, the stream {', '.join(audio)} holds the features of silence."]


def as_data(scored: ScoredVideo) -> dict[str, Any]:
    """Return the contents of NAME.json as plain data."""
    system, found = scored.system, scored.extracted
    spec, extra = system.header["spec"], system.header["extra"]
    spans = zip(scored.edges, scored.edges[1:])
    return {
        "vadkit_predict": FORMAT,
        "video": {
            "file": str(scored.video),
            "duration": round(found.duration, 3),
            "fps": round(found.fps, 6),
            "num_frames": found.num_frames,
            "height": found.size[0],
            "width": found.size[1],
            "video_codec": scored.packing.video,
            "audio_codec": scored.packing.sound,
            "audio": _audio_state(scored),
        },
        "warnings": scored.warnings,
        "threshold": system.threshold,
        "events": [asdict(event) for event in scored.events],
        "scores": [
            {"start": start, "end": end, "score": score}
            | {"contributions": {name: values[i] for name, values in scored.contributions.items()}}
            for i, ((start, end), score) in enumerate(zip(spans, scored.scores))
        ],
        "model": {
            "file": str(system.path),
            "sha256": system.sha256,
            "about": spec.get("about"),
            "output_range": system.model.output_range,
            "lookahead": system.model.lookahead,
            "post": spec["eval"].get("post") or [],
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


def _audio_state(scored: ScoredVideo) -> str:
    if scored.packing.sound is None:
        return "missing"
    return "present" if scored.extracted.has_sound else "silent"


def as_json(scored: ScoredVideo) -> str:
    """Return the text of NAME.json."""
    return json.dumps(as_data(scored), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def as_csv(scored: ScoredVideo) -> str:
    """Return the text of NAME.csv: start, end (seconds), score, and the contribution of each stream."""
    header = ["start", "end", "score", *(f"contribution_{name}" for name in scored.contributions)]
    columns = [scored.edges[:-1], scored.edges[1:], scored.scores, *scored.contributions.values()]
    return csv_text(header, zip(*columns))
