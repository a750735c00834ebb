"""Graph convolutions over the snippets of a video: each takes from those that are similar, near, or scored alike.

Wu et al., "Not only Look, but also Listen: Learning Multimodal Violence Detection under Weak Supervision", ECCV 2020:
the holistic, the localised and the score branch of HL-Net. VadCLIP (Wu et al., AAAI 2024) took over the first two.

Legend: b bags x crops, t snippets, c channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Activation, Dropout, by_rows, clear, distances, hide, initialise, nonlinearity

PAPER = "Wu et al., Not only Look, but also Listen, ECCV 2020"
DECAY = math.e  # snippets over which the weight of a near one falls to 1/e
KERNEL = 5  # of the residual convolution
Rows = Callable[[slice], Tensor]  # some rows of a graph: (b, rows, t), or (rows, t) for all bags


class SimilarityGraph(Temporal):
    """Convolve over the graph of snippets whose features are alike: the softmax of their cosines above a threshold.

    Each of two layers multiplies by its weights, sums over the graph, and adds its input (through a convolution over
    five snippets where the width changes); activation and dropout follow. With a mask, padding has no edges; as in the
    authors' code, it still enters the residual convolution.

    Args:
        in_dim: width of the snippets.
        feature_dim: width of the features that are compared; without any, the snippets themselves are.
        dim: width of each layer; null keeps ``in_dim``.
        activation: after every layer; VadCLIP has "quick_gelu".
        threshold: cosines up to it count as 0.
        zeros: such a 0 takes part in the softmax, where it weighs e^0, as in the authors' code; off leaves it out.
        dropout: after every layer.
        use_mask: padding counts as zero in the residual convolution, too.
    """

    name = "similarity_graph"
    inputs = {"x": "b t in_dim", "features?": "b t feature_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "feature_dim": 6, "dim": 4}
    paper = PAPER
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        feature_dim: int | None = None,
        dim: int | None = None,
        activation: Activation = "relu",
        threshold: float = 0.7,
        zeros: bool = True,
        dropout: float = 0.0,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        self.in_dim, self.feature_dim, self.dim = in_dim, feature_dim, dim or in_dim
        self.threshold, self.zeros, self.use_mask = threshold, zeros, use_mask
        self.layers, self.dropout = graph_layers(in_dim, self.dim), Dropout(dropout)
        self.activation = nonlinearity(activation)

    def forward(self, x: Tensor, features: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c), features (b, t, c') and mask (b, t); return (b, t, dim)."""
        return convolved(
            self, x, self.graph(x if features is None else features, mask), mask if self.use_mask else None
        )

    def graph(self, features: Tensor, mask: Tensor | None = None) -> Rows:
        """Return the graph of features (b, t, c'), as a function of the rows."""
        size = features.norm(dim=-1)

        def rows(part: slice) -> Tensor:
            cosine = features[:, part] @ features.transpose(1, 2) / (size[:, part, None] * size[:, None] + 1e-20)
            near = torch.where(cosine > self.threshold, cosine, 0)
            return softmax(near if self.zeros else hide(near, cosine > self.threshold), mask, part)

        return rows


