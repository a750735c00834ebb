"""PEL4VAD as its authors run it: maps and masks built and repeated per call, losses in loops over videos and pairs.

Pu, Wu, Yang, Wang, "Learning Prompt-Enhanced Context Features for Weakly-Supervised Video Anomaly Detection",
IEEE TIP 2024. Written from a description of their program, for comparison only: see ``vadkit.Restatement``.

Legend: b bags, t snippets, c channels, n rows of the prompt loss.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl


class DistanceAdj(nn.Module):
    """The learned position encoding; distances are computed on the host, and sent, in every call."""

    def __init__(self, gamma: float, bias: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.full((1,), float(gamma)))
        self.b = nn.Parameter(torch.full((1,), float(bias)))

    def forward(self, b: int, t: int) -> Tensor:
        position = np.arange(t, dtype=np.float32)
        distance = torch.from_numpy(np.abs(position[:, None] - position[None, :])).to(self.w.device)
        return torch.exp(-torch.abs(self.w * distance**2 - self.b)).unsqueeze(0).repeat(b, 1, 1)


class Aggregation(nn.Module):
    """Temporal context aggregation: two softmaxes, two products."""

    def __init__(self, dim: int, hid_dim: int, norm: bool) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(dim, hid_dim) for _ in range(3))
        self.o = nn.Linear(hid_dim, dim)
        self.norm = norm
        self.alpha = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor, outside: Tensor, adj: Tensor) -> Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        everywhere = torch.matmul(q, k.permute(0, 2, 1)) / math.sqrt(q.shape[-1]) + adj
        inside = everywhere.clone().masked_fill(outside, -1e9)
        far, near = torch.matmul(F.softmax(everywhere, -1), v), torch.matmul(F.softmax(inside, -1), v)
        share = torch.sigmoid(self.alpha)
        joint = share * far + (1 - share) * near
        if self.norm:
            joint = F.normalize(torch.sqrt(F.relu(joint)) - torch.sqrt(F.relu(-joint)))  # over time, as they run it
        return self.o(joint).view(x.shape)


def outside_window(x: Tensor, size: int) -> Tensor:
    """Return (b, t, t), True outside the window: one assignment per entry, then a copy per bag."""
    t = x.shape[1]
    inside = torch.zeros(t, t)
    for row in range(t):
        for offset in range(size):
            column = row - size // 2 + offset
            if 0 <= column < t:
                inside[row, column] = 1.0
    return inside.unsqueeze(0).repeat(x.shape[0], 1, 1).to(x.device) == 0


def causal_scores(classifier: nn.Conv1d, x: Tensor) -> Tensor:
    """Return the scores (b, t) of x (b, c, t), each from its snippet and those before it."""
    padded = F.pad(x, (classifier.kernel_size[0] - 1, 0))
    return torch.sigmoid(classifier(padded).permute(0, 2, 1)).squeeze(-1)


def xavier(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d):
        nn.init.xavier_uniform_(module.weight)


class Encoder(nn.Module):
    def __init__(
        self, dim: int, hid_dim: int, out_dim: int, win_size: int, gamma: float, bias: float, norm: bool, dropout: float
    ) -> None:
        super().__init__()
        self.win_size = win_size
        self.self_attn = Aggregation(dim, hid_dim, norm)
        self.linear1 = nn.Conv1d(dim, 512, kernel_size=1)
        self.linear2 = nn.Conv1d(512, out_dim, kernel_size=1)
        self.dropout1, self.dropout2 = nn.Dropout(dropout), nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)
        self.loc_adj = DistanceAdj(gamma, bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the head takes (b, out_dim, t) and what the prompt loss takes (b, 512, t)."""
        adj, outside = self.loc_adj(x.shape[0], x.shape[1]), outside_window(x, self.win_size)
        x = self.norm(x + self.self_attn(x, outside, adj)).permute(0, 2, 1)
        x_v = self.dropout1(F.gelu(self.linear1(x)))
        return self.dropout2(F.gelu(self.linear2(x_v))), x_v


