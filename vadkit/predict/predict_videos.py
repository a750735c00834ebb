"""Score many videos; one that fails does not stop the others, and one that is finished is skipped."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from vadkit.extract.workers import spread
from vadkit.files import make_folder
from vadkit.predict.all_results import AllResults
from vadkit.predict.inputs import search
from vadkit.predict.result_files import finished, results_of, write_files
from vadkit.predict.result_names import result_names, shared_names
from vadkit.predict.scored_video import as_data, score_video
from vadkit.predict.system import System, load_system
from vadkit.predict.video_summary import Outcome, failed, succeeded
from vadkit.problems import VadkitError
from vadkit.results_folder import claim

Progress = Callable[[int, int, Path, float, float | None], None]
"""Called with the videos done, the number of videos, a video's path, seconds done of it, seconds in total."""


@dataclass(frozen=True)
class Settings:
    """What scoring a video needs, in this process or another one."""

    model: Path
    out: Path | None
    device: str
    threshold: float | None
    weights: Mapping[str, str]
    embed: bool
    overwrite: bool

    def load(self) -> System:
        return load_system(self.model, self.device, self.threshold, self.weights)


@dataclass(frozen=True)
class Job:
    """One video: its place among all, its path, and the name of its results."""

    number: int
    video: Path
    name: str


def predict(
    videos: Sequence[str | Path],
    model: str | Path,
    out: str | Path | None,
    *,
    threshold: float | None = None,
    embed: bool = False,
    overwrite: bool = False,
    workers: int = 0,
    device: str = "auto",
    weights: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    report: Callable[[Outcome], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Score videos and write NAME.json, NAME.csv and NAME.html for each; summary.json and index.html over all.

    Args:
        videos: files, and folders to search for videos.
        model: a .safetensors file whose inputs name their backbones.
        out: folder to write to, created if needed. A file in it is replaced once the new one is
            complete. None writes nothing.
        threshold: a snippet that scores at least this belongs to an event; None takes the model's own.
        embed: store the videos inside the pages instead of linking to them.
        overwrite: score videos again whose results are finished.
        workers: processes, each with its own model; 0 works in this one.
        device: "auto", "cpu", "cuda", ...
        weights: weight files of backbones by input name, if they have moved since training.
        report: called with each outcome, as soon as it is known.
        note: called with what should be known of the paths.

    Returns the outcomes in the order of the videos. Raises VadkitError if nothing can be scored: no video at all, a
    broken model file, a folder that cannot be written. A problem of a single video or path is in its outcome.
    """
    out = None if out is None else Path(out)
    found = search(videos, out or Path(os.devnull))
    if not found.videos:
        raise VadkitError(found.problems)
    settings = Settings(Path(model), out, device, threshold, dict(weights or {}), embed, overwrite)
    system = settings.load()
    if out is not None:
        make_folder(out)
    results = None if out is None else AllResults(out, [*found.videos, system.path])
    names = result_names(found.videos, results.names if results else None)
    for text in (*found.notes, *shared_names(found.videos, names)):
        if note:
            note(text)
    given = dict(zip(found.videos, names))
    jobs = [Job(i, path, given[path]) for i, (path, problem) in enumerate(found.entries) if problem is None]
    outcomes = {i: failed(path, p.render()) for i, (path, p) in enumerate(found.entries) if p is not None}
    early = list(outcomes.values())
    try:
        for outcome in early:
            _take(outcome, results, report)
        for number, outcome in _outcomes(system, settings, jobs, workers, progress):
            outcomes[number] = replace(outcome, data=None)  # small enough to keep for thousands
            _take(outcome, results, report)
    finally:
        if results is not None:
            results.write()
    return [outcomes[number] for number in sorted(outcomes)]


def _take(outcome: Outcome, results: AllResults | None, report: Callable[[Outcome], None] | None) -> None:
    if results is not None:
        results.add(outcome)
    if report:
        report(outcome)


def _outcomes(
    system: System, settings: Settings, jobs: Sequence[Job], workers: int, progress: Progress | None
) -> Iterator[tuple[int, Outcome]]:
    """Yield the place and the outcome of each video, as they are finished."""
    if workers < 1 or len(jobs) < 2:
        for done, job in enumerate(jobs):
            watch = progress and partial(_within, progress, done, len(jobs), job.video)
            yield job.number, _one(system, settings, job, watch)
        return
    for done, (number, outcome) in enumerate(spread(partial(_Worker, settings), jobs, workers, _lost)):
        if progress:
            progress(done + 1, len(jobs), outcome.video, 0.0, None)
        yield number, outcome


def _within(progress: Progress, done: int, count: int, video: Path, seconds: float, total: float | None) -> None:
    progress(done, count, video, seconds, total)


class _Worker:
    """Scores videos in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.system = settings, settings.load()

    def __call__(self, job: Job) -> tuple[int, Outcome]:
        return job.number, _one(self.system, self.settings, job, None)


def _lost(job: Job, how: str) -> tuple[int, Outcome]:
    return job.number, failed(job.video, f"{job.video}: the process that scored it {how}; is there too little memory?")


def _one(
    system: System, settings: Settings, job: Job, progress: Callable[[float, float | None], None] | None
) -> Outcome:
    video, name, out = job.video, job.name, settings.out
    try:
        if progress:
            progress(0.0, None)
        if out is not None:
            old = None if settings.overwrite else finished(out, name, video, system, settings.embed)
            if old is not None:
                return succeeded(video, name, old, skipped=True)
            claim(results_of(name, out), [video, system.path])
        scored = score_video(system, video, name, progress)
        scored.settings = {"embed": settings.embed}
        data: Any = as_data(scored) if out is None else write_files(scored, out, settings.embed)
        return succeeded(video, name, data)
    except VadkitError as error:
        return failed(video, "\n".join(problem.render() for problem in error.problems))
    except Exception as error:  # noqa: BLE001 - a decoder or backbone may raise anything; the other videos are still scored
        where = traceback.extract_tb(error.__traceback__)[-1]
        cause = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        return failed(video, f"{video}: {cause}")
