"""Detection figures against a formula that goes frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from vadkit.evaluate.detection import detect, detection_map

CLASSES = ["normal", "riot", "fire"]


def runs(curve):
    """Return [start, end) of every run of at least two frames above the level."""
    level, found, start = curve.max() - 0.6 * (curve.max() - curve.min()), [], None
    for i, value in enumerate([*curve, -np.inf]):
        if value > level and start is None:
            start = i
        elif value <= level and start is not None:
            found += [(start, i)] if i - start >= 2 else []
            start = None
    return found


def by_frames(curves, intervals, labels, iou):
    figures = []
    for c, name in enumerate(CLASSES):
        truth = [(i, set(range(*x))) for i in range(len(curves)) for x, n in zip(intervals[i], labels[i]) if n == name]
        total, found = len(truth), []
        for i, curve in enumerate(curves):
            column = curve[:, c]
            sure = np.mean(sorted(column)[::-1][: len(column) // 16])
            found += [(column[a:b].max() + 0.7 * sure, i, set(range(a, b))) for a, b in runs(column)]
        if not found:
            return 0.0
        hits = []
        for _, i, frames in sorted(found, key=lambda x: -x[0]):
            overlaps = [len(frames & other) / len(frames | other) if i == j else 0.0 for j, other in truth]
            hit = bool(overlaps) and max(overlaps) >= iou
            hits.append(hit)
            if hit:
                del truth[int(np.argmax(overlaps))]
        precision = [sum(hits[: n + 1]) / (n + 1) for n, hit in enumerate(hits) if hit]
        figures.append(sum(precision) / total if precision else 0.0)
    return 100 * float(np.mean(figures))


def drawn(seed):
    rng = np.random.default_rng(seed)
    curves, intervals, labels = [], [], []
    for _ in range(5):
        t = int(rng.integers(2, 12))
        curves.append(rng.random((t, 3)).astype(np.float32).repeat(16, 0))
        starts = np.sort(rng.choice(16 * t, 4, replace=False))
        intervals.append([(int(a), int(b)) for a, b in starts.reshape(2, 2)])
        labels.append([CLASSES[n] for n in rng.integers(0, 3, 2)])
    return curves, intervals, labels


@pytest.mark.parametrize("seed", range(12))
def test_equals_the_frames(seed):
    data = drawn(seed)
    found = detection_map(*data, CLASSES, [0.1, 0.3, 0.5])
    np.testing.assert_allclose(found, [by_frames(*data, iou) for iou in (0.1, 0.3, 0.5)], rtol=1e-9)


def test_a_class_that_is_detected_nowhere_spoils_all():
    curves, intervals, labels = drawn(3)
    for curve in curves:
        curve[:, 1] = 0.5  # a flat curve is nowhere above its level
    assert detect(curves[0][:, 1]) == []
    assert detection_map(curves, intervals, labels, CLASSES) == [0.0] * 5
    assert max(detection_map(curves, intervals, labels, CLASSES, needs_all=False)) > 0


def test_a_perfect_curve_of_one_class():
    curve = np.zeros((64, 1))
    curve[16:32] = 1
    assert detection_map([curve], [[(16, 32)]], [["riot"]], ["riot"], [0.5, 1.0]) == [100.0, 100.0]
