"""dense against its formula, skip by skip."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import gelu
from vadkit_dense import Dense


def example(**args):
    torch.manual_seed(0)
    block = Dense(in_dim=5, **args)
    return block, torch.randn(2, 3, 5), torch.randn(2, 3, 4)


def linear(block, x):
    return torch.einsum("btc,oc->bto", x, block.linear.weight) + block.linear.bias


def test_keeps_the_width_by_default():
    block, x, _ = example()
    assert block.dim == 5
    torch.testing.assert_close(block(x), linear(block, x).clamp_min(0))


def test_skip_is_added_before_the_activation():
    block, x, skip = example(dim=4, skip_dim=4, activation="gelu")
    torch.testing.assert_close(block(x, skip), gelu(linear(block, x) + skip))


def test_skip_is_appended():
    block, x, skip = example(dim=3, skip_dim=4, merge="concat_after")
    assert block.dim == 7
    torch.testing.assert_close(block(x, skip), torch.cat([linear(block, x).clamp_min(0), skip], -1))


def test_skip_is_ignored():
    block, x, skip = example(dim=3, skip_dim=4, merge="none", activation="none")
    torch.testing.assert_close(block(x, skip), linear(block, x))


def test_a_skip_of_another_width_cannot_be_added():
    with pytest.raises(ValueError, match="a skip of width 4 cannot be added to 3 channels"):
        example(dim=3, skip_dim=4)


def test_dropout_scales_the_survivors():
    block, x, _ = example(dropout=0.5)
    full, dropped = block.eval()(x), block.train()(x)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * full[kept])


def test_bad_width_is_refused():
    with pytest.raises(ValueError, match="dim must be at least 1, or null for the input's width, not 0"):
        example(dim=0)
