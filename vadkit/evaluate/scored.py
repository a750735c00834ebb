"""One scored video, and what tables and pages show of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vadkit.video import Video


@dataclass(frozen=True)
class Scored:
    """One scored video: ``scores``, ``frames`` and, if known, ``positives`` per snippet, (t,) each."""

    video: Video
    scores: np.ndarray
    positives: np.ndarray | None
    frames: np.ndarray

    def summary(self) -> dict[str, Any]:
        """Return its entry in results.json."""
        return {
            "name": self.video.name,
            "label": self.video.label,
            "classes": list(self.video.classes),
            "snippets": len(self.scores),
            "frames": int(self.frames.sum()),
            "positives": None if self.positives is None else int(self.positives.sum()),
            "highest": float(self.scores.max()),
            "highest_at": int(self.scores.argmax()),
            "mean": float(self.scores.mean()),
        }


class Measured(Protocol):
    """The parts of an evaluation that tables and pages show."""

    @property
    def figures(self) -> dict[str, Any]: ...

    @property
    def protocol(self) -> dict[str, Any]: ...

    @property
    def details(self) -> list[Scored]: ...

    @property
    def warnings(self) -> list[str]: ...

    @property
    def floors(self) -> dict[str, dict[str, Any]]: ...

    @property
    def sources(self) -> dict[str, Any] | None: ...
