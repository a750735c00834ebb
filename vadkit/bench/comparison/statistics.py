"""Is the difference between a variant and the base of a comparison real?

Two things vary: the seed of a training, and the test videos that happen to be there. Runs are paired over seeds, and
both runs of a pair are measured on the same resampled videos, which are the same for all seeds, too: averaging over
seeds makes the noise of trainings smaller, but not that of the videos. So the variance of a mean difference is

    (variance of the differences over seeds) / seeds + variance of their mean over resampled videos.

What differs between videos for one seed only is in both terms, which errs on the side of "no difference shown".
The mean difference over the root of that is compared with a mixture of two t distributions, that of the seeds (seeds
- 1 degrees of freedom) and that of the videos, weighted by their parts of the variance. Few seeds so give wide
intervals. Percentiles of a bootstrap over three to five seeds are far too narrow, and Satterthwaite's degrees of
freedom too many wherever the seeds happen to agree (measured on planted null differences; so is this: see
tests/bench/test_comparison_statistics.py). Holm's correction of the p-values is over the variants, for each figure
by itself. One or two seeds say nothing about trainings: then all is over videos only, and the verdict says so.

Legend: s pairs of seeds, b resamples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vadkit.bench.comparison import student
from vadkit.bench.comparison.resampling import FIGURES, LESS_IS_BETTER, RESAMPLES, counted, ranked, resamples
from vadkit.bench.comparison.scores import RunScores
from vadkit.problems import fail

LEVEL, POWER = 0.05, 0.8
FEW = 3  # pairs; fewer say nothing about the spread over seeds
MOST = 1000  # seeds that are looked for
NONE = "no difference shown"
Scores = Mapping[tuple[str, int], RunScores]  # by variant and seed


@dataclass(frozen=True)
class Spread:
    """What a mean difference varies by, in variances.

    Args:
        seeds: of the differences over seeds; None for fewer than ``FEW``.
        videos: of the mean difference over resampled videos.
        shared: the part of ``videos`` that more seeds would not make smaller.
        pairs: the number of seeds.
        freedom: degrees of freedom of the videos.
    """

    seeds: float | None
    videos: float
    shared: float
    pairs: int
    freedom: int

    def of(self, pairs: int) -> tuple[float, student.Parts]:
        """Return the variance of the mean difference over so many pairs, and the distribution to compare it with."""
        videos = self.shared + max(0.0, self.videos - self.shared) * self.pairs / pairs
        seeds = 0.0 if self.seeds is None else self.seeds / pairs
        total = videos + seeds
        if total <= 0:
            return 0.0, ((1.0, math.inf),)
        return total, ((videos / total, self.freedom), (seeds / total, pairs - 1))


def spread_of(differences: np.ndarray, resampled: np.ndarray, strata: Sequence[int]) -> Spread:
    """Return the spread of differences (s,), of which ``resampled`` (s, b) are those over resampled videos.

    ``strata`` are the numbers of normal and abnormal videos; the fewer of them bound the degrees of freedom.
    """
    pairs, least = len(differences), max(2, min(strata))
    kept = resampled[:, np.isfinite(resampled).all(0)]
    covariance = np.atleast_2d(np.cov(kept)) * least / (least - 1)  # a bootstrap's is too small by this
    videos, single = float(covariance.mean()), float(np.trace(covariance) / pairs)
    shared = (pairs * videos - single) / (pairs - 1) if pairs > 1 else videos
    seeds = float(differences.var(ddof=1)) if pairs >= FEW else None
    return Spread(seeds, videos, min(max(shared, 0.0), videos), pairs, least - 1)


@dataclass(frozen=True)
class Difference:
    """One figure of a variant minus that of the base.

    Attributes:
        mean, low, high: over seeds, with its 95 % interval, not corrected for the number of variants.
        p: two-sided; p_holm: corrected for the number of variants.
        over: what the interval is over, "seeds and videos" or "videos".
        verdict: in words, by ``p_holm``.
        seeds_needed: pairs that would show a difference of this size with power 0.8 at the corrected level; None if
            no number up to ``MOST`` would.
        sd_seeds, sd_videos: standard deviations of the difference over seeds, and of its mean over videos.
        pairs: of each seed: seed, difference, low, high; its interval is over videos.
    """

    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    over: str
    verdict: str
    seeds_needed: int | None
    sd_seeds: float | None
    sd_videos: float
    pairs: list[dict[str, float]]


# -- one difference ------------------------------------------------------------------------------
def interval(mean: float, spread: Spread) -> tuple[float, float, float]:
    """Return the ends of the 95 % interval of a mean difference, and its two-sided p-value."""
    variance, parts = spread.of(spread.pairs)
    if variance <= 0:
        return mean, mean, float(mean == 0)
    error = math.sqrt(variance)
    half = student.quantile(1 - LEVEL / 2, parts) * error
    return mean - half, mean + half, 2 * student.tail(abs(mean) / error, parts)


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, by Holm."""
    found, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        found[place] = largest
    return found


