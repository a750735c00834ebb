"""mutual_attention: symmetry, padding, one stream and three."""

from __future__ import annotations

import pytest
import torch
from vadkit_mutual_attention import MutualAttention


def streams(count, t=5, dim=4):
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(2, t, dim, dtype=torch.float64, generator=generator) for _ in range(count)]


@pytest.fixture
def node():
    torch.manual_seed(0)
    return MutualAttention(dim=4).double()


@torch.no_grad()
def test_three_streams_are_aligned_two_by_two(node):
    a, b, c = streams(3)
    wanted = node([a, b]) + node([a, c]) + node([b, c]) - a - b - c
    torch.testing.assert_close(node([a, b, c]), wanted)


@torch.no_grad()
def test_a_single_stream_is_aligned_with_itself(node):
    (a,) = streams(1)
    torch.testing.assert_close(node([a]), node([a, a]) - a)


@torch.no_grad()
def test_padding_is_left_out():
    torch.manual_seed(0)
    node, x = MutualAttention(dim=4, use_mask=True).double(), streams(2)
    mask = torch.arange(5) < torch.tensor([[3], [5]])
    short = node([stream[:1, :3] for stream in x], mask[:1, :3])
    torch.testing.assert_close(node(x, mask)[:1, :3], short)
