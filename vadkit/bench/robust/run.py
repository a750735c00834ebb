"""Run a robustness benchmark: corrupt, extract, score, compare, write. Rerun to resume: finished features are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vadkit import json_file
from vadkit.bench.comparison.finished import Group, check_comparable, grouped
from vadkit.bench.comparison.provenance import provenance
from vadkit.bench.comparison.scores import RunScores, computed
from vadkit.bench.machine import machine
from vadkit.bench.robust.conditions import CLEAN, Condition, check_missing
from vadkit.bench.robust.features import Damaged, DamagedFeatures, Stream, files_of
from vadkit.bench.robust.page import robust_page
from vadkit.bench.robust.score import Model, score_all
from vadkit.bench.robust.summary import summarised
from vadkit.bench.robust.table import as_csv, as_markdown
from vadkit.corrupt.chain import check_seed
from vadkit.data.from_config import open_dataset
from vadkit.engine.run_folder import MODEL, RESULT
from vadkit.files import make_folder, write_text_atomic
from vadkit.graph.schema import with_defaults
from vadkit.predict.system import load_system
from vadkit.problems import fail, plural
from vadkit.results_folder import claim, writing
from vadkit.video import Video, VideoDataset

RESULTS = "results.json"
FILES = ("table.csv", "table.md", "index.html")
FORMAT = 1
Progress = Callable[[int, int, str], None]  # steps done, steps in all, what is at work


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Args:
        runs: finished runs, or folders of them, each with ``NAME=`` in front or not.
        conditions: see ``conditions_of``.
        seed: of the corruptions.
        device: where models and backbones compute.
        root: where the data set is, if it has moved.
        videos: folder of the test videos, if they are not where the data set says.
        weights: weight files of backbones by input name, if they have moved since training.
        keep_media: keep the corrupted videos.
    """

    runs: Sequence[str]
    conditions: Sequence[Condition]
    seed: int = 0
    device: str = "cpu"
    root: str | None = None
    videos: Path | None = None
    weights: Mapping[str, str] | None = None
    keep_media: bool = False


@dataclass
class Entry:
    """A model: its runs, their test videos, and how its streams are extracted."""

    group: Group
    dataset: VideoDataset
    videos: list[Video]
    models: dict[int, Model]
    streams: dict[str, Stream]

    @property
    def runs(self) -> list[dict[str, Any]]:
        return [{"seed": seed, "folder": str(self.group.runs[seed].folder)} for seed in self.models]


def run_robust(wanted: Wanted, out: Path, progress: Progress = lambda done, total, text: None) -> dict[str, Any]:
    """Do all of it, write the files to ``out``, and return the contents of results.json. Raises VadkitError."""
    check_seed(wanted.seed)
    groups = grouped(wanted.runs, least=1)
    check_comparable(groups)
    make_folder(out)
    claim([out / name for name in (RESULTS, *FILES)])
    notes: list[str] = []
    entries = [_entry(group, wanted, notes) for group in groups]
    _check_same(entries)
    scored = _scored(entries, wanted, out, progress)
    results = _results(entries, wanted, scored, notes)
    write_results(results, out)
    return results


def write_results(results: Mapping[str, Any], out: Path) -> None:
    """Write results.json, the tables and the page."""
    texts = dict(zip(FILES, (as_csv(results), as_markdown(results), robust_page(results)), strict=True))
    with writing(*(out / name for name in (RESULTS, *texts))):
        json_file.write(out / RESULTS, results)
        for name, text in texts.items():
            write_text_atomic(out / name, text)


# -- models ----------------------------------------------------------------------------------------
def _entry(group: Group, wanted: Wanted, notes: list[str]) -> Entry:
    finished = {seed: run for seed, run in sorted(group.runs.items()) if run.failed is None}
    if not finished:
        fail(f"no run of {group.name} is finished: {group.first.failed}")
    first = next(iter(finished.values()))
    spec = with_defaults(dict(first.spec))
    data = dict(spec["data"])
    if wanted.root is not None:
        data["args"] = {**(data.get("args") or {}), "root": wanted.root}
    check_missing(wanted.conditions, group.name, list(spec["inputs"]))
    streams = _streams(first.folder / MODEL, wanted, notes) if _extracts(wanted) else {}
    keys = {name: stream.key for name, stream in streams.items()}
    models = {seed: Model.load(run.folder / MODEL, wanted.device, keys) for seed, run in finished.items()}
    if any(c.missing for c in wanted.conditions) and next(iter(models.values())).columns is None:
        notes.append(f"{group.name} does not take presence: its missing streams are zeros")
    dataset = open_dataset(data, None, next(iter(models.values())).columns is not None)
    return Entry(group, dataset, dataset.videos(spec["eval"]["split"]), models, streams)


