"""multiscale_attention against loops over heads, parts and scales."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_multiscale_attention import MultiscaleAttention

from vadkit.testing import check_component


def by_hand(module, x, real):
    """Return the output for one video (t, c) of which the snippets in ``real`` exist."""
    joined = [[] for _ in x]
    for layer, scale in zip(module.qkv, module.scales):
        parts = [
            [t for t in range(start, min(start + scale, len(x))) if t in real] for start in range(0, len(x), scale)
        ]
        means = [sum(x[t] for t in part) / len(part) if part else torch.zeros_like(x[0]) for part in parts]
        inner = layer.out_features // 3
        width = inner // module.heads
        projected = [layer.weight @ mean + layer.bias for mean in means]
        for t in range(len(x)):
            for head in range(module.heads):
                at = [slice(n * inner + head * width, n * inner + (head + 1) * width) for n in range(3)]
                query = projected[t // scale][at[0]]
                exps = [
                    math.exp(query @ row[at[1]] / math.sqrt(width)) if part else 0
                    for row, part in zip(projected, parts)
                ]
                found = sum(e / sum(exps) * row[at[2]] for e, row in zip(exps, projected))
                joined[t].append(found)
    return torch.stack([x[t] + module.out.weight @ torch.cat(rows) + module.out.bias for t, rows in enumerate(joined)])


@pytest.mark.parametrize("t", [1, 3, 8, 9])
@pytest.mark.parametrize("scales", [[1], [1, 2, 4], [3, 5]])
def test_equals_loops(t, scales):
    torch.manual_seed(t)
    module = MultiscaleAttention(in_dim=12, heads=2, scales=scales).double().eval()
    x = torch.randn(2, t, 12, dtype=torch.float64)
    with torch.no_grad():
        for row, found in zip(x, module(x)):
            torch.testing.assert_close(found, by_hand(module, row, range(t)))


def test_padding_is_in_no_mean_and_gets_no_attention():
    module = MultiscaleAttention(in_dim=12, heads=2, scales=[1, 2, 3], use_mask=True).double().eval()
    x, mask = torch.randn(1, 8, 12, dtype=torch.float64), torch.arange(8)[None] < 5
    with torch.no_grad():
        torch.testing.assert_close(module(x, mask)[0, :5], by_hand(module, x[0], range(5))[:5])


@pytest.mark.parametrize("wrong", [{"scales": []}, {"scales": [0]}, {"heads": 0}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        MultiscaleAttention(in_dim=8, **wrong)


def test_contract():
    check_component(MultiscaleAttention)
