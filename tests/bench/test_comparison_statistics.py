"""Differences of variants: against slow loops and scipy, and calibrated on planted ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
from planted_runs import planted_results, planted_run, planted_videos
from sklearn.metrics import average_precision_score, roc_auc_score

from vadkit.bench.comparison import student
from vadkit.bench.comparison.resampling import FIGURES, counted, ranked, resamples
from vadkit.bench.comparison.scores import RunScores, VideoScores
from vadkit.bench.comparison.statistics import Spread, differences, holm, interval, seeds_needed, spread_of
from vadkit.problems import VadkitError

pytestmark = pytest.mark.guards("3")
NONE = "no difference shown"


# -- resampling ----------------------------------------------------------------------------------
def slow_figures(run: RunScores, drawn: np.ndarray) -> dict[str, float]:
    """Return the figures of a resample from single frames, each video repeated as often as it was drawn."""
    rows: list[tuple[float, int, int, bool]] = []
    for video, times in zip(counted(run), drawn, strict=True):
        for score, positive, frames in zip(video.scores, video.positives, video.frames):
            for number in range(frames):
                row = (float(score), int(number < positive), int(video.label), not video.positives.any())
                rows += [row] * int(times)
    scores, truth, labels, quiet = (np.array(column) for column in zip(*rows))
    within = labels == 1
    return {
        "ap": average_precision_score(truth, scores),
        "auc": roc_auc_score(truth, scores),
        "ap_abnormal": average_precision_score(truth[within], scores[within]),
        "auc_abnormal": roc_auc_score(truth[within], scores[within]),
        "far": float((scores[quiet] >= run.threshold).mean()),
    }


def rough_run(seed: int) -> RunScores:
    """Return a run with ties, snippets of unequal frames, some without any, and a video of unknown truth."""
    generator, videos = np.random.default_rng(seed), []
    for number in range(9):
        t = int(generator.integers(3, 9))
        frames = generator.integers(0, 6, t)
        frames[0] = 5
        positives = np.where(generator.random(t) < 0.5, frames // 2, 0) * (number % 2)
        positives[0] = 3 * (number % 2)
        scores = np.round(generator.random(t), 1)
        known = number != 8
        videos.append(VideoScores(f"v{number}", number % 2, (), None, scores, positives if known else None, frames))
    return RunScores(tuple(videos), 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_resampled_figures_are_those_of_repeated_frames(seed: int) -> None:
    run = rough_run(seed)
    drawn = resamples([video.label for video in counted(run)], 12, seed)
    fast = ranked(run).figures(drawn)
    for number, row in enumerate(drawn):
        slow = slow_figures(run, row)
        assert {key: fast[key][number] for key in FIGURES} == pytest.approx(slow, abs=1e-12)


def test_each_video_once_gives_the_figures_of_the_run() -> None:
    run = rough_run(5)
    one = ranked(run).figures(np.ones((1, len(counted(run))), int))
    assert {key: one[key][0] for key in FIGURES} == pytest.approx({key: run.figures[key] for key in FIGURES}, abs=1e-12)


def test_many_scores_in_steps_of_the_ranking_move_figures_as_all_of_them() -> None:
    generator = np.random.default_rng(0)
    run = planted_run(generator, planted_videos(generator, 200, 60))
    drawn = np.concatenate([np.ones((1, 200), int), resamples([v.label for v in run.videos], 40)])
    exact, steps = ranked(run, 10**6), ranked(run)
    assert len(exact.positive) == 200 * 60 and len(steps.positive) <= 2048
    for key in FIGURES:
        moved = [part.figures(drawn)[key] for part in (exact, steps)]
        moved = [values[1:] - values[0] for values in moved]
        assert (moved[0] - moved[1]).std() < 0.02 * moved[0].std()


def test_resamples_keep_the_numbers_of_normal_and_abnormal_videos() -> None:
    labels = [0] * 5 + [1] * 7
    drawn = resamples(labels, 4000)
    assert (drawn[:, :5].sum(1) == 5).all() and (drawn[:, 5:].sum(1) == 7).all()
    assert drawn.mean(0) == pytest.approx(np.ones(12), abs=0.06)
    assert drawn.var(0) == pytest.approx([4 / 5] * 5 + [6 / 7] * 7, abs=0.08)
    assert (drawn == resamples(labels, 4000)).all()  # the same for all runs


def test_undefined_figures_are_no_numbers() -> None:
    normal = VideoScores("n", 0, (), None, np.array([0.1, 0.2]), np.zeros(2, int), np.array([4, 4]))
    found = ranked(RunScores((normal,), None)).figures(np.ones((2, 1), int))
    assert all(np.isnan(values).all() for values in found.values())
    unknown = RunScores((replace(normal, label=1, positives=None),), 0.5)
    found = ranked(unknown).figures(resamples([], 2))
    assert all(np.isnan(values).all() for values in found.values())


def test_runs_without_known_truth_have_no_differences() -> None:
    results, scores = planted_results({"base": 1.5, "good": 3.0}, 3, 0)
    for who, run in scores.items():
        scores[who] = replace(run, videos=tuple(replace(v, positives=None) for v in run.videos))
    (found,) = differences(results, "base", scores, count=20)
    assert found["figures"] == dict.fromkeys(FIGURES) and found["seeds"] == [0, 1, 2]


# -- Student, Holm, intervals --------------------------------------------------------------------
@pytest.mark.parametrize("df", [1, 1.3, 2, 4, 7.5, 35, 299.4, 1e6, math.inf])
def test_students_t_is_scipys(df: float) -> None:
    for t in (-4.0, -0.3, 0.0, 0.5, 2.0, 9.0, 40.0):
        assert student.tail(t, ((1.0, df),)) == pytest.approx(scipy.stats.t.sf(t, df), rel=1e-8, abs=1e-300)
    for p in (0.001, 0.3, 0.5, 0.8, 0.975, 0.9995):
        assert student.quantile(p, ((1.0, df),)) == pytest.approx(scipy.stats.t.ppf(p, df), rel=1e-8, abs=1e-12)


def test_holm_rejects_what_the_stepwise_rule_rejects() -> None:
    generator = np.random.default_rng(0)
    for count in range(1, 7):
        values = list(generator.random(count) ** 3 / 4)
        corrected = holm(values)
        for level in (0.01, 0.05, 0.1):
            rejected = set()
            for rank, place in enumerate(sorted(range(count), key=lambda i: values[i])):
                if values[place] > level / (count - rank):
                    break
                rejected.add(place)
            assert {i for i, p in enumerate(corrected) if p <= level} == rejected
    assert holm([]) == [] and holm([0.02, 0.02, 0.9]) == pytest.approx([0.06, 0.06, 0.9])


def test_without_noise_of_videos_the_interval_is_that_of_a_paired_t_test() -> None:
    a, b = np.array([0.71, 0.69, 0.74, 0.70]), np.array([0.66, 0.67, 0.69, 0.70])
    spread = spread_of(a - b, np.zeros((4, 50)), [20, 20])
    low, high, p = interval(float((a - b).mean()), spread)
    slow = scipy.stats.ttest_rel(a, b)
    assert p == pytest.approx(slow.pvalue)
    assert (low, high) == pytest.approx(tuple(slow.confidence_interval(0.95)))


def test_the_variance_is_that_over_seeds_and_that_over_videos() -> None:
    generator = np.random.default_rng(0)
    own, shared = generator.normal(0.05, 0.02, 5), generator.normal(0, 0.03, 400)
    resampled = own[:, None] + shared + generator.normal(0, 0.01, (5, 400))
    spread = spread_of(own, resampled, [30, 20])
    slow = resampled.mean(0).var(ddof=1) * 20 / 19
    assert spread.of(5)[0] == pytest.approx(own.var(ddof=1) / 5 + slow)
    pairs = [np.cov(x, y)[0, 1] for x, y in itertools.combinations(resampled, 2)]
    assert spread.shared == pytest.approx(np.mean(pairs) * 20 / 19)
    terms = {4: own.var(ddof=1) / 5, 19: slow}
    low, high, p = interval(float(own.mean()), spread)
    error = math.sqrt(sum(terms.values()))

    def mixed(t: float) -> float:
        """Return the two-sided tail of t distributions, weighted by their parts of the variance."""
        return sum(2 * scipy.stats.t.sf(t, df) * part for df, part in terms.items()) / error**2

    assert p == pytest.approx(mixed(own.mean() / error))
    assert mixed((high - low) / 2 / error) == pytest.approx(0.05)


def test_the_seeds_that_are_needed_are_the_fewest_with_that_power() -> None:
    spread = Spread(seeds=0.02**2, videos=0.01**2, shared=0.008**2, pairs=5, freedom=30)
    for mean, tests in ((0.05, 1), (0.05, 6), (0.032, 6)):
        found = seeds_needed(mean, spread, tests)
        assert found is not None and found > 2

        def power(pairs: int, mean: float = mean, tests: int = tests) -> float:
            variance, parts = spread.of(pairs)
            least = student.quantile(1 - 0.025 / tests, parts)
            return student.tail(least - mean / math.sqrt(variance), parts)

        assert power(found) >= 0.8
        assert found == 3 or power(found - 1) < 0.8
    assert seeds_needed(0.02, spread, 6) is None  # the videos are too few, however many seeds
    assert seeds_needed(0.05, Spread(None, 0.01**2, 0.01**2, 2, 30), 1) is None


def test_more_noise_between_seeds_needs_more_seeds() -> None:
    found = [seeds_needed(0.03, Spread(sd**2, 1e-6, 1e-6, 5, 30), 1) for sd in (0.01, 0.03, 0.1)]
    assert found == sorted(found) and found[0] < found[2]


# -- whole comparisons ---------------------------------------------------------------------------
def verdicts(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{key: part["verdict"] for key, part in entry["figures"].items()} for entry in found]


def shown(strengths: Mapping[str, float], seeds: int, repeats: int) -> dict[str, int]:
    """Return in how many repeats a difference is shown for any of the variants, by figure."""
    found = dict.fromkeys(FIGURES, 0)
    for start in range(repeats):
        results, scores = planted_results(strengths, seeds, start)
        words = verdicts(differences(results, "base", scores, count=60))
        for key in FIGURES:
            found[key] += any(own[key] != NONE for own in words)
    return found


@pytest.mark.parametrize(("seeds", "variants"), [(3, 1), (3, 3)])
def test_a_planted_null_difference_is_not_shown_in_at_least_95_of_100_repeats(seeds: int, variants: int) -> None:
    same = {"base": 1.5, **{f"same {i}": 1.5 for i in range(variants)}}
    assert max(shown(same, seeds, 100).values()) <= 5


def test_a_planted_real_difference_is_found() -> None:
    found = shown({"base": 1.5, "good": 3.0}, 5, 30)
    assert min(found["ap"], found["auc"]) >= 27


def test_a_difference_names_what_is_better_and_where_less_is() -> None:
    results, scores = planted_results({"base": 1.5, "good": 4.0}, 5, 0)
    (found,) = differences(results, "base", scores, count=200)
    ap = found["figures"]["ap"]
    assert ap["verdict"] == "better" and ap["low"] > 0 and ap["over"] == "seeds and videos"
    assert found["seeds"] == [0, 1, 2, 3, 4] and [pair["seed"] for pair in ap["pairs"]] == found["seeds"]
    runs = [scores["good", seed].figures["ap"] - scores["base", seed].figures["ap"] for seed in range(5)]
    assert [pair["difference"] for pair in ap["pairs"]] == pytest.approx(runs)
    assert ap["mean"] == pytest.approx(np.mean(runs)) and ap["sd_seeds"] == pytest.approx(np.std(runs, ddof=1))
    (turned,) = differences(results, "good", scores, count=200)
    assert turned["figures"]["ap"]["verdict"] == "worse" and turned["figures"]["ap"]["high"] == pytest.approx(
        -ap["low"]
    )
    alarmed = {who: replace(run, threshold=0.2 if who[0] == "good" else 0.9) for who, run in scores.items()}
    (other,) = differences(results, "base", alarmed, count=200)
    assert other["figures"]["far"] is None  # of other thresholds
    quiet = {who: _louder(run) if who[0] == "good" else run for who, run in scores.items()}
    (loud,) = differences(results, "base", quiet, count=200)
    assert loud["figures"]["far"]["verdict"] == "worse" and loud["figures"]["far"]["mean"] > 0


def _louder(run: RunScores) -> RunScores:
    return replace(run, videos=tuple(replace(video, scores=(video.scores + 1) / 2) for video in run.videos))


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_speak_of_videos_only(seeds: int) -> None:
    results, scores = planted_results({"base": 1.5, "good": 5.0, "same": 1.5}, seeds, 0)
    found = differences(results, "base", scores, count=200)
    ap = [entry["figures"]["ap"] for entry in found]
    assert [part["over"] for part in ap] == ["videos"] * 2
    assert ap[0]["verdict"] == "better on these runs; seeds unknown"
    assert ap[1]["verdict"] == "no difference shown (over videos only)"
    assert ap[0]["seeds_needed"] is None and ap[0]["sd_seeds"] is None


def test_equal_runs_have_no_difference() -> None:
    results, scores = planted_results({"base": 1.5, "copy": 1.5}, 3, 0)
    scores.update({("copy", seed): scores["base", seed] for seed in range(3)})
    (found,) = differences(results, "base", scores, count=50)
    for part in found["figures"].values():
        assert (part["mean"], part["low"], part["high"], part["p"]) == (0, 0, 0, 1)
        assert part["verdict"] == NONE and part["seeds_needed"] is None


def test_a_failed_run_drops_its_pair_and_is_named() -> None:
    results, scores = planted_results({"base": 1.5, "good": 3.0}, 5, 0)
    whole = differences(results, "base", scores, count=50)
    runs = [dict(run) for run in results["variants"][1]["runs"]]
    runs[2] |= {"state": "failed", "why": "its scores are all 0.5"}
    results["variants"][1]["runs"] = runs
    results["variants"][0]["runs"] = results["variants"][0]["runs"][:4]
    del scores["base", 3]
    (found,) = differences(results, "base", scores, count=50)
    assert found["seeds"] == [0, 1]
    assert found["dropped"] == [
        {"seed": 2, "why": "good failed: its scores are all 0.5"},
        {"seed": 3, "why": "base has no scores"},
        {"seed": 4, "why": "base has no run"},
    ]
    kept = [pair for pair in whole[0]["figures"]["ap"]["pairs"] if pair["seed"] in (0, 1)]
    assert [p["difference"] for p in found["figures"]["ap"]["pairs"]] == [p["difference"] for p in kept]
    results["variants"][0]["runs"] = [{"seed": 0, "state": "failed", "why": "NaN"}]
    (none,) = differences(results, "base", scores, count=50)
    assert none["figures"] == dict.fromkeys(FIGURES) and len(none["dropped"]) == 5


def test_the_order_of_videos_does_not_matter_but_which_they_are_does() -> None:
    results, scores = planted_results({"base": 1.5, "good": 3.0}, 3, 0)
    before = differences(results, "base", scores, count=50)
    run = scores["good", 1]
    scores["good", 1] = replace(run, videos=run.videos[::-1])
    after = differences(results, "base", scores, count=50)
    assert after[0]["figures"]["ap"]["low"] == pytest.approx(before[0]["figures"]["ap"]["low"], abs=1e-9)
    scores["good", 1] = replace(run, videos=run.videos[1:])
    with pytest.raises(VadkitError, match="good, seed 1, was not measured on the same test videos as base, seed 0"):
        differences(results, "base", scores, count=50)
    with pytest.raises(VadkitError, match="there is no variant 'bas' to compare with"):
        differences(results, "bas", scores)
