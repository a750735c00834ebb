"""A plugin of several kinds in one file, as a third party would write it. The arithmetic is simple on purpose.

Legend: ``b`` bags x crops, ``v`` videos, ``t`` snippets, ``c`` channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Fusion, Head, Labeller, Loss, Postprocess, Sampler, Selector, Source, Temporal, hookimpl


class SampleAverage(Temporal):
    """Add a projection of the mean over the neighbours; also return the norm of that mean.

    Args:
        in_dim: width of the snippets, kept.
        reach: neighbours on either side.
        use_mask: padding is no neighbour.
    """

    name = "sample_average"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim", "energy": "b t"}
    example = {"in_dim": 6}
    mask_switch = "use_mask"

    def __init__(self, *, in_dim: int, reach: int = 1, use_mask: bool = False) -> None:
        super().__init__()
        if reach < 0:
            raise ValueError(f"reach must be at least 0, not {reach}")
        self.in_dim = self.dim = in_dim
        self.reach = self.lookahead = reach
        self.use_mask = use_mask
        self.project = nn.Linear(in_dim, in_dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Take (b, t, c) and mask (b, t); return (b, t, c) and the energy (b, t)."""
        real = torch.ones_like(x[..., :1])
        if self.use_mask and mask is not None:
            real = real * mask[..., None]
        mean = self._around(x * real) / self._around(real).clamp(min=1)
        return {"x": x + self.project(mean), "energy": torch.sigmoid(mean.square().mean(-1))}

    def _around(self, x: Tensor) -> Tensor:
        t, padded = x.shape[1], F.pad(x, (0, 0, self.reach, self.reach))
        return sum(padded[:, shift : shift + t] for shift in range(2 * self.reach + 1))


class SampleJoin(Fusion):
    """Average streams of one width, with a learned scale.

    Args:
        dim: width of every stream.
    """

    name = "sample_join"
    inputs = {"*x": "b t dim"}
    outputs = {"x": "b t dim"}
    example = {"dim": 6}

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take streams (b, t, c); return (b, t, c)."""
        return torch.stack(x).mean(0) * self.scale


class SampleScore(Head):
    """Score by one linear layer with its own sigmoid.

    Args:
        dim: width of the snippets.
    """

    name = "sample_score"
    example = {"dim": 6}
    range = "probability"

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.layer = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Take (b, t, c); return probabilities (b, t)."""
        return torch.sigmoid(self.layer(x).squeeze(-1))


class SampleBank(Source):
    """Give one learned vector each for normal and abnormal.

    Args:
        dim: their width.
    """

    name = "sample_bank"
    example = {"dim": 6}

    def __init__(self, *, dim: int = 16) -> None:
        super().__init__()
        self.rows, self.dim = 2, dim
        self.weight = nn.Parameter(torch.eye(2, dim))

    def forward(self) -> Tensor:
        """Return (2, dim)."""
        return self.weight


class SampleLongest(Selector):
    """Choose the snippets of largest norm.

    Args:
        in_dim: width of the snippets.
        k: how many of each video.
    """

    name = "sample_longest"
    inputs = {"x": "b t in_dim", "crops?": ""}
    example = {"in_dim": 6}

    def __init__(self, *, in_dim: int, k: int = 4) -> None:
        super().__init__()
        self.in_dim, self.k = in_dim, k

    def forward(self, x: Tensor, crops: int | None = None) -> Tensor:
        """Take (b, t, c); return indices (v, k)."""
        length = x.norm(dim=-1).unflatten(0, (-1, crops or 1)).mean(1)
        return length.topk(min(self.k, x.shape[1])).indices


class SampleNear(Loss):
    """Bring the chosen snippets of a video close to the vector of its label.

    Args:
        dim: width of snippets and vectors.
        k: snippets chosen of each video.
    """

    name = "sample_near"
    inputs = {"x": "b t dim", "bank": "2 dim", "index": "v k", "labels": "v", "crops?": ""}
    indices = {"index": "t"}
    example = {"dim": 6, "k": 4}

    def __init__(self, *, dim: int, k: int) -> None:
        super().__init__()
        self.dim, self.k = dim, k

    def forward(self, x: Tensor, bank: Tensor, index: Tensor, labels: Tensor, crops: int | None = None) -> Tensor:
        """Take snippets (b, t, c), vectors (2, c), indices (v, k), labels (v); return one number."""
        rows = index.repeat_interleave(crops or 1, 0)[..., None].expand(-1, -1, self.dim)
        own = bank[labels.long()].repeat_interleave(crops or 1, 0)[:, None]
        return (x.gather(1, rows) - own).square().mean()


