"""Snippets chosen by magnitude, and the losses that take them: selector, magnitude loss, mean of chosen scores."""

from __future__ import annotations

import pytest
import torch
from vadkit_feature_magnitude import FeatureMagnitude
from vadkit_magnitude_contrastive import MagnitudeContrastive
from vadkit_top_magnitude import TopMagnitude
from vadkit_topk_mil import TopkMil


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def slow_index(x: torch.Tensor, k: int, crops: int, drop: torch.Tensor | None = None) -> list[list[int]]:
    """Return the chosen snippets of each video, by sorting."""
    found = []
    for v, video in enumerate(x.split(crops)):
        size = [sum(float(crop[t].square().sum() ** 0.5) for crop in video) / crops for t in range(x.shape[1])]
        if drop is not None:
            size = [s * float(drop[v, t]) for t, s in enumerate(size)]
        found.append(sorted(range(len(size)), key=lambda t: -size[t])[:k])
    return found


@pytest.mark.parametrize("t", (1, 2, 5, 40))
@pytest.mark.parametrize("crops", (1, 3))
def test_the_longest_features_are_chosen_largest_first(t: int, crops: int) -> None:
    x = torch.randn(2 * crops, t, 6)
    assert TopMagnitude(in_dim=6, k=3).eval()(x, crops=crops).tolist() == slow_index(x, 3, crops)


def test_a_dropped_snippet_is_not_chosen() -> None:
    selector, x, drop = TopMagnitude(in_dim=6), torch.randn(4, 20, 6), (torch.rand(2, 20) > 0.5).float() / 0.3
    selector.draw_noise = lambda shape, like: drop  # type: ignore[method-assign, assignment]
    assert selector.train()(x, crops=2).tolist() == slow_index(x, 3, 2, drop)
    assert selector.eval()(x, crops=2).tolist() == slow_index(x, 3, 2)


def test_the_drawn_mask_has_the_stated_share() -> None:
    drawn = TopMagnitude(in_dim=6, dropout=0.7).draw_noise((100, 100), torch.zeros(1))
    assert drawn.unique().tolist() == pytest.approx([0, 1 / 0.3])
    assert 0.68 < float((drawn == 0).float().mean()) < 0.72


def test_padding_is_chosen_last() -> None:
    x, mask = torch.randn(1, 6, 6), torch.tensor([[True, True, False, False, False, False]])
    x[:, 2:] *= 100
    assert set(TopMagnitude(in_dim=6).eval()(x, mask)[0, :2].tolist()) == {0, 1}


def test_no_gradient_flows_through_a_choice() -> None:
    assert not TopMagnitude(in_dim=6)(torch.randn(2, 5, 6, requires_grad=True)).requires_grad


# -- the losses ------------------------------------------------------------------------------------
@pytest.mark.parametrize("labels", ([0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 1.0]))
@pytest.mark.parametrize("crops", (1, 2))
def test_the_magnitude_loss_is_the_formula(labels: list[float], crops: int) -> None:
    v = len(labels)
    x, index = torch.randn(v * crops, 7, 5), torch.rand(v, 7).argsort(1)[:, :3]
    normal = [i for i, label in enumerate(labels) if label < 0.5]
    abnormal = [i for i, label in enumerate(labels) if label > 0.5]
    wanted = []
    for n, a in zip(normal, abnormal):
        for crop in range(crops):
            size = {}
            for video in (n, a):
                rows = [x[video * crops + crop, int(t)] for t in index[video]]
                size[video] = float((sum(rows) / len(rows)).norm())
            wanted.append((abs(2.0 - size[a]) + size[n]) ** 2)
    loss = FeatureMagnitude(dim=5, k=3, margin=2.0)
    assert float(loss(x, index, torch.tensor(labels), crops=crops)) == pytest.approx(
        sum(wanted) / len(wanted), rel=1e-5
    )


def test_a_batch_of_one_class_has_no_magnitude_loss() -> None:
    x = torch.randn(2, 7, 5, requires_grad=True)
    value = FeatureMagnitude(dim=5, k=2)(x, torch.tensor([[0, 1], [2, 3]]), torch.ones(2))
    value.backward()
    assert value.detach() == 0 and x.grad is not None and not x.grad.any()


def test_padding_that_was_chosen_is_no_part_of_a_mean() -> None:
    x, index = torch.randn(2, 4, 5), torch.tensor([[0, 3], [1, 2]])
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    labels, loss = torch.tensor([0.0, 1.0]), FeatureMagnitude(dim=5, k=2)
    x[0, 3] = x[0, 0]  # the mean of both is that of the first
    assert torch.allclose(loss(x, index, labels, mask), loss(x, index, labels))
    other = x.clone()
    other[0, 3] = 9.0
    assert torch.allclose(loss(other, index, labels, mask), loss(x, index, labels))


def test_chosen_scores_stand_for_a_video() -> None:
    scores, labels = torch.rand(4, 6), torch.tensor([0.0, 1.0])
    index = torch.tensor([[5, 0, 2], [1, 2, 3]])
    bag = [scores[v * 2 : v * 2 + 2].mean(0)[index[v]].mean() for v in range(2)]
    wanted = -(torch.log(1 - bag[0]) + torch.log(bag[1])) / 2
    assert torch.allclose(TopkMil(k=3)(scores, labels, crops=2, index=index)["total"], wanted)


def test_contrast_at_given_snippets_is_that_at_its_own_choice() -> None:
    loss, x = MagnitudeContrastive(dim=6, k=3, form="mgfn", dropout=0.0), torch.randn(8, 9, 6)
    labels, index = torch.tensor([0.0, 1.0, 1.0, 0.0]), TopMagnitude(in_dim=6, k=3).eval()(x, crops=2)
    own, given = loss(x, labels, crops=2), loss(x, labels, crops=2, index=index)
    assert own.keys() == given.keys() and all(torch.allclose(own[name], given[name]) for name in own)
    assert not torch.allclose(loss(x, labels, crops=2, index=index.flip(0))["total"], own["total"])
