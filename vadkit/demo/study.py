"""Render, extract, train, score: the whole study in one folder, in which finished steps are reused.

OUT/videos/NAME.mp4                  the clips
OUT/features/                        their feature store
OUT/runs/SYSTEM/seedN/               each training (model, log, figures) with its scores
OUT/study.json                       everything the table and the page show
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.data.from_config import open_dataset
from vadkit.demo.render import render
from vadkit.demo.script import FPS, KINDS, SHOWS_IN, SNIPPET, Clip, write_script
from vadkit.engine.train import train
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.extract.run import Clock, Resources, VideoEntry, extract_store
from vadkit.extract.workers import spread
from vadkit.files import write_atomically
from vadkit.graph import model_file
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.kinds import Backbone
from vadkit.plugin_manager import load_plugins
from vadkit.problems import fail

WORKERS = 2
Progress = Callable[[str, int, int], None]  # step, units done, units in total


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


def run_study(out: Path, seeds: int, quick: bool, progress: Progress) -> dict[str, Any]:
    """Return the study as plain data: figures of every system and seed, and scores of every test clip.

    ``quick`` takes a fraction of the clips and steps: to check that everything works, not for figures.
    Raises VadkitError if OUT cannot be written or holds another study.
    """
    clips = write_script(train=(12, 3), test=(6, 2)) if quick else write_script()
    backbones = _backbones(SYSTEMS[-1].config)  # first, so that a missing plugin is reported before the long work
    _claim(out, {"quick": quick, "clips": [clip.name for clip in clips]})
    _render_all(clips, out / "videos", progress)
    _extract_all(clips, backbones, out, progress)
    _train_all(seeds, out, quick, progress)
    study = {
        "quick": quick,
        "seeds": seeds,
        "systems": [_system(system, seeds, out) for system in SYSTEMS],
        "clips": [_describe(clip) for clip in clips if clip.split == "test"],
    }
    write_atomically(out / "study.json", (json.dumps(study) + "\n").encode())
    return study


def _claim(out: Path, what: dict[str, Any]) -> None:
    """Record the clips of OUT; refuse a folder of other clips."""
    note = out / "demo.json"
    if note.is_file():
        if json.loads(note.read_text(encoding="utf-8")) != what:
            fail(f"{out} holds a study of other clips", "choose another --out, or delete the folder")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        fail(f"{out} exists and holds something else", "choose another --out")
    write_atomically(note, json.dumps(what).encode())


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


def _entry(clip: Clip, out: Path) -> VideoEntry:
    return {
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


def _train_all(seeds: int, out: Path, quick: bool, progress: Progress) -> None:
    """Train every system with every seed, the RGB systems first: the others start from their weights."""
    runs = [(system, seed) for system in SYSTEMS for seed in range(seeds)]
    left = [(s, seed) for s, seed in runs if not (_folder(s, seed, out) / "scores.json").is_file()]
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
        if not (folder / "result.json").is_file():
            train(system.config, sets, out=folder, resume=True, seed=seed)
        _score(folder, self.out)


def _score(folder: Path, out: Path) -> None:
    model, plugins = model_file.load(folder / "model.safetensors"), load_plugins()
    model.spec["data"]["args"]["root"] = str(out / "features")
    dataset = open_dataset(model.spec["data"], plugins)
    with torch.inference_mode():
        result = evaluate_as_configured(model, dataset, model.spec["eval"], plugins=plugins)
    scores = {name: np.round(values, 5).tolist() for name, values in result.scores.items()}
    write_atomically(folder / "scores.json", json.dumps({"figures": result.figures, "scores": scores}).encode())


def _system(system: System, seeds: int, out: Path) -> dict[str, Any]:
    runs = [json.loads((_folder(system, seed, out) / "scores.json").read_text()) for seed in range(seeds)]
    return {"config": system.config, "title": system.title, "runs": runs}


def _describe(clip: Clip) -> dict[str, Any]:
    return {"name": clip.name, "kind": clip.kind, "frames": clip.frames, "span": clip.span}


def free_space(out: Path) -> int:
    """Return the free bytes on the disk of OUT, which need not exist yet."""
    existing: Iterable[Path] = (path for path in (out, *out.absolute().parents) if path.exists())
    return shutil.disk_usage(next(iter(existing))).free
