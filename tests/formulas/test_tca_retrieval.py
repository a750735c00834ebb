"""The encoder of TCA for video retrieval against a slow formula, and against torch's layer, which the authors use."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from vadkit_transformer import Transformer

Array = NDArray[np.float64]
T, C, H, F = 6, 8, 2, 12


def encoder(dropout: float = 0.2) -> Transformer:
    torch.manual_seed(0)
    built = Transformer(in_dim=C, heads=H, ff_dim=F, dropout=dropout, form="plain", init="torch", use_mask=True)
    for x in built.parameters():
        torch.nn.init.normal_(x, std=0.5)
    return built.double()


def padded() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(2, T, C, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mask = torch.ones(2, T, dtype=torch.bool)
    mask[1, 4:] = False
    return x, mask


def normed(x: Array, w: dict[str, Array], name: str) -> Array:
    centred = x - x.mean()
    return centred / math.sqrt((centred**2).mean() + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def linear(x: Array, w: dict[str, Array], name: str) -> Array:
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def encoded(x: Array, real: list[int], w: dict[str, Array]) -> Array:
    """One layer: attention head by head, a residual and a norm; then the feed-forward part, the same."""
    q, k, v = (np.stack([linear(row, w, name) for row in x]) for name in "qkv")
    found, wide = np.zeros_like(x), C // H
    for t in range(len(x)):
        joined = np.zeros(C)
        for h in range(H):
            part = slice(h * wide, (h + 1) * wide)
            weight = {s: math.exp(q[t, part] @ k[s, part] / math.sqrt(wide)) for s in real}
            joined[part] = sum(weight[s] / sum(weight.values()) * v[s, part] for s in real)
        y = normed(x[t] + linear(joined, w, "out"), w, "attn_norm")
        hidden = np.maximum(linear(y, w, "ff_in"), 0)
        found[t] = normed(y + linear(hidden, w, "ff_out"), w, "ff_norm")
    return found


@pytest.mark.formula("tca_retrieval", "encoder")
def test_the_encoder_is_the_formula() -> None:
    built, (x, mask) = encoder().eval(), padded()
    w = {name.removeprefix("layers.0."): value.numpy() for name, value in built.state_dict().items()}
    found = built(x, mask).detach().numpy()
    for b in range(2):
        real = [t for t in range(T) if mask[b, t]]
        wanted = encoded(x[b].numpy(), real, w)
        assert np.abs(found[b] - wanted)[real].max() < 1e-10


@pytest.mark.formula("tca_retrieval", "encoder")
def test_the_encoder_is_the_layer_of_torch() -> None:
    built, (x, mask) = encoder(), padded()
    layer = torch.nn.TransformerEncoderLayer(C, H, F, 0.2, batch_first=True, dtype=torch.float64)
    own = built.layers[0].state_dict()
    for kind in ("weight", "bias"):
        own[f"self_attn.in_proj_{kind}"] = torch.cat([own.pop(f"{name}.{kind}") for name in "qkv"])
        for theirs, ours in zip(
            ("self_attn.out_proj", "linear1", "linear2", "norm1", "norm2"),
            ("out", "ff_in", "ff_out", "attn_norm", "ff_norm"),
        ):
            own[f"{theirs}.{kind}"] = own.pop(f"{ours}.{kind}")
    layer.load_state_dict(own)
    wanted = layer.eval()(x, src_key_padding_mask=~mask)
    assert torch.allclose(built.eval()(x, mask)[mask], wanted[mask], atol=1e-10)
    assert {module.p for module in layer.modules() if isinstance(module, torch.nn.Dropout)} == {0.2}
    assert built.layers[0].dropout.p == built.layers[0].inner_dropout.p == layer.self_attn.dropout
