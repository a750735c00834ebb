"""Render, extract, train, score: the whole study in one folder, in which finished steps are reused.

OUT/videos/NAME.mp4                  the clips
OUT/features/                        their feature store
OUT/runs/SYSTEM/seedN/               each training (model, log, figures) with its scores
OUT/pages/                           what vadkit predict writes for one test clip of each kind
OUT/study.json                       everything the table and the page show
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from vadkit import json_file
from vadkit.data.from_config import open_dataset
from vadkit.demo.clip_pages import chosen_clips, write_clip_pages
from vadkit.demo.render import render
from vadkit.demo.script import FPS, KINDS, SHOWS_IN, SNIPPET, Clip, write_script
from vadkit.engine.train import train
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.extract.run import Clock, Resources, VideoEntry, extract_store
from vadkit.extract.workers import spread
from vadkit.graph import model_file
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.kinds import Backbone
from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError, fail
from vadkit.results_folder import WRITING, claim, is_recorded, own, record
from vadkit.store.store_json import load_head, write_head

WORKERS = 2
SCORES, NOTE, STUDY, PAGE = "scores.json", "demo.json", "study.json", "index.html"
AGAIN = "delete the file and rerun the same command"
NOTICE = "the features are of clips that 'vadkit demo' rendered: on real videos, scores and events mean little"
OTHER_FOLDER = "choose another --out, or delete the folder"
Progress = Callable[[str, int, int], None]  # step, units done, units in total


class DemoJson(msgspec.Struct):
    """demo.json: of which clips a folder holds the study."""

    quick: bool
    clips: list[str]


class ClassJson(msgspec.Struct):
    """Figures of one kind of anomaly."""

    ap: float | None


class FiguresJson(msgspec.Struct):
    """The figures that the table shows, and the threshold of events."""

    threshold: float
    ap: float | None
    auc: float | None
    auc_abnormal: float | None
    per_class: dict[str, ClassJson]


class ScoresJson(msgspec.Struct):
    """scores.json of a run: its figures, and the score of every snippet of each test clip."""

    figures: FiguresJson
    scores: dict[str, list[float]]


@dataclass(frozen=True)
class System:
    """A graph of the study and its streams, as a title."""

    config: str
    title: str


SYSTEMS = (
    System("demo_rgb", "RGB"),
    System("demo_rgb_flow", "RGB + flow"),
    System("demo_three_stream", "RGB + flow + sound"),
)


def run_study(
    out: Path, seeds: int, quick: bool, progress: Progress, report: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Return the study as plain data: figures of every system and seed, and scores of every test clip.

    ``quick`` takes a fraction of the clips and steps: to check that everything works, not for figures.
    ``report`` is called about damaged scores, which are computed again. Raises VadkitError if OUT cannot be written or
    holds another study.
    """
    clips = write_script(train=(12, 3), test=(6, 2)) if quick else write_script()
    backbones = _backbones(SYSTEMS[-1].config)  # first, so that a missing plugin is reported before the long work
    _claim(out, DemoJson(quick, [clip.name for clip in clips]), clips, report)
    _render_all(clips, out / "videos", progress)
    _extract_all(clips, backbones, out, progress)
    tested = [clip for clip in clips if clip.split == "test"]
    _train_all(tested, seeds, out, quick, progress, report)
    described = [_describe(clip) for clip in tested]
    model = _folder(SYSTEMS[-1], 0, out) / "model.safetensors"
    shown = chosen_clips(described)[-1:] if quick else chosen_clips(described)
    study = {
        "quick": quick,
        "seeds": seeds,
        "notice": NOTICE,
        "model": str(model),
        "systems": [_system(system, tested, seeds, out) for system in SYSTEMS],
        "clips": described,
        "pages": write_clip_pages(shown, model, out, partial(progress, "predict"), report),
    }
    json_file.write(out / STUDY, study, indent=None)
    return study


def _claim(out: Path, what: DemoJson, clips: Sequence[Clip], report: Callable[[str], None]) -> None:
    """Record the clips of OUT; refuse a folder of other clips, or of something else."""
    note = out / NOTE
    if os.path.lexists(note):
        known = _known(note, report)
        ours = not note.is_file() or is_recorded(note)
        if known is None and not (ours and _has_these(clips, out / "videos")) or known not in (None, what):
            fail(f"{out} holds a study of other clips", OTHER_FOLDER)
    elif os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        fail(f"{out} exists and holds something else", "choose another --out")
    record([note] if note.is_file() else (), WRITING)
    own([note, out / STUDY], report)
    claim([out / PAGE])
    json_file.write(note, what, indent=None)


