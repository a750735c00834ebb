"""Score every video of a split with a model and compute the figures.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from vadkit import __version__
from vadkit.components import build_component, find_component
from vadkit.data.absent import Lost, describe, without
from vadkit.data.from_config import build_eval_sampler
from vadkit.data.whole_videos import Align, load, no_video
from vadkit.evaluate.evaluation import Evaluation
from vadkit.evaluate.gaps import Gaps
from vadkit.evaluate.score_video import Crops, device_of, score_video
from vadkit.evaluate.scorebook import MEANINGS, ScoreBook
from vadkit.evaluate.scored import Scored
from vadkit.evaluate.source_parts import source_parts
from vadkit.evaluate.truth import Tail, known_truth
from vadkit.evaluate.uninformed import FloorBook
from vadkit.graph.ranges import outside, threshold_of
from vadkit.kinds import Component, Postprocess, Sampler
from vadkit.plugin_manager import Plugins
from vadkit.problems import fail, plural
from vadkit.video import Video, VideoDataset, unlabelled_note, with_label

OnProgress = Callable[[int, int, str], None]  # videos done, videos in all, the name of the last one
# How a data set reads its intervals, if not as annotated.
RULES = {
    "closed": "; the annotated last frame is included (RTFM)",
    "umil": "; 14 videos of UCF-Crime as changed by the authors of UMIL",
}
CROPS = {"mean": "scores averaged over crops", "first": "first crop only"}
ALIGNMENTS = {
    "first": "streams cut or zero-padded to the snippets of the first one",
    "shortest": "streams cut to the snippets of the shortest one",
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
    crops: Crops = "mean",
    sampler: Sampler | None = None,
    align: Align = "first",
    threshold: float | None = 0.5,
    tail: Tail = "real",
    book: Book | None = None,
    in_full: bool = False,
    absent: Mapping[str, Lost] | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Return figures and scores of all videos of a split.

    Args:
        model: see ``score_video``.
        dataset: of kind dataset.
        split: "train", "val" or "test".
        post: applied in order to the scores (t,) of each video, after averaging its crops.
        streams: names of the inputs, in order; None is ``model.input_sizes``.
        device: where to compute; None is the model's device.
        crops: the scores of a video's crops are averaged, or only the "first" or the N-th from 0 is scored.
        sampler: cuts videos and spreads the scores of the pieces; None scores a video as a whole.
        align: streams are cut or filled to the snippets of the "first", or all cut to the "shortest".
        threshold: a frame that scores at least this is an alarm (for false alarms); None counts none.
        tail: see ``snippet_truth``.
        book: computes the figures; None is a ``ScoreBook``.
        in_full: also measure scores without a model, see ``uninformed.floors``, and apart those videos whose source is
            not in training, see ``source_parts``.
        absent: streams that the videos lose, by input: True is all of it, see ``vadkit.data.absent``. A model that
            takes ``presence`` is given the gaps as such, another one plain zeros.
        on_progress: called after every video.

    Abnormal videos without intervals count in video figures only, those of unknown label in none: they are only
    scored, and ``unlabelled_videos`` of the figures counts them. Raises VadkitError for an
    empty split, features that cannot be used or do not fit the model, and scores that are not finite.
    """
    sizes: Mapping[str, int] = getattr(model, "input_sizes", {})
    names = list(streams if streams is not None else sizes)
    dataset = without(dataset, absent, sizes or dict.fromkeys(names, 0))
    columns = list(getattr(model, "training_sizes", names)) if getattr(model, "takes_presence", False) else None
    videos = dataset.videos(split)
    if not videos:
        fail(*no_video(dataset, split))
    where = device_of(model, device)
    book = ScoreBook() if book is None else book
    details, single, floors, gaps = [], 0, FloorBook(), Gaps(columns or ())
    for number, video in enumerate(videos):
        features = load(dataset, video, names, sizes, align, columns)
        gaps.add(features)
        single += len(features[names[0]]) == 1
        scores = score_video(model, features, sampler=sampler, crops=crops, device=where)
        scored = _with_truth(video, _post(scores, post, video), dataset.snippet_frames, tail)
        if video.label is not None:
            book.add(video.name, scored.scores, scored.positives, scored.frames, video.label, video.classes)
        if in_full:
            floors.add(video.label, features, scored.positives, scored.frames)
        details.append(scored)
        if on_progress:
            on_progress(number + 1, len(videos), video.name)
    protocol = {
        **_protocol(model, dataset, split, names, where),
        **_how(post, crops, sampler, align, threshold, tail, getattr(dataset, "intervals", "half_open")),
        **({"absent": {name: describe(lost) for name, lost in absent.items()}} if absent else {}),
        **gaps.protocol(),
    }
    scores_by_name = {scored.video.name: scored.scores for scored in details}
    figures = {**book.figures(threshold), "unlabelled_videos": len(videos) - len(with_label(videos))}
    warnings = _warnings(dataset, details) + _one_crop(crops, single) + unlabelled_note(videos, split)
    warnings += gaps.warnings()
    found = Evaluation(figures, scores_by_name, protocol, details, warnings)
    if not in_full:
        return found
    return replace(found, floors=floors.figures(), sources=source_parts(dataset, split, details, threshold))


