"""What a teacher says of every video: scores as targets, and features as one more stream of the store.

OUT/targets.safetensors        a target for each snippet of each training video
OUT/store.json, videos.json    the student's store, whose files stay where they are
OUT/teacher_features/NAME.npy  what the head of the teacher takes, (t, width) or (crops, t, width)

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.data.from_config import build_eval_sampler, open_dataset
from vadkit.data.targets import read_targets, write_targets
from vadkit.data.whole_videos import load
from vadkit.distill.student import STREAM, Hidden
from vadkit.engine.fingerprint import fingerprint
from vadkit.evaluate.score_video import evaluating, score_video
from vadkit.files import make_folder, replacing
from vadkit.graph.module import VadModel
from vadkit.kinds import Sampler
from vadkit.plugin_manager import Plugins
from vadkit.problems import fail
from vadkit.results_folder import writing
from vadkit.store.names import array_path
from vadkit.store.reference import write_reference
from vadkit.video import SPLITS, VideoDataset

TARGETS = "targets.safetensors"
OnVideo = Callable[[int, int], None]


@dataclass
class Teacher:
    """A trained model, the digest of its weights, and how it scores videos of a store."""

    path: Path
    digest: str
    model: VadModel
    device: torch.device
    value: Hidden | None  # the features that are kept, if any
    plugins: Plugins

    def data(self, store: Path) -> dict[str, Any]:
        """Return its data section, on a store."""
        section = self.model.spec["data"]
        return {**section, "args": {**(section.get("args") or {}), "root": str(store)}, "targets": None}

    @property
    def sampler(self) -> Sampler | None:
        return build_eval_sampler(self.model.spec["eval"], self.plugins)

    def scores(self, streams: Mapping[str, torch.Tensor]) -> np.ndarray:
        """Return its scores (t,) of a video, as it is evaluated, but for smoothing."""
        crops = self.model.spec["eval"]["crops"]
        return score_video(self.model, streams, sampler=self.sampler, crops=crops, device=self.device)

    def features(self, streams: Mapping[str, torch.Tensor]) -> np.ndarray:
        """Return its features (crops, t, width) of a whole video."""
        assert self.value is not None
        crops = len(next(iter(streams.values())))
        given = {name: x.to(self.device) for name, x in streams.items()}
        with evaluating(self.model, self.device):
            found = self.model.values({**given, "crops": crops, "mask": None}, [self.value.name])
        return found[self.value.name].float().cpu().numpy()


def write_outputs(teacher: Teacher, root: Path, out: Path, on_video: OnVideo) -> bool:
    """Write what the teacher says of the videos of the store ``root`` into ``out``; return True if they were there.

    Raises VadkitError for what ``out`` holds of another teacher or of other videos.
    """
    dataset = open_dataset(teacher.data(root), teacher.plugins)
    made = _made_by(teacher, dataset)
    path = out / TARGETS
    if path.exists():
        _refuse_others(path, read_targets(path).made_by, made)
        return True
    make_folder(out)
    if teacher.value is not None:
        recipe = {"backbone": "teacher", "model": teacher.digest, "value": teacher.value.name}
        write_reference(root, out, more={STREAM: {"dim": teacher.value.width, "recipe": recipe}})
    videos = [video for split in SPLITS for video in dataset.videos(split)]
    rows: dict[str, np.ndarray] = {}
    for number, video in enumerate(videos, 1):
        model = teacher.model
        align, presence = model.spec["data"]["align"], list(model.training_sizes) if model.takes_presence else None
        streams = load(dataset, video, list(model.input_sizes), model.input_sizes, align, presence)
        if video.split == "train":
            rows[video.name] = _targets(teacher.scores(streams))
        if teacher.value is not None:
            _write_features(array_path(out, STREAM, video.name), teacher.features(streams))
        on_video(number, len(videos))
    with writing(path):  # last: what has no targets is not finished
        write_targets(path, rows, made)
    return False


def _made_by(teacher: Teacher, dataset: VideoDataset) -> dict[str, Any]:
    spec = teacher.model.spec
    return {
        "teacher": teacher.digest,
        "features": None if teacher.value is None else teacher.value.name,
        "scoring": {key: spec["eval"].get(key) for key in ("sampler", "crops")} | {"align": spec["data"].get("align")},
        "videos": fingerprint(dataset, "train")["sha256"],
    }


def _refuse_others(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differing = [key for key in now if before.get(key) != now[key]]
    if differing:
        fail(
            f"{path} was written from other inputs: {', '.join(differing)} differ{'s' * (len(differing) == 1)}",
            "distil with what it began with, or choose another --out",
        )


def _targets(scores: np.ndarray) -> np.ndarray:
    """Return scores as targets (t, 2), all of weight 1."""
    return np.stack([scores, np.ones_like(scores)], 1).astype(np.float32)


def _write_features(path: Path, x: np.ndarray) -> None:
    with replacing(path, durable=False) as temporary, temporary.open("wb") as file:
        np.save(file, x[0] if len(x) == 1 else x, allow_pickle=False)
