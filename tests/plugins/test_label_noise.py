"""The head on graphs of snippets, and the losses on noisy labels and around confident snippets."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_graph_head import GraphHead
from vadkit_neighbour_target_loss import NeighbourTargetLoss
from vadkit_noisy_label_loss import NoisyLabelLoss
from vadkit_score_sum import ScoreSum

LENGTHS = (6, 3, 1)


def mask():
    return torch.arange(6) < torch.tensor(LENGTHS)[:, None]


@pytest.mark.parametrize("graph", ["near", "alike"])
@torch.no_grad()
def test_padding_has_no_edges(graph):
    torch.manual_seed(0)
    head, x = GraphHead(in_dim=4, hidden=3, graph=graph, use_mask=True).double(), torch.randn(3, 6, 4).double()
    found = head(x, mask())
    for bag, t in enumerate(LENGTHS):
        torch.testing.assert_close(found[bag, :t], head(x[bag : bag + 1, :t])[0])


@pytest.mark.parametrize("graph", ["near", "alike"])
@torch.no_grad()
def test_a_long_video_is_scored_in_parts(graph, monkeypatch):
    torch.manual_seed(0)
    head, x = GraphHead(in_dim=4, hidden=3, graph=graph).double(), torch.randn(2, 30, 4).double()
    wanted = head(x)
    monkeypatch.setattr("vadkit.layers.CELLS", 2 * 30 * 7)
    torch.testing.assert_close(head(x), wanted)


def test_every_snippet_has_the_label_of_its_video():
    scores, labels = torch.rand(3, 6, dtype=torch.float64) * 0.8 + 0.1, torch.tensor([1.0, 0.0, 1.0])
    bags = []
    for bag, t in enumerate(LENGTHS):
        own = [float(s) if labels[bag] else 1 - float(s) for s in scores[bag, :t]]
        bags.append(-sum(map(math.log, own)) / t)
    found = NoisyLabelLoss()(scores, labels, mask())
    assert float(found) == pytest.approx(sum(bags) / 3, rel=1e-9)


@pytest.mark.parametrize("reach", [0, 1, 4])
def test_only_what_is_near_a_confident_snippet_is_pulled(reach):
    generator = torch.Generator().manual_seed(3)
    scores, targets = (torch.rand(4, 6, dtype=torch.float64, generator=generator) for _ in range(2))
    weight = torch.zeros(4, 6)
    weight[0, 1] = weight[1, 2] = weight[2, 4] = 1  # of the third bag, 4 is padding; the last has none
    real = torch.arange(6) < torch.tensor([6, 3, 2, 6])[:, None]
    labels, bags = torch.tensor([1.0, 0.0, 1.0, 1.0]), []
    for bag in range(4):
        t = int(real[bag].sum())
        near = [i for i in range(t) if any(weight[bag, j] > 0 and abs(i - j) <= reach for j in range(t))]
        if near and labels[bag]:
            bags.append(sum(abs(float(scores[bag, i] - targets[bag, i])) for i in near) / len(near))
    found = NeighbourTargetLoss(reach=reach)(scores, targets, weight, labels, real)
    assert len(bags) == 1 and float(found) == pytest.approx(bags[0], rel=1e-9)


def test_a_sum_of_scores_can_be_their_mean():
    x = list(torch.rand(3, 2, 5))
    torch.testing.assert_close(ScoreSum(average=True)(x), torch.stack(x).mean(0))
