"""Extract A's features again with one thing changed at a time, and see which change gives B.

Where only B has a recipe, the two are swapped; so here A is the side whose recipe is followed.

Legend: k crops, s snippets, dim the width of the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.datasets.importing.file_names import read_name
from vadkit.diff.cause import Cause
from vadkit.diff.comparison import Outcome, StreamComparison, Trial
from vadkit.diff.hypotheses import Hypothesis, hypotheses, starts, together, with_argument
from vadkit.diff.replay import Footage, Replay, rebuild
from vadkit.diff.sides import Side
from vadkit.diff.value_maps import unit
from vadkit.problems import VadkitError, fail, nearest

ROWS = 6  # snippets extracted for each hypothesis ...
BYTES = 400 << 20  # ... unless their frames are larger than this
PART = 0.15  # ... to be worth trying with others on top
EXACT = 1e-5  # a change gives B exactly if it leaves less than this part of the largest number ...
ELSEWHERE = 1e-3  # ... or, for features extracted on another machine, twice what A's own are off by, if that is less

Recipe = Mapping[str, Any]
Progress = Callable[[str], None]  # what is being tried


# -- into the comparison -----------------------------------------------------------------------------------
def explain(
    stream: StreamComparison,
    a: Side,
    b: Side,
    video: Path,
    name: str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    first: int = 0,
    progress: Progress | None = None,
) -> None:
    """Try changes on ``video`` and add the outcome to ``stream``, which must have videos that differ.

    Args:
        name: of the video in the stores; by default read from the file's name.
        weights: the backbone's weight file, if it has one.
        device: where networks run.
        first: row to begin with.
        progress: called with what is tried.

    Raises VadkitError if neither side has a recipe, or features cannot be extracted by it.
    """
    if not video.exists():
        fail(f"{video}: there is no such file")
    name = name or _name_of(video, a.streams[stream.a])
    sides = [("A", a.streams[stream.a], a.recipes.get(stream.a)), ("B", b.streams[stream.b], b.recipes.get(stream.b))]
    if sides[0][2] is None:
        sides.reverse()
    (maker, ours, recipe), (_, theirs, other) = sides
    if recipe is None:
        fail(
            f"stream '{stream.title}': neither A nor B has a recipe, so features cannot be extracted again",
            hint="extract the video with 'vadkit extract' and compare that store",
        )
    for videos in (ours, theirs):
        if name not in videos:
            close = nearest(name, videos)
            fail(f"there is no video '{name}' in both A and B", f"did you mean --name '{close}'?" if close else None)
    build = partial(rebuild, weights=weights, device=device)
    trial = try_all(name, video, ours[name](), theirs[name](), recipe, other, build, first, progress)
    stream.trial, stream.maker = trial, maker
    # What a trial that gave a result left open is answered.
    left = [cause for cause in stream.causes if not trial.giving or cause.certainty == "certain"]
    stream.causes = [*_causes(trial, maker), *left]


def _name_of(video: Path, names: Mapping[str, Any]) -> str:
    if len(names) == 1:
        return next(iter(names))
    read = read_name(video.stem, names)
    return read.name if read is not None else video.stem


def _causes(trial: Trial, maker: str) -> Iterator[Cause]:
    """Yield what the trial proves."""
    if trial.again_b < EXACT <= trial.again:
        other = "B" if maker == "A" else "A"
        why = f"{maker} does not follow its recipe, or is of another version of the video"
        yield Cause("source", f"extracted by {maker}'s recipe, the video gives {other}: {why}", "certain")
        return
    for outcome in trial.giving:
        share = "all" if outcome.exact else f"{outcome.explained:.1%}"
        twins = "".join(f" (or: {twin}, which gives the same)" for twin in outcome.same_as)
        text = f"{outcome.text}{twins}: extracted so, the video gives {share} of what is different"
        yield Cause(outcome.field, text, "certain" if outcome.exact else "likely")


# -- the trial ---------------------------------------------------------------------------------------------
def try_all(
    video: str,
    path: Path,
    a: np.ndarray,
    b: np.ndarray,
    recipe: Recipe,
    recipe_b: Recipe | None = None,
    build: Callable[[Recipe], tuple[Any, dict[str, Any]]] = rebuild,
    first: int = 0,
    progress: Progress | None = None,
) -> Trial:
    """Try every hypothesis on the first rows of a video.

    Args:
        video, path: its name and its file.
        a, b: features (k, s, dim) of it; ``a`` was extracted by ``recipe``.
        recipe_b: B's recipe, whose differences become hypotheses, too.
        build: gives the backbone of a recipe and its arguments, see ``rebuild``.
        first, progress: see ``explain``.

    Raises VadkitError if A's features cannot be extracted again at all.
    """
    footage = Footage(path)
    backbone, args = build(recipe)
    n = int(recipe.get("snippet_frames") or 16)
    fps, stride = float(recipe.get("fps") or footage.fps), int(recipe.get("stride") or n)
    replay = Replay(backbone, fps, footage.size, n, stride)
    count = max(2, min(ROWS, BYTES // (n * 3 * footage.size[0] * footage.size[1]), min(a.shape[1], b.shape[1]) - first))
    judge = _Judge(footage, replay, range(first, first + count), b)
    if not len(judge.rows):
        fail(f"{path}: the video has no whole snippets from row {first} on", "another --from may have some")
    again = _gap(judge.base, np.asarray(a, np.float64)[:, judge.rows[judge.rows < a.shape[1]]])
    if again < ELSEWHERE:
        judge.tolerance = max(judge.tolerance, 2 * again)
    tried = [*_of_fields(recipe, recipe_b or {}, args), *hypotheses(replay, args)]
    if recipe_b and dict(recipe_b) != dict(recipe):
        whole = partial(_with_recipe, recipe=recipe_b, build=build)
        tried.append(Hypothesis("recipe", "everything as B's recipe says", whole))
    outcomes = judge.all(tried, progress)
    outcomes += judge.all(_second_round(replay, tried, outcomes), progress)
    rows = int(judge.rows[0]), int(judge.rows[-1]) + 1
    return Trial(video, rows, again, _gap(judge.base, judge.b[:, judge.rows]), judge.ranked(outcomes))


def _second_round(replay: Replay, tried: Sequence[Hypothesis], outcomes: Sequence[Outcome]) -> list[Hypothesis]:
    """Return what to try if the best change explains a part of the difference only: more starts, or two changes."""
    best, outcome = max(zip(tried, outcomes), key=lambda pair: -9.0 if pair[1].explained is None else pair[1].explained)
    if outcome.exact or (outcome.explained or 0.0) < PART:
        return []
    texts = {hypothesis.text for hypothesis in tried}
    if best.field == "start":
        return [h for h in starts(range(1, replay.snippet_frames)) if h.text not in texts]
    return [together(best, other) for other in tried if other.field not in (best.field, "recipe")]


CLOCK: dict[str, Callable[[Any], Any]] = {"fps": float, "snippet_frames": int, "stride": int}


def _of_fields(a: Recipe, b: Recipe, args: Mapping[str, Any]) -> Iterator[Hypothesis]:
    """Yield what differs in B's recipe, field by field, as far as one field alone can be changed."""
    for field, value in b.items():
        if value == a.get(field) or value is None:
            continue
        text = f"{field}: {value} as B's recipe says, not {a.get(field)}"
        if field in CLOCK:
            yield Hypothesis(field, text, partial(Replay.but, **{field: CLOCK[field](value)}))
        elif field in args or field == "crops":
            yield Hypothesis(field, text, with_argument(args, field, value))


