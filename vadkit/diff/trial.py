"""Make A's features anew with one thing changed at a time, and see which change gives B.

Where only B has a recipe, the two change places; so here A is the side that features are made like.

Legend: k crops, s snippets, dim the width of the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.diff.film import Film
from vadkit.diff.hypotheses import Hypothesis, hypotheses, starts, together, with_argument
from vadkit.diff.making import Making
from vadkit.diff.rebuild import rebuild
from vadkit.problems import VadkitError, fail

ROWS = 6  # snippets made for each hypothesis ...
BYTES = 400 << 20  # ... unless their frames are larger than this
GIVES = 0.99  # of the difference, that a change must explain to be said to give B, where none gives it exactly
PART = 0.15  # ... to be worth trying with others on top
EXACT = 1e-5  # a change gives B exactly if it leaves less than this part of the largest number ...
ELSEWHERE = 1e-3  # ... or, for features made on another machine, twice what A made anew is off by, if that is less


@dataclass(frozen=True)
class Outcome:
    """How well one hypothesis gives B.

    Attributes:
        field, tell: of the hypothesis.
        explained: share of the difference between B and A made anew that it explains; 1 all of it, below 0 if it
            leads farther away. None if it could not be tried, or changes nothing.
        cosine: mean over rows of what it makes and B; None likewise.
        exact: it gives B to within rounding.
        note: why it was not tried, or that it changes nothing here.
        same_as: others that make the same features, so that these cannot tell them apart.
    """

    field: str
    tell: str
    explained: float | None
    cosine: float | None
    exact: bool = False
    note: str = ""
    same_as: tuple[str, ...] = ()

    @property
    def gives_b(self) -> bool:
        return self.exact or (self.explained is not None and self.explained >= GIVES)


@dataclass(frozen=True)
class Trial:
    """What was tried on a video.

    Attributes:
        stream, video: which; ``rows`` are those compared, first and one past the last.
        again: largest difference of A and A made anew, as a part of A's largest number: whether the file, the recipe
            and this machine give A at all. ``again_b`` is the same for B.
        outcomes: best first, then those that could not be tried.
    """

    stream: str
    video: str
    rows: tuple[int, int]
    again: float
    again_b: float
    outcomes: list[Outcome]


def try_all(
    stream: str,
    video: str,
    path: Path,
    a: np.ndarray,
    b: np.ndarray,
    recipe: Mapping[str, Any],
    recipe_b: Mapping[str, Any] | None = None,
    weights: str | None = None,
    device: str = "cpu",
    first: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Trial:
    """Try every hypothesis on the first rows of a video.

    Args:
        stream, video: names, for the reader.
        path: the video's file.
        a, b: features (k, s, dim) of it; ``a`` was made by ``recipe``.
        recipe_b: B's recipe, whose differences become hypotheses, too.
        weights: the backbone's weight file, if it has one.
        device: where networks run.
        first: row to begin with.
        progress: called with what is tried.

    Raises VadkitError if A's features cannot be made anew at all.
    """
    film = Film(path)
    backbone, args = rebuild(recipe, weights, device)
    n = int(recipe.get("snippet_frames") or 16)
    making = Making(backbone, float(recipe.get("fps") or film.fps), film.size, n, int(recipe.get("stride") or n))
    count = max(2, min(ROWS, BYTES // (n * 3 * film.size[0] * film.size[1]), a.shape[1] - first, b.shape[1] - first))
    bench = _Bench(film, making, first, count, np.asarray(b, np.float64), max(EXACT, 2 * float(np.finfo(b.dtype).eps)))
    if not len(bench.rows):
        fail(f"{path}: the video has no whole snippets from row {first} on", "another --from may have some")
    again = _gap(bench.base, np.asarray(a, np.float64)[:, bench.rows[bench.rows < a.shape[1]]])
    again_b = _gap(bench.base, bench.b[:, bench.rows])
    if again < ELSEWHERE:
        bench.tolerance = max(bench.tolerance, 2 * again)
    tried = [*_of_fields(recipe, recipe_b or {}, args), *hypotheses(making, args)]
    if recipe_b and dict(recipe_b) != dict(recipe):
        whole = partial(_with_recipe, recipe=recipe_b, weights=weights, device=device)
        tried.append(Hypothesis("recipe", "everything as B's recipe says", whole))
    tell = progress or (lambda told: None)
    found = bench.judge_all(tried, tell)
    found += bench.judge_all(_second_round(making, tried, found), tell)
    last = int(bench.rows[-1]) + 1
    return Trial(stream, video, (int(bench.rows[0]), last), again, again_b, _ranked(found, bench.made))


def _second_round(making: Making, tried: Sequence[Hypothesis], outcomes: Sequence[Outcome]) -> list[Hypothesis]:
    """Return what to try if the best change explains a part of the difference only: more starts, or two changes."""
    best = max(range(len(tried)), key=lambda i: -9.0 if outcomes[i].explained is None else outcomes[i].explained or 0.0)
    explained = outcomes[best].explained or 0.0
    if outcomes[best].exact or explained < PART:
        return []
    told = {hypothesis.tell for hypothesis in tried}
    more = [h for h in starts(making, range(1, making.snippet_frames)) if h.tell not in told]
    if tried[best].field == "start":
        return more
    others = [h for h in tried if h.field not in (tried[best].field, "recipe")]
    return [together(tried[best], other) for other in others]


CLOCK: dict[str, Callable[[Any], Any]] = {"fps": float, "snippet_frames": int, "stride": int}


def _of_fields(a: Mapping[str, Any], b: Mapping[str, Any], args: Mapping[str, Any]) -> list[Hypothesis]:
    """Return what B's recipe says otherwise, field by field, as far as one field alone can be changed."""
    found = []
    for field, value in b.items():
        now = a.get(field)
        if value == now or value is None:
            continue
        told = f"{field}: {value} as B's recipe says, not {now}"
        if field in CLOCK:
            found.append(Hypothesis(field, told, partial(_with_clock, field=field, value=CLOCK[field](value))))
        elif field in args or field == "crops":
            found.append(Hypothesis(field, told, with_argument(args, field, value, now).make))
    return found


