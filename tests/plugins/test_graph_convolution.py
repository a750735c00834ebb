"""The three graph convolutions: their switches against a plain computation, long videos, and the mask."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_graph_convolution import DistanceGraph, ScoreGraph, SimilarityGraph

import vadkit.layers
from vadkit.testing import check_component

WHOLE = slice(None)


def drawn(*shape):
    return torch.randn(*shape, generator=torch.manual_seed(0))


@pytest.mark.parametrize(
    "component, args",
    [
        (SimilarityGraph, {"zeros": False, "dim": 8, "activation": "gelu"}),
        (DistanceGraph, {"normalise": True, "dim": 8}),
        (ScoreGraph, {"sharpen": False}),
    ],
)
def test_contract(component, args):
    check_component(component, **args)


def test_no_gradient_reaches_detached_scores():
    scores = torch.rand(2, 7, requires_grad=True)
    ScoreGraph(in_dim=8, detach=True)(drawn(2, 7, 8), scores).sum().backward()
    assert scores.grad is None


def test_zeros_take_part_in_the_softmax_or_not():
    features = drawn(1, 9, 3)
    cosine = torch.nn.functional.cosine_similarity(features[0][:, None], features[0][None], dim=-1)
    above = cosine > 0.5
    assert 9 < int(above.sum()) < 81
    for zeros in (True, False):
        graph = SimilarityGraph(in_dim=8, feature_dim=3, threshold=0.5, zeros=zeros).graph(features)(WHOLE)[0]
        weight = torch.where(above, cosine.exp(), 1.0 if zeros else 0.0)
        torch.testing.assert_close(graph, weight / weight.sum(1, keepdim=True))


def test_near_snippets_weigh_as_they_are_or_sum_to_one():
    x = drawn(2, 9, 4)
    apart = torch.tensor([[abs(i - j) for j in range(9)] for i in range(9)])
    weight = torch.exp(-apart / math.e)
    torch.testing.assert_close(DistanceGraph(in_dim=4).graph(x)(WHOLE), weight)
    found = DistanceGraph(in_dim=4, normalise=True).graph(x)(WHOLE)
    torch.testing.assert_close(found, weight / weight.sum(1, keepdim=True))


def test_closeness_of_scores_is_sharpened_or_not():
    p = torch.rand(1, 6, generator=torch.manual_seed(0))
    close = 1 - (p[0][:, None] - p[0]).abs()
    for sharpen in (True, False):
        found = ScoreGraph(in_dim=4, sharpen=sharpen).graph(p)(WHOLE)[0]
        weight = 1 / (1 + torch.exp(-(close - 0.5) / 0.1)) if sharpen else close
        torch.testing.assert_close(found, weight.softmax(1))


def test_padding_has_no_edges():
    mask = torch.arange(9) < torch.tensor([9, 4])[:, None]
    for graph in (
        SimilarityGraph(in_dim=4, feature_dim=3).graph(drawn(2, 9, 3), mask),
        ScoreGraph(in_dim=4).graph(torch.rand(2, 9), mask),
    ):
        whole = graph(WHOLE)
        assert whole[1, 4:].eq(0).all() and whole[1, :, 4:].eq(0).all()
        torch.testing.assert_close(whole.sum(-1), mask.float())


def test_a_long_video_is_read_some_rows_at_a_time(monkeypatch):
    x, features, scores = drawn(1, 40, 8), drawn(1, 40, 5), torch.rand(1, 40)
    torch.manual_seed(0)
    similar, near, alike = SimilarityGraph(in_dim=8, feature_dim=5), DistanceGraph(in_dim=8), ScoreGraph(in_dim=8)
    whole = similar(x, features), near(x), alike(x, scores)
    monkeypatch.setattr(vadkit.layers, "CELLS", 300)
    for found, wanted in zip((similar(x, features), near(x), alike(x, scores)), whole):
        torch.testing.assert_close(found, wanted)


def test_refuses_what_it_cannot_be():
    with pytest.raises(ValueError, match="dim must be at least 1, not -1"):
        DistanceGraph(in_dim=8, dim=-1)
    with pytest.raises(ValueError, match="temperature must be above 0, not 0"):
        ScoreGraph(in_dim=8, temperature=0)