def _with_recipe(replay: Replay, recipe: Recipe, build: Callable[[Recipe], tuple[Any, dict[str, Any]]]) -> Replay:
    clock = {key: kind(recipe[key]) for key, kind in CLOCK.items() if recipe.get(key)}
    return replay.but(backbone=build(recipe)[0], **clock)


class _Judge:
    """Extracts features by each hypothesis and compares them with B."""

    def __init__(self, footage: Footage, replay: Replay, wanted: range, b: np.ndarray) -> None:
        self.footage, self.replay, self.wanted, self.b = footage, replay, wanted, np.asarray(b, np.float64)
        self.tolerance = max(EXACT, 2 * float(np.finfo(b.dtype).eps))
        self.rows, self.base = self._extract(replay)
        self.given: dict[str, np.ndarray] = {}

    def _extract(self, replay: Replay) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that B has, too, and their features."""
        rows, found = replay.rows(self.footage, self.wanted[0], len(self.wanted))
        both = rows < self.b.shape[1]
        return rows[both], found[:, both].astype(np.float64)

    def all(self, tried: Sequence[Hypothesis], progress: Progress | None) -> list[Outcome]:
        """Return how well each gives B."""
        outcomes = []
        for hypothesis in tried:
            if progress:
                progress(hypothesis.text)
            outcomes.append(self._one(hypothesis))
        return outcomes

    def _one(self, hypothesis: Hypothesis) -> Outcome:
        outcome = Outcome(hypothesis.field, hypothesis.text)
        try:
            rows, found = self._extract(hypothesis.change(self.replay))
        except (VadkitError, ValueError, RuntimeError) as error:
            return replace(outcome, note=f"not tried: {_line(error)}")
        common = np.isin(rows, self.rows)
        rows, found = rows[common], found[:, common]
        if not len(rows) or found.shape[2] != self.b.shape[2]:
            return replace(outcome, note="not tried: it gives no such rows")
        b, base = self.b[:, rows], self.base[:, np.isin(self.rows, rows)]
        if found.shape == base.shape and np.array_equal(found, base):
            return replace(outcome, note="changes nothing here")
        if found.shape[0] != b.shape[0]:
            found, base = _likest(found, b), _likest(base, b)
        if _is_unit(b) and not _is_unit(base):  # B's rows were divided by their length besides
            found, base = unit(found), unit(base)
        self.given[hypothesis.text] = found
        away = float(((base - b) ** 2).sum())
        explained = 1 - float(((found - b) ** 2).sum()) / away if away > 0 else 0.0
        return replace(outcome, explained=explained, cosine=_cosine(found, b), exact=_gap(found, b) < self.tolerance)

    def ranked(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Return them best first, one for each kind of features given; those that were not tried come last."""
        kept: list[Outcome] = []
        for outcome in sorted((o for o in outcomes if o.explained is not None), key=lambda o: -(o.explained or 0.0)):
            given = self.given[outcome.text]
            twin = next((i for i, k in enumerate(kept) if np.array_equal(self.given[k.text], given)), None)
            if twin is None:
                kept.append(outcome)
            else:
                kept[twin] = replace(kept[twin], same_as=(*kept[twin].same_as, outcome.text))
        return [*kept, *(o for o in outcomes if o.explained is None)]


def _line(error: Exception) -> str:
    return error.problems[0].message if isinstance(error, VadkitError) else (str(error).splitlines() or [""])[0]


def _likest(x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return, for each crop of B, the crop of x that is nearest."""
    gaps = ((x[:, None] - b[None]) ** 2).sum((2, 3))
    return np.asarray(x[gaps.argmin(0)])


def _is_unit(x: np.ndarray) -> bool:
    return bool(np.abs(np.linalg.norm(x, axis=-1) - 1).max() < 1e-3)


def _gap(x: np.ndarray, y: np.ndarray) -> float:
    if x.shape != y.shape:
        return 1.0
    return float(np.abs(x - y).max() / max(float(np.abs(y).max()), 1e-30))


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    sizes = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    return float(np.mean((x * y).sum(-1) / np.maximum(sizes, 1e-30)))
