"""One scored video, and its JSON and CSV."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from vadkit import __version__
from vadkit.events import EventRule
from vadkit.extract.one_pass import Extracted
from vadkit.predict.events import Event, find_events
from vadkit.predict.inputs import identity
from vadkit.predict.lifts import NEUTRAL, copies_note, equal_streams
from vadkit.predict.playable import Packing, probe
from vadkit.predict.system import System
from vadkit.presence import in_json, is_throughout, present_rows
from vadkit.problems import as_sentence, plural
from vadkit.tables import csv_text

FORMAT = 1


@dataclass
class ScoredVideo:
    """One video, scored. Scores are rounded to 1e-6 and times to 1e-3 s before anything is derived
    from them, so JSON, CSV and page agree to the last digit.

    ``edges`` are the t + 1 times that bound the t snippets. ``contributions`` and ``without`` are as in ``Lifts``.
    """

    video: Path
    name: str
    system: System
    packing: Packing
    extracted: Extracted
    edges: list[float]
    scores: list[float]
    contributions: dict[str, list[float]]
    without: dict[str, list[float]]
    warnings: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    page: str | None = None  # whether the page's video is linked, copied, embedded or missing

    @property
    def events(self) -> list[Event]:
        return find_events(self.scores, self.edges, self.system.rule, self.without)


def score_video(system: System, video: Path, name: str, progress: Any = None) -> ScoredVideo:
    """Extract, score and explain one video. Raises VadkitError if it cannot be used."""
    packing = probe(video)
    found = system.extract(video, progress)
    warnings = [as_sentence(text) for text in (*system.warnings, *found.warnings)]
    absent = system.missing(found)
    warnings += _missing_sound(system, found)
    warnings += [as_sentence(text) for text in copies_note(found.streams)]
    scored = system.scored(found.streams, absent)
    lifts = system.lifts(found.streams, scored, absent)
    if len(scored.scores) == 1:
        warnings.append("There is only one snippet, which is its stream's neutral value, so the contributions are 0.")
    edges = [*found.snippet_times[:, 0].tolist(), float(found.snippet_times[-1, 1])]
    return ScoredVideo(
        video,
        name,
        system,
        packing,
        found,
        [round(t, 3) for t in edges],
        _rounded(scored.scores),
        {stream: _rounded(values) for stream, values in lifts.contributions.items()},
        {stream: _rounded(values) for stream, values in lifts.without.items()},
        warnings,
    )


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(v), 6) + 0.0 for v in values]  # + 0.0 turns -0.0 into 0.0


def _missing_sound(system: System, found: Extracted) -> list[str]:
    """Return a note if the model uses sound and the video has none, or none for a while.

    To a model that takes ``presence`` the stream is absent there. For another one it holds the features of silence, as
    in a store: prediction and evaluation give the same scores.
    """
    if not found.absent:
        return []
    throughout, streams = all(map(is_throughout, found.absent.values())), ", ".join(found.absent)
    if not system.model.takes_presence:
        return [f"Without sound, the stream {streams} holds the features of silence."] if throughout else []
    rest = ", ".join(name for name in system.backbones if name not in found.absent)
    if throughout:
        return [f"The video has no sound: the stream {streams} is absent, and {rest} are scored without it."]
    t = len(found.snippet_times)
    lost = min(int(t - present_rows(spans, t).sum()) for spans in found.absent.values())
    return [
        f"Nothing can be heard in {lost} of {plural(t, 'snippet')}: the stream {streams} is absent there, and {rest} "
        "are scored without it."
    ]


def rule_of(system: System) -> dict[str, float] | None:
    """Return what the rule of events has besides its threshold; None if a stretch only has to reach that."""
    rule = system.rule
    if rule is None or rule == EventRule.at(rule.on):
        return None
    return {"off": rule.off, "least_s": rule.least_s, "cool_down_s": rule.cool_down_s}


def as_data(scored: ScoredVideo) -> dict[str, Any]:
    """Return the contents of NAME.json as plain data."""
    system, found, about = scored.system, scored.extracted, scored.video.stat()
    spec, extra = system.header["spec"], system.header["extra"]
    spans = zip(scored.edges, scored.edges[1:])
    return {
        "vadkit_predict": FORMAT,
        "video": {
            "file": str(scored.video),
            "path": str(identity(scored.video)),
            "bytes": about.st_size,
            "changed_at": about.st_mtime_ns,
            "duration": round(found.duration, 3),
            # All times count from the first picture; players show it at this time, unless that is unknown (null).
            "first_picture_at": found.offset,
            "fps": round(found.native_fps, 6),
            "num_frames": found.native_frames,
            "sampled_fps": round(found.fps, 6),
            "sampled_frames": found.num_frames,
            "height": found.size[0],
            "width": found.size[1],
            "video_codec": scored.packing.video,
            "audio_codec": scored.packing.sound,
            "audio": _audio_state(scored),
        },
        "notice": system.notice,
        "warnings": [*system.notices, *scored.warnings],
        "settings": scored.settings,
        "page": scored.page,
        "threshold": system.threshold,
        "rule": rule_of(system),
        "events": [asdict(event) for event in scored.events],
        "contributions": {
            "unit": system.unit,
            "meaning": f"drop if the stream is replaced by {NEUTRAL}",
            "equal_streams": equal_streams(found.streams),
        },
        "absent": {stream: in_json(spans) for stream, spans in system.missing(found).items()},
        "scores": [
            {"start": start, "end": end, "score": score}
            | {"contributions": {name: values[i] for name, values in scored.contributions.items()}}
            | {"without": {name: values[i] for name, values in scored.without.items()}}
            for i, ((start, end), score) in enumerate(zip(spans, scored.scores))
        ],
        "model": {
            "file": str(system.path),
            "sha256": system.sha256,
            "about": spec.get("about"),
            "output_range": system.model.output_range,
            "lookahead": system.lookahead,
            "sampler": spec["eval"].get("sampler"),
            "crops": system.crops,
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


def as_json(data: dict[str, Any]) -> str:
    """Return the text of NAME.json."""
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def as_csv(scored: ScoredVideo) -> str:
    """Return the text of NAME.csv: start, end (seconds), score, and the contribution of each stream."""
    header = ["start", "end", "score", *(f"contribution_{name}" for name in scored.contributions)]
    columns = [scored.edges[:-1], scored.edges[1:], scored.scores, *scored.contributions.values()]
    return csv_text(header, zip(*columns))
