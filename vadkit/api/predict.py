"""``vadkit.predict``: score videos with a trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.api.arguments import as_device, as_model, as_path, as_paths
from vadkit.api.progress import Progress, showing
from vadkit.predict.all_results import as_report
from vadkit.predict.events import Event
from vadkit.predict.predict_videos import predict as run_prediction
from vadkit.predict.result_files import SUFFIXES
from vadkit.predict.video_summary import SKIPPED, Outcome
from vadkit.problems import fail


@dataclass(frozen=True)
class Prediction:
    """One video: its scores and events, or why there are none. Legend: t snippets.

    Attributes:
        video: its path; None for frames in memory.
        scores: float64 (t,), rounded to 1e-6.
        times: float64 (t, 2), seconds at which each snippet starts and ends.
        events: stretches whose scores reach ``threshold``: ``start``, ``end``, ``peak``, ``peak_time`` in seconds,
            ``without`` (by stream, the highest score left without it) and ``lift`` (what lifts it, as a sentence).
        threshold: score from which a snippet belongs to an event; None of unbounded scores without one: no events.
        contributions: (t,) by stream: how much the logit, the value before the last sigmoid, drops if the stream is
            replaced by its mean over the calmer half of the video. Empty for frames in memory.
        notice: why the scores mean little, if the model says so: what it was trained on, random weights.
        warnings: what the user should know, with the notice.
        error: why the video could not be scored, or None.
        files: what was written: JSON, CSV and page.
        skipped: whether the results are of an earlier call and still hold.
    """

    video: Path | None
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    times: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    events: tuple[Event, ...] = ()
    threshold: float | None = 0.5
    contributions: Mapping[str, np.ndarray] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str | None = None
    files: tuple[Path, ...] = ()
    notice: str | None = None
    skipped: bool = False


def predict(
    videos: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    model: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    threshold: float | None = None,
    embed: bool = False,
    overwrite: bool = False,
    workers: int = 0,
    weights: Mapping[str, str | PathLike[str]] | None = None,
    device: str | torch.device | None = None,
    progress: Progress = None,
) -> list[Prediction]:
    """Score videos with a trained model.

    Call it again to resume: videos with finished results in ``out`` are skipped, changed ones are scored again.

    Args:
        videos: a file or folder, or several; folders are searched for videos, and links are followed.
        model: a .safetensors file whose inputs name their backbones.
        out: folder for NAME.json, NAME.csv and a page NAME.html per video, summary.json and index.html over all
            videos of this and earlier calls; None writes nothing.
        threshold: score from which a snippet belongs to an event; None is the model's own.
        embed: put the videos into the pages.
        overwrite: score finished videos again.
        workers: processes, each with its own model; 0 works in this one. A script that uses more needs
            ``if __name__ == "__main__":``, because each process imports it.
        weights: weight files of backbones by input name, if they are not where they were in training.
        device: "cpu", "cuda", "cuda:1", ...; None is a GPU if there is one.
        progress: True for a bar, or a function (videos done, videos in all, name); a video counts in fractions.

    Returns:
        A ``Prediction`` per video, in order. One that cannot be used has its cause in ``error`` and no scores.

    Raises:
        VadkitError: if nothing can begin: no video at all, no sound model, a folder that cannot be written.

    Example:
        >>> (found,) = vadkit.predict("clip.mp4", model="MODEL.safetensors")
        >>> found.scores.shape, found.times.shape, len(found.events)
        ((12,), (12, 2), 1)
        >>> found.events[0].start, found.events[0].end, found.events[0].lift
        (2.0, 4.0, 'audio lifts it over the threshold; without it 0.310')
    """
    return predict_with_notes(
        videos,
        model=model,
        out=out,
        threshold=threshold,
        embed=embed,
        overwrite=overwrite,
        workers=workers,
        weights=weights,
        device=device,
        progress=progress,
    )[0]


def predict_with_notes(
    videos: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    model: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    threshold: float | None = None,
    embed: bool = False,
    overwrite: bool = False,
    workers: int = 0,
    weights: Mapping[str, str | PathLike[str]] | None = None,
    device: str | torch.device | None = None,
    progress: Progress = None,
    report: Callable[[Prediction], None] | None = None,
) -> tuple[list[Prediction], list[str], dict[str, Any]]:
    """Do the same; call ``report`` with each video as it is finished; return also the notes and all as plain data."""
    if workers < 0:
        fail(f"workers is {workers}; it must be at least 0")
    folder = None if out is None else as_path(out, "out")
    notes: list[str] = []
    kept: dict[Path, Prediction] = {}

    def finished(outcome: Outcome) -> None:
        kept[outcome.video] = _prediction(outcome, folder)
        if report:
            report(kept[outcome.video])

    with showing(progress, "videos") as callback:

        def watch(number: int, count: int, video: Path, done: float, total: float | None) -> None:
            callback(number + (min(1.0, done / total) if total else 0.0), count, video.name)

        outcomes = run_prediction(
            as_paths(videos, "videos"),
            as_model(model, "model"),
            folder,
            threshold=threshold,
            embed=embed,
            overwrite=overwrite,
            workers=workers,
            device=as_device(device),
            weights={name: fspath(file) for name, file in (weights or {}).items()},
            progress=watch,
            report=finished,
            note=notes.append,
        )
    return [kept[outcome.video] for outcome in outcomes], notes, as_report(outcomes, folder or Path(), notes)


def _prediction(outcome: Outcome, folder: Path | None) -> Prediction:
    data, entry = outcome.data, outcome.entry
    if data is None:
        return Prediction(outcome.video, error=outcome.error)
    rows = data["scores"]
    written = () if folder is None else tuple(folder / f"{entry.name}{suffix}" for suffix in reversed(SUFFIXES))
    streams = rows[0]["contributions"]
    return Prediction(
        outcome.video,
        np.array([row["score"] for row in rows], np.float64),
        np.array([[row["start"], row["end"]] for row in rows], np.float64),
        entry.events,
        data["threshold"],
        {name: np.array([row["contributions"][name] for row in rows], np.float64) for name in streams},
        entry.warnings,
        None,
        written,
        entry.notice,
        entry.status == SKIPPED,
    )
