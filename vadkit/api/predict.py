"""``vadkit.predict``: score videos with a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import torch

from vadkit.api.arguments import as_device, as_model, as_path, as_paths
from vadkit.api.progress import Progress, showing
from vadkit.predict.events import Event
from vadkit.predict.predict_videos import predict as run_prediction
from vadkit.predict.scored_video import ScoredVideo


@dataclass(frozen=True)
class Prediction:
    """One video: its scores and events, or why there are none. Legend: t snippets.

    Attributes:
        video: its path; None for frames in memory.
        scores: float64 (t,), rounded to 1e-6.
        times: float64 (t, 2), seconds at which each snippet starts and ends.
        events: stretches whose scores reach ``threshold``: ``start``, ``end``, ``peak``, ``peak_time`` in seconds.
        threshold: score from which a snippet belongs to an event.
        contributions: (t,) by stream: how much it moves each score. Empty for frames in memory.
        warnings: what the user should know.
        error: why the video could not be scored, or None.
        files: what was written: JSON, CSV and page.
    """

    video: Path | None
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    times: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    events: tuple[Event, ...] = ()
    threshold: float = 0.5
    contributions: Mapping[str, np.ndarray] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str | None = None
    files: tuple[Path, ...] = ()


def predict(
    videos: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    model: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    threshold: float | None = None,
    embed: bool = False,
    weights: Mapping[str, str | PathLike[str]] | None = None,
    device: str | torch.device | None = None,
    progress: Progress = None,
) -> list[Prediction]:
    """Score videos with a trained model.

    Args:
        videos: a file or folder, or several; folders are searched for videos.
        model: a .safetensors file whose inputs name their backbones.
        out: folder for NAME.json, NAME.csv and a page NAME.html per video, and index.html; None writes nothing.
        threshold: score from which a snippet belongs to an event; None is the model's own.
        embed: put the videos into the pages.
        weights: weight files of backbones by input name, if they are not where they were in training.
        device: "cpu", "cuda", "cuda:1", ...; None is a GPU if there is one.
        progress: True for a bar, or a function (videos done, videos in all, name); a video counts in fractions.

    Returns:
        A ``Prediction`` per video, in order. One that cannot be used has its cause in ``error`` and no scores.

    Raises:
        VadkitError: if nothing can begin: no such video, no sound model, a folder that cannot be written.

    Example:
        >>> (found,) = vadkit.predict("clip.mp4", model="MODEL.safetensors")
        >>> found.scores.shape, found.times.shape, found.events
        ((12,), (12, 2), (Event(start=2.0, end=4.0, peak=0.98, peak_time=2.25),))
    """
    folder = None if out is None else as_path(out, "out")
    kept: dict[Path, Prediction] = {}

    def keep(scored: ScoredVideo) -> None:
        kept[scored.video] = _prediction(scored, folder)

    with showing(progress, "videos") as callback:

        def watch(number: int, count: int, video: Path, done: float, total: float | None) -> None:
            callback(number + (min(1.0, done / total) if total else 0.0), count, video.name)

        outcomes = run_prediction(
            as_paths(videos, "videos"),
            as_model(model, "model"),
            folder,
            threshold=threshold,
            embed=embed,
            device=as_device(device),
            weights={name: fspath(file) for name, file in (weights or {}).items()},
            progress=watch,
            keep=keep,
        )
    return [
        kept[outcome.video] if outcome.error is None else Prediction(outcome.video, error=outcome.error)
        for outcome in outcomes
    ]


def _prediction(result: ScoredVideo, folder: Path | None) -> Prediction:
    edges = np.array(result.edges)
    written = () if folder is None else tuple(folder / f"{result.name}.{suffix}" for suffix in ("json", "csv", "html"))
    return Prediction(
        result.video,
        np.array(result.scores),
        np.stack([edges[:-1], edges[1:]], axis=1),
        tuple(result.events),
        result.system.threshold,
        {name: np.array(values) for name, values in result.contributions.items()},
        tuple(result.warnings),
        None,
        written,
    )
