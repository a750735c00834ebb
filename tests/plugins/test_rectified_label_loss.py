"""rectified_label_loss: who is called abnormal."""

from __future__ import annotations

import torch
from vadkit_rectified_label_loss import RectifiedLabelLoss


def rectified(scores, labels, **args):
    given = torch.tensor(scores)
    return RectifiedLabelLoss(**args).rectified(given, torch.tensor(labels), torch.ones_like(given, dtype=torch.bool))


def test_high_scores_of_abnormal_videos_are_abnormal():
    scores = [[0.1, 0.1, 0.9, 0.2], [0.1, 0.1, 0.9, 0.2]]
    assert rectified(scores, [1.0, 0.0]).tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]


def test_a_curve_of_two_halves_has_no_score_above_the_threshold():
    halves = [[0.2, 0.8, 0.2, 0.8]]
    assert rectified(halves, [1.0], spread=1.5, highest=False).tolist() == [[0, 0, 0, 0]]
    assert rectified(halves, [1.0], spread=1.5).tolist() == [[0, 1, 0, 1]]
