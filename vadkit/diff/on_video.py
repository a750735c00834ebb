"""Explain a stream by trying changes on a video, and put what comes of it among the causes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vadkit.datasets.importing.file_names import read_name
from vadkit.diff.causes import Cause
from vadkit.diff.compare import StreamComparison
from vadkit.diff.sides import Side
from vadkit.diff.trial import EXACT, Outcome, Trial, try_all
from vadkit.problems import fail, nearest


def explain(
    stream: StreamComparison,
    a: Side,
    b: Side,
    video: Path,
    name: str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    first: int = 0,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Try changes on ``video`` and add the outcome to ``stream``, which must have videos that differ.

    Args:
        name: of the video in the stores; by default read from the file's name.
        weights, device, first, progress: see ``try_all``.

    Raises VadkitError if neither side has a recipe, or features cannot be made by it.
    """
    if not video.exists():
        fail(f"{video}: there is no such file")
    name = name or _name_of(video, stream, a)
    recipe_a, recipe_b = a.recipes.get(stream.a), b.recipes.get(stream.b)
    sides = [(a.streams[stream.a], recipe_a), (b.streams[stream.b], recipe_b)]
    if recipe_a is None:
        sides.reverse()
    (ours, recipe), (theirs, other) = sides
    if recipe is None:
        fail(
            f"stream '{stream.title}': neither A nor B says how it was made, so it cannot be made anew",
            hint="extract the video with 'vadkit extract' and compare that store",
        )
    for videos in (ours, theirs):
        if name not in videos:
            close = nearest(name, videos)
            fail(f"there is no video '{name}' in both A and B", f"did you mean --name '{close}'?" if close else None)
    stream.trial = try_all(
        stream.title, name, video, ours[name](), theirs[name](), recipe, other, weights, device, first, progress
    )
    stream.maker = "A" if recipe_a is not None else "B"
    stream.causes = [*_causes(stream.trial, stream.maker), *_kept(stream)]


def _name_of(video: Path, stream: StreamComparison, a: Side) -> str:
    names = a.streams[stream.a]
    if len(names) == 1:
        return next(iter(names))
    read = read_name(video.stem, names)
    return read.name if read is not None else video.stem


def _causes(trial: Trial, maker: str) -> Iterable[Cause]:
    """Return what the trial proves."""
    if trial.again_b < EXACT <= trial.again:
        other = "B" if maker == "A" else "A"
        told = f"made anew by {maker}'s recipe, the video gives {other}"
        why = f"{maker} was made otherwise than its recipe says, or of another version of the video"
        yield Cause("source", f"{told}: {why}", "certain")
        return
    for outcome in giving(trial):
        share = "all" if outcome.exact else f"{outcome.explained:.1%}"
        twins = "".join(f" (or: {twin}, which makes the same)" for twin in outcome.same_as)
        told = f"{outcome.tell}{twins}: made so, the video gives {share} of what is different"
        yield Cause(outcome.field, told, "certain" if outcome.exact else "likely")


def giving(trial: Trial) -> list[Outcome]:
    """Return the outcomes that give B: those that do so exactly, or else those that come close."""
    exact = [outcome for outcome in trial.outcomes if outcome.exact]
    return exact or [outcome for outcome in trial.outcomes if outcome.gives_b]


def _kept(stream: StreamComparison) -> list[Cause]:
    """Return the causes that a trial which gave a result leaves standing."""
    gave = stream.trial is not None and giving(stream.trial)
    return [cause for cause in stream.causes if not gave or cause.certainty == "certain"]
