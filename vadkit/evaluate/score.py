"""Score every video of a split with a model and compute the figures.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vadkit import __version__
from vadkit.components import build_component, find_component
from vadkit.data.whole_videos import load, no_video
from vadkit.devices import float32
from vadkit.evaluate.evaluation import Evaluation
from vadkit.evaluate.scorebook import MEANINGS, ScoreBook
from vadkit.evaluate.scored import Scored
from vadkit.evaluate.truth import Tail, snippet_truth
from vadkit.graph.ranges import outside, threshold_of
from vadkit.kinds import Postprocess
from vadkit.plugin_manager import Plugins
from vadkit.problems import fail, plural
from vadkit.video import Video, VideoDataset, unlabelled_note, with_label

OnProgress = Callable[[int, int, str], None]  # videos done, videos in all, the name of the last one
# Attention needs t * t numbers per crop and head; so many crops are scored at once that this is not exceeded.
PAIRS = 2**22
# How a data set reads its intervals, if not as annotated.
RULES = {
    "closed": "; the annotated last frame is included (RTFM)",
    "umil": "; 14 videos of UCF-Crime as changed by the authors of UMIL",
}


class Book(Protocol):
    """What a component of kind metric provides."""

    def add(
        self,
        name: str,
        scores: np.ndarray,
        positives: np.ndarray | None,
        frames: np.ndarray,
        label: int,
        group: Sequence[str],
    ) -> None: ...

    def figures(self, threshold: float | None) -> dict[str, Any]: ...


def evaluate(
    model: nn.Module,
    dataset: VideoDataset,
    split: str = "test",
    *,
    post: Sequence[Postprocess] = (),
    streams: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    crops: Literal["mean", "first"] = "mean",
    threshold: float | None = 0.5,
    tail: Tail = "real",
    book: Book | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Return figures and scores of all videos of a split.

    Args:
        model: called as ``model(*streams, crops=n)`` with float32 (n, t, dim) each; returns (n, t). It
            is put into eval mode, and every module is restored to its own mode afterwards.
        dataset: of kind dataset.
        split: "train", "val" or "test".
        post: applied in order to the scores (t,) of each video, after averaging its crops.
        streams: names of the inputs, in order; None is ``model.input_sizes``.
        device: where to compute; None is the model's device.
        crops: the scores of a video's crops are averaged, or only the first is scored.
        threshold: a frame that scores at least this is an alarm (for false alarms); None counts none.
        tail: see ``snippet_truth``.
        book: computes the figures; None is a ``ScoreBook``.
        on_progress: called after every video.

    Abnormal videos without intervals count in video figures only, those of unknown label in none: they are only
    scored, and ``unlabelled_videos`` of the figures counts them. Raises VadkitError for an
    empty split, features that cannot be used or do not fit the model, and scores that are not finite.
    """
    sizes: Mapping[str, int] = getattr(model, "input_sizes", {})
    names = list(streams if streams is not None else sizes)
    videos = dataset.videos(split)
    if not videos:
        fail(*no_video(dataset, split))
    where = torch.device(device) if device is not None else _device_of(model)
    book = ScoreBook() if book is None else book
    details = []
    with _evaluating(model, where):
        for number, video in enumerate(videos):
            features = load(dataset, video, names, sizes)
            scores = _score(model, list(features.values()), where, crops)
            scored = _with_truth(video, _post(scores, post, video), dataset.snippet_frames, tail)
            if video.label is not None:
                book.add(video.name, scored.scores, scored.positives, scored.frames, video.label, video.classes)
            details.append(scored)
            if on_progress:
                on_progress(number + 1, len(videos), video.name)
    protocol = _protocol(model, dataset, split, names, post, where, crops, threshold, tail)
    scores_by_name = {scored.video.name: scored.scores for scored in details}
    figures = {**book.figures(threshold), "unlabelled_videos": len(videos) - len(with_label(videos))}
    warnings = _warnings(dataset, details) + unlabelled_note(videos, split)
    return Evaluation(figures, scores_by_name, protocol, details, warnings)


