"""One run of a comparison: train, look whether it can count, and note why if it cannot."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from vadkit import json_file
from vadkit.bench.comparison import scores
from vadkit.engine.results import ResultJson
from vadkit.engine.run_folder import LOG, MODEL, RESULT
from vadkit.engine.run_log import read_log
from vadkit.engine.train import train
from vadkit.problems import VadkitError
from vadkit.results_folder import own, writing
from vadkit.rounds import train_recipe

OUTCOME, CONTENT = "outcome.json", "key.json"
ROUNDING = 1e-6  # scores that differ by less are constant
AGAIN = "delete the folder and rerun the same command"
Report = Callable[[str], None]
State = Literal["finished", "failed"]


class OutcomeJson(msgspec.Struct):
    """outcome.json, the last file of a run: why it does not count, or None."""

    why: str | None
    details: str = ""


@dataclass(frozen=True)
class Job:
    """One variant with one seed.

    Attributes:
        folder: of the run; it is named by the key.
        result: the folder with model and figures: of a recipe, that of its last round.
        content: what the key counts.
        after: the folder of the run that it starts from.
        start: the folder with the model of that.
    """

    variant: str
    seed: int
    config: str
    sets: tuple[str, ...]
    recipe: bool
    folder: Path
    result: Path
    device: str
    content: dict[str, Any]
    after: Path | None = None
    start: Path | None = None

    @property
    def title(self) -> str:
        return f"{self.variant}, seed {self.seed}"


def state(job: Job, report: Report = lambda text: None) -> State | None:
    """Return how a run ended; None if it has not. ``report`` is called about a damaged file."""
    outcome = outcome_of(job, report)
    if outcome is None:
        return None
    if outcome.why is not None:
        return "failed"
    return "finished" if _is_trained(job, report) else None


def outcome_of(job: Job, report: Report = lambda text: None) -> OutcomeJson | None:
    """Return why a run counts or does not; None if it has not ended."""
    if not (job.folder / OUTCOME).is_file():
        return None
    try:
        return json_file.read(job.folder / OUTCOME, OutcomeJson)
    except VadkitError as error:
        report(f"{error.first}; the run is looked at again")
        return None


def _is_trained(job: Job, report: Report) -> bool:
    if not (job.result / RESULT).is_file():
        return False
    try:
        read_result(job.result)
    except VadkitError as error:
        report(f"{error.first}; the run is finished again from its last checkpoint")
        return False
    return True


def read_result(folder: Path) -> ResultJson:
    """Return the result of a finished run. Raises VadkitError."""
    return json_file.read(folder / RESULT, ResultJson, "the result of a run", AGAIN)


def do(job: Job, report: Report) -> None:
    """Train and score. However it fails, the cause is written down and others go on. Raises KeyboardInterrupt."""
    with writing(job.folder / CONTENT):
        json_file.write(job.folder / CONTENT, {"variant": job.variant, **job.content}, indent=2)
    try:
        why, details = _attempt(job, report), ""
    except VadkitError as error:
        why, details = error.first, str(error)
    except Exception as error:  # noqa: BLE001 - a component may raise anything
        why, details = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}", traceback.format_exc()
    end(job, why, details)


def end(job: Job, why: str | None, details: str = "") -> None:
    """Note that a run has ended, and why it does not count, if so."""
    own([job.folder / OUTCOME], lambda text: None)
    json_file.write(job.folder / OUTCOME, OutcomeJson(why, details))


def forget(job: Job) -> None:
    """Let a failed run be tried again."""
    if state(job) == "failed":
        (job.folder / OUTCOME).unlink()


def _attempt(job: Job, report: Report) -> str | None:
    """Return why the run cannot count, or None. A finished training is not repeated."""
    if job.start is not None and not (job.start / MODEL).is_file():
        return "the run that it starts from failed"
    if not _is_trained(job, report):
        work = train_recipe if job.recipe else train
        result = work(job.config, job.sets, out=job.folder, resume=True, device=job.device)
        if result.signal is not None:  # the training has saved its state; the comparison stops with it
            raise KeyboardInterrupt
    return _collapsed(job)


def _collapsed(job: Job) -> str | None:
    """Return why the figures of a trained run mean nothing, or None."""
    losses = [record["losses"]["total"] for record in read_log(job.result / LOG) if record["kind"] == "train"]
    if losses and losses[-1] is None:
        return "the loss ended in NaN"
    found = np.concatenate([video.scores for video in scores.of_run(job.result, job.device).videos])
    if float(found.max()) - float(found.min()) <= ROUNDING:
        return f"the scores are constant: {float(found[0]):.6g} for every snippet of every test video"
    return None
