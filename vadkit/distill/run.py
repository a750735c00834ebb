"""Distil a teacher into a student: what the teacher says, an ordinary training, and the student alone.

OUT/teacher/             targets and features (``vadkit.distill.teacher``)
OUT/training/            the run of vadkit train, which also takes the features of the teacher
OUT/model.safetensors    the student, whose graph and weights are its own alone
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vadkit.devices import choose_device, current
from vadkit.distill.student import STREAM, Hidden, hidden, plan_of, taught, without_teacher
from vadkit.distill.teacher import TARGETS, Teacher, write_outputs
from vadkit.engine.progress import Progress
from vadkit.engine.results import TrainResult
from vadkit.engine.run_folder import MODEL, claimed
from vadkit.engine.train import train_source
from vadkit.graph import model_file
from vadkit.graph.cost import costs
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel, model_of
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import load_plugins
from vadkit.problems import fail
from vadkit.results_folder import claim, writing
from vadkit.rounds.label import weights_digest

TEACHER, TRAINING = "teacher", "training"


@dataclass(frozen=True)
class Size:
    """Parameters, and operations per snippet of a bag of 200 (None if they cannot be counted)."""

    parameters: int
    flops: float | None


@dataclass(frozen=True)
class Distilled:
    """A trained student.

    Attributes:
        model: it, in eval mode; ``model_path`` is OUT/model.safetensors, None if a signal ended the training early.
        training: what the run gave: figures, history, warnings.
        features: the value of the teacher and that of the student which follows it; None without.
        teacher, student: their sizes.
    """

    model: VadModel
    model_path: Path | None
    training: TrainResult
    features: tuple[str, str] | None
    teacher: Size
    student: Size


def distill(
    path: Path,
    student: str,
    store: Path,
    out: Path,
    sets: Sequence[str] = (),
    features: tuple[str, str] | bool = True,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    seed: int | None = None,
    progress: Progress | None = None,
    without: Sequence[str] = (),
) -> Distilled:
    """Train ``student`` on what the model of ``path`` says of the videos of ``store``; see ``vadkit.distill``."""
    plugins, where = load_plugins(without), choose_device(device)
    shown = progress or Progress()
    changes = [*sets, *([] if seed is None else [f"train.seed={seed}"])]
    model = model_file.load(path, where)
    if model.output_range != "probability":
        fail(f"{path}: its scores are {model.output_range}; a student learns from probabilities")
    plan = plan_of(student, changes, plugins)
    pair = _pair(model.plan, plan, features, shown, sampler=bool(model.spec["eval"].get("sampler")))
    teacher = Teacher(path, weights_digest(path), model, where, pair and pair[0], plugins)
    _refuse_finished(out, resume, overwrite)
    with claimed(out), current(where):
        claim([out / MODEL], inputs=[path], ours=_is_distilled)
        _say(teacher, store, out / TEACHER, shown)
        root = store if pair is None else out / TEACHER
        config = taught(student, plan, root.absolute(), (out / TEACHER / TARGETS).absolute(), pair)
        source = load_config(config, changes, plugins.config_folders)
        done = train_source(source, plugins, out / TRAINING, resume, overwrite, device, shown)
        alone = _alone(plan, done.model, store)
        sizes = size_of(model), size_of(alone)
        names = pair and (pair[0].name, pair[1].name)
        if done.signal is not None or done.model_path is None:
            return Distilled(alone, None, done, names, *sizes)
        with writing(out / MODEL, inputs=[path], ours=_is_distilled):
            model_file.save(alone, out / MODEL, _extra(done.model_path, teacher, names))
    return Distilled(alone, out / MODEL, done, names, *sizes)


def _pair(
    teacher: Plan, student: Plan, asked: tuple[str, str] | bool, shown: Progress, sampler: bool
) -> tuple[Hidden, Hidden] | None:
    """Return the values of both whose features are compared, or None."""
    if asked is False:
        return None
    if sampler:
        if asked is not True:
            fail("the teacher scores videos in pieces, so its features are of no whole video", "use --no-features")
        shown.note("the teacher scores videos in pieces: the student learns from its scores alone")
        return None
    names = (None, None) if asked is True else asked
    found = hidden(teacher, names[0], "teacher"), hidden(student, names[1], "student")
    for each, whose in zip(found, ("teacher", "student")):
        if each is None:
            fail(
                f"what the head of the {whose} takes is no value of a node with a vector for each snippet",
                "name the nodes: --features TEACHER_NODE=STUDENT_NODE, or use --no-features",
            )
    return found  # type: ignore[return-value]


def _refuse_finished(out: Path, resume: bool, overwrite: bool) -> None:
    if os.path.lexists(out / MODEL) and not resume and not overwrite:
        fail(f"{out} already holds a model", "--resume continues its training, --overwrite replaces it")


def _say(teacher: Teacher, store: Path, out: Path, shown: Progress) -> None:
    """Write what the teacher says, unless it is there."""
    try:
        if write_outputs(teacher, store, out, shown.labelling):
            shown.note(f"what the teacher says is in {out} already")
    finally:
        shown.end()


def _alone(plan: Plan, trained: VadModel, store: Path) -> VadModel:
    """Return the student without what is of the teacher, with the weights of the training."""
    with torch.random.fork_rng(devices=[]):
        model = model_of(plan)
    state = trained.state_dict()
    model.load_state_dict({name: state[name] for name in model.state_dict()})
    data = {**plan.spec["data"], "args": {**plan.spec["data"]["args"], "root": str(store)}, "targets": None}
    model.spec = model.plan.spec = without_teacher(trained.spec, data)
    return model.eval()


def size_of(model: VadModel, snippets: int = 200) -> Size:
    """Return what scoring takes of a model: nodes of the training alone do not count."""
    scored = {step.name for step in model.plan.needed([model.plan.output])}
    nodes = [cost for name, cost in costs(model, snippets).items() if name in scored]
    flops = [cost.flops for cost in nodes]
    count = sum(cost.parameters for cost in nodes)
    return Size(count, None if None in flops else sum(f for f in flops if f) / snippets)


def _extra(path: Path, teacher: Teacher, names: tuple[str, str] | None) -> dict[str, Any]:
    """Return what the student's file states: what the training's does, and whom it learned from."""
    extra: dict[str, Any] = dict(model_file.read_header(path)["extra"])
    if recipes := extra.get("recipes"):
        extra["recipes"] = {name: recipe for name, recipe in recipes.items() if name != STREAM}
    about = teacher.model.spec.get("about")
    extra["distilled"] = {"teacher": teacher.path.name, "weights": teacher.digest, "about": about, "features": names}
    return extra


def _is_distilled(path: Path) -> bool:
    """Return whether an existing file is a student, and may be replaced by another one."""
    return path.is_file() and "distilled" in model_file.read_header(path)["extra"]
