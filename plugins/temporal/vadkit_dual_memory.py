"""Dual memory with uncertainty: one bank for what is normal, one for what is abnormal.

Zhou, Yu, Yang, "Dual Memory Units with Uncertainty Regulation for Weakly Supervised Video Anomaly
Detection", AAAI 2023: dual memory units (DMU) and the normal data uncertainty learning (DUL).
Stage 2 of the seed paper. The losses on its outputs are ``dual_memory_loss``.

Legend: b bags x crops, v videos, t snippets, c channels, s slots of a bank.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Init, full_precision, initialise, nonlinearity, to_rows


class DualMemory(Temporal):
    """Read two banks of learned slots and encode the read-outs; in training, normal bags get noise.

    A bank M answers x with a = sigmoid(x M^T / sqrt(c)): a score (mean of the s // 16 + 1 largest
    entries) and a read-out a M. Both read-outs pass one encoder of means, mu; the normal one also an
    encoder of log variances. The output is mu(abnormal read-out) + mu(normal read-out); in
    training, bags labelled normal take z = mu + noise exp(logvar / 2) for the second term.

    Labels, not positions in the batch, determine which bags are normal. Without labels (at test) no
    noise is drawn. Equal to UR-DMU and to the seed authors' code.

    Outputs besides x: abnormal_score and normal_score (b, t); abnormal_read, mu and logvar, the
    encoded read-outs; latent, z of normal bags in training and mu of all others.

    Args:
        in_dim: width of the snippets, kept.
        abnormal_slots: slots of the abnormal bank.
        normal_slots: slots of the normal bank.
        activation: after both encoders; "relu" in one of the seed authors' files.
        latent: off omits DUL: read-outs are used unencoded, logvar is 0.
        init: "xavier" as the seed starts the encoders, "torch" as UR-DMU does.
    """

    name = "dual_memory"
    inputs = {"x": "b t in_dim", "labels?": "v"}
    outputs = {
        "x": "b t dim",
        "abnormal_score": "b t",
        "normal_score": "b t",
        "abnormal_read": "b t dim",
        "latent": "b t dim",
        "mu": "b t dim",
        "logvar": "b t dim",
    }
    example = {"in_dim": 8, "abnormal_slots": 5, "normal_slots": 3}
    paper = "Zhou et al., Dual Memory Units with Uncertainty Regulation, AAAI 2023"
    fidelity = "code"
    lookback = 0
    authors_names = {
        "abnormal": "Amemory.memory_block",
        "normal": "Nmemory.memory_block",
        "encoder_mu": "encoder_mu.0",
        "encoder_var": "encoder_var.0",
    }

    def __init__(
        self,
        *,
        in_dim: int,
        abnormal_slots: int = 50,
        normal_slots: int = 50,
        activation: Literal["none", "relu"] = "none",
        latent: bool = True,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        if min(abnormal_slots, normal_slots) < 1:
            raise ValueError(f"a bank needs at least 1 slot, not {abnormal_slots} and {normal_slots}")
        self.dim = self.in_dim = in_dim
        self.abnormal = _bank(abnormal_slots, in_dim)
        self.normal = _bank(normal_slots, in_dim)
        self.encoder_mu = nn.Linear(in_dim, in_dim) if latent else None
        self.encoder_var = nn.Linear(in_dim, in_dim) if latent else None
        self.activation = nonlinearity(activation)
        initialise(self, init)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Take x (b, t, c) and labels (v); return the outputs above."""
        slots = self.abnormal.shape[0], self.normal.shape[0]
        answers = self._ask(x, torch.cat([self.abnormal, self.normal]))  # one product for both banks
        to_abnormal, to_normal = answers.split(slots, dim=-1)
        abnormal_read = self._encode(to_abnormal, self.abnormal, self.encoder_mu)
        mu = self._encode(to_normal, self.normal, self.encoder_mu)
        logvar = self._encode(to_normal, self.normal, self.encoder_var)
        if self.encoder_var is None:
            logvar = torch.zeros_like(mu)
        latent = mu
        if self.training and labels is not None and self.encoder_var is not None:
            # log(0) for abnormal bags: their deviation is 0, without a pass that chooses between two tensors.
            normal_bag = to_rows((labels < 0.5).to(logvar.dtype).log(), x.shape[0])[:, None, None]
            deviation = torch.exp(torch.add(normal_bag, logvar, alpha=0.5))
            latent = torch.addcmul(mu, self.draw_noise(mu.shape, mu), deviation)
        return {
            "x": abnormal_read + latent,
            "abnormal_score": _score(to_abnormal),
            "normal_score": _score(to_normal),
            "abnormal_read": abnormal_read,
            "latent": latent,
            "mu": mu,
            "logvar": logvar,
        }

    def draw_noise(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return Gaussian noise (b, t, c)."""
        return torch.randn(shape, dtype=like.dtype, device=like.device)

    def _ask(self, x: Tensor, bank: Tensor) -> Tensor:
        """Return a (b, t, s)."""
        # A bfloat16 answer has no value between .996 and 1: many slots would tie, and 1 - a would be 0.
        return torch.sigmoid(full_precision(x @ (bank * self.in_dim**-0.5).T))

    def _encode(self, answer: Tensor, bank: Tensor, encoder: nn.Linear | None) -> Tensor:
        """Return encoder(answer M): the bank goes through the weights once, instead of every read-out."""
        if encoder is None:
            return answer @ bank
        read = torch.addmm(encoder.bias, answer.flatten(0, 1), bank @ encoder.weight.T)
        return self.activation(read.unflatten(0, answer.shape[:2]))  # type: ignore[no-any-return]


def _score(answer: Tensor) -> Tensor:
    """Return the mean of the s // 16 + 1 largest answers (b, t, s), (b, t)."""
    return answer.topk(answer.shape[-1] // 16 + 1, dim=-1, sorted=False).values.mean(-1)


def _bank(slots: int, dim: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(slots, dim).uniform_(-(dim**-0.5), dim**-0.5))


@hookimpl
def vadkit_components() -> list[type]:
    return [DualMemory]