def evaluate_as_configured(
    model: nn.Module,
    dataset: VideoDataset,
    section: Mapping[str, Any],
    *,
    split: str | None = None,
    align: Align | None = None,
    plugins: Plugins | None = None,
    device: str | torch.device | None = None,
    in_full: bool = False,
    absent: Mapping[str, Lost] | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluate by an ``eval`` section: post, threshold, crops, sampler, tail, and the split if none is given.

    ``align`` is None for what the model's own ``data`` section says. Raises VadkitError for a threshold outside of the
    range of the scores, and as ``evaluate``.
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
        crops=crops_of(section),
        sampler=build_eval_sampler(section, plugins),
        align=align or align_of(getattr(model, "spec", None)),
        threshold=threshold,
        tail=section.get("tail") or "real",
        in_full=in_full,
        absent=absent,
        on_progress=on_progress,
    )


def crops_of(section: Mapping[str, Any]) -> Crops:
    """Return which crops an ``eval`` section scores."""
    crops: Crops | None = section.get("crops")
    return "mean" if crops is None else crops


def align_of(spec: Any) -> Align:
    """Return how the streams of a video are aligned, from the resolved config of a model."""
    data = spec.get("data") if isinstance(spec, Mapping) else None
    align: Align | None = (data or {}).get("align")
    return align or "first"


def build_post(section: Mapping[str, Any], plugins: Plugins | None = None) -> list[Postprocess]:
    """Return the postprocess components of an ``eval`` section. Raises VadkitError for bad arguments."""
    return [
        build_component(find_component(step["use"], "postprocess", plugins), step.get("args") or {}, f"eval.post[{i}]")
        for i, step in enumerate(section.get("post") or [])
    ]


def _post(scores: np.ndarray, post: Sequence[Postprocess], video: Video) -> np.ndarray:
    for step in post:
        changed = np.asarray(step(scores))
        if changed.shape != scores.shape:
            raise ValueError(f"{step.name} turned {scores.shape} scores into {changed.shape} for video '{video.name}'")
        scores = changed
    return scores


def _with_truth(video: Video, scores: np.ndarray, snippet_frames: int, tail: Tail) -> Scored:
    return Scored(video, scores, *known_truth(video, len(scores), snippet_frames, tail))


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


def _one_crop(crops: Crops, single: int) -> list[str]:
    """Return a warning if another crop was asked for than the only one that videos have."""
    if not single or crops in ("mean", "first", 0):
        return []
    return [f"eval.crops is {crops}, but {plural(single, 'video')} had one crop only, which was scored instead"]


def _protocol(
    model: nn.Module, dataset: VideoDataset, split: str, streams: Sequence[str], device: torch.device
) -> dict[str, Any]:
    """Return, of all that the figures depend on, what was scored, and where."""
    spec: Any = getattr(model, "spec", None)
    train = (spec.get("train") or {}) if isinstance(spec, dict) else {}
    return {
        "data_set": getattr(dataset, "name", type(dataset).__name__),
        "root": str(getattr(dataset, "root", "")) or None,
        "split": split,
        "streams": list(streams),
        "snippet_frames": dataset.snippet_frames,
        "select": train.get("select"),
        "device": device.type,
        "versions": {"vadkit": __version__, "torch": torch.__version__},
        "figures": dict(MEANINGS),
    }


def _how(
    post: Sequence[Postprocess],
    crops: Crops,
    sampler: Sampler | None,
    align: Align,
    threshold: float | None,
    tail: Tail,
    intervals: str,
) -> dict[str, Any]:
    """Return, of all that the figures depend on, how it was scored."""
    return {
        "crops": CROPS.get(str(crops), f"crop {crops} only, counted from 0"),
        "sampler": None if sampler is None else _named(sampler),
        "alignment": ALIGNMENTS[align],
        "truth": "frames inside intervals [start, end), on each feature file's own snippets" + RULES.get(intervals, ""),
        "tail": {
            "real": "the last snippet counts with the frames the video has",
            "full": "every snippet counts in full",
        }[tail],
        "post": [_named(step) for step in post],
        "threshold": threshold,
    }


def _named(component: Component) -> dict[str, Any]:
    declared = {key for key in vars(component) if hasattr(type(component), key)}  # such as lookahead: no argument
    return {"use": component.name, "args": _plain({k: v for k, v in vars(component).items() if k not in declared})}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = (bool, int, float, str, list, type(None))
    return {key: value for key, value in values.items() if not key.startswith("_") and isinstance(value, kept)}