def evaluate_as_configured(
    model: nn.Module,
    dataset: VideoDataset,
    section: Mapping[str, Any],
    *,
    split: str | None = None,
    plugins: Plugins | None = None,
    device: str | torch.device | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluate by an ``eval`` section: post, threshold, crops, tail, and the split if none is given.

    Raises VadkitError for a threshold outside of the range of the scores, and as ``evaluate``.
    """
    scores_are = getattr(model, "output_range", "probability")
    threshold = threshold_of(section, scores_are)
    if outside(threshold, scores_are):
        fail(f"eval.threshold must be a number from 0 to 1, got {threshold:g}: the output is a probability")
    return evaluate(
        model,
        dataset,
        split or section.get("split") or "test",
        post=build_post(section, plugins),
        device=device,
        crops=section.get("crops") or "mean",
        threshold=threshold,
        tail=section.get("tail") or "real",
        on_progress=on_progress,
    )


def build_post(section: Mapping[str, Any], plugins: Plugins | None = None) -> list[Postprocess]:
    """Return the postprocess components of an ``eval`` section. Raises VadkitError for bad arguments."""
    return [
        build_component(find_component(step["use"], "postprocess", plugins), step.get("args") or {}, f"eval.post[{i}]")
        for i, step in enumerate(section.get("post") or [])
    ]


def _device_of(model: nn.Module) -> torch.device:
    return next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))


@contextmanager
def _evaluating(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Put the model on the device and into eval mode; restore the mode of every module at the end."""
    modes = {module: module.training for module in model.modules()}
    model.to(device).eval()
    try:
        # Not inference_mode: a table that a component makes here and keeps must work in training.
        with torch.no_grad(), float32():  # exact, so that all ways to a figure give the same one
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _score(
    model: nn.Module, features: list[Tensor], device: torch.device, crops: Literal["mean", "first"]
) -> np.ndarray:
    """Return the scores (t,) of one video from its streams (crops, t, dim)."""
    count, t = features[0].shape[:2]
    count = 1 if crops == "first" else count
    at_once = max(1, min(count, PAIRS // (t * t)))
    total = torch.zeros(t, dtype=torch.float64)
    for start in range(0, count, at_once):
        part = [x[start : min(start + at_once, count)].to(device) for x in features]
        scores = model(*part, crops=len(part[0]))
        if scores.shape != part[0].shape[:2]:
            raise ValueError(f"the model returned scores {tuple(scores.shape)} for features {tuple(part[0].shape)}")
        total += scores.sum(0).double().cpu()
    return (total / count).float().numpy()


def _post(scores: np.ndarray, post: Sequence[Postprocess], video: Video) -> np.ndarray:
    for step in post:
        changed = np.asarray(step(scores))
        if changed.shape != scores.shape:
            raise ValueError(f"{step.name} turned {scores.shape} scores into {changed.shape} for video '{video.name}'")
        scores = changed
    return scores


def _with_truth(video: Video, scores: np.ndarray, snippet_frames: int, tail: Tail) -> Scored:
    positives, frames = snippet_truth(video, len(scores), snippet_frames, tail)
    known = video.label == 0 or bool(video.spans)
    return Scored(video, scores, positives if known else None, frames)


def _warnings(dataset: VideoDataset, details: Sequence[Scored]) -> list[str]:
    warnings = list(getattr(dataset, "warnings", []))
    unknown = [scored.video.name for scored in details if scored.positives is None and scored.video.label == 1]
    if unknown:
        lack = "is abnormal but has" if len(unknown) == 1 else "are abnormal but have"
        warnings.append(
            f"{len(unknown)} of {plural(len(details), 'video')} {lack} no intervals (the first is '{unknown[0]}'): "
            "only video_auc and video_ap count such videos"
        )
    return warnings


def _protocol(
    model: nn.Module,
    dataset: VideoDataset,
    split: str,
    streams: Sequence[str],
    post: Sequence[Postprocess],
    device: torch.device,
    crops: str,
    threshold: float | None,
    tail: Tail,
) -> dict[str, Any]:
    """Return every choice that the figures depend on, as plain data."""
    spec: Any = getattr(model, "spec", None)
    train = (spec.get("train") or {}) if isinstance(spec, dict) else {}
    return {
        "data_set": getattr(dataset, "name", type(dataset).__name__),
        "root": str(getattr(dataset, "root", "")) or None,
        "split": split,
        "streams": list(streams),
        "snippet_frames": dataset.snippet_frames,
        "crops": {"mean": "scores averaged over crops", "first": "first crop only"}[crops],
        "alignment": "streams cut or zero-padded to the snippets of the first one",
        "truth": "frames inside intervals [start, end), on each feature file's own snippets"
        + RULES.get(getattr(dataset, "intervals", "half_open"), ""),
        "tail": {
            "real": "the last snippet counts with the frames the video has",
            "full": "every snippet counts in full",
        }[tail],
        "post": [{"use": step.name, "args": _plain(vars(step))} for step in post],
        "threshold": threshold,
        "select": train.get("select"),
        "device": device.type,
        "versions": {"vadkit": __version__, "torch": torch.__version__},
        "figures": dict(MEANINGS),
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = (bool, int, float, str, list, type(None))
    return {key: value for key, value in values.items() if not key.startswith("_") and isinstance(value, kept)}
