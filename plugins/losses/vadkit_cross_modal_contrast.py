"""Cross-modal contrast: what is violent in one stream resembles what is violent in the other, and nothing else of it.

The loss of MACIL-SD: Yu, Liu, Cheng, Feng, Zhang, "Modality-Aware Contrastive Instance Learning with
Self-Distillation for Weakly-Supervised Audio-Visual Violence Detection", ACM MM 2022.

Legend: b bags x crops, t snippets, c channels, k chosen snippets of a bag, m the most that any bag has.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, gather_snippets, hide, topk_mean


class CrossModalContrast(Loss):
    """Draw the violent parts of two streams of a bag together, away from background and from normal bags.

    A bag of n snippets has k = n // divisor + 1 of each kind, at most n. In either stream, "violent" is the mean of
    the k snippets of the highest score in a bag that is predicted violent, "normal" are the k highest ones of a bag
    that is not, and "background" the k lowest ones of any bag. With cosines s over the temperature,

    L(q, p, N) = mean of -log(exp s(q, p) / (exp s(q, p) + sum over n in N of exp s(q, n))),

    q violent in one stream, p violent in the other stream of the same bag, N background or normal in the other stream
    of all bags; a bag counts k times. The parts are the four choices of q's stream and of N; the total adds them.

    Equal to the authors' code. Quirks kept: the **predicted** bag decides (its mean of the k highest scores), not its
    label; without a bag of either prediction all parts are 0; with ``swapped`` each stream is indexed by the scores of
    the other one, as in all published figures, because their training loop takes two results in the wrong order. Every
    row of a bag of several crops is a bag by itself. No gradient reaches the scores.

    Args:
        dim: width of both streams.
        temperature: divides the cosines.
        divisor: a bag of n snippets has n // divisor + 1 of each kind.
        background: factor in the total of the two parts against background.
        normal: factor in the total of the two parts against normal bags.
        swapped: choose snippets of a stream by the scores of the other one.
    """

    name = "cross_modal_contrast"
    inputs = {
        "first": "b t dim",
        "second": "b t dim",
        "first_scores": "b t",
        "second_scores": "b t",
        "scores": "b t",
        "mask?": "b t",
    }
    needs = {"scores": "logit"}
    example = {"dim": 8, "divisor": 1}  # the mean of all random logits gives both predictions
    paper = "Yu et al., Modality-Aware Contrastive Instance Learning with Self-Distillation, ACM MM 2022"
    fidelity = "code"

    def __init__(
        self,
        *,
        dim: int,
        temperature: float = 0.1,
        divisor: int = 16,
        background: float = 1.0,
        normal: float = 1.0,
        swapped: bool = False,
    ) -> None:
        super().__init__()
        if divisor < 1:
            raise ValueError(f"divisor must be at least 1, not {divisor}")
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        self.dim, self.temperature, self.divisor, self.swapped = dim, temperature, divisor, swapped
        self.background, self.normal = background, normal

    def forward(
        self,
        first: Tensor,
        second: Tensor,
        first_scores: Tensor,
        second_scores: Tensor,
        scores: Tensor,
        mask: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Take streams (b, t, c), their scores and those of the bags as logits (b, t); return "total" and its parts."""
        mask = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        length = mask.sum(1)
        k = torch.minimum(length // self.divisor + 1, length)
        violent = (topk_mean(full_precision(scores), k, mask) > 0) & (length > 0)
        by = (second_scores, first_scores) if self.swapped else (first_scores, second_scores)
        found = [self._kinds(full_precision(x), s.detach(), k, mask) for x, s in zip((first, second), by)]
        parts = self._parts(found, k, violent)
        against = {"background": self.background, "normal": self.normal}
        total = sum(against[name.split("_")[1]] * part for name, part in parts.items())
        return {"total": total, **parts}  # type: ignore[dict-item]

    def _kinds(self, x: Tensor, scores: Tensor, k: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean of the k highest snippets (b, c), the highest and the lowest ones (b, m, c), as unit rows."""
        most = min(x.shape[1], x.shape[1] // self.divisor + 1)
        scores = full_precision(scores)
        highest = gather_snippets(x, hide(scores, mask).argsort(1, descending=True)[:, :most])
        lowest = gather_snippets(x, hide(-scores, mask).argsort(1, descending=True)[:, :most])
        chosen = (torch.arange(most, device=x.device) < k[:, None])[..., None]
        mean = highest.masked_fill(~chosen, 0).sum(1) / k.clamp_min(1)[:, None]
        return normalize(mean, dim=-1), normalize(highest, dim=-1), normalize(lowest, dim=-1)

    def _parts(self, found: list[tuple[Tensor, Tensor, Tensor]], k: Tensor, violent: Tensor) -> dict[str, Tensor]:
        normal = ~violent & (k > 0)
        both = violent.any() & normal.any()
        weight = torch.where(both & violent, k, 0)
        most = found[0][1].shape[1]
        chosen = torch.arange(most, device=k.device) < k[:, None]  # (b, m)
        parts = {}
        for name, own, other in (("first", found[0], found[1]), ("second", found[1], found[0])):
            for kind, rows, keep in (("background", other[2], chosen), ("normal", other[1], chosen & normal[:, None])):
                each = self.info_nce(own[0], other[0], rows.flatten(0, 1), keep.flatten())
                parts[f"{name}_{kind}"] = _mean(each, weight)
        return parts

    def info_nce(self, q: Tensor, p: Tensor, negatives: Tensor, keep: Tensor) -> Tensor:
        """Return -log of the share of p (b, c) for each q (b, c), among it and the negatives (n, c) to keep."""
        with torch.autocast(q.device.type, enabled=False):
            right = (q * p).sum(-1, keepdim=True) / self.temperature  # (b, 1)
            wrong = hide(q @ negatives.T / self.temperature, keep)  # (b, n)
        return torch.cat([right, wrong], 1).logsumexp(1) - right[:, 0]


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of ``values``, each counted ``weight`` times; 0 without any."""
    return (torch.where(weight > 0, values, 0) * weight).sum() / weight.sum().clamp_min(1)


@hookimpl
def vadkit_components() -> list[type]:
    return [CrossModalContrast]
