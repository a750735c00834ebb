"""score_smoothing against means over explicit windows."""

from __future__ import annotations

import numpy as np
import pytest
from vadkit_score_smoothing import ScoreSmoothing

from vadkit.testing import check_component

LENGTHS = [1, 2, 7, 40]


def scores(t):
    return np.random.default_rng(t).random(t).astype(np.float32)


def by_hand(s, kappa, mode, pad):
    result = []
    if mode == "trailing":
        return by_hand(s[::-1], kappa, "slide", pad)[::-1]
    for i in range(len(s)):
        start = i if mode == "slide" else i // kappa * kappa
        window = list(s[start : start + kappa])
        missing = kappa - len(window)
        window += {"zero": [0.0] * missing, "edge": [s[-1]] * missing, "shrink": []}[pad]
        result.append(np.mean(np.array(window, np.float64)))
    return np.array(result)


def test_contract():
    check_component(ScoreSmoothing)
    check_component(ScoreSmoothing, kappa=3)


def test_trailing_waits_for_no_later_score():
    smoothing = ScoreSmoothing(kappa=3, mode="trailing")
    assert (smoothing.lookahead, smoothing.lookback) == (0, 2)
    assert np.array_equal(smoothing(scores(9))[:5], smoothing(scores(9)[:5]))


@pytest.mark.parametrize("pad", ["zero", "edge", "shrink"])
@pytest.mark.parametrize("mode", ["slide", "fixed", "trailing"])
@pytest.mark.parametrize("kappa", [2, 3, 8])
@pytest.mark.parametrize("t", LENGTHS)
def test_equals_the_windows(t, kappa, mode, pad):
    smooth = ScoreSmoothing(kappa=kappa, mode=mode, pad=pad)(scores(t))
    assert smooth.shape == (t,) and smooth.dtype == np.float32
    assert np.allclose(smooth, by_hand(scores(t), kappa, mode, pad), atol=1e-6)


@pytest.mark.parametrize("mode", ["slide", "fixed"])
def test_kappa_of_one_changes_nothing(mode):
    assert np.array_equal(ScoreSmoothing(kappa=1, mode=mode)(scores(9)), scores(9))


def test_constant_scores_sag_only_at_the_end():
    smooth = ScoreSmoothing(kappa=4)(np.ones(10))
    assert np.allclose(smooth, [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert np.allclose(ScoreSmoothing(kappa=4, pad="edge")(np.ones(10)), 1)


def test_a_broken_score_is_not_smoothed_away():
    s = scores(10)
    s[4] = np.nan
    assert np.isnan(ScoreSmoothing(kappa=3, pad="shrink")(s)[2:5]).all()


def test_refuses_a_window_of_zero():
    with pytest.raises(ValueError, match="kappa must be at least 1, not 0"):
        ScoreSmoothing(kappa=0)
