"""Between two rounds: score the training videos, and let a labeller turn the scores into targets.

Legend: t snippets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from vadkit.components import build_component
from vadkit.data.from_config import build_eval_sampler, open_dataset
from vadkit.data.targets import Targets, read_targets, write_targets
from vadkit.data.whole_videos import load
from vadkit.engine import numerics
from vadkit.engine.fingerprint import fingerprint
from vadkit.engine.run_folder import MODEL
from vadkit.evaluate.score_video import score_video
from vadkit.graph import model_file
from vadkit.plugin_manager import Plugins
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import fail
from vadkit.results_folder import writing
from vadkit.rounds.recipe import TARGETS, Labels, Recipe, Round
from vadkit.video import VideoDataset, with_label

SCORING = {"eval": ("sampler", "crops"), "data": ("align",)}  # what of a config scores depend on
OnVideo = Callable[[int, int], None]


def weights_digest(path: Path) -> str:
    """Return a SHA-256 over names and values of the weights of a model file."""
    return _digest(model_file.read_weights(path).items())


def _digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return digest.hexdigest()


def made_by(recipe: Recipe, of: Round, labels: Labels, out: Path, plugins: Plugins) -> dict[str, Any]:
    """Return all that the targets of a round depend on, as plain data."""
    chain, earlier = recipe.labelled_from(of), _earlier(recipe, labels, out)
    newest, partial = chain[-1].plan.spec, chain[-1].plan.takes(PRESENCE)
    return {
        "from": [each.name for each in chain],
        "models": [weights_digest(out / each.name / MODEL) for each in chain],
        "use": labels.use,
        "args": labels.args,
        "passes": labels.passes,
        "seed": of.plan.spec["train"]["seed"],
        "scoring": {key: newest[part].get(key) for part, keys in SCORING.items() for key in keys},
        "videos": fingerprint(open_dataset(newest["data"], plugins, partial), "train", presence=partial)["sha256"],
        "earlier": None if earlier is None else earlier.sha256,
    }


def _earlier(recipe: Recipe, labels: Labels, out: Path) -> Targets | None:
    """Return the targets that the scoring round was trained on."""
    source = recipe.round(labels.source)
    return None if source.labels is None else read_targets(out / source.name / TARGETS)


def write_labels(
    recipe: Recipe,
    of: Round,
    labels: Labels,
    out: Path,
    made: Mapping[str, Any],
    plugins: Plugins,
    device: torch.device,
    on_video: OnVideo,
) -> None:
    """Write the targets of a round into its folder."""
    chain = recipe.labelled_from(of)
    scores: dict[str, list[np.ndarray]] = {}
    kinds: dict[str, int] = {}
    for each in chain:
        dataset = open_dataset(each.plan.spec["data"], plugins, each.plan.takes(PRESENCE))
        kinds |= {video.name: int(video.label or 0) for video in with_label(dataset.videos("train"))}
        with numerics.settings(each.plan.spec["train"], device, strict=False):
            for name, rows in _scores(each, dataset, out, labels.passes, made["seed"], plugins, device, on_video):
                scores.setdefault(name, []).append(rows)
    stacked = {name: _stacked(name, rows, len(chain), of) for name, rows in scores.items()}
    earlier = _earlier(recipe, labels, out)
    labeller = build_component(labels.component, labels.args, f"rounds.{of.name}.targets")
    targets = labeller.label(stacked, kinds, {} if earlier is None else dict(earlier.rows))
    if sorted(targets) != sorted(stacked):
        raise ValueError(f"{labels.use} labelled {len(targets)} of {len(stacked)} videos")
    path = out / of.name / TARGETS
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path):
        write_targets(path, targets, made)


def _stacked(name: str, rows: list[np.ndarray], rounds: int, of: Round) -> np.ndarray:
    if len(rows) != rounds or len({x.shape[1] for x in rows}) > 1:
        fail(
            f"round '{of.name}': the rounds that label it do not score the same snippets of video '{name}'",
            "their configs need the same data set",
        )
    return np.concatenate(rows)


def _scores(
    of: Round,
    dataset: VideoDataset,
    out: Path,
    passes: int,
    seed: int,
    plugins: Plugins,
    device: torch.device,
    on_video: OnVideo,
) -> Iterable[tuple[str, np.ndarray]]:
    """Yield the scores (passes, t) of each training video by the model of a round."""
    spec, videos = of.plan.spec, with_label(dataset.videos("train"))
    model = model_file.load(out / of.name / MODEL, device)
    sampler = build_eval_sampler(spec["eval"], plugins)
    for number, video in enumerate(videos):
        streams = load(
            dataset,
            video,
            list(model.input_sizes),
            model.input_sizes,
            spec["data"]["align"],
            list(model.training_sizes) if model.takes_presence else None,
        )
        yield (
            video.name,
            score_video(
                model,
                streams,
                sampler=sampler,
                crops=spec["eval"]["crops"],
                device=device,
                passes=passes,
                seed=crc32(f"{seed}/{video.name}".encode()),
            ),
        )
        on_video(number + 1, len(videos))
