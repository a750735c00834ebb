"""vadkit.dropout against its definition: shares, scale, gradient, seeds."""

from __future__ import annotations

import copy

import pytest
import torch

from vadkit.dropout import Dropout, drawn_mask


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.999])
def test_the_share_that_is_dropped_is_p_and_the_mean_stays(p):
    torch.manual_seed(0)
    found = Dropout(p).train()(torch.ones(1000, 1001))
    assert float((found == 0).float().mean()) == pytest.approx(p, abs=2e-3)
    assert float(found.mean()) == pytest.approx(1, abs=0.05)
    assert float(found.max()) == pytest.approx(1 / (1 - p), rel=1e-2)


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_entries_are_dropped_independently_of_their_neighbours(p):
    torch.manual_seed(0)
    keep = drawn_mask(torch.empty(400_000), p)[0].float() - (1 - p)
    for apart in (1, 2, 4, 8, 64):
        assert abs(float((keep[apart:] * keep[:-apart]).mean())) < 2e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_gradient_has_the_same_mask_and_scale(dtype):
    x = torch.ones(7, 13, dtype=dtype, requires_grad=True)
    found = Dropout(0.5).train()(x)
    found.sum().backward()
    assert found.dtype == dtype and torch.equal(x.grad, found)


def test_a_seed_gives_the_same_mask_and_masks_differ_from_call_to_call():
    dropout, x = Dropout(0.4).train(), torch.ones(50, 3)
    torch.manual_seed(3)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(3)
    assert torch.equal(dropout(x), first) and not torch.equal(first, second)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_the_extremes_keep_all_or_nothing(p):
    x = torch.randn(4, 5)
    assert torch.equal(Dropout(p).train()(x), x * (1 - p))


def test_in_evaluation_nothing_changes():
    x = torch.randn(4, 5)
    assert Dropout(0.5).eval()(x) is x


def test_it_is_torchs_dropout_to_everyone_who_asks():
    assert isinstance(copy.deepcopy(Dropout(0.5)), torch.nn.Dropout)
    assert Dropout(0.5)(torch.empty(0, 3)).shape == (0, 3)
