"""Curves over thresholds, against counting single frames and stretches one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_curve

from vadkit.evaluate.scored import Scored
from vadkit.evaluate.threshold_curves import ThresholdCurves, false_alarms, threshold_curves
from vadkit.evaluate.worst_videos import costs, worst_first

pytestmark = pytest.mark.guards("3")
Make, AsScored = Callable[..., Any], Callable[..., Scored]


def curves_of(details: list[Scored]) -> ThresholdCurves:
    found = threshold_curves(details)
    assert found is not None
    return found


def frames(details: list[Scored]) -> tuple[np.ndarray, np.ndarray]:
    known = [(s, s.positives) for s in details if s.positives is not None]
    truth = [np.r_[np.ones(p), np.zeros(f - p)] for s, q in known for p, f in zip(q, s.frames)]
    return np.concatenate(truth), np.concatenate([np.repeat(s.scores, s.frames) for s, _ in known])


@pytest.mark.parametrize("seed", range(5))
def test_every_threshold_counts_as_single_frames_do(clips: Make, scored_of: AsScored, seed: int) -> None:
    details = [scored_of(clip) for clip in clips(seed)]
    truth, scores = frames(details)
    curves = curves_of(details)
    for threshold in (*curves.thresholds, 0.333, float(scores.min()) - 1):
        alarm, point = scores >= threshold, curves.at(float(threshold))
        assert point.precision == pytest.approx(precision_score(truth, alarm))
        assert point.recall == pytest.approx(recall_score(truth, alarm))
        assert point.f1 == pytest.approx(f1_score(truth, alarm))
        assert point.false_share == pytest.approx(alarm[truth == 0].mean())
    above = curves.at(float(scores.max()) + 0.1)
    assert (above.precision, above.recall, above.f1, above.false_share) == (None, 0, 0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_drawn_areas_are_the_figures(
    clips: Make, scored_of: AsScored, as_evaluation: Callable[..., Any], seed: int
) -> None:
    details = [scored_of(clip) for clip in clips(seed)]
    figures, curves = as_evaluation(details).figures, curves_of(details)
    steps = np.sum(np.diff(np.r_[0, curves.recall]) * curves.precision)
    assert steps == pytest.approx(figures["ap"]) == pytest.approx(average_precision_score(*frames(details)))
    x, y = np.r_[0, curves.false_share], np.r_[0, curves.recall]
    assert np.trapezoid(y, x) == pytest.approx(figures["auc"])
    far, hit, _ = roc_curve(*frames(details), drop_intermediate=False)
    np.testing.assert_allclose(np.c_[x, y], np.c_[far, hit])


def test_the_best_f1_is_the_best_of_all_thresholds(clips: Make, scored_of: AsScored) -> None:
    details = [scored_of(clip) for clip in clips(3)]
    truth, scores = frames(details)
    best = curves_of(details).best()
    assert best.f1 == pytest.approx(max(f1_score(truth, scores >= t) for t in np.unique(scores)))


def stretches(scores: np.ndarray, threshold: float) -> int:
    """Count runs at or above the threshold, one by one."""
    count, inside = 0, False
    for score in scores:
        count += score >= threshold and not inside
        inside = score >= threshold
    return count


@pytest.mark.parametrize("seed", range(5))
def test_false_alarms_are_stretches_in_videos_without_a_positive_frame(
    clips: Make, scored_of: AsScored, seed: int
) -> None:
    details = [scored_of(clip) for clip in clips(seed)]
    quiet = [s for s in details if s.positives is not None and not s.positives.any()]
    alarms = false_alarms(details)
    assert alarms is not None
    hours = sum(int(s.frames.sum()) for s in quiet) / 24 / 3600
    assert alarms.hours == pytest.approx(hours)
    for threshold in (-1.0, *np.unique(np.concatenate([s.scores for s in quiet])), 0.41, 2.0):
        wanted = sum(stretches(s.scores, float(threshold)) for s in quiet)
        assert alarms.count(float(threshold)) == wanted
        assert alarms.per_hour(float(threshold)) == pytest.approx(wanted / hours)


def test_snippets_after_the_end_of_a_video_are_no_alarm(clips: Make, scored_of: AsScored) -> None:
    clip = clips(0)[0]
    longer = replace(
        clip, scores=np.r_[clip.scores, 9], positives=np.r_[clip.positives, 0], frames=np.r_[clip.frames, 0]
    )
    alarms = false_alarms([scored_of(longer)])
    assert alarms is not None and alarms.count(5.0) == 0


def test_there_are_no_curves_without_both_kinds_of_frames(clips: Make, scored_of: AsScored) -> None:
    details = [scored_of(clip) for clip in clips(0)]
    normal = [s for s in details if not s.video.label]
    unknown = [replace(s, positives=None) for s in details if s.video.label]
    assert threshold_curves(normal) is None and threshold_curves([*normal, *unknown]) is None
    assert threshold_curves([]) is None and threshold_curves(unknown) is None
    assert false_alarms(unknown) is None and false_alarms([]) is None
    assert false_alarms([scored_of(clip, fps=None) for clip in clips(0)]) is None
    assert costs(normal) == {} == costs([])


@pytest.mark.parametrize("seed", range(3))
def test_costs_add_up_to_what_the_auc_lacks(
    clips: Make, scored_of: AsScored, as_evaluation: Callable[..., Any], seed: int
) -> None:
    details = [scored_of(clip) for clip in clips(seed)]
    cost = costs(details)
    assert sum(cost.values()) == pytest.approx(1 - as_evaluation(details).figures["auc"])
    frames_of = [
        (s.video.name, score, p, f - p) for s in details for score, p, f in zip(s.scores, s.positives, s.frames)
    ]  # type: ignore[arg-type]
    wanted = dict.fromkeys(cost, 0.0)
    pairs = sum(row[2] for row in frames_of) * sum(row[3] for row in frames_of)
    for name, score, positive, _ in frames_of:
        for other, against, _, negative in frames_of:
            lost = positive * negative * (1.0 if against > score else 0.5 if against == score else 0.0) / pairs
            wanted[name] += lost / 2
            wanted[other] += lost / 2
    assert cost == pytest.approx(wanted)
    assert [s.video.name for s in worst_first(details)] == sorted(cost, key=lambda name: -cost[name])


def test_without_an_auc_the_loudest_normal_and_the_quietest_abnormal_video_is_the_worst(
    clips: Make, scored_of: AsScored
) -> None:
    details = [scored_of(clip) for clip in clips(1)]
    normal = worst_first([s for s in details if not s.video.label])
    assert [s.scores.max() for s in normal] == sorted((s.scores.max() for s in normal), reverse=True)
    positive = [replace(s, positives=s.frames) for s in details]
    assert [s.scores.mean() for s in worst_first(positive)] == sorted(s.scores.mean() for s in positive)
