"""Labellers, each against its formula written out snippet by snippet."""

from __future__ import annotations

import numpy as np
import pytest
from vadkit_certain_labels import CertainLabels
from vadkit_scaled_labels import ScaledLabels
from vadkit_stable_labels import StableLabels
from vadkit_threshold_labels import ThresholdLabels

from vadkit.testing import check_component

LABELS = {"a": 1, "b": 1, "n": 0}


def scores(passes=1, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.random((passes, t)).astype(np.float32) for name, t in (("a", 6), ("b", 11), ("n", 4))}


@pytest.mark.parametrize("component", [CertainLabels, ScaledLabels, StableLabels, ThresholdLabels])
def test_keeps_its_promises(component):
    assert check_component(component).kept


@pytest.mark.parametrize("component", [CertainLabels, ScaledLabels, StableLabels, ThresholdLabels])
def test_normal_videos_are_known_to_be_normal(component):
    targets = component().label(scores(4), LABELS, {})
    np.testing.assert_array_equal(targets["n"], [[0, 1]] * 4)


def test_threshold_labels_keep_what_is_above():
    given = {"a": np.array([[0.9, 0.91, 0.2, 1.0]], np.float32)}
    np.testing.assert_allclose(
        ThresholdLabels(above=0.9).label(given, LABELS, {})["a"], [[0, 1], [0.91, 1], [0, 1], [1, 1]]
    )
    assert ThresholdLabels(above=0.9, hard=True).label(given, LABELS, {})["a"][:, 0].tolist() == [0, 1, 0, 1]


def test_scaled_labels_stretch_and_average_with_earlier_ones():
    given = {"a": np.array([[0.2, 0.4, 0.3], [0.4, 0.8, 0.5]], np.float32), "b": np.full((2, 2), 0.7, np.float32)}
    first = ScaledLabels().label(given, LABELS, {})
    np.testing.assert_allclose(first["a"][:, 0], [0, 1, 1 / 3], atol=1e-6)
    np.testing.assert_allclose(first["b"][:, 0], [0.7, 0.7])
    earlier = {"a": np.array([[1, 1], [0, 1], [0.5, 0]], np.float32)}
    second = ScaledLabels(momentum=0.75).label(given, LABELS, earlier)
    np.testing.assert_allclose(second["a"][:, 0], [0.75, 0.25, 0.375 + 0.25 / 3], atol=1e-6)
    np.testing.assert_allclose(second["b"][:, 0], [0.7, 0.7], atol=1e-6)


@pytest.mark.parametrize("keep", [0.01, 0.3, 1.0])
def test_certain_labels_weigh_the_snippets_that_vary_least(keep):
    given = scores(5)
    targets = CertainLabels(keep=keep).label(given, LABELS, {})
    spread = sorted(float(given[name][:, i].var()) for name in ("a", "b") for i in range(given[name].shape[1]))
    count = max(1, int(np.ceil(keep * len(spread))))
    for name in ("a", "b"):
        mean = given[name].mean(0)
        np.testing.assert_allclose(targets[name][:, 0], (mean - mean.min()) / (mean.max() - mean.min()), atol=1e-6)
        for i, weight in enumerate(targets[name][:, 1]):
            assert weight == (float(given[name][:, i].var()) <= spread[count - 1])
    assert sum(targets[name][:, 1].sum() for name in ("a", "b")) == count


@pytest.mark.parametrize("keep", [0.01, 0.3, 1.0])
def test_certain_labels_may_rank_each_video_by_itself(keep):
    given = scores(5)
    targets = CertainLabels(keep=keep, per="video", scale=False).label(given, LABELS, {})
    for name in ("a", "b"):
        spread = sorted(float(column.var()) for column in given[name].T)
        count = max(1, int(np.ceil(keep * len(spread))))
        assert targets[name][:, 1].tolist() == [float(column.var()) <= spread[count - 1] for column in given[name].T]
        np.testing.assert_allclose(targets[name][:, 0], given[name].mean(0), rtol=1e-6)


def test_scaled_labels_may_hold_what_was_certain():
    given = {"a": np.array([[0.2, 0.4, 0.6]], np.float32), "n": np.array([[0.5, 0.5]], np.float32)}
    labeller = ScaledLabels(momentum=0.5, scale=False, hold=True)
    earlier = {"a": np.array([[0.9, 1], [0.8, 0], [0.1, 0.5]]), "n": np.array([[0, 1], [0, 1]])}
    found = labeller.label(given, LABELS, earlier)
    np.testing.assert_allclose(found["a"], [[0.9, 1], [0.6, 0], [0.1, 0.5]], atol=1e-6)
    np.testing.assert_array_equal(found["n"], [[0, 1], [0, 1]])
    np.testing.assert_array_equal(labeller.label(given, LABELS, {})["a"][:, 1], [1, 1, 1])


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_stable_labels_weigh_what_varies_least_among_its_kind(share):
    given = scores(3, seed=5)
    targets = StableLabels(share=share).label(given, LABELS, {})
    found = {True: [], False: []}
    for name in ("a", "b"):
        for i in range(given[name].shape[1]):
            column = given[name][:, i]
            found[bool(column.mean() > 0.5)].append(column.var())
    for name in ("a", "b"):
        for i, (target, weight) in enumerate(targets[name]):
            column = given[name][:, i]
            kind = bool(column.mean() > 0.5)
            assert target == kind
            assert weight == (column.var() < np.quantile(found[kind], share))


def test_with_one_round_every_snippet_is_confident():
    targets = StableLabels().label(scores(1), LABELS, {})
    assert all((x[:, 1] == 1).all() for x in targets.values())


@pytest.mark.parametrize(
    "build",
    [
        lambda: ThresholdLabels(above=1.2),
        lambda: ScaledLabels(momentum=1.0),
        lambda: CertainLabels(keep=0.0),
        lambda: StableLabels(share=2.0),
    ],
)
def test_wrong_arguments_are_refused(build):
    with pytest.raises(ValueError, match="must be"):
        build()
