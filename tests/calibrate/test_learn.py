"""The rule that is learned raises the wanted number of alarms: on simulated scores, held out.

``python benchmarks/calibration.py`` repeats it 100 times.
"""

from __future__ import annotations

import numpy as np
import pytest
from calibration import STEP, held_out_rate, ordinary

from vadkit import VadkitError
from vadkit.calibrate.learn import Footage, gamma_quantile, learn
from vadkit.events import spans


def test_held_out_footage_raises_the_wanted_alarms_within_the_interval() -> None:
    found = [held_out_rate(seed, held_out_hours=96.0) for seed in range(4)]
    assert sum(learned.interval[0] <= rate <= learned.interval[1] for learned, rate in found) >= 3


def test_the_footage_itself_raises_the_wanted_number() -> None:
    rng = np.random.default_rng(0)
    footage = [ordinary(10.0, rng, f"part {number}") for number in range(4)]
    found = learn(footage, 9.0)
    assert found.hours == pytest.approx(40.0, abs=0.01)
    assert found.events == 15  # 9 a day in 40 hours
    assert found.interval[0] < 9 < found.interval[1]
    assert found.rule.off < found.rule.on
    scores = np.concatenate([part.scores for part in footage])
    longer = (scores >= found.rule.off).sum() / (scores >= found.rule.on).sum()
    assert longer == pytest.approx(4.0, rel=0.2)


def test_fewer_alarms_need_a_higher_threshold() -> None:
    footage = [ordinary(24.0, np.random.default_rng(1))]
    rules = [learn(footage, rate).rule for rate in (3.0, 10.0, 50.0)]
    assert rules[0].on > rules[1].on > rules[2].on


def test_only_the_order_of_scores_matters_for_the_alarms() -> None:
    part = ordinary(24.0, np.random.default_rng(2))
    cubed = Footage("cubed", np.round(part.scores**3, 6), part.edges)
    first, second = learn([part], 10.0), learn([cubed], 10.0)
    assert first.events == second.events
    assert spans(part.scores, part.edges, first.rule) == spans(cubed.scores, cubed.edges, second.rule)


def test_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    even, clustered = rng.random(40_000) * 0.1, rng.random(40_000) * 0.1
    even[::1000] += 0.5 + 0.4 * rng.random(40)
    for start in (5_000, 22_000):
        clustered[start : start + 2_000 : 100] += 0.5 + 0.4 * rng.random(20)
    edges = np.arange(40_001) * STEP
    independent, dependent = (learn([Footage("a", scores, edges)], 60.0) for scores in (even, clustered))
    assert independent.dispersion == 1.0 and dependent.dispersion > 3
    assert dependent.interval[0] < independent.interval[0] and dependent.interval[1] > independent.interval[1]


@pytest.mark.parametrize(
    ("hours", "alarms", "text"),
    [
        (
            1.0,
            1.0,
            r"60 min of ordinary footage are too short for 1 alarms a day: .* at least 3 alarms, which take 3 days",
        ),
        (0.005, 100.0, r"18 s of ordinary footage"),
        (35.0, 2.0, r"which take 36 h\n.*at least 2.06 alarms a day"),
    ],
)
def test_footage_that_is_too_short_says_how_much_is_needed(hours: float, alarms: float, text: str) -> None:
    with pytest.raises(VadkitError, match=text):
        learn([ordinary(hours, np.random.default_rng(0))], alarms)


def test_scores_that_all_reach_the_top_are_refused() -> None:
    scores = np.tile([1.0, 0.0], 5_000)
    with pytest.raises(VadkitError, match="even the highest score, 1, is reached 5000 times in the ordinary footage"):
        learn([Footage("a", scores, np.arange(10_001) * STEP)], 100.0)


def test_scores_that_never_change_are_refused() -> None:
    with pytest.raises(VadkitError, match="the ordinary footage is too calm"):
        learn([Footage("a", np.full(10_000, 0.25), np.arange(10_001) * STEP)], 100.0)


@pytest.mark.parametrize("alarms", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(alarms: float) -> None:
    with pytest.raises(VadkitError, match="alarms per day is .*; it must be above 0"):
        learn([ordinary(1.0, np.random.default_rng(0))], alarms)


def test_gamma_quantiles_are_those_of_scipy() -> None:
    special = pytest.importorskip("scipy.special", reason="scipy is not installed")
    for shape in (0.3, 1.0, 3.0, 8.0, 250.0):
        for probability in (0.025, 0.5, 0.975):
            assert gamma_quantile(shape, probability) == pytest.approx(
                special.gammaincinv(shape, probability), rel=1e-6
            )