def _with_clock(making: Making, field: str, value: Any) -> Making:
    return making.but(**{field: value})


def _with_recipe(making: Making, recipe: Mapping[str, Any], weights: str | None, device: str) -> Making:
    clock = {key: kind(recipe[key]) for key, kind in CLOCK.items() if recipe.get(key)}
    return making.but(backbone=rebuild(recipe, weights, device)[0], **clock)


class _Bench:
    """Makes features by each hypothesis and holds them up to B."""

    def __init__(self, film: Film, making: Making, first: int, count: int, b: np.ndarray, tolerance: float) -> None:
        self.film, self.making, self.first, self.count, self.b = film, making, first, count, b
        self.tolerance = tolerance
        rows, self.base = making.make(film, first, count)
        self.rows = rows[rows < b.shape[1]]
        self.base = self.base[:, : len(self.rows)].astype(np.float64)
        self.made: dict[str, np.ndarray] = {}

    def judge_all(self, tried: Sequence[Hypothesis], tell: Callable[[str], None]) -> list[Outcome]:
        """Return how well each gives B; ``tell`` is told what is being tried."""
        found = []
        for hypothesis in tried:
            tell(hypothesis.tell)
            found.append(self._judge(hypothesis))
        return found

    def _judge(self, hypothesis: Hypothesis) -> Outcome:
        try:
            rows, found = hypothesis.make(self.making).make(self.film, self.first, self.count)
        except (VadkitError, ValueError, RuntimeError) as error:
            return Outcome(hypothesis.field, hypothesis.tell, None, None, note=f"not tried: {_line(error)}")
        keep = np.isin(rows, self.rows)
        rows, made = rows[keep], found[:, keep].astype(np.float64)
        if not len(rows) or made.shape[2] != self.b.shape[2]:
            return Outcome(hypothesis.field, hypothesis.tell, None, None, note="not tried: it gives no such rows")
        b, base = self.b[:, rows], self.base[:, np.isin(self.rows, rows)]
        if made.shape == base.shape and np.array_equal(made, base):
            return Outcome(hypothesis.field, hypothesis.tell, None, None, note="changes nothing here")
        if made.shape[0] != b.shape[0]:
            made, base = _likest(made, b), _likest(base, b)
        if _is_unit(b) and not _is_unit(base):  # B's rows were divided by their length besides
            made, base = _unit(made), _unit(base)
        self.made[hypothesis.tell] = made
        away = float(((base - b) ** 2).sum())
        explained = 1 - float(((made - b) ** 2).sum()) / away if away > 0 else 0.0
        exact = _gap(made, b) < self.tolerance
        return Outcome(hypothesis.field, hypothesis.tell, explained, _cosine(made, b), exact)


def _line(error: Exception) -> str:
    return error.problems[0].message if isinstance(error, VadkitError) else (str(error).splitlines() or [""])[0]


def _likest(x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return, for each crop of B, the crop of x that is nearest."""
    gaps = ((x[:, None] - b[None]) ** 2).sum((2, 3))
    return np.asarray(x[gaps.argmin(0)])


def _is_unit(x: np.ndarray) -> bool:
    return bool(np.abs(np.linalg.norm(x, axis=-1) - 1).max() < 1e-3)


def _unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-30))


def _gap(x: np.ndarray, y: np.ndarray) -> float:
    if x.shape != y.shape:
        return 1.0
    return float(np.abs(x - y).max() / max(float(np.abs(y).max()), 1e-30))


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    sizes = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    return float(np.mean((x * y).sum(-1) / np.maximum(sizes, 1e-30)))


def _ranked(outcomes: Sequence[Outcome], made: Mapping[str, np.ndarray]) -> list[Outcome]:
    """Return them best first, one for each kind of features made; those that were not tried come last."""
    tried = sorted((o for o in outcomes if o.explained is not None), key=lambda o: -(o.explained or 0.0))
    kept: list[Outcome] = []
    for outcome in tried:
        twin = next((i for i, k in enumerate(kept) if _twins(made[k.tell], made[outcome.tell])), None)
        if twin is None:
            kept.append(outcome)
        else:
            kept[twin] = _with_twin(kept[twin], outcome)
    return [*kept, *(o for o in outcomes if o.explained is None)]


def _twins(x: np.ndarray, y: np.ndarray) -> bool:
    return x.shape == y.shape and np.array_equal(x, y)


def _with_twin(outcome: Outcome, twin: Outcome) -> Outcome:
    return replace(outcome, same_as=(*outcome.same_as, twin.tell))