class DistanceGraph(Temporal):
    """Convolve over the graph of near snippets: the weight falls by 1/e every e snippets.

    Layers as in ``similarity_graph``. Padding takes part in the authors' code.

    Args:
        in_dim: width of the snippets.
        dim: width of each layer; null keeps ``in_dim``.
        activation: after every layer; VadCLIP has "quick_gelu".
        normalise: divide each row by its sum; off as in the authors' code, where a row sums to as much as 5.5.
        dropout: after every layer.
        use_mask: exclude padding.
    """

    name = "distance_graph"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 8, "dim": 4}
    paper = PAPER
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        dim: int | None = None,
        activation: Activation = "relu",
        normalise: bool = False,
        dropout: float = 0.0,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        self.in_dim, self.dim, self.normalise, self.use_mask = in_dim, dim or in_dim, normalise, use_mask
        self.layers, self.dropout = graph_layers(in_dim, self.dim), Dropout(dropout)
        self.activation = nonlinearity(activation)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c) and mask (b, t); return (b, t, dim)."""
        mask = mask if self.use_mask else None
        return convolved(self, x, self.graph(x, mask), mask)

    def graph(self, x: Tensor, mask: Tensor | None = None) -> Rows:
        """Return the graph of snippets like x (b, t, c), as a function of the rows."""

        def rows(part: slice) -> Tensor:
            weight = torch.exp(distances(x, part) / -DECAY).to(x.dtype)
            if mask is not None:
                weight = weight * mask[:, None]
            return weight / weight.sum(-1, keepdim=True).clamp_min(1e-30) if self.normalise else weight

        return rows


class ScoreGraph(Temporal):
    """Convolve over the graph of snippets that are scored alike: the softmax of a sharpened closeness of scores.

    The closeness 1 - |p_i - p_j| of two probabilities is sharpened by a sigmoid around one half. Without scores, all
    snippets are alike. Layers and mask as in ``similarity_graph``.

    Args:
        in_dim: width of the snippets.
        dim: width of each layer; null keeps ``in_dim``.
        activation: after every layer; VadCLIP has "quick_gelu".
        sharpen: apply the sigmoid; off leaves the closeness as it is.
        temperature: of the sigmoid.
        detach: let no gradient reach the scores, as in HL-Net.
        dropout: after every layer.
        use_mask: padding counts as zero in the residual convolution, too.
    """

    name = "score_graph"
    inputs = {"x": "b t in_dim", "scores?": "b t", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    needs = {"scores": "probability"}
    example = {"in_dim": 8, "dim": 4}
    paper = PAPER
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        in_dim: int,
        dim: int | None = None,
        activation: Activation = "relu",
        sharpen: bool = True,
        temperature: float = 0.1,
        detach: bool = False,
        dropout: float = 0.0,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.in_dim, self.dim = in_dim, dim or in_dim
        self.sharpen, self.temperature = sharpen, temperature
        self.detach, self.use_mask = detach, use_mask
        self.layers, self.dropout = graph_layers(in_dim, self.dim), Dropout(dropout)
        self.activation = nonlinearity(activation)

    def forward(self, x: Tensor, scores: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c), probabilities (b, t) and mask (b, t); return (b, t, dim)."""
        scores = torch.zeros_like(x[..., 0]) if scores is None else scores
        return convolved(self, x, self.graph(scores, mask), mask if self.use_mask else None)

    def graph(self, scores: Tensor, mask: Tensor | None = None) -> Rows:
        """Return the graph of probabilities (b, t), as a function of the rows."""
        p = scores.detach() if self.detach else scores

        def rows(part: slice) -> Tensor:
            close = 1 - (p[:, part, None] - p[:, None]).abs()
            sharp = torch.sigmoid((close - 0.5) / self.temperature) if self.sharpen else close
            return softmax(sharp, mask, part)

        return rows


# -- what the three share ----------------------------------------------------------------------------
class GraphLayer(nn.Module):
    """One graph convolution with its residual, before the activation."""

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, dim, bias=False)
        self.residual = nn.Identity() if in_dim == dim else nn.Conv1d(in_dim, dim, KERNEL, padding=KERNEL // 2)

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        """Take x (b, t, c) and the graph; return (b, t, dim)."""
        value = self.linear(x)
        return by_rows(lambda part: rows(part) @ value, x) + self._residual(x)

    def _residual(self, x: Tensor) -> Tensor:
        if isinstance(self.residual, nn.Identity):
            return x
        return rearrange(self.residual(rearrange(x, "b t c -> b c t")), "b c t -> b t c")


def graph_layers(in_dim: int, dim: int) -> nn.ModuleList:
    """Return two layers, initialised as HL-Net's are. Raises ValueError for a width below 1."""
    if dim < 1:
        raise ValueError(f"dim must be at least 1, not {dim}")
    layers = nn.ModuleList([GraphLayer(in_dim, dim), GraphLayer(dim, dim)])
    initialise(layers)
    return layers


def convolved(
    component: SimilarityGraph | DistanceGraph | ScoreGraph, x: Tensor, rows: Rows, mask: Tensor | None
) -> Tensor:
    """Return x (b, t, c) after the layers of a component; what the mask (b, t) leaves out counts as zero."""
    for layer in component.layers:
        x = component.dropout(component.activation(layer(clear(x, mask), rows)))
    return x


def softmax(weights: Tensor, mask: Tensor | None, part: slice) -> Tensor:
    """Return the softmax of rows (b, rows, t) over the real snippets; rows of padding are 0."""
    if mask is None:
        return weights.softmax(-1)
    return hide(weights, mask[:, None]).softmax(-1).masked_fill(~mask[:, part, None], 0)


@hookimpl
def vadkit_components() -> list[type]:
    return [SimilarityGraph, DistanceGraph, ScoreGraph]
