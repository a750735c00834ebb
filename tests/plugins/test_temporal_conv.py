"""temporal_conv against a loop over snippets and taps."""

from __future__ import annotations

import pytest
import torch
from vadkit_temporal_conv import TemporalConv


def by_hand(block, x, kernel, dilation, before):
    t = x.shape[1]
    out = block.conv.bias.expand(x.shape[0], t, -1).clone()
    for i in range(t):
        for tap in range(kernel):
            source = i + tap * dilation - before
            if 0 <= source < t:
                out[:, i] += x[:, source] @ block.conv.weight[:, :, tap].T
    return out


# kernel, dilation, causal -> snippets before, snippets after
CASES = [
    ((3, 1, False), (1, 1)),
    ((4, 1, False), (1, 2)),
    ((3, 4, False), (4, 4)),
    ((3, 2, True), (4, 0)),
    ((1, 1, False), (0, 0)),
]


@pytest.mark.parametrize("args, reach", CASES)
@pytest.mark.parametrize("t", [1, 2, 9])
def test_equals_the_loop(args, reach, t):
    torch.manual_seed(0)
    kernel, dilation, causal = args
    block = TemporalConv(in_dim=4, dim=3, kernel=kernel, dilation=dilation, causal=causal, activation="none").double()
    x = torch.randn(2, t, 4, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(block(x), by_hand(block, x, kernel, dilation, reach[0]))
    assert block.lookahead == reach[1]


def test_activation_comes_last():
    block, x = TemporalConv(in_dim=4), torch.randn(1, 6, 4)
    assert block(x).min() >= 0


def test_with_the_mask_a_padded_bag_scores_as_the_bag_alone():
    block, x = TemporalConv(in_dim=4, use_mask=True, activation="none"), torch.randn(1, 8, 4)
    mask = torch.arange(8)[None] < 5
    torch.testing.assert_close(block(x, mask)[:, :5], block(x[:, :5], mask[:, :5]))


def test_without_the_switch_padding_leaks_in_as_in_the_original():
    block, x = TemporalConv(in_dim=4, activation="none"), torch.randn(1, 8, 4)
    assert torch.equal(block(x, torch.arange(8)[None] < 5), block(x))


@pytest.mark.parametrize(
    "args, message",
    [
        ({"dim": 0}, "dim must be at least 1, or null for the input's width, not 0"),
        ({"kernel": 0}, "kernel and dilation must be at least 1, not 0 and 1"),
    ],
)
def test_bad_values_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        TemporalConv(in_dim=4, **args)
