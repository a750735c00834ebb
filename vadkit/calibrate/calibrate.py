"""Learn the rule of events of a model from ordinary footage, and write it into the model's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.calibrate.footage import Live, OnProgress, score_footage
from vadkit.calibrate.learn import CONFIDENCE, METHOD, Learned, learn
from vadkit.graph import model_file
from vadkit.results_folder import claim, is_recorded, recording

WHOLE = "as whole videos"


@dataclass(frozen=True)
class Calibration:
    """What was learned, the file that holds it now, and what the user should know."""

    learned: Learned
    file: Path
    notes: list[str] = field(default_factory=list)
    scored: str = WHOLE

    def as_json(self) -> dict[str, Any]:
        """Return what the model's file states of it."""
        found, rule = self.learned, self.learned.rule
        return {
            "on": rule.on,
            "off": rule.off,
            "least_s": rule.least_s,
            "cool_down_s": rule.cool_down_s,
            "alarms_per_day": found.alarms_per_day,
            "interval": [round(rate, 4) for rate in found.interval],
            "confidence": CONFIDENCE,
            "hours": round(found.hours, 3),
            "events": found.events,
            "dispersion": round(found.dispersion, 3),
            "method": METHOD,
            "scored": self.scored,
        }


def calibrate(
    model: Path,
    normal: Sequence[Path],
    alarms_per_day: float,
    *,
    least_s: float = 0.0,
    cool_down_s: float = 10.0,
    out: Path | None = None,
    device: str = "auto",
    weights: Mapping[str, str] | None = None,
    fps: float | None = None,
    live: Live | None = None,
    scored: str = WHOLE,
    on_progress: OnProgress = lambda done, total, name: None,
) -> Calibration:
    """Learn the rule from ordinary footage and write it into ``out``, or into the model's own file.

    ``live`` is as in ``score_footage``, and ``scored`` the words for it in the file.
    The weights in the file keep their bytes. Raises VadkitError, and leaves the file as it is, for footage that cannot
    be used or is too short.
    """
    if out is not None:
        claim([out], [model])
    footage = score_footage(model, normal, device, weights, fps, live, on_progress)
    learned = learn(footage.footage, alarms_per_day, least_s, cool_down_s)
    found = Calibration(learned, out or model, footage.notes, scored)
    known = out is not None or is_recorded(model)
    with recording(found.file) if known else nullcontext():
        model_file.change_extra(model, {"events": found.as_json()}, out)
    return found
