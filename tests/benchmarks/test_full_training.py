"""What the usual way of benchmarks/full_training.py computes is what vadkit computes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import auc, precision_recall_curve
from vadkit_uniform_pad import UniformPad, ramp

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import full_training  # noqa: E402


@pytest.mark.parametrize("t", [1, 2, 199, 200, 201, 1200])
def test_a_training_item_is_brought_to_200_rows_as_the_sampler_does(t: int) -> None:
    x = np.random.default_rng(t).standard_normal((t, 3)).astype(np.float32)
    wanted, _ = UniformPad().sample({"x": x}, np.random.default_rng(0))
    np.testing.assert_array_equal(full_training.brought(x), wanted["x"])


def test_padding_is_filled_as_the_sampler_does() -> None:
    x = torch.rand(4, 9, 3)
    lengths = torch.tensor([9, 5, 2, 8])
    x = x * (torch.arange(9)[:, None] < lengths[:, None, None])
    torch.testing.assert_close(full_training.ramps(x.clone(), lengths), ramp(x, lengths))


@pytest.mark.parametrize("tied", [False, True])
def test_the_area_under_precision_and_recall_is_that_of_scikit_learn(tied: bool) -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.random(500), rng.random(500) < 0.2
    scores = scores.round(1) if tied else scores
    precision, recall, _ = precision_recall_curve(truth, scores)
    assert full_training.area(scores, truth.astype(np.int8)) == pytest.approx(auc(recall, precision))


def test_the_table_has_the_time_of_one_step_and_the_ratio_of_all() -> None:
    usual = {"loading": 2.0, "step": 20.0, "evaluation": 30.0, "total": 52.0}
    ours = {"loading": 1.0, "step": 5.0, "evaluation": 4.0, "total": 10.0}
    rows = {row["phase"]: row for row in full_training.table(usual, ours, steps=2, evaluations=1)}
    assert rows["train step"]["usual way, s"] == 10.0
    assert rows["score the test videos"]["vadkit, s"] == 4.0
    assert rows["all together"]["faster"] == "5.2 x"
