"""transformer against PyTorch's own encoder layer, and its positions against the formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from vadkit_transformer import Transformer

from vadkit.layers import sinusoid


def block(dim=8, **args):
    torch.manual_seed(0)
    return Transformer(in_dim=dim, **{"depth": 1, "heads": 2, "ff_dim": 5, **args}).double().eval()


def snippets(b, t, dim=8):
    return torch.randn(b, t, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def as_torch(layer, dim, ff_dim):
    """Return PyTorch's pre-norm layer with the same weights."""
    other = nn.TransformerEncoderLayer(
        dim, layer.heads, ff_dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    names = {
        "self_attn.in_proj": layer.qkv,
        "self_attn.out_proj": layer.out,
        "linear1": layer.ff_in,
        "linear2": layer.ff_out,
        "norm1": layer.attn_norm,
        "norm2": layer.ff_norm,
    }
    state = {}
    for name, module in names.items():
        glue = "_" if name.endswith("in_proj") else "."
        state |= {f"{name}{glue}weight": module.weight, f"{name}{glue}bias": module.bias}
    other.load_state_dict(state)
    return other


@pytest.mark.parametrize("t", [1, 2, 9])
def test_equals_pytorch(t):
    transformer, x = block(depth=2), snippets(2, t)
    with torch.no_grad():
        wanted = x + sinusoid(x)
        for layer in transformer.layers:
            wanted = as_torch(layer, 8, 5)(wanted)
        torch.testing.assert_close(transformer(x), wanted)


@pytest.mark.parametrize("dim", [6, 7])
def test_positions_follow_the_formula(dim):
    code, pairs = sinusoid(torch.zeros(1, 5, dim, dtype=torch.float64)), math.ceil(dim / 2)
    for position in range(5):
        for channel in range(dim):
            angle = position / 10000 ** (channel // 2 / pairs)
            wanted = math.cos(angle) if channel % 2 else math.sin(angle)
            assert code[position, channel].item() == pytest.approx(wanted, abs=1e-6)


def test_a_width_that_the_heads_do_not_divide():
    assert block(dim=5, heads=4)(snippets(1, 3, 5)).shape == (1, 3, 5)


def test_with_the_mask_a_padded_bag_scores_as_the_bag_alone():
    transformer, x = block(use_mask=True), snippets(2, 9)
    mask = torch.arange(9).expand(2, 9) < torch.tensor([[9], [4]])
    torch.testing.assert_close(transformer(x, mask)[1:, :4], transformer(x[1:, :4], mask[1:, :4]))


@torch.no_grad()
def test_post_norm_equals_pytorch():
    transformer, x = block(form="post_norm", depth=2), snippets(2, 5)
    wanted = x + sinusoid(x)
    for layer in transformer.layers:
        other = nn.TransformerEncoderLayer(8, 2, 5, dropout=0.0, activation="relu", batch_first=True).double()
        parts = {"linear1": layer.ff_in, "linear2": layer.ff_out, "norm1": layer.attn_norm, "norm2": layer.ff_norm}
        parts["self_attn.out_proj"] = layer.out
        state = {f"{name}.{kind}": getattr(part, kind) for name, part in parts.items() for kind in ("weight", "bias")}
        for kind in ("weight", "bias"):
            state[f"self_attn.in_proj_{kind}"] = torch.cat([getattr(p, kind) for p in (layer.q, layer.k, layer.v)])
        other.load_state_dict(state)
        wanted = other(wanted)
    torch.testing.assert_close(transformer(x), wanted)


@torch.no_grad()
def test_the_form_of_msbt_has_no_positions_and_normalises_what_comes_in():
    transformer, post, x = block(form="msbt"), block(form="post_norm"), snippets(2, 5)
    layer = transformer.layers[0]
    layer.in_norm.weight.mul_(1.5)
    post.load_state_dict({k: v for k, v in transformer.state_dict().items() if "in_norm" not in k})
    torch.testing.assert_close(transformer(x), post.layers[0](layer.in_norm(x)))
    order = [3, 0, 4, 1, 2]
    torch.testing.assert_close(transformer(x[:, order]), transformer(x)[:, order])


def test_all_layers_may_start_alike():
    transformer = block(form="msbt", depth=2, init="equal")
    first, second = transformer.layers
    assert torch.equal(first.q.weight, first.out.weight) and torch.equal(first.ff_in.weight, second.ff_in.weight)
    with pytest.raises(ValueError, match="init 'equal' needs another form than 'pre_norm'"):
        block(init="equal")