def seeds_needed(mean: float, spread: Spread, tests: int) -> int | None:
    """Return how many seeds would show a difference of this size with power ``POWER``, as one of ``tests``."""
    if spread.seeds is None or mean == 0:
        return None

    def shown(pairs: int) -> bool:
        variance, parts = spread.of(pairs)
        quantiles = student.quantile(1 - LEVEL / 2 / tests, parts) + student.quantile(POWER, parts)
        return abs(mean) >= quantiles * math.sqrt(variance)

    if not shown(MOST):
        return None
    low, high = FEW - 1, MOST
    while high - low > 1:
        middle = math.isqrt(low * high) if high > 2 * low else (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


def verdict(key: str, mean: float, p: float, over_seeds: bool) -> str:
    """Return what is shown, in words."""
    if p > LEVEL or mean == 0:
        return NONE if over_seeds else f"{NONE} (over videos only)"
    word = "better" if (mean > 0) != (key in LESS_IS_BETTER) else "worse"
    return word if over_seeds else f"{word} on these runs; seeds unknown"


# -- all of a comparison -------------------------------------------------------------------------
def differences(
    results: Mapping[str, Any],
    base: str,
    scores: Scores,
    count: int = RESAMPLES,
    values: Mapping[tuple[str, int], Values] | None = None,
) -> list[dict[str, Any]]:
    """Return the differences of each variant from the base, as results.json has them.

    Args:
        results: with ``variants``, each with ``name`` and ``runs`` (seed, state, why).
        base: name of the variant that the others are compared with.
        scores: of the finished runs.
        count: of resamples.
        values: of the same runs, as ``measured`` returns them, if they are known already.

    Returns:
        For each other variant: ``variant``, ``base``, ``seeds`` of the pairs, ``dropped`` (pairs that lack a run, with
        the reason) and ``figures``, in which each of ``FIGURES`` is a ``Difference`` or None where it is undefined.

    Raises VadkitError for runs that were not measured on the same videos.
    """
    variants = {variant["name"]: variant for variant in results["variants"]}
    if base not in variants:
        fail(f"there is no variant '{base}' to compare with", f"there are {', '.join(variants)}")
    check_same_videos(scores)
    values = values or measured(scores, count)
    strata = strata_of(scores)
    found = []
    for name in variants:
        if name != base:
            pairs, dropped = _pairs(variants[name], variants[base], values)
            sides = [[values[who, seed] for seed in pairs] for who in (name, base)]
            found.append({"variant": name, "base": base, "seeds": pairs, "dropped": dropped, "sides": sides})
    for key in FIGURES:
        _fill(key, found, strata)
    return [{k: v for k, v in entry.items() if k != "sides"} for entry in found]


def check_same_videos(scores: Scores) -> None:
    """Raise VadkitError unless all runs were measured on the same videos with the same truth."""
    first: dict[str, tuple[int | None, int | None, int]] = {}
    for (name, seed), run in scores.items():
        own = {v.name: (v.label, _sum(v.positives), int(v.frames.sum())) for v in run.videos}
        first = first or own
        if own != first:
            what = sorted(key for key in own.keys() | first.keys() if own.get(key) != first.get(key))
            who = next(iter(scores))
            fail(
                f"{name}, seed {seed}, was not measured on the same test videos as {who[0]}, seed {who[1]}: "
                f"'{what[0]}' differs, {len(what)} in all",
                "only runs with the same test videos, truth and frame counts can be compared",
            )


def _sum(values: np.ndarray | None) -> int | None:
    return None if values is None else int(values.sum())


def strata_of(scores: Scores) -> list[int]:
    """Return the numbers of normal and of abnormal videos whose frames count."""
    run = next(iter(scores.values()), None)
    labels = [] if run is None else [video.label for video in counted(run)]
    return [labels.count(label) for label in (0, 1) if label in labels] or [0]


@dataclass(frozen=True)
class Values:
    """The figures of a run, and over each resample (b,)."""

    figures: dict[str, Any]
    resampled: dict[str, np.ndarray]


def measured(scores: Scores, count: int = RESAMPLES) -> dict[tuple[str, int], Values]:
    """Return the figures of all runs over the same resamples. Videos are in order of their names in each run."""
    found, drawn = {}, None
    for who, run in scores.items():
        ordered = RunScores(tuple(sorted(run.videos, key=lambda video: video.name)), run.threshold)
        if drawn is None:
            drawn = resamples([video.label or 0 for video in counted(ordered)], count)
        found[who] = Values(run.figures, ranked(ordered).figures(drawn))
    return found


def _pairs(
    variant: Mapping[str, Any], base: Mapping[str, Any], values: Mapping[tuple[str, int], Values]
) -> tuple[list[int], list[dict[str, Any]]]:
    """Return the seeds of which both sides have a finished run, and what the others lack."""
    runs = [{run["seed"]: run for run in side["runs"]} for side in (variant, base)]
    pairs, dropped = [], []
    for seed in sorted(runs[0].keys() | runs[1].keys()):
        lacks = [
            f"{side['name']} {_lack(own.get(seed))}"
            for side, own in zip((variant, base), runs, strict=True)
            if (side["name"], seed) not in values or own.get(seed, {}).get("state") != "finished"
        ]
        if lacks:
            dropped.append({"seed": seed, "why": "; ".join(lacks)})
        else:
            pairs.append(seed)
    return pairs, dropped


def _lack(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "has no run"
    if run["state"] == "finished":
        return "has no scores"
    return f"{run['state']}" + (f": {run['why']}" if run.get("why") else "")


def _fill(key: str, found: Sequence[dict[str, Any]], strata: Sequence[int]) -> None:
    """Add the differences of one figure, corrected for their number."""
    tests = [(entry, *made) for entry in found if (made := _difference(key, entry, strata)) is not None]
    results = [interval(mean, spread) for _, mean, spread, _ in tests]
    corrected = holm([p for _, _, p in results])
    for entry in found:
        entry.setdefault("figures", {})[key] = None
    for (entry, mean, spread, pairs), (low, high, p), p_holm in zip(tests, results, corrected, strict=True):
        over_seeds = spread.seeds is not None
        entry["figures"][key] = asdict(
            Difference(
                mean,
                low,
                high,
                p,
                p_holm,
                "seeds and videos" if over_seeds else "videos",
                verdict(key, mean, p_holm, over_seeds),
                seeds_needed(mean, spread, len(tests)),
                None if spread.seeds is None else math.sqrt(spread.seeds),
                math.sqrt(spread.videos),
                pairs,
            )
        )


def _difference(
    key: str, entry: Mapping[str, Any], strata: Sequence[int]
) -> tuple[float, Spread, list[dict[str, float]]] | None:
    """Return mean and spread of a figure's differences, and those of each seed; None where one is undefined."""
    sides = entry["sides"]
    figures = [[values.figures.get(key) for values in side] for side in sides]
    if not figures[0] or any(value is None for side in figures for value in side):
        return None
    if key == "far" and len({values.figures["threshold"] for side in sides for values in side}) > 1:
        return None  # of other thresholds
    own = np.subtract(*(np.array(side, float) for side in figures))
    resampled = np.subtract(*(np.stack([values.resampled[key] for values in side]) for side in sides))
    if np.isfinite(resampled).all(0).sum() < 2:
        return None
    pairs = []
    for seed, value, row in zip(entry["seeds"], own, resampled, strict=True):
        low, high, _ = interval(value, spread_of(value[None], row[None], strata))
        pairs.append({"seed": seed, "difference": float(value), "low": low, "high": high})
    return float(own.mean()), spread_of(own, resampled, strata), pairs
