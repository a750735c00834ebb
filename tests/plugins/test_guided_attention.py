"""guided_attention against loops over bags and snippets."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_guided_attention import GuidedAttention


def block(dims, **args):
    torch.manual_seed(0)
    return GuidedAttention(dims=dims, **args).double()


def streams(dims, b=2, t=5):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(b, t, dim, dtype=torch.float64, generator=generator) for dim in dims]


def by_hand(step, main, guide):
    """Return one bag (t, c) of the main stream after one guide."""
    q, k, v = step.q(guide), step.k(main), step.v(main)
    rows = []
    for i in range(len(main)):
        prior = [math.exp(-abs(float(step.gamma) * (i - j) ** 2 + float(step.beta))) for j in range(len(main))]
        logits = [float(q[i] @ k[j]) / math.sqrt(q.shape[1]) + prior[j] for j in range(len(main))]
        total = sum(map(math.exp, logits))
        rows.append(main[i] + step.out(sum(math.exp(logit) / total * row for logit, row in zip(logits, v))))
    return torch.stack(rows)


@pytest.mark.parametrize("t", [1, 2, 7])
@torch.no_grad()
def test_equals_the_loops(t):
    fusion, (a, g) = block([4, 3], hidden=5, gamma=-0.2, beta=0.3), streams([4, 3], t=t)
    wanted = torch.stack([by_hand(fusion.steps[0], *bags) for bags in zip(a, g)])
    torch.testing.assert_close(fusion([a, g]), wanted)


@torch.no_grad()
def test_guides_follow_one_another():
    fusion, (a, g, h) = block([4, 3, 2], hidden=5), streams([4, 3, 2])
    first = torch.stack([by_hand(fusion.steps[0], *bags) for bags in zip(a, g)])
    second = torch.stack([by_hand(fusion.steps[1], *bags) for bags in zip(first, h)])
    torch.testing.assert_close(fusion([a, g, h]), second)


def test_one_stream_passes():
    fusion, (a,) = block([4]), streams([4])
    assert fusion([a]) is a
    assert (fusion.lookahead, block([4, 4]).lookahead) == (0, "all")


@torch.no_grad()
def test_with_the_mask_a_padded_bag_scores_as_the_bag_alone():
    fusion, (a, g) = block([4, 3], hidden=5, use_mask=True), streams([4, 3])
    mask = torch.arange(5).expand(2, 5) < torch.tensor([[5], [2]])
    torch.testing.assert_close(fusion([a, g], mask)[1:, :2], fusion([a[1:, :2], g[1:, :2]], mask[1:, :2]))
    free = block([4, 3], hidden=5)
    assert torch.equal(free([a, g], mask), free([a, g]))


def test_the_prior_trains_and_cannot_start_where_it_never_would():
    fusion, (a, g) = block([4, 3]), streams([4, 3])
    fusion([a, g]).square().sum().backward()
    step = fusion.steps[0]
    assert step.gamma.grad.abs() > 0 and step.beta.grad.abs() > 0
    with pytest.raises(ValueError, match="gamma and beta must not both be 0"):
        block([4, 3], gamma=0.0, beta=0.0)
    with pytest.raises(ValueError, match="hidden must be at least 1, not 0"):
        block([4, 3], hidden=0)
