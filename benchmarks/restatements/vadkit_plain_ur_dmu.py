"""UR-DMU as its authors run it: two memories asked one by one, halves of the batch apart, the local matrix rebuilt.

Zhou, Yu, Yang, "Dual Memory Units with Uncertainty Regulation for Weakly Supervised Video Anomaly Detection",
AAAI 2023. Written from a description of their program, for comparison only: see ``vadkit.Restatement``.

Legend: b bags, h half of them, t snippets, c channels, s slots of a memory.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl


class PreNorm(nn.Module):
    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(dim), fn

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(self.norm(x))


class GlobalLocal(nn.Module):
    """Softmax attention and a sum weighted by distance, head by head next to one another."""

    def __init__(self, dim: int, heads: int, dim_head: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, dim_head**-0.5
        self.to_qkv = nn.Linear(dim, 4 * heads * dim_head, bias=False)
        self.to_out = nn.Sequential(nn.Linear(2 * heads * dim_head, dim), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        parts = self.to_qkv(x).chunk(4, dim=-1)
        q, k, v, local = (rearrange(part, "b t (h d) -> b h t d", h=self.heads) for part in parts)
        attention = (torch.matmul(q, k.transpose(-1, -2)) * self.scale).softmax(-1)
        position = torch.linspace(1, t, t).to(x.device)
        distance = (position * torch.ones(t, 1).to(x.device) - position.view(-1, 1)).abs()
        decay = torch.exp(-distance / math.e)
        decay = (decay / decay.sum(-1)).unsqueeze(0).unsqueeze(0).repeat(b, self.heads, 1, 1)
        joint = torch.cat([torch.matmul(attention, v), torch.matmul(decay, local)], dim=-1)
        return self.to_out(rearrange(joint, "b h t d -> b t (h d)"))


class FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        layers = [nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim), nn.Dropout(dropout)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Transformer(nn.Module):
    def __init__(self, dim: int, depth: int, heads: int, dim_head: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(depth):
            attention = PreNorm(dim, GlobalLocal(dim, heads, dim_head, dropout))
            self.layers.append(nn.ModuleList([attention, PreNorm(dim, FeedForward(dim, mlp_dim, dropout))]))

    def forward(self, x: Tensor) -> Tensor:
        for attention, feed_forward in self.layers:
            x = attention(x) + x
            x = feed_forward(x) + x
        return x


class Embedding(nn.Module):
    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.conv_1 = nn.Sequential(nn.Conv1d(in_dim, dim, kernel_size=3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_1(x.permute(0, 2, 1)).permute(0, 2, 1)


class Memory(nn.Module):
    def __init__(self, slots: int, dim: int) -> None:
        super().__init__()
        self.memory_block = nn.Parameter(torch.empty(slots, dim).uniform_(-(dim**-0.5), dim**-0.5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score (b, t) and the read-out (b, t, c)."""
        slots, dim = self.memory_block.shape
        answer = torch.sigmoid(torch.einsum("btc,sc->bts", x, self.memory_block) / dim**0.5)
        best = torch.topk(answer, slots // 16 + 1, dim=-1)[0]
        return best.mean(-1), torch.einsum("bts,sc->btc", answer, self.memory_block)


class Stage(nn.Module):
    """Everything of UR-DMU but its classifier; the seed paper's Stage 2."""

    def __init__(self, input_size: int, a_nums: int, n_nums: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.embedding = Embedding(input_size, 512)
        self.Amemory, self.Nmemory = Memory(a_nums, 512), Memory(n_nums, 512)
        self.selfatt = Transformer(512, 2, 4, 128, 512, dropout)
        self.encoder_mu = nn.Sequential(nn.Linear(512, 512))
        self.encoder_var = nn.Sequential(nn.Linear(512, 512))

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the classifier takes (b, t, 1024) and, in training, what the losses take."""
        x = self.selfatt(self.embedding(x))
        if not self.training:
            read = self.encoder_mu(self.Amemory(x)[1]) + self.encoder_mu(self.Nmemory(x)[1])
            return torch.cat([x, read], dim=-1), {}
        normal, abnormal = x[: len(x) // 2], x[len(x) // 2 :]
        a_att, a_aug = self.Amemory(abnormal)
        n_aatt, n_aaug = self.Nmemory(abnormal)
        a_natt, a_naug = self.Amemory(normal)
        n_att, n_aug = self.Nmemory(normal)
        k = x.shape[1] // 16 + 1

        def pool(rows: Tensor, score: Tensor) -> Tensor:
            index = torch.topk(score, k, dim=-1)[1]
            return torch.gather(rows, 1, index.unsqueeze(2).expand(-1, -1, rows.size(-1))).mean(1)

        negative, anchor, positive = pool(abnormal, a_att), pool(normal, n_att), pool(abnormal, n_aatt)
        triplet = F.triplet_margin_loss(*(F.normalize(v, dim=-1) for v in (anchor, positive, negative)))
        mu, var = self.encoder_mu(n_aug), self.encoder_var(n_aug)
        z = mu + torch.randn_like(mu) * torch.sqrt(torch.exp(var))
        kl = -0.5 * torch.sum(1 + var - mu.pow(2) - var.exp(), dim=1)
        a_new, n_anew, a_nnew = self.encoder_mu(a_aug), self.encoder_mu(n_aaug), self.encoder_mu(a_naug)
        longer, shorter = (torch.norm(pool(*of), dim=-1, p=2) for of in ((a_new, a_att), (z, n_att)))
        read = torch.cat([z + a_nnew, a_new + n_anew], dim=0)
        return torch.cat([x, read], dim=-1), {
            "A_att": a_att,
            "N_att": n_att,
            "A_Natt": a_natt,
            "N_Aatt": n_aatt,
            "anchor": anchor,
            "negative": negative,
            "triplet": triplet,
            "kl": kl.mean(),
            "distance": torch.relu(100 - longer + shorter).mean(),
        }


class Classifier(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(dim, 128), nn.ReLU(), nn.Linear(128, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)


class PlainUrDmu(Stage, Restatement):
    """The whole system; the normal bags are the first half of a batch."""

    graphs = {name: {"input_size": 1024, "a_nums": 60, "n_nums": 60} for name in ("ur_dmu_xd", "ur_dmu_ucf")}

    def __init__(self, *, input_size: int, a_nums: int, n_nums: int) -> None:
        super().__init__(input_size, a_nums, n_nums)
        self.cls_head = Classifier(1024)

    def run(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        joint, found = Stage.forward(self, x)
        return self.cls_head(joint).squeeze(-1), found

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        return self.run(rgb)[0]

    def loss(self, batch: dict[str, Any]) -> Tensor:
        scores, found = self.run(batch["rgb"])
        k = scores.shape[1] // 16 + 1
        mean = torch.topk(scores, k, dim=-1)[0].mean(-1)
        total = F.binary_cross_entropy(mean, batch["labels"].float())
        total = total + 0.1 * memory_answers(found, k)
        return total + 0.1 * found["triplet"] + 0.001 * found["kl"] + 0.0001 * found["distance"]


def memory_answers(found: dict[str, Tensor], k: int) -> Tensor:
    """Return the sum of the four losses on the memories' scores."""

    def cross_entropy(score: Tensor, target: float) -> Tensor:
        return F.binary_cross_entropy(score, torch.full(score.shape, target).to(score.device))

    abnormal_high = cross_entropy(torch.topk(found["A_att"], k, dim=-1)[0].mean(-1), 1.0)
    normal_low = cross_entropy(torch.topk(1 - found["N_Aatt"], k, dim=-1)[0].mean(-1), 1.0)
    return abnormal_high + normal_low + cross_entropy(found["N_att"], 1.0) + cross_entropy(found["A_Natt"], 0.0)


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainUrDmu]
