"""Top-k nominator: a soft mask over the snippets from a differentiable, perturbed top-k of their scores.

Joo et al., "CLIP-TSA: CLIP-Assisted Temporal Self-Attention for Weakly-Supervised Video Anomaly
Detection", ICIP 2023; the estimator is Berthet et al., "Learning with Differentiable Perturbed
Optimizers", NeurIPS 2020. Section IV-B of the seed paper feeds CLIP features through it.

Legend: b bags x crops, t snippets, c channels, n noise draws, k snippets kept.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import full_precision, initialise

Gradient = Literal["authors", "textbook", "centred"]
TABLE = 2048  # snippets after which the fixed noise of evaluation repeats
BLUR = 0.02  # of sigma: scores nearer than that are not ranked sharply by the causal variant


class TopkNominator(Temporal):
    """Weight each snippet by how often its noise-perturbed score ranks in the top k.

    Scores s in (0, 1) get n draws of Gaussian noise of width sigma; gate_t is the share of draws
    in which snippet t is among the k largest; out is gate * x. The number of snippets is kept.

    The authors store one-hot ranks (b, n, k, t) and a product (b, k, t, c), whose rank axis is
    summed immediately. A mask (b, n, t) gives the same numbers, forward and backward, in a
    thousandth of the memory. Equal to CLIP-TSA and to the seed authors' code.

    Deviation: the authors draw noise in evaluation too, so that scores change from pass to pass.
    Here evaluation uses one fixed table for all bags, so that a score never depends on its
    neighbours in the batch; ``eval_noise: on`` is the authors' way.

    Args:
        in_dim: width of the snippets, kept.
        ratio: share of the snippets that is kept; k = int(ratio * t), at least 1.
        k_max: most snippets kept, null for no limit. The authors' 500 takes effect at t >= 528: long
            test videos then keep a smaller share than any training bag.
        samples: noise draws n.
        sigma: width of the noise.
        score: "mlp" learns the score (code); "l2norm" takes the feature's length relative to the
            longest of the bag ("magnitude" taken literally); "mahalanobis" its distance from the mean of the bag,
            each channel by its deviation there, relative to the farthest (Sharif et al., Sensors 2023, name the
            metric; how it is applied is a guess).
        eval_noise: "seeded" (one fixed table), "on" (fresh draws) or "off" (the hard top-k).
        gradient: "authors" contracts the transposed Jacobian, "textbook" is Berthet's estimator,
            "centred" subtracts the mean mask from it; all without bias, "centred" varies least.
    """

    name = "topk_nominator"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t dim", "gate": "b t"}
    example = {"in_dim": 8, "samples": 4}
    paper = "Joo et al., CLIP-TSA, ICIP 2023"
    fidelity = "code"
    lookahead = "all"
    authors_names = {"scorer.0": "scorer.fc1", "scorer.2": "scorer.fc2"}

    def __init__(
        self,
        *,
        in_dim: int,
        ratio: float = 0.95,
        k_max: int | None = 500,
        samples: int = 100,
        sigma: float = 0.05,
        score: Literal["mlp", "l2norm", "mahalanobis"] = "mlp",
        eval_noise: Literal["seeded", "on", "off"] = "seeded",
        gradient: Gradient = "authors",
    ) -> None:
        super().__init__()
        if not 0 < ratio <= 1:
            raise ValueError(f"ratio must be above 0 and at most 1, not {ratio}")
        if samples < 1 or sigma <= 0:
            raise ValueError(f"samples and sigma must be above 0, not {samples} and {sigma}")
        if samples > 10_000:
            raise ValueError(f"samples must be at most 10000, not {samples}")
        if k_max is not None and k_max < 1:
            raise ValueError(f"k_max must be at least 1, or null for no limit, not {k_max}")
        self.dim = self.in_dim = in_dim
        self.k_max, self.samples, self.sigma = k_max, samples, sigma
        self.score, self.eval_noise, self.gradient = score, eval_noise, gradient
        # 0.95 as 19/20: k must be exact for a t that is only known at run time.
        self.ratio = Fraction(repr(ratio))
        self.scorer = _scorer(in_dim) if score == "mlp" else None
        generator = torch.Generator("cpu").manual_seed(0)
        table = torch.empty(samples, TABLE, device="cpu").normal_(generator=generator)
        self.register_buffer("table", table.to(torch.get_default_device()), persistent=False)
        initialise(self)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take x (b, t, c); return x (b, t, c) and gate (b, t)."""
        scores = self.scores(x)
        noise = self._noise(scores)
        perturbed = scores.detach()[:, None, :] + self.sigma * noise  # (b, n, t)
        gate = SoftMask.apply(scores, self._mask(perturbed), noise, self.sigma, self.gradient)
        return {"x": x * gate[..., None], "gate": gate}

    def scores(self, x: Tensor) -> Tensor:
        """Return s (b, t) in (0, 1)."""
        if self.scorer is None:
            length = distance(full_precision(x)) if self.score == "mahalanobis" else x.float().norm(dim=-1)
            return length / length.amax(1, keepdim=True).clamp_min(1e-12)
        # In half precision close scores would tie, so the sigmoid is computed in float32.
        return torch.sigmoid(self.scorer(x).float())[..., 0]

    def draw_noise(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return Gaussian noise (b, n, t)."""
        return torch.randn(shape, dtype=like.dtype, device=like.device)

    def _noise(self, scores: Tensor, number: int = 0) -> Tensor:
        """Return (b or 1, n, t), from the snippet of that ``number`` on; evaluation shares one noise among all bags."""
        if self.training or self.eval_noise == "on":
            return self.draw_noise((scores.shape[0], self.samples, scores.shape[1]), scores)
        if self.eval_noise == "off":
            return torch.zeros_like(scores[:1, None, :])
        position = (torch.arange(scores.shape[1], device=scores.device) + number) % TABLE
        return self.table[:, position][None]

    def _mask(self, perturbed: Tensor) -> Tensor:
        """Return 1.0 at the k largest of perturbed scores (b, n, t), 0.0 elsewhere."""
        return topk_mask(perturbed, self._count(perturbed.shape[-1]))

    def _count(self, length: int) -> int:
        """Return k for a bag of that many snippets."""
        k = torch.sym_max(length * self.ratio.numerator // self.ratio.denominator, 1)
        return k if self.k_max is None else torch.sym_min(k, self.k_max)


class CausalNominator(TopkNominator):
    """Weight each snippet by how often its noise-perturbed score ranks in the top k of the last ones, for live scores.

    As ``topk_nominator`` with its learned score, but a snippet competes with the last ``past`` ones up to itself, of
    which k = int(ratio * past) are kept. The authors' gradient relies on two snippets displacing each other, so the
    estimators are the other two. Scores nearer than ``BLUR`` sigma are not ranked sharply.

    Args:
        in_dim: width of the snippets, kept.
        past: snippets among which one is ranked, itself one of them.
        ratio: share of them that is kept.
        samples: noise draws n.
        sigma: width of the noise.
        eval_noise: "seeded" (one fixed table), or "off".
        gradient: "textbook" is Berthet's estimator, "centred" subtracts the mean mask from it.
    """

    name = "causal_nominator"
    example = {"in_dim": 8, "past": 4, "samples": 4}
    fidelity = "ours"
    lookahead = 0

    def __init__(
        self,
        *,
        in_dim: int,
        past: int = 64,
        ratio: float = 0.95,
        samples: int = 100,
        sigma: float = 0.05,
        eval_noise: Literal["seeded", "off"] = "seeded",
        gradient: Literal["textbook", "centred"] = "centred",
    ) -> None:
        super().__init__(
            in_dim=in_dim,
            ratio=ratio,
            k_max=None,
            samples=samples,
            sigma=sigma,
            eval_noise=eval_noise,
            gradient=gradient,
        )
        if past < 1:
            raise ValueError(f"past must be at least 1, not {past}")
        self.past = past

    def _mask(self, perturbed: Tensor) -> Tensor:
        """Return what ``_past_mask`` does of a whole video (b, n, t)."""
        # A short video has fewer to compare; while a graph is traced, its length is no number.
        others = (self.past if torch.compiler.is_compiling() else min(self.past, perturbed.shape[-1])) - 1
        before = perturbed.new_full((*perturbed.shape[:2], others), -torch.inf)
        return self._past_mask(torch.cat([before, perturbed], dim=-1), others, 0)

    def step(self, state: dict[str, Any] | None, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Take the perturbed scores kept and the next x (b, n, c); return x (b, n, c), gate (b, n) and what to keep."""
        scores = self.scores(x)
        number = 0 if state is None else state["number"]
        perturbed = scores[:, None, :] + self.sigma * self._noise(scores, number)
        if state is None:
            state = {"scores": perturbed.new_full((*perturbed.shape[:2], self.past - 1), -torch.inf)}
        joined = torch.cat([state["scores"], perturbed], dim=-1)
        gate = self._past_mask(joined, self.past - 1, number).mean(1)
        kept = {"scores": joined[..., x.shape[1] :].clone(), "number": number + x.shape[1]}
        return {"x": x * gate[..., None], "gate": gate}, kept

    def _past_mask(self, scores: Tensor, others: int, number: int) -> Tensor:
        """Return 1 (b, n, t) where a snippet is among the k best of the last ones, and 0 where it is not.

        ``scores`` (b, n, others + t) begin with those before the first, which is the snippet of that ``number``. A
        score that is hardly better counts in part, so that rounding does not decide between 0 and 1.
        """
        t = scores.shape[-1] - others
        own = scores[..., others:]
        better = torch.zeros_like(own)
        for back in range(1, others + 1):
            start = others - back
            better = better + ((scores[..., start : start + t] - own) / (BLUR * self.sigma) + 0.5).clamp(0, 1)
        seen = (torch.arange(t, device=own.device) + number + 1).clamp_max(self.past)
        k = (seen * self.ratio.numerator // self.ratio.denominator).clamp_min(1)
        return (k - better).clamp(0, 1)


class SoftMask(torch.autograd.Function):
    """The mean mask over the draws, with an estimate of its slope with respect to the scores."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, mask: Tensor, noise: Tensor, sigma: float, gradient: Gradient) -> Tensor:
        """Take scores (b, t), mask (b, n, t) and noise (b or 1, n, t); return the gate (b, t)."""
        ctx.save_for_backward(mask, noise)
        ctx.sigma, ctx.gradient = sigma, gradient
        return mask.mean(1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Take G = d loss / d gate (b, t). The Jacobian is J_de = mean_n(mask_nd noise_ne) / sigma."""
        mask, noise = ctx.saved_tensors
        if ctx.gradient == "centred":
            mask = mask - mask.mean(1, keepdim=True)
        # "authors": sum_e G_e J_de, transposed. It is right in expectation: J is a Hessian there.
        left, right = (noise, mask) if ctx.gradient == "authors" else (mask, noise)
        weight = (left * slope[:, None, :]).sum(-1, keepdim=True)  # (b, n, 1)
        return (weight * right).mean(1) / ctx.sigma, None, None, None, None


def distance(x: Tensor) -> Tensor:
    """Return how far each snippet of x (b, t, c) is from the mean of its bag, in deviations, (b, t)."""
    offset = x - x.mean(1, keepdim=True)
    variance = offset.square().mean(1, keepdim=True)
    # A channel that never changes adds 0, and the root needs more than 0 for its slope.
    return (offset.square() / variance.clamp_min(1e-12)).sum(-1).clamp_min(1e-12).sqrt()


def topk_mask(scores: Tensor, k: int) -> Tensor:
    """Return 1.0 at the k largest entries of the last axis, 0.0 elsewhere.

    By a full sort: a tensor with an axis of length k would tie an exported graph to k > 1.
    """
    order = scores.argsort(dim=-1, descending=True)
    chosen = (torch.arange(scores.shape[-1], device=scores.device) < k).to(scores.dtype)
    return torch.zeros_like(scores).scatter(-1, order, chosen.expand_as(scores))


def _scorer(dim: int) -> nn.Module:
    hidden = max(1, dim // 2)
    return nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, 1))


@hookimpl
def vadkit_components() -> list[type]:
    return [TopkNominator, CausalNominator]