class SamplePull(Loss):
    """Pull a video's mean score to its label, and its energy to one half; and each score to its target.

    Args:
        weight: of the second part.
    """

    name = "sample_pull"
    inputs = {
        "scores": "b t",
        "energy": "b t",
        "labels": "v",
        "targets?": "b t",
        "target_weight?": "b t",
        "mask?": "b t",
        "crops?": "",
    }
    needs = {"scores": "probability"}

    def __init__(self, *, weight: float = 0.01) -> None:
        super().__init__()
        self.weight = weight

    def forward(
        self,
        scores: Tensor,
        energy: Tensor,
        labels: Tensor,
        targets: Tensor | None = None,
        target_weight: Tensor | None = None,
        mask: Tensor | None = None,
        crops: int | None = None,
    ) -> dict[str, Tensor]:
        """Take scores, energy and targets (b, t), labels (v); return the total and its parts."""
        real = torch.ones_like(scores) if mask is None else mask.to(scores.dtype)
        mean = (scores * real).sum(1) / real.sum(1)
        pull = (mean.view(labels.shape[0], crops or 1).mean(1) - labels).square().mean()
        calm = ((energy - 0.5).square() * real).sum() / real.sum()
        parts = {"total": pull + self.weight * calm, "pull": pull, "calm": calm}
        if targets is None:
            return parts
        counts = real if target_weight is None else real * target_weight
        taught = ((scores - targets).square() * counts).sum() / counts.sum().clamp(min=1)
        return {**parts, "total": parts["total"] + taught, "snippets": taught}


class SampleStart(Sampler):
    """Take the first snippets of a video; repeat the last one of a short video.

    Args:
        length: snippets in training.
    """

    name = "sample_start"

    def __init__(self, *, length: int = 32) -> None:
        self.length = length

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        """Take (t, c) arrays; return them as (length, c), and the number of real snippets."""
        rows = {name: np.minimum(np.arange(self.length), len(x) - 1) for name, x in streams.items()}
        real = min(len(x) for x in streams.values())
        return {name: x[rows[name]] for name, x in streams.items()}, min(real, self.length)

    def cut(self, streams: dict[str, np.ndarray]) -> list[tuple[dict[str, np.ndarray], int]]:
        """Take (t, c) arrays; return halves that overlap by one snippet, the first half padded by one more."""
        t = len(next(iter(streams.values())))
        middle = t // 2
        first = {name: np.pad(x[: middle + 1], ((0, 1), (0, 0))) for name, x in streams.items()}
        return [(first, middle + 1), ({name: x[middle:] for name, x in streams.items()}, t - middle)]

    def spread(self, scores: list[np.ndarray], t: int) -> np.ndarray:
        """Average the snippet that both halves hold."""
        first, second = scores
        return np.concatenate([first[:-1], [(first[-1] + second[0]) / 2], second[1:]])


class SampleClip(Postprocess):
    """Cut scores at a ceiling.

    Args:
        top: the ceiling.
    """

    name = "sample_clip"

    def __init__(self, *, top: float = 1.0) -> None:
        self.top = top

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Take and return (t,)."""
        return np.minimum(scores, self.top)


class SampleLabels(Labeller):
    """Label a snippet of an abnormal video as abnormal if it scores more than the video's mean.

    Args:
        sure: weight of the snippets whose score is the same in all passes; that of all others is 1.
    """

    name = "sample_labels"

    def __init__(self, *, sure: float = 2.0) -> None:
        self.sure = sure

    def label(
        self, scores: Mapping[str, np.ndarray], labels: Mapping[str, int], earlier: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Take scores (passes, t), labels and earlier targets by video; return targets and weights (t, 2)."""
        targets = {}
        for name, rows in scores.items():
            mean = rows.mean(0)
            chosen = (mean > mean.mean()) & (labels[name] == 1)
            weight = np.where((rows == rows[0]).all(0), self.sure, 1.0)
            targets[name] = np.stack([chosen, weight], axis=1).astype(np.float32)
        return targets


@hookimpl
def vadkit_components() -> list[type]:
    return [
        *(SampleAverage, SampleJoin, SampleScore, SampleBank, SampleLongest),
        *(SampleNear, SamplePull, SampleStart, SampleClip, SampleLabels),
    ]


@hookimpl
def vadkit_configs() -> Path:
    return Path(__file__).parent / "vadkit_sample_graphs"
