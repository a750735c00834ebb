"""The runs of a comparison, in an order in which each finds what it starts from.

Any number of processes may work on one folder: each takes the next run that no other holds, and takes over what a dead
one has left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vadkit.bench.comparison.claim import WAIT, claimed
from vadkit.bench.comparison.keys import Keys
from vadkit.bench.comparison.one_run import Job, Report, do, end, forget, state
from vadkit.bench.comparison.spec import Checked, Suite
from vadkit.engine.run_folder import MODEL
from vadkit.extract.executors import Executor, Resources, find_executor
from vadkit.plugin_manager import load_plugins

Progress = Callable[[str, bool], None]  # what is running, and whether it has just ended
RUNS = "runs"


@dataclass(frozen=True)
class Means:
    """What does the work: this process (no workers), or some of this machine or of a Ray cluster."""

    executor: Executor = "local"
    workers: int = 0
    threads: int = 1


def jobs_of(suite: Suite, checked: Mapping[str, Checked], out: Path, device: str) -> list[Job]:
    """Return all runs: with three seeds, every variant has a figure after a third of the time."""
    keys = Keys(load_plugins())
    found: dict[tuple[str, int], Job] = {}
    for seed in suite.seeds:
        for name, each in checked.items():
            start = found[each.variant.start, seed] if each.variant.start else None
            found[name, seed] = _job(keys, each, seed, out, device, start)
    return list(found.values())


def _job(keys: Keys, each: Checked, seed: int, out: Path, device: str, start: Job | None) -> Job:
    variant = each.variant
    key, content = keys.of(each, seed, None if start is None else start.folder.name)
    folder = out / RUNS / key
    sets = [*(text.replace("{seed}", str(seed)) for text in variant.sets), f"train.seed={seed}"]
    if start is not None:
        sets.append(f"train.warm_start.file={json.dumps(str(start.result / MODEL))}")
    result = folder if each.recipe is None else folder / each.recipe.rounds[-1].name
    return Job(
        variant.name, seed, variant.config, tuple(sets), variant.recipe, folder, result, device, content,
        None if start is None else start.folder, None if start is None else start.result,
    )  # fmt: skip


def run_all(jobs: Sequence[Job], means: Means, progress: Progress, report: Report, retry: bool = False) -> None:
    """Do what is missing of all runs, or wait for those that other processes do. Raises KeyboardInterrupt."""
    if retry:
        _forget_failures(jobs)
    if means.workers or means.executor != "local":
        for wave in _waves(jobs):
            _spread(wave, means, progress, report)
    _here(jobs, progress, report)


def _forget_failures(jobs: Sequence[Job]) -> None:
    for job in jobs:
        with claimed(job.folder) as holder:
            if holder is None:
                forget(job)


def _here(jobs: Sequence[Job], progress: Progress, report: Report) -> None:
    """Do the runs in this process, one after the other."""
    left, said = list(jobs), ""
    while left:
        held = []
        for job in left:
            holder = None if state(job, report) else _attempt(job, jobs, progress, report)
            if holder is not None:
                held.append((job, holder))
            else:
                progress(job.title, True)
        text = ", ".join(f"'{job.title}' ({holder})" for job, holder in held[:3])
        if len(held) == len(left):  # nothing was free
            if text != said:
                report(f"waiting for {text}" + (f" and {len(held) - 3} more" if len(held) > 3 else ""))
                said = text
            time.sleep(WAIT)
        left = [job for job, _ in held]


def _attempt(job: Job, jobs: Sequence[Job], progress: Progress, report: Report) -> str | None:
    """Do a run; return who holds it, or the run that it starts from."""
    source = next((other for other in jobs if other.folder == job.after), None)
    if source is not None and state(source) is None:
        return f"starts from '{source.title}'"
    with claimed(job.folder) as holder:
        if holder is None and state(job) is None:
            progress(job.title, False)
            do(job, report)
    return holder


# -- other processes -------------------------------------------------------------------------------
def _waves(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Yield the runs that are missing, those that start from others after these."""
    left = list({job.folder: job for job in jobs if state(job) is None}.values())
    while left:
        folders = {job.folder for job in left}
        wave = [job for job in left if job.after not in folders]
        yield wave
        left = [job for job in left if job not in wave]


def _spread(jobs: list[Job], means: Means, progress: Progress, report: Report) -> None:
    resources = Resources(means.executor, max(1, means.workers), means.threads, gpu=jobs[0].device.startswith("cuda"))
    for job, said in find_executor(means.executor)(_worker, jobs, _lost, resources):
        progress(job.title, False)
        for text in said:
            report(text)


def _worker() -> Callable[[Job], tuple[Job, list[str]]]:
    return _work


def _work(job: Job) -> tuple[Job, list[str]]:
    """Do a run that no other process holds, in a process of an executor."""
    said: list[str] = []
    with claimed(job.folder) as holder:
        if holder is None and state(job) is None:
            do(job, said.append)
    return job, said


def _lost(job: Job, how: str) -> tuple[Job, list[str]]:
    """A process that was killed twice, for lack of memory perhaps, would be killed again."""
    end(job, f"its process {how}")
    return job, []
