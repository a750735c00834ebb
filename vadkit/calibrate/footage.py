"""Scores of ordinary footage: of video files, or of a store of their features.

Legend: t snippets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.calibrate.learn import Footage
from vadkit.data.from_config import build_eval_sampler, open_dataset
from vadkit.data.whole_videos import load
from vadkit.devices import choose_device
from vadkit.evaluate.score import align_of, build_post, crops_of
from vadkit.evaluate.score_video import score_video
from vadkit.graph import model_file
from vadkit.graph.schema import with_defaults
from vadkit.predict.inputs import search
from vadkit.predict.system import load_system
from vadkit.problems import VadkitError, fail, plural
from vadkit.store.names import HEAD
from vadkit.store.recipes import cut_otherwise
from vadkit.video import SPLITS, Video, VideoDataset

OnProgress = Callable[[float, float, str], Any]


@dataclass(frozen=True)
class Scored:
    """The footage, and what the user should know of what was left out."""

    footage: list[Footage]
    notes: list[str] = field(default_factory=list)


def score_footage(
    model: Path,
    normal: Sequence[Path],
    device: str = "auto",
    weights: Mapping[str, str] | None = None,
    fps: float | None = None,
    on_progress: OnProgress = lambda done, total, name: None,
) -> Scored:
    """Return the scores of ordinary videos, or of the videos of one store.

    Args:
        fps: frames per second of the videos of a store that does not state them.

    Raises VadkitError if nothing can be scored.
    """
    stores = [path for path in normal if (path / HEAD).is_file()]
    if not stores:
        if fps is not None:
            fail("fps is for a store; video files state their own")
        return _of_videos(model, normal, device, weights, on_progress)
    if len(normal) > 1:
        fail(f"{stores[0]} is a store; give one store, or video files", "'vadkit store merge' joins stores")
    return _of_store(model, stores[0], device, fps, on_progress)


def rounded(scores: np.ndarray) -> np.ndarray:
    """Return scores as events are found in them."""
    return np.round(scores.astype(np.float64), 6) + 0.0  # -0.0 becomes 0.0


# -- video files -----------------------------------------------------------------------------------
def _of_videos(
    model: Path, normal: Sequence[Path], device: str, weights: Mapping[str, str] | None, on_progress: OnProgress
) -> Scored:
    found = search(normal, Path(os.devnull))
    if found.problems:
        raise VadkitError(found.problems)
    system = load_system(model, device, weights=weights)
    footage, notes, problems = list[Footage](), list(found.notes), []
    for number, video in enumerate(found.videos):
        on_progress(number, len(found.videos), video.name)
        try:
            extracted = system.extract(video)
        except VadkitError as error:
            problems += error.problems
            notes.append(f"left out: {error.first}")
            continue
        times = extracted.snippet_times
        edges = np.round([*times[:, 0], times[-1, 1]], 3)
        footage.append(Footage(video.name, rounded(system.score(extracted.streams)), edges))
    if not footage:
        raise VadkitError(problems)
    return Scored(footage, notes)


# -- a store ---------------------------------------------------------------------------------------
def _of_store(model: Path, root: Path, device: str, fps: float | None, on_progress: OnProgress) -> Scored:
    place = choose_device(device)
    header = model_file.read_header(model)
    sections = with_defaults(header["spec"])
    args = {"root": str(root), "streams": (sections["data"].get("args") or {}).get("streams")}
    dataset = open_dataset({**sections["data"], "use": "feature_store", "args": _given(args)})
    other = cut_otherwise(header["extra"].get("recipes") or {}, getattr(dataset, "recipes", {}))
    if other is not None:
        fail(other, f"extract them as the model wants: vadkit extract VIDEOS --like {model} --out STORE")
    videos = [video for split in SPLITS for video in dataset.videos(split)]
    normal = [video for video in videos if video.label != 1]
    if not normal:
        fail(f"{root} holds no ordinary footage: all of its videos are abnormal")
    loaded = model_file.load(model, str(place))
    sampler, post = build_eval_sampler(sections["eval"]), build_post(sections["eval"])
    footage = []
    for number, video in enumerate(normal):
        on_progress(number, len(normal), video.name)
        sizes = loaded.input_sizes
        streams = load(dataset, video, list(sizes), sizes, align_of(header["spec"]))
        scores = score_video(loaded, streams, sampler=sampler, crops=crops_of(sections["eval"]), device=place)
        for step in post:
            scores = step(scores)
        edges = np.round(np.arange(len(scores) + 1) * _snippet_seconds(dataset, video, fps), 3)
        footage.append(Footage(video.name, rounded(scores), edges))
    return Scored(footage, list(_notes(videos, normal)))


def _given(args: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value is not None}


def _snippet_seconds(dataset: VideoDataset, video: Video, fps: float | None) -> float:
    """Return how long a snippet is: by the rate of extraction, of the video, or the given one."""
    recipes = [recipe for recipe in getattr(dataset, "recipes", {}).values() if recipe]
    rate = next((recipe["fps"] for recipe in recipes if recipe.get("fps")), None) or video.fps or fps
    if rate is None:
        fail(
            f"video '{video.name}': its frames per second are unknown, and so is how long it is",
            "give --fps, or set fps in videos.json",
        )
    stride = next((recipe["stride"] for recipe in recipes if recipe.get("stride")), dataset.snippet_frames)
    return float(stride / rate)


def _notes(videos: Sequence[Video], normal: Sequence[Video]) -> Iterator[str]:
    if len(normal) < len(videos):
        yield f"left out {plural(len(videos) - len(normal), 'video')} with the label abnormal"
    unknown = sum(video.label is None for video in normal)
    if unknown:
        yield f"{plural(unknown, 'video')} of unknown label {'is' if unknown == 1 else 'are'} taken as ordinary"
