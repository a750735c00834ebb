"""concat, sum and concat_attention: the fusions without attention over time."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_concat import Concat
from vadkit_concat_attention import ConcatAttention
from vadkit_sum import Sum


def streams(dims):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, dim, generator=generator) for dim in dims]


@pytest.mark.parametrize("dims", [[4], [4, 2], [1, 2, 3]])
def test_concat_keeps_the_order(dims):
    x = streams(dims)
    joined = Concat(dims=dims)(x)
    assert joined.shape[-1] == Concat(dims=dims).dim == sum(dims)
    for i, stream in enumerate(x):
        start = sum(dims[:i])
        assert torch.equal(joined[..., start : start + dims[i]], stream)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_sum_adds_all(count):
    x = streams([4] * count)
    torch.testing.assert_close(Sum(dim=4)(x), torch.stack(x).sum(0))
    assert all(torch.equal(a, b) for a, b in zip(x, streams([4] * count))), "an input was changed"


def test_concat_attention_weighs_snippet_by_snippet():
    torch.manual_seed(0)
    x, fusion = streams([4, 3, 2]), ConcatAttention(dims=[4, 3, 2])
    with torch.no_grad():
        out = fusion(x)
        for b in range(2):
            for t in range(3):
                scores = [math.exp(float(scorer(s[b, t]))) for scorer, s in zip(fusion.scorers, x)]
                wanted = torch.cat([3 * w / sum(scores) * s[b, t] for w, s in zip(scores, x)])
                torch.testing.assert_close(out[b, t], wanted)


def test_concat_attention_with_equal_scores_is_concat():
    fusion, x = ConcatAttention(dims=[4, 3]), streams([4, 3])
    for scorer in fusion.scorers:
        torch.nn.init.zeros_(scorer.weight)
        torch.nn.init.zeros_(scorer.bias)
    torch.testing.assert_close(fusion(x), Concat(dims=[4, 3])(x))
