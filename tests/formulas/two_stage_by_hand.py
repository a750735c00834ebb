"""Layers and losses in loops of float64 numpy, for systems that are trained in two stages.

A weight is looked up by the name that it has in the model, so that nothing else of the model is called.

Legend: t snippets, s rows that are attended to, c channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

Weights = Mapping[str, np.ndarray]
EPS = 1e-5  # of a LayerNorm


def weights_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Return all weights as float64."""
    return {name: x.detach().double().numpy() for name, x in model.state_dict().items()}


def drawn(t: int, seed: int, **widths: int) -> dict[str, np.ndarray]:
    """Return drawn streams (t, c) by name."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal((t, width)) for name, width in widths.items()}


def scored(model: nn.Module, streams: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the scores (t,) of the model for one bag, computed in float64."""
    with torch.no_grad():
        found = model.double().eval()(**{name: torch.from_numpy(x)[None] for name, x in streams.items()})
    return np.asarray(found[0].numpy())


def linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    rows = np.zeros((len(x), len(weight)))
    for i, row in enumerate(x):
        for j, column in enumerate(weight):
            rows[i, j] = sum(a * b for a, b in zip(row, column)) + (0.0 if bias is None else bias[j])
    return rows


def normed(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    rows = [(row - row.mean()) / math.sqrt(row.var() + EPS) for row in x]
    return np.stack(rows) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attended(q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int) -> np.ndarray:
    """Return softmax(q k^T / sqrt(d)) v for each head, joined; q (t, c), k and v (s, c)."""
    width, found = q.shape[1] // heads, np.zeros((len(q), v.shape[1]))
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        for i in range(len(q)):
            shares = [math.exp(float(q[i, own] @ row) / math.sqrt(width)) for row in k[:, own]]
            for share, row in zip(shares, v[:, own]):
                found[i, own] += share / sum(shares) * row
    return found


def unit(weights: Weights, name: str, asking: np.ndarray, answering: np.ndarray, heads: int = 4) -> np.ndarray:
    """Return a post-norm layer of attention and feed-forward part."""
    q, k, v = (linear(weights, f"{name}.{part}", x) for part, x in zip("qkv", (asking, answering, answering)))
    x = normed(weights, f"{name}.attn_norm", asking + linear(weights, f"{name}.out", attended(q, k, v, heads)))
    hidden = np.maximum(linear(weights, f"{name}.ff_in", x), 0)
    return normed(weights, f"{name}.ff_norm", x + linear(weights, f"{name}.ff_out", hidden))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.array([1 / (1 + math.exp(-value)) for value in x])


def cross_entropy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean over snippets of - y log s - (1 - y) log(1 - s)."""
    terms = [-y * math.log(s) - (1 - y) * math.log(1 - s) for s, y in zip(scores.ravel(), targets.ravel())]
    return sum(terms) / len(terms)
