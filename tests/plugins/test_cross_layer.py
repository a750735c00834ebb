"""cross_layer against loops over bags, heads and snippets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from vadkit_cross_layer import CrossLayer


def block(dims, **args):
    torch.manual_seed(0)
    return CrossLayer(dims=dims, **{"heads": 2, "dropout": 0.0, "inner_dropout": 0.0, **args}).double()


def streams(dims, b=2, t=5):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(b, t, dim, dtype=torch.float64, generator=generator) for dim in dims]


def by_hand(layer, first, others):
    """Return one bag (t, c) for all rows of the other streams (s, c')."""
    after = layer.norm == "after"
    q, k, v = layer.q(first if after else layer.attn_norm(first)), layer.k(others), layer.v(others)
    width, rows = q.shape[1] // layer.heads, []
    for i in range(len(first)):
        found = []
        for h in range(layer.heads):
            own = slice(h * width, (h + 1) * width)
            shares = [math.exp(float(q[i, own] @ k[j, own]) / math.sqrt(width)) for j in range(len(others))]
            found.append(sum(share / sum(shares) * row[own] for share, row in zip(shares, v)))
        x = first[i] + layer.out(torch.cat(found))
        x = layer.attn_norm(x) if after else x
        y = x + layer.ff_out(layer.ff_in(x if after else layer.ff_norm(x)).relu())
        rows.append(layer.ff_norm(y) if after else y)
    return torch.stack(rows)


@pytest.mark.parametrize("dims", [[4], [4, 4], [4, 6], [4, 3, 3]])
@pytest.mark.parametrize("t", [1, 2, 7])
@pytest.mark.parametrize("norm", ["before", "after"])
@torch.no_grad()
def test_equals_the_loops(dims, t, norm):
    layer, x = block(dims, ff_dim=5, norm=norm), streams(dims, t=t)
    wanted = [by_hand(layer, bags[0], torch.cat(bags[1:] or bags)) for bags in zip(*x)]
    torch.testing.assert_close(layer(x), torch.stack(wanted))


@torch.no_grad()
def test_masked_rows_are_not_attended_to():
    layer, x = block([4, 4], use_mask=True), streams([4, 4], b=1)
    mask = torch.arange(5)[None] < 3
    wanted = by_hand(layer, x[0][0], x[1][0, :3])
    torch.testing.assert_close(layer(x, mask)[0], wanted)


def test_copies_start_alike_and_part_in_training():
    layer, x = block([4, 4], start="copies"), streams([4, 4])
    parts = (layer.q, layer.k, layer.v, layer.out)
    assert all(part.weight.equal(layer.q.weight) and part.bias.equal(layer.q.bias) for part in parts)
    layer(x).square().sum().backward()
    assert len({part.weight.grad.sum().item() for part in parts}) == 4
    assert not block([4, 4]).k.weight.equal(block([4, 4]).q.weight)


def test_as_many_weights_as_the_authors_use():
    assert sum(p.numel() for p in CrossLayer(dims=[128, 128], ff_dim=128).parameters()) == 99_584


def test_dropout_is_off_at_test_and_on_in_training():
    layer, x = CrossLayer(dims=[8, 8], dropout=0.0, inner_dropout=0.5), streams([8, 8])
    layer = layer.double().eval()
    assert layer(x).equal(layer(x))
    layer.train()
    torch.manual_seed(0)
    assert not layer(x).equal(layer(x))
    layer.apply(lambda m: setattr(m, "p", 0.0) if isinstance(m, nn.Dropout) else None)
    torch.testing.assert_close(layer(x), layer.eval()(x))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"dims": [4, 3, 5]}, "must be of one width, not 3, 5"),
        ({"dims": [5, 5], "heads": 2}, "heads must divide the first stream's width 5, and 2 does not"),
        ({"dims": [4], "heads": 0}, "heads must divide"),
        ({"dims": [4], "ff_dim": 0}, "ff_dim must be at least 1"),
        ({"dims": [4, 6], "start": "copies"}, "copies needs streams of one width, not 4, 6"),
    ],
)
def test_refuses(args, said):
    with pytest.raises(ValueError, match=said):
        CrossLayer(**args)