def _known(note: Path, report: Callable[[str], None]) -> DemoJson | None:
    """Return which clips a folder holds, or None if its note is damaged."""
    try:
        return json_file.read(note, DemoJson, "the note of a demo", OTHER_FOLDER)
    except VadkitError as error:
        report(f"{error.first}; it is written again if the clips are those of this study")
        return None


def _has_these(clips: Sequence[Clip], folder: Path) -> bool:
    """Return whether the clips in a folder are some of these; the last one is rendered to compare its bytes."""
    there = [clip for clip in clips if (folder / f"{clip.name}.mp4").is_file()]
    if not there or {file.stem for file in folder.glob("*.mp4")} != {clip.name for clip in there}:
        return not list(folder.glob("*"))
    with tempfile.TemporaryDirectory() as again:
        file = Path(again) / f"{there[-1].name}.mp4"
        render(there[-1], file)
        return file.read_bytes() == (folder / file.name).read_bytes()


def _render_all(clips: Sequence[Clip], folder: Path, progress: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    left = [clip for clip in clips if not (folder / f"{clip.name}.mp4").is_file()]
    done = len(clips) - len(left)
    progress("render", done, len(clips))
    for _ in spread(partial(_Renderer, folder), left, WORKERS if len(left) > 1 else 0):
        done += 1
        progress("render", done, len(clips))


class _Renderer:
    """Renders in a worker process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, clip: Clip) -> None:
        render(clip, self.folder / f"{clip.name}.mp4")


def _extract_all(clips: Sequence[Clip], backbones: dict[str, Backbone], out: Path, progress: Progress) -> None:
    """Extract the inputs of the three-stream graph; the smaller systems use the same streams."""
    result = extract_store(
        [_entry(clip, out) for clip in clips],
        backbones,
        out / "features",
        clock=Clock(float(FPS), SNIPPET),
        classes=KINDS,
        resources=Resources(workers=WORKERS),
        progress=lambda _, done, total: progress("extract", done, total),
    )
    if result.failed:
        name, cause = next(iter(result.failed.items()))
        fail(f"{name}: {cause}", "delete the video and rerun the same command")
    _mark(out / "features")


def _mark(store: Path) -> None:
    """Write into the store what its features are of: every model that is trained on them repeats it."""
    head = load_head(store)
    if head.get("notice") != NOTICE:
        write_head(store, {**head, "notice": NOTICE})


def _entry(clip: Clip, out: Path) -> VideoEntry:
    entry: VideoEntry = {
        "name": clip.name,
        "file": str(out / "videos" / f"{clip.name}.mp4"),
        "split": clip.split,
        "label": int(clip.span is not None),
        "classes": [clip.kind] if clip.span else [],
        # Training never sees an interval: only test clips have one.
        "spans": [list(clip.span)] if clip.span and clip.split == "test" else [],
        "num_frames": clip.frames,
        "fps": float(FPS),
        "tags": {"camera": clip.camera, "shows_in": SHOWS_IN.get(clip.kind, "nothing")},
    }
    return {**entry, "clicks": [_click(clip)]} if clip.span and clip.split == "train" else entry


def _click(clip: Clip) -> int:
    """Return a frame of the anomaly, drawn by the clip's own seed: a label of the kind glance, and nothing more."""
    assert clip.span is not None
    return int(np.random.default_rng([*clip.seed, 1]).integers(*clip.span))


def _backbones(config: str) -> dict[str, Backbone]:
    """Return stream -> backbone of a graph, each stream of the store once."""
    plugins = load_plugins()
    spec = compile_plan(load_config(config, (), plugins.config_folders), plugins).spec
    streams = spec["data"]["streams"] or {name: name for name in spec["inputs"]}
    found = {}
    for name, given in spec["inputs"].items():
        component = plugins.components.find(given["use"], "backbone")
        assert component is not None
        found[streams[name]] = component(**(given.get("args") or {}))
    return found  # type: ignore[return-value]


def _folder(system: System, seed: int, out: Path) -> Path:
    return out / "runs" / system.config / f"seed{seed}"


def _train_all(
    tested: Sequence[Clip], seeds: int, out: Path, quick: bool, progress: Progress, report: Callable[[str], None]
) -> None:
    """Train every system with every seed, the RGB systems first: the others start from their weights."""
    runs = [(system, seed) for system in SYSTEMS for seed in range(seeds)]
    left = [run for run in runs if not _is_scored(_folder(*run, out) / SCORES, tested, report)]
    done = len(runs) - len(left)
    progress("train", done, len(runs))
    for bases in (True, False):
        part = [run for run in left if (run[0] == SYSTEMS[0]) == bases]
        for _ in spread(partial(_Trainer, out, quick), part, WORKERS):
            done += 1
            progress("train", done, len(runs))


class _Trainer:
    """Trains one system with one seed and keeps the scores of the test clips, in a worker process."""

    def __init__(self, out: Path, quick: bool) -> None:
        self.out, self.quick = out, quick

    def __call__(self, run: tuple[System, int]) -> None:
        system, seed = run
        folder = _folder(system, seed, self.out)
        sets = [f"data.args.root={json.dumps(str(self.out / 'features'))}"]
        if system != SYSTEMS[0]:
            base = _folder(SYSTEMS[0], seed, self.out) / "model.safetensors"
            sets.append(f"train.warm_start.file={json.dumps(str(base))}")
        if self.quick:
            sets.append("train.steps=12")
        if not _is_trained(folder):
            train(system.config, sets, out=folder, resume=True, seed=seed)
        _score(folder, self.out)


def _is_trained(folder: Path) -> bool:
    """Return whether a training has ended and left a sound model; a damaged one is taken from its last checkpoint."""
    try:
        return (folder / "result.json").is_file() and bool(model_file.read_header(folder / "model.safetensors"))
    except VadkitError:
        return False


def _score(folder: Path, out: Path) -> None:
    model, plugins = model_file.load(folder / "model.safetensors"), load_plugins()
    model.spec["data"]["args"]["root"] = str(out / "features")
    dataset = open_dataset(model.spec["data"], plugins, model.takes_presence)
    with torch.inference_mode():
        result = evaluate_as_configured(model, dataset, model.spec["eval"], plugins=plugins)
    scores = {name: np.round(values, 5).tolist() for name, values in result.scores.items()}
    own([folder / SCORES], lambda text: None)  # it has been reported
    json_file.write(folder / SCORES, {"figures": result.figures, "scores": scores}, indent=None)


def read_scores(path: Path, tested: Sequence[Clip]) -> dict[str, Any]:
    """Return scores.json as plain data that is known to be sound. Raises VadkitError."""
    plain = json_file.load(path, AGAIN)
    found = json_file.typed(plain, ScoresJson, str(path), hint=AGAIN)
    for kind in KINDS[1:]:
        if kind not in found.figures.per_class:
            fail(f"{path}: figures.per_class lacks '{kind}'", AGAIN)
    for clip in tested:
        snippets = math.ceil(clip.frames / SNIPPET)
        if len(found.scores.get(clip.name, ())) != snippets:
            fail(f"{path}: scores.{clip.name} must be a list of {snippets} items", AGAIN)
    return dict(plain)


def _is_scored(path: Path, tested: Sequence[Clip], report: Callable[[str], None]) -> bool:
    if not os.path.lexists(path):
        return False
    try:
        read_scores(path, tested)
    except VadkitError as error:
        report(f"{error.first}; the clips are scored again")
        return False
    return True


def _system(system: System, tested: Sequence[Clip], seeds: int, out: Path) -> dict[str, Any]:
    runs = [read_scores(_folder(system, seed, out) / SCORES, tested) for seed in range(seeds)]
    return {"config": system.config, "title": system.title, "runs": runs}


def _describe(clip: Clip) -> dict[str, Any]:
    return {"name": clip.name, "kind": clip.kind, "frames": clip.frames, "span": clip.span}


def free_space(out: Path) -> int:
    """Return the free bytes on the disk of OUT, which need not exist yet."""
    existing: Iterable[Path] = (path for path in (out, *out.absolute().parents) if path.exists())
    return shutil.disk_usage(next(iter(existing))).free
