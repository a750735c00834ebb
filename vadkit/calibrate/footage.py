"""Scores of ordinary footage: of video files, or of a store of their features.

The time that attention takes grows with the square of a video's length, and footage may last for days: a video of more
than ``LONGEST`` snippets is scored in pieces of that length. Live scores, as of watching, need no pieces.

Legend: t snippets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.calibrate.learn import Footage
from vadkit.data.from_config import build_eval_sampler, open_dataset
from vadkit.data.whole_videos import load
from vadkit.devices import choose_device
from vadkit.evaluate.score import align_of, build_post, crops_of
from vadkit.evaluate.score_video import score_video
from vadkit.graph import model_file
from vadkit.graph.module import VadModel
from vadkit.graph.schema import with_defaults
from vadkit.graph.stepper import Stepper
from vadkit.predict.inputs import search
from vadkit.predict.system import load_system
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import VadkitError, fail, plural
from vadkit.store.names import HEAD
from vadkit.store.recipes import cut_otherwise
from vadkit.video import SPLITS, Video, VideoDataset

LONGEST = 2048  # snippets: 22 minutes at 16 frames of 25 a second
CHUNK = 256  # snippets that a stepper is given at once
Live = Callable[[VadModel], Stepper]  # how live scores are computed
Score = Callable[[Mapping[str, torch.Tensor]], np.ndarray]
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
    live: Live | None = None,
    on_progress: OnProgress = lambda done, total, name: None,
) -> Scored:
    """Return the scores of ordinary videos, or of the videos of one store.

    Args:
        fps: frames per second of the videos of a store that does not state them.
        live: score snippet by snippet with this stepper, as watching does; None scores videos as predicting does.

    Raises VadkitError if nothing can be scored.
    """
    stores = [path for path in normal if (path / HEAD).is_file()]
    if not stores:
        if fps is not None:
            fail("fps is for a store; video files state their own")
        return _of_videos(model, normal, device, weights, live, on_progress)
    if len(normal) > 1:
        fail(f"{stores[0]} is a store; give one store, or video files", "'vadkit store merge' joins stores")
    return _of_store(model, stores[0], device, fps, live, on_progress)


def rounded(scores: np.ndarray) -> np.ndarray:
    """Return scores as events are found in them."""
    return np.round(scores.astype(np.float64), 6) + 0.0  # -0.0 becomes 0.0


def pieces(streams: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield streams (t, dim) or (crops, t, dim) in pieces of equal numbers of snippets, at most ``LONGEST``."""
    t = next(iter(streams.values())).shape[-2]
    count = -(-t // LONGEST)
    for number in range(count):
        first, end = t * number // count, t * (number + 1) // count
        yield {name: x[..., first:end, :] for name, x in streams.items()}


def live_scores(stepper: Stepper, streams: Mapping[str, Any], columns: Sequence[str] = ()) -> np.ndarray:
    """Return the scores (t,) that a stepper gives of streams (t, dim) or (crops, t, dim).

    ``columns`` are those of the stream ``presence``, by which a snippet lacks others.
    """
    t, found = next(iter(streams.values())).shape[-2], list[tuple[int, float]]()
    if PRESENCE not in streams:
        for first in range(0, t, CHUNK):
            found += stepper.chunk({name: x[..., first : first + CHUNK, :] for name, x in streams.items()})
    else:
        there = np.asarray(streams[PRESENCE][0])
        for i in range(t):
            names = [name for name, present in zip(columns, there[i]) if present and name in streams]
            found += stepper.step({name: streams[name][..., i, :] for name in names})
    return np.array([score for _, score in [*found, *stepper.finish()]])


# -- video files -----------------------------------------------------------------------------------
def _of_videos(
    model: Path,
    normal: Sequence[Path],
    device: str,
    weights: Mapping[str, str] | None,
    live: Live | None,
    on_progress: OnProgress,
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
        times, given = extracted.snippet_times, system.given(extracted.streams, system.missing(extracted))
        if live is not None:
            scores = live_scores(live(system.model), given, [*system.model.training_sizes])
        else:
            scores = np.concatenate([system.scored_of(piece).scores for piece in pieces(given)])
        footage.append(Footage(video.name, rounded(scores), np.round([*times[:, 0], times[-1, 1]], 3)))
    if not footage:
        raise VadkitError(problems)
    return Scored(footage, notes)


# -- a store ---------------------------------------------------------------------------------------
def _of_store(
    model: Path, root: Path, device: str, fps: float | None, live: Live | None, on_progress: OnProgress
) -> Scored:
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
    loaded, align = model_file.load(model, str(place)), align_of(header["spec"])
    columns = list(loaded.training_sizes) if loaded.takes_presence else None
    score = _whole(loaded, sections["eval"], place) if live is None else partial(_live, live, loaded)
    footage = []
    for number, video in enumerate(normal):
        on_progress(number, len(normal), video.name)
        scores = score(load(dataset, video, list(loaded.input_sizes), loaded.input_sizes, align, columns))
        edges = np.round(np.arange(len(scores) + 1) * _snippet_seconds(dataset, video, fps), 3)
        footage.append(Footage(video.name, rounded(scores), edges))
    return Scored(footage, list(_notes(videos, normal)))


def _whole(model: VadModel, section: Mapping[str, Any], device: torch.device) -> Score:
    """Return what scores a video as evaluation does, long ones in pieces."""
    sampler, post, crops = build_eval_sampler(section), build_post(section), crops_of(section)

    def score(streams: Mapping[str, torch.Tensor]) -> np.ndarray:
        parts = [score_video(model, p, sampler=sampler, crops=crops, device=device) for p in pieces(streams)]
        scores = np.concatenate(parts)
        for step in post:
            scores = step(scores)
        return scores

    return score


def _live(live: Live, model: VadModel, streams: Mapping[str, torch.Tensor]) -> np.ndarray:
    return live_scores(live(model), streams, [*model.training_sizes])


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
