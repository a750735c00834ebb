"""The result of an evaluation, and its files.

RESULTS/results.json   figures, protocol, warnings, one entry per video
RESULTS/scores.csv     one line per snippet
RESULTS/index.html     the page: curves, thresholds, the videos that cost most
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.evaluate.scored import Scored
from vadkit.evaluate.uninformed import Floors
from vadkit.files import write_text_atomic
from vadkit.results_folder import writing
from vadkit.tables import csv_text

FILES = ("results.json", "scores.csv", "index.html")


@dataclass(frozen=True)
class Evaluation:
    """Figures, scores by video name (t,), and every choice they depend on, as plain data.

    ``figures`` are those of ``ScoreBook.figures``; ``details`` adds the truth to the scores. If they were measured,
    ``floors`` are the figures of scores without a model (``uninformed.floors``), and ``sources`` those of the videos
    that share their film or camera with training and of the others (``source_parts``).
    """

    figures: dict[str, Any]
    scores: dict[str, np.ndarray]
    protocol: dict[str, Any]
    details: list[Scored]
    warnings: list[str] = field(default_factory=list)
    floors: Floors = field(default_factory=dict)
    sources: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return everything but the scores as plain data."""
        return {
            "figures": self.figures,
            "floors": self.floors,
            "sources": self.sources,
            "protocol": self.protocol,
            "warnings": self.warnings,
            "videos": [scored.summary() for scored in self.details],
        }

    def page(self) -> str:
        """Return the page as HTML."""
        from vadkit.evaluate.evaluation_page import evaluation_page  # slow to import: it loads the templates

        return evaluation_page(self, "a model")

    def save(self, folder: str | Path) -> list[Path]:
        """Write results.json, scores.csv and index.html; return their paths.

        Each file is replaced as a whole or not at all. Raises VadkitError if it cannot be written.
        """
        paths = [Path(folder) / name for name in FILES]
        texts = json.dumps(self.as_json(), indent=1, allow_nan=False) + "\n", self._csv(), self.page()
        with writing(*paths):
            for path, text in reversed(list(zip(paths, texts))):  # results.json is the last
                write_text_atomic(path, text)
        return paths

    def _csv(self) -> str:
        snippet_frames = int(self.protocol["snippet_frames"])
        rows: list[list[Any]] = []
        for scored in self.details:
            positives = [""] * len(scored.scores) if scored.positives is None else scored.positives.tolist()
            parts = np.cumsum(scored.frames) - scored.frames if scored.video.segments else None
            for i, (score, frames) in enumerate(zip(scored.scores.tolist(), scored.frames.tolist())):
                first, fps = i * snippet_frames if parts is None else int(parts[i]), scored.video.fps
                start = f"{first / fps:.3f}" if fps else ""
                rows.append([scored.video.name, i, first, frames, start, f"{score:.9g}", positives[i]])
        header = ["video", "snippet", "first_frame", "frames", "start_seconds", "score", "positive_frames"]
        return csv_text(header, rows)
