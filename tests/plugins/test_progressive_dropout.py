"""progressive_dropout against a loop over the ranked rows."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_progressive_dropout import ProgressiveDropout


def by_hand(x, p, curve):
    """Return the drop probability of every (bag, channel)."""
    b, _, c = x.shape
    rows = sorted((x[i, :, j].mean().item(), i, j) for i in range(b) for j in range(c))
    found = torch.zeros(b, c)
    for rank, (_, i, j) in enumerate(rows):
        share = rank / (len(rows) - 1)
        found[i, j] = p * (math.log10(1 + share * (10**1.5 - 1)) / 1.5 if curve == "log" else share)
    return found


@pytest.mark.parametrize("curve", ["log", "linear"])
def test_probabilities_rise_with_the_rank(curve):
    x = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
    found = ProgressiveDropout(in_dim=4, p=0.6, curve=curve).probabilities(x)
    torch.testing.assert_close(found, by_hand(x, 0.6, curve))
    assert found.min() == 0
    assert found.max() == pytest.approx(0.6)


def test_whole_channels_of_a_bag_are_dropped_and_the_rest_is_kept_as_it_is():
    x, uniform = torch.randn(3, 6, 4), torch.rand(3, 4)
    block = ProgressiveDropout(in_dim=4)
    block.draw_noise = lambda shape, like: uniform
    kept = (uniform >= by_hand(x, 0.5, "log")).float()
    torch.testing.assert_close(block(x), x * kept[:, None])


def test_rescaled_rows_keep_their_mean():
    torch.manual_seed(0)
    block, x = ProgressiveDropout(in_dim=2, rescale=True), torch.tensor([[[1.0, 2.0]]])
    mean = torch.stack([block(x) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, x, atol=0.1, rtol=0)


def test_mean_probability_is_the_one_that_is_known():
    x = torch.randn(50, 3, 40, generator=torch.Generator().manual_seed(0))
    assert ProgressiveDropout(in_dim=40).probabilities(x).mean().item() == pytest.approx(0.372, abs=1e-3)


def test_nothing_happens_in_evaluation_or_without_a_probability():
    x = torch.randn(2, 3, 4)
    assert ProgressiveDropout(in_dim=4).eval()(x) is x
    assert ProgressiveDropout(in_dim=4, p=0.0)(x) is x


def test_a_single_row_is_kept():
    x = torch.randn(1, 5, 1)
    assert torch.equal(ProgressiveDropout(in_dim=1)(x), x)


def test_bad_probability_is_refused():
    with pytest.raises(ValueError, match="p must be at least 0 and below 1, not 1.0"):
        ProgressiveDropout(in_dim=4, p=1.0)
