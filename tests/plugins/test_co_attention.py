"""co_attention and bilinear: what tests/formulas does not look at."""

from __future__ import annotations

import pytest
import torch
from vadkit_bilinear import Bilinear
from vadkit_co_attention import CoAttention


def streams(dims, b=2, t=5):
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(b, t, dim, dtype=torch.float64, generator=draw) for dim in dims]


def built(cls, **args):
    torch.manual_seed(0)
    return cls(**args).double()


@pytest.mark.parametrize("average", [False, True])
@torch.no_grad()
def test_several_guides_are_added(average):
    fusion, (a, o, p) = built(CoAttention, dims=[4, 3, 2], average=average), streams([4, 3, 2])
    hidden = fusion.own(a)
    for stream, pair, value in zip((o, p), fusion.pair, fusion.value):
        found = torch.einsum("bij,bjh->bih", torch.einsum("bic,bjc->bij", a, pair(stream)).tanh(), value(stream))
        hidden = hidden + (found / 5 if average else found)
    weights = 5 * fusion.logit(hidden.tanh()).softmax(1)
    torch.testing.assert_close(fusion([a, o, p]), a * weights)


@torch.no_grad()
def test_equal_weights_change_nothing():
    fusion, x = built(CoAttention, dims=[4, 3]), streams([4, 3])
    fusion.logit.weight.zero_()
    torch.testing.assert_close(fusion(x), x[0])
    half = built(CoAttention, dims=[4, 3], weights="sigmoid")
    half.logit.weight.zero_()
    torch.testing.assert_close(half(x), x[0] / 2)


@pytest.mark.parametrize("weights", ["softmax", "sigmoid"])
@torch.no_grad()
def test_with_the_mask_a_padded_bag_is_weighted_as_the_bag_alone(weights):
    fusion, x = built(CoAttention, dims=[4, 3], weights=weights, average=True, use_mask=True), streams([4, 3])
    mask = torch.arange(5).expand(2, 5) < torch.tensor([[5], [2]])
    alone = fusion([stream[1:, :2] for stream in x])
    torch.testing.assert_close(fusion(x, mask)[1:, :2], alone)


@torch.no_grad()
def test_a_trilinear_form():
    fusion, (x, y, z) = built(Bilinear, dims=[4, 3, 2], dim=3, rank=5), streams([4, 3, 2])
    factors = [factor.weight for factor in fusion.factors]
    wanted = torch.einsum("kr,ri,rj,rl,bti,btj,btl->btk", fusion.out.weight, *factors, x, y, z)
    torch.testing.assert_close(fusion([x, y, z]), wanted)


@torch.no_grad()
def test_root_and_norm_of_a_form():
    plain, rooted, unit = (built(Bilinear, dims=[4, 3], **args) for args in ({}, {"root": True}, {"unit": True}))
    x = streams([4, 3])
    z = plain(x)
    torch.testing.assert_close(rooted(x), z.sign() * z.abs().sqrt(), atol=2e-3, rtol=0)  # 1e-6 is added under the root
    torch.testing.assert_close(unit(x).norm(dim=-1), torch.ones(2, 5, dtype=torch.float64), atol=1e-2, rtol=0)


def test_a_form_of_zeros_has_a_finite_gradient():
    fusion = built(Bilinear, dims=[4, 3], root=True, unit=True)
    fusion([torch.zeros_like(x) for x in streams([4, 3])]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in fusion.parameters())


def test_wrong_sizes():
    with pytest.raises(ValueError, match="hidden must be at least 1, or null for the first stream's width, not 0"):
        CoAttention(dims=[4, 3], hidden=0)
    with pytest.raises(ValueError, match="dim and rank must be at least 1, or null, not 4 and 0"):
        Bilinear(dims=[4, 3], dim=4, rank=0)