def _extracts(wanted: Wanted) -> bool:
    return any(not condition.missing for condition in wanted.conditions)


def _streams(path: Path, wanted: Wanted, notes: list[str]) -> dict[str, Stream]:
    system = load_system(path, wanted.device, weights=wanted.weights)
    notes += [text for text in (*system.notices, *system.warnings) if text not in notes]
    return {name: Stream.of(system, name) for name in system.backbones}


def _check_same(entries: Sequence[Entry]) -> None:
    names = [video.name for video in entries[0].videos]
    for entry in entries[1:]:
        if [video.name for video in entry.videos] != names:
            fail(f"{entry.group.name} has other test videos than {entries[0].group.name}")


# -- scores ----------------------------------------------------------------------------------------
def _scored(
    entries: Sequence[Entry], wanted: Wanted, out: Path, progress: Progress
) -> list[dict[tuple[str, int], RunScores]]:
    """Return the scores of each model by condition and seed."""
    unique = {stream.key: stream for entry in entries for stream in entry.streams.values()}
    features = DamagedFeatures(out, list(unique.values()), wanted.seed, wanted.keep_media)
    videos, count = entries[0].videos, len(wanted.conditions)
    files = files_of(videos, _root(entries[0].dataset), wanted.videos) if _extracts(wanted) else {}
    found = [_clean(entry, wanted) for entry in entries]
    for number, condition in enumerate(wanted.conditions):
        for done, video in enumerate(videos if not condition.missing else ()):
            progress(number * len(videos) + done, count * len(videos), f"{condition.name}: {video.name}")
            features.of(condition, video, files[video.name])
        for entry, scores in zip(entries, found, strict=True):
            for seed, model in entry.models.items():
                read = partial(_read, features, condition, files)
                scores[condition.name, seed] = score_all(
                    model, entry.dataset, entry.videos, condition, read, wanted.seed
                )
        progress((number + 1) * len(videos), count * len(videos), condition.name)
    return found


def _read(features: DamagedFeatures, condition: Condition, files: Mapping[str, Path], video: Video) -> Damaged:
    return features.of(condition, video, files[video.name])


def _root(dataset: VideoDataset) -> Path:
    return Path(getattr(dataset, "root", "."))


def _clean(entry: Entry, wanted: Wanted) -> dict[tuple[str, int], RunScores]:
    runs = entry.group.runs
    return {(CLEAN, seed): computed(runs[seed].folder, wanted.device, wanted.root) for seed in entry.models}


# -- results ---------------------------------------------------------------------------------------
def _results(
    entries: Sequence[Entry],
    wanted: Wanted,
    scored: Sequence[Mapping[tuple[str, int], RunScores]],
    notes: Iterable[str],
) -> dict[str, Any]:
    names = [entry.group.name for entry in entries]
    files = [run.folder / RESULT for entry in entries for run in entry.group.runs.values()]
    measured_on, notice = provenance(files)
    return {
        "vadkit_robust": FORMAT,
        "about": f"Robustness of {', '.join(names)}"
        if len(names) < 4
        else f"Robustness of {plural(len(names), 'model')}",
        "measured_on": measured_on,
        "notice": notice,
        "notes": [text for text in dict.fromkeys(notes) if text not in (notice or "")],
        "seed": wanted.seed,
        "machine": machine(torch.device(wanted.device)),
        "models": [
            summarised(entry.group.name, _relative(entry.runs), wanted.conditions, scores)
            for entry, scores in zip(entries, scored, strict=True)
        ],
    }


def _relative(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs with the last parts of their folders alone: a result does not name this machine's folders."""
    return [{**run, "folder": Path(*Path(os.path.abspath(run["folder"])).parts[-2:]).as_posix()} for run in runs]
