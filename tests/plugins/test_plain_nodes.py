"""layer_norm and identity."""

from __future__ import annotations

import torch
from vadkit_identity import Identity
from vadkit_layer_norm import LayerNorm


def test_layer_norm_normalises_every_snippet_by_itself():
    norm, x = LayerNorm(in_dim=6), torch.randn(2, 3, 6) * 5 + 2
    with torch.no_grad():
        norm.norm.weight.fill_(2.0)
        norm.norm.bias.fill_(1.0)
        centred = x - x.mean(-1, keepdim=True)
        wanted = 1 + 2 * centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        torch.testing.assert_close(norm(x), wanted)


def test_identity_returns_what_it_got():
    x = torch.randn(2, 3, 6)
    assert Identity(in_dim=6)(x) is x


def test_identity_drops_numbers_in_training_only():
    torch.manual_seed(0)
    node, x = Identity(in_dim=8, dropout=0.5), torch.ones(2, 50, 8)
    dropped = node.train()(x)
    assert set(dropped.unique().tolist()) == {0.0, 2.0} and 0.4 < (dropped == 0).float().mean() < 0.6
    assert torch.equal(node.eval()(x), x)
