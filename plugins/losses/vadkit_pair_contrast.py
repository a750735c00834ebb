"""Contrast between features of the same snippets: each recognises itself among all snippets of the video.

The temporal consistency contrast of MSBT (Sun, Gong, "Multi-scale Bottleneck Transformer for Weakly Supervised
Multimodal Violence Detection", ICME 2024).

Legend: b bags x crops, t snippets, k features of one snippet, c channels, p pairs of features.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, hide, masked_mean, weighted_mean


class PairContrast(Loss):
    """Draw two features of one snippet together and away from other snippets, for every two of k features.

    With features scaled to length 1, S_ij = a_i . b_j / temperature over the snippets i, j of one bag. The loss is
    -log softmax of row i at i plus the same of column i, its mean over the real snippets, the bags, and the
    k (k - 1) / 2 pairs of features. Labels are not used. Equal to the authors' code.

    Args:
        parts: features of a snippet.
        dim: width of each.
        temperature: divides the similarities.
    """

    name = "pair_contrast"
    inputs = {"x": "b t parts dim", "mask?": "b t"}
    example = {"parts": 3, "dim": 8}
    paper = "Sun, Gong, Multi-scale Bottleneck Transformer, ICME 2024"
    fidelity = "code"

    def __init__(self, *, parts: int, dim: int, temperature: float = 0.5) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        if parts < 2:
            raise ValueError(f"there must be at least two features to compare, not {parts}")
        self.parts, self.dim, self.temperature = parts, dim, temperature

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take features (b, t, k, c) and mask (b, t); return the loss."""
        x = rearrange(F.normalize(full_precision(x), dim=-1), "b t k c -> b k t c")
        mask = torch.ones_like(x[:, 0, :, 0], dtype=torch.bool) if mask is None else mask
        first, second = torch.triu_indices(self.parts, self.parts, offset=1, device=x.device)
        a, b = x[:, first], x[:, second]  # (b, p, t, c)
        logits = a @ b.transpose(2, 3) / self.temperature  # (b, p, t, t)
        rows = hide(logits, mask[:, None, None, :]).logsumexp(3)
        columns = hide(logits, mask[:, None, :, None]).logsumexp(2)
        own = (a * b).sum(-1) / self.temperature
        terms = (rows + columns - 2 * own).mean(1)  # (b, t)
        return weighted_mean(masked_mean(terms, mask), mask.any(1).float())


@hookimpl
def vadkit_components() -> list[type]:
    return [PairContrast]
