"""tcn against a loop over snippets."""

from __future__ import annotations

import pytest
import torch
from vadkit_tcn import TemporalConvNet


def convolve(conv, x):
    """Return one causal, weight-normalised convolution of a bag x (t, c), snippet by snippet."""
    rows = []
    for t in range(len(x)):
        row = conv.bias.clone()
        for o in range(len(row)):
            weight = conv.gain[o, 0, 0] * conv.direction[o] / conv.direction[o].norm()  # (c, kernel)
            for k in range(conv.kernel):
                earlier = t - (conv.kernel - 1 - k) * conv.dilation
                if earlier >= 0:
                    row[o] += weight[:, k] @ x[earlier]
        rows.append(row)
    return torch.stack(rows)


def by_hand(net, x):
    for block in net.blocks:
        x = (convolve(block.conv2, convolve(block.conv1, x).relu()).relu() + block.adapt(x)).relu()
    return x


@pytest.mark.parametrize("t", [1, 2, 17])
@pytest.mark.parametrize("args", [{}, {"dim": 5, "kernel": 3, "depth": 2}, {"kernel": 1, "depth": 1}])
@torch.no_grad()
def test_equals_the_loop(args, t):
    torch.manual_seed(0)
    net, x = TemporalConvNet(in_dim=4, **args).double(), torch.randn(2, t, 4, dtype=torch.float64)
    for block in net.blocks:
        block.conv1.gain.mul_(torch.rand_like(block.conv1.gain) + 0.5)
    torch.testing.assert_close(net(x), torch.stack([by_hand(net, bag) for bag in x]))


@torch.no_grad()
def test_starts_as_a_plain_convolution():
    net = TemporalConvNet(in_dim=4)
    conv = net.blocks[0].conv1
    torch.testing.assert_close(conv.gain[:, 0, 0], conv.direction.flatten(1).norm(dim=1))


def test_reaches_as_far_as_stated():
    torch.manual_seed(0)
    net, x = TemporalConvNet(in_dim=4, dim=64, depth=3, kernel=2), torch.randn(1, 40, 4, requires_grad=True)
    net(x)[0, 30].sum().backward()
    reached = x.grad[0].abs().sum(-1).nonzero().flatten().tolist()
    assert (min(reached), max(reached)) == (30 - 14, 30)


@pytest.mark.parametrize(
    ("args", "message"), [({"depth": 0}, "0 and 2"), ({"kernel": 0}, "3 and 0"), ({"dim": 0}, "dim")]
)
def test_refuses_what_makes_no_network(args, message):
    with pytest.raises(ValueError, match=message):
        TemporalConvNet(in_dim=4, **args)