class PlainPel4Vad(Restatement):
    """The whole system."""

    _XD = {"feat_dim": 1024, "hid_dim": 128, "out_dim": 300, "win_size": 9, "gamma": 0.06, "bias": 0.02}
    _XD |= {"norm": False, "t_step": 3, "temp": 0.05, "lamda": 1.0, "dropout": 0.1}
    graphs = {
        "pel4vad_xd": _XD,
        "pel4vad_ucf": {**_XD, "gamma": 0.6, "bias": 0.2, "norm": True, "t_step": 9, "temp": 0.09},
        "pel4vad_sht": {**_XD, "win_size": 5, "gamma": 0.08, "bias": 0.1, "norm": True, "temp": 0.2, "lamda": 9.0},
    }

    def __init__(
        self,
        *,
        feat_dim: int,
        hid_dim: int,
        out_dim: int,
        win_size: int,
        gamma: float,
        bias: float,
        norm: bool,
        t_step: int,
        temp: float,
        lamda: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.lamda = lamda
        self.self_attention = Encoder(feat_dim, hid_dim, out_dim, win_size, gamma, bias, norm, dropout)
        self.classifier = nn.Conv1d(out_dim, 1, t_step)
        self.logit_scale = nn.Parameter(torch.ones([]) * math.log(1 / temp))
        self.apply(xavier)

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        return causal_scores(self.classifier, self.self_attention(rgb)[0])

    def loss(self, batch: dict[str, Any]) -> Tensor:
        x_e, x_v = self.self_attention(batch["rgb"])
        scores = causal_scores(self.classifier, x_e)
        total = bag_loss(scores, batch["labels"], lengths(batch))
        return total + self.lamda * prompt_loss(x_v, scores, batch, self.logit_scale)


def lengths(batch: dict[str, Any]) -> Tensor:
    """Return how many snippets of each bag are real (b)."""
    if batch.get("mask") is not None:
        return batch["mask"].sum(1)
    return (torch.max(torch.abs(batch["rgb"]), dim=2)[0] > 0).sum(1)


def bag_loss(scores: Tensor, labels: Tensor, seq_len: Tensor) -> Tensor:
    """Return the cross entropy of the mean of each bag's highest scores, found bag by bag."""
    means = torch.zeros(0).to(scores.device)
    for i in range(scores.shape[0]):
        k = 1 if labels[i] == 0 else int(seq_len[i] // 16 + 1)
        best, _ = torch.topk(scores[i][: seq_len[i]], k=k, largest=True)
        means = torch.cat([means, torch.mean(best).view(1)])
    return F.binary_cross_entropy(means, labels.float())


def prompt_loss(x_v: Tensor, scores: Tensor, batch: dict[str, Any], logit_scale: Tensor) -> Tensor:
    """Return the divergence of pooled features (from (b, 512, t)) and text vectors; rows are joined one by one."""
    fore = F.normalize(torch.exp(10 * scores) - 1, p=1, dim=-1).unsqueeze(1)
    back = F.normalize(torch.exp(10 * (1 - scores)) - 1, p=1, dim=-1).unsqueeze(1)
    rows = x_v.permute(0, 2, 1)
    fore, back = torch.matmul(fore, rows).squeeze(1), torch.matmul(back, rows).squeeze(1)
    video, text, kinds = (torch.zeros(0).to(scores.device) for _ in range(3))
    prompts, classes, labels = batch["prompts"], batch["classes"], batch["labels"]
    zero = torch.zeros(1).to(scores.device)
    for i in range(scores.shape[0]):
        normal = labels[i] == 0
        video = torch.cat([video, fore[i : i + 1]])
        text = torch.cat([text, prompts[i, :1] if normal else prompts[i, 1:]])
        kinds = torch.cat([kinds, zero if normal else classes[i].view(1).float()])
        if not normal:
            video = torch.cat([video, back[i : i + 1]])
            text, kinds = torch.cat([text, prompts[i, :1]]), torch.cat([kinds, zero])
    video, text = F.normalize(video, dim=-1), F.normalize(text, dim=-1)
    found = F.log_softmax(logit_scale.exp() * video @ text.t(), dim=1)
    _ = logit_scale.exp() * video @ video.t()  # they compute it and never use it
    wanted = F.softmax(torch.from_numpy(same_class(kinds)).to(scores.device) * 10, dim=1)
    loss = F.kl_div(found, wanted, reduction="batchmean")
    return torch.zeros_like(loss) if torch.isnan(found).any() else loss


def same_class(kinds: Tensor) -> np.ndarray:
    """Return (n, n), 1 where two rows are of one class: compared pair by pair, each answer read back."""
    same = np.zeros((len(kinds), len(kinds)), dtype=np.float32)
    for i, kind in enumerate(kinds):
        for j in range(len(kinds)):
            if kinds[j] == kind:
                same[i, j] = 1
    return same


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainPel4Vad]
