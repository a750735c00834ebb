"""What the figures of a finished run are counted from: the scores and the truth of each test video.

RUN/scores.safetensors holds them, so that every figure can be computed again over other videos than all, such as
resampled ones. Legend: n snippets of all videos, t snippets of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import numpy as np
import torch
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack

from vadkit import json_file
from vadkit.data.from_config import open_dataset
from vadkit.engine import numerics
from vadkit.engine.run_folder import MODEL, RESULT
from vadkit.evaluate.evaluation import Evaluation
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.evaluate.scorebook import ScoreBook
from vadkit.files import cannot_read, open_file, write_atomically
from vadkit.graph import model_file
from vadkit.graph.schema import with_defaults
from vadkit.problems import VadkitError, fail
from vadkit.results_folder import writing

SCORES = "scores.safetensors"
KEY = "vadkit_scores"  # of the metadata
FORMAT = 1
AGAIN = "delete the file: it is computed again from the model of the run"
LIMIT = 1 << 30  # bytes; the largest published test set takes 2 MB
CLOSE = 1e-4  # figures of two devices may differ by this much
COMPARED = ("ap", "auc", "ap_abnormal", "auc_abnormal", "far")
TENSORS = {"scores": (np.float32, np.float64), "positives": (np.int32,), "frames": (np.int32,)}


class VideoJson(msgspec.Struct):
    """A video of the file; ``known`` says whether its positive frames are."""

    name: str
    label: Annotated[int, Meta(ge=0, le=1)] | None
    classes: list[str]
    fps: Annotated[float, Meta(gt=0, le=1000)] | None
    snippets: Annotated[int, Meta(ge=1, le=10**8)]
    known: bool


class HeaderJson(msgspec.Struct):
    """The metadata of the file."""

    format: int
    threshold: float | None
    videos: list[VideoJson]


@dataclass(frozen=True)
class VideoScores:
    """One scored test video: ``scores``, ``frames`` and, where known, ``positives`` per snippet, (t,) each."""

    name: str
    label: int | None
    classes: tuple[str, ...]
    fps: float | None
    scores: np.ndarray
    positives: np.ndarray | None
    frames: np.ndarray


@dataclass(frozen=True)
class RunScores:
    """The scored test videos of a run, in the order of the data set, and its threshold for alarms."""

    videos: tuple[VideoScores, ...]
    threshold: float | None

    @cached_property
    def figures(self) -> dict[str, Any]:
        """The figures over all videos, as result.json has them."""
        book = ScoreBook()
        for video in self.videos:
            if video.label is not None:
                book.add(video.name, video.scores, video.positives, video.frames, video.label, video.classes)
        return {
            **book.figures(self.threshold),
            "unlabelled_videos": sum(video.label is None for video in self.videos),
        }


def of_evaluation(measured: Evaluation) -> RunScores:
    """Return what an evaluation counted."""
    videos = [
        VideoScores(s.video.name, s.video.label, s.video.classes, s.video.fps, s.scores, s.positives, s.frames)
        for s in measured.details
    ]
    return RunScores(tuple(videos), measured.protocol["threshold"])


# -- the file ------------------------------------------------------------------------------------
def write(path: Path, run: RunScores) -> None:
    """Write the file, all of it or nothing. Raises VadkitError."""
    videos = [
        VideoJson(v.name, v.label, list(v.classes), v.fps, len(v.scores), v.positives is not None) for v in run.videos
    ]
    positives = [np.zeros(len(v.scores), np.int64) if v.positives is None else v.positives for v in run.videos]
    tensors = {
        "scores": np.concatenate([v.scores for v in run.videos]),
        "positives": np.concatenate(positives).astype(np.int32),
        "frames": np.concatenate([v.frames for v in run.videos]).astype(np.int32),
    }
    header = json_file.as_line(HeaderJson(FORMAT, run.threshold, videos)).decode().rstrip()
    write_atomically(path, pack(tensors, {KEY: header}))


def read(folder: Path) -> RunScores:
    """Return the scores of a finished run from its file. Raises VadkitError."""
    path = folder / SCORES
    try:
        with open_file(path) as file:
            if (size := os.fstat(file.fileno()).st_size) > LIMIT:
                fail(f"{path} is too large: {size} bytes, the limit is {LIMIT}", AGAIN)
            data = file.read()
    except OSError as error:
        cannot_read(path, error, AGAIN)
    header, tensors = _unpacked(path, data)
    counts = [video.snippets for video in header.videos]
    for name in TENSORS:
        if name not in tensors or tensors[name].shape != (sum(counts),):
            _damaged(path, f"'{name}' must have one number for each of {sum(counts)} snippets")
        if tensors[name].dtype not in TENSORS[name]:
            _damaged(path, f"'{name}' must not be {tensors[name].dtype}")
    parts = [np.split(tensors[name], np.cumsum(counts)[:-1]) for name in TENSORS]
    videos = [
        VideoScores(v.name, v.label, tuple(v.classes), v.fps, scores, positives if v.known else None, frames)
        for v, scores, positives, frames in zip(header.videos, *parts, strict=True)
    ]
    run = RunScores(tuple(videos), header.threshold)
    _check(path, run)
    return run


def _unpacked(path: Path, data: bytes) -> tuple[HeaderJson, dict[str, np.ndarray]]:
    try:
        tensors = unpack(data)
        meta = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        _damaged(path, str(error))
    if KEY not in meta:
        fail(f"{path} holds no scores of a run", AGAIN)
    header = json_file.from_bytes(meta[KEY].encode(), HeaderJson, f"{path}: the header")
    if header.format != FORMAT:
        fail(f"{path} is of format {header.format}; this vadkit reads {FORMAT}", "update vadkit")
    if not header.videos:
        _damaged(path, "it lists no video")
    return header, tensors


def _check(path: Path, run: RunScores) -> None:
    """Refuse what no evaluation gives, before anything is computed from it."""
    try:
        assert run.figures
    except (ValueError, VadkitError) as error:
        _damaged(path, error.first if isinstance(error, VadkitError) else str(error))


def _damaged(path: Path, cause: str) -> NoReturn:
    fail(f"{path} is damaged: {cause}", AGAIN)


# -- of a run ------------------------------------------------------------------------------------
def save(folder: Path, device: str = "cpu", root: str | None = None) -> RunScores:
    """Score the test videos of a finished run with its model, write the file, and return what it holds.

    Args:
        folder: of the run: model.safetensors and result.json.
        device: where to compute.
        root: where the data set is now; None is where the run had it.

    Raises VadkitError if the data set cannot be used, or gives other figures than the run reports.
    """
    run = computed(folder, device, root)
    _keep(folder, run)
    return run


def _keep(folder: Path, run: RunScores) -> None:
    with writing(folder / SCORES, ours=_is_ours):
        write(folder / SCORES, run)


def _is_ours(path: Path) -> bool:
    try:
        return bool(read(path.parent))
    except VadkitError:
        return False


def computed(folder: Path, device: str = "cpu", root: str | None = None) -> RunScores:
    """Return the scores of a finished run, computed with its model. Raises VadkitError as ``save`` does."""
    where = torch.device(device)
    model = model_file.load(folder / MODEL, where)
    spec = with_defaults(model.spec)
    data = dict(spec["data"])
    if root is not None:
        data["args"] = {**(data.get("args") or {}), "root": root}
    with numerics.settings(spec["train"], where, strict=False):  # as the run measured
        dataset = open_dataset(data, None, model.takes_presence)
        run = of_evaluation(evaluate_as_configured(model, dataset, spec["eval"], device=where))
    stated = _stated(folder)
    if (key := differing(run, stated)) is not None:
        fail(
            f"{folder / MODEL} gives {key} {_shown(run.figures.get(key))}, but {RESULT} says {_shown(stated.get(key))}",
            "have the test videos, their features or a plugin changed since the run? train it again",
        )
    return run


def of_run(folder: Path, device: str = "cpu", root: str | None = None) -> RunScores:
    """Return the scores of a finished run: from its file, or computed if that is missing or of other weights.

    What was computed is kept for the next time, unless the folder cannot be written to.
    """
    if (folder / SCORES).is_file():
        run = read(folder)
        if differing(run, _stated(folder)) is None:
            return run
    run = computed(folder, device, root)
    with suppress(VadkitError):
        _keep(folder, run)
    return run


def differing(run: RunScores, stated: dict[str, Any], keys: Sequence[str] = COMPARED) -> str | None:
    """Return the first figure that is not as stated, by more than the rounding of another device; None if all are."""
    for key in keys:
        own, other = run.figures.get(key), stated.get(key)
        if key in stated and (own is None) != (other is None):
            return key
        if own is not None and other is not None and abs(own - other) > CLOSE:
            return key
    return None


def _stated(folder: Path) -> dict[str, Any]:
    path = folder / RESULT
    plain = json_file.load(path)
    figures = plain.get("figures") if isinstance(plain, dict) else None
    if not isinstance(figures, dict):
        fail(f"{path}: is not the result of a run: it has no figures")
    return {key: v for key, v in figures.items() if v is None or isinstance(v, int | float)}


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6f}"
