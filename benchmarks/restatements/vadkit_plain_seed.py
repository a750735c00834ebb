"""The systems of the paper (RGB, RGB + flow, three streams) as their authors run them: ranks one-hot, loops in losses.

IEEE OJCS 2024, arXiv 2409.11223. Written from a description of their programs, for comparison only: see
``vadkit.Restatement``. Stage 2 is UR-DMU's, context aggregation and prompt loss are PEL4VAD's.

Legend: b bags, t snippets, c channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from plain_seed_blocks import GatedFusion, HardAttention, ProgressiveDropout
from torch import Tensor, nn
from torch.nn import functional as F
from vadkit_plain_pel4vad import (
    Aggregation,
    DistanceAdj,
    bag_loss,
    causal_scores,
    lengths,
    outside_window,
    prompt_loss,
    xavier,
)
from vadkit_plain_ur_dmu import Stage, Transformer

from vadkit import Restatement, hookimpl


class RgbEncoder(nn.Module):
    def __init__(self, **given: Any) -> None:
        super().__init__()
        dim, self.win_size = given["feat_dim"], given["win_size"]
        self.self_attn = Aggregation(dim, given["hid_dim"], given["norm"])
        self.conv1, self.linear1 = (nn.Conv1d(dim, 512, kernel_size=1) for _ in range(2))
        self.linear2 = nn.Conv1d(512, given["out_dim"], kernel_size=1)
        self.dropout0, self.dropout1, self.dropout2 = nn.Dropout(0.05), ProgressiveDropout(0.5), ProgressiveDropout(0.5)
        self.norm = nn.LayerNorm(dim)
        self.loc_adj = DistanceAdj(given["gamma"], given["bias"])
        self.hard_atten = HardAttention(512)
        self.UR_DMU = Stage(1024, given["a_nums"], given["n_nums"])

    def forward(self, x: Tensor, clip: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return stage 3 (b, out_dim, t), h (b, 512, t) and what the memory losses take."""
        adj, outside = self.loc_adj(x.shape[0], x.shape[1]), outside_window(x, self.win_size)
        context = x + self.self_attn(x, outside, adj)
        x_cnn = self.dropout0(F.relu(self.conv1(context.permute(0, 2, 1))))
        joint, found = self.UR_DMU(torch.cat([x_cnn.permute(0, 2, 1), self.hard_atten(clip)], dim=-1))
        stage2 = self.norm(joint + context).permute(0, 2, 1)
        h = self.dropout1(F.gelu(self.linear1(stage2) + x_cnn))
        return self.dropout2(F.gelu(self.linear2(h))), h, found


def memory_loss(found: dict[str, Tensor], seq_len: Tensor, cos_loss: float) -> Tensor:
    """Return the losses on the memories; two of them bag by bag, over the real snippets."""

    def high(score: Tensor) -> Tensor:
        best = torch.topk(score, min(20, score.shape[1]), dim=-1)[0].mean(-1)
        return F.binary_cross_entropy(best, torch.ones_like(best))

    def everywhere(score: Tensor, target: float) -> Tensor:
        total = torch.tensor(0.0).to(score.device)
        for i in range(score.shape[0]):
            real = score[i, : seq_len[i]]
            total = total + F.binary_cross_entropy(real, torch.full_like(real, target))
        return total / score.shape[0]

    answers = high(found["A_att"]) + high(1 - found["N_Aatt"])
    answers = answers + everywhere(found["N_att"], 1.0) + everywhere(found["A_Natt"], 0.0)
    cosine = 1 - F.cosine_similarity(found["anchor"], found["negative"], dim=-1).mean()
    total = 0.1 * answers + 0.1 * found["triplet"] + 0.001 * found["kl"] + 0.0001 * found["distance"]
    return total + cos_loss * cosine


def contrast_loss(x: Tensor, k: int, margin: float, dropout: nn.Dropout) -> Tensor:
    """Return the magnitude-contrastive loss of x (b, t, c): chosen by L2, compared by L1."""

    def magnitudes(rows: Tensor) -> Tensor:
        length = torch.norm(rows, p=2, dim=2)
        index = torch.topk(length * dropout(torch.ones_like(length)), min(k, rows.shape[1]), dim=1)[1]
        chosen = torch.gather(rows, 1, index.unsqueeze(2).expand(-1, -1, rows.shape[2]))
        return torch.norm(chosen, p=1, dim=2)

    half = x.shape[0] // 2
    distance = F.pairwise_distance(magnitudes(x[half:]), magnitudes(x[:half]), keepdim=True)
    return torch.mean(torch.clamp(margin - distance, min=0.0) ** 2)


XD: dict[str, Any] = {
    **{"variant": "rgb", "feat_dim": 1024, "hid_dim": 128, "out_dim": 300, "a_nums": 50, "n_nums": 50},
    **{"win_size": 9, "gamma": 0.06, "bias": 0.02, "norm": False, "t_step": 3, "temp": 0.05},
    **{"lamda": 0.6, "alpha": 0.6, "l_mc": 1e-5, "cos_loss": 0.0, "k": 20, "margin": 100.0},
}
UCF = {**XD, "gamma": 0.6, "bias": 0.2, "norm": True, "t_step": 9, "temp": 0.09, "lamda": 1.1, "alpha": 0.5}
SHT = {**XD, "win_size": 5, "gamma": 0.08, "bias": 0.1, "norm": True, "temp": 0.2, "lamda": 1.2, "alpha": 0.4}
FLOW = {"variant": "flow", "lamda": 0.0, "alpha": 0.0, "l_mc": 1e-4, "margin": 150.0}


class PlainSeed(Restatement):
    """The three systems; the normal bags are the first half of a batch.

    Arguments have the names of the authors' configs; ``l_mc`` is the weight of L_MC, ``cos_loss`` that of the cosine
    in L_UR. The two-stream program computes L_PEL and L_UR although their weights are 0, the three-stream one does not.
    """

    graphs = {
        "seed_xd_rgb": XD,
        "seed_ucf_rgb": UCF,
        "seed_sht_rgb": {**SHT, "margin": 210.0},
        "seed_xd_rgb_flow": {**XD, **FLOW},
        "seed_ucf_rgb_flow": {**UCF, **FLOW, "margin": 100.0, "alpha": 0.5},
        "seed_sht_rgb_flow": {**SHT, **FLOW},
        "seed_xd_three_stream": {**XD, **FLOW, "variant": "three", "l_mc": 3e-5, "margin": 100.0},
        **{
            f"wsv_gst_{name}": {**own, "cos_loss": 0.5}
            for name, own in (("xd", XD), ("ucf", UCF), ("sht", {**SHT, "margin": 210.0}))
        },
    }

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.given = given = {**XD, **given}
        dim, variant = given["out_dim"], given["variant"]
        self.variant = variant
        self.self_attention = RgbEncoder(**given)
        self.dropout, self.drop_choice = nn.Dropout(0.5 if variant == "flow" else 0.0), nn.Dropout(0.5)
        if variant != "rgb":
            self.linear = nn.Linear(1024, dim)
            self.transformer = Transformer(dim, 1, 2, 128, dim, 0.1)
            self.gated_fusion = GatedFusion(dim)
        if variant == "three":
            self.linear2 = nn.Linear(dim, 128)
            self.transformer2 = Transformer(128, 1, 2, 64, 128, 0.02)
            self.gated_fusion2 = GatedFusion(128)
        else:
            self.logit_scale = nn.Parameter(torch.ones([]) * math.log(1 / given["temp"]))
        self.classifier = nn.Conv1d(128 if variant == "three" else dim, 1, given["t_step"])
        self.apply(xavier)

    def run(self, streams: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Return the scores (b, t), what L_MC compares (b, t, c), h (b, 512, t) and what L_UR takes."""
        x, h, found = self.self_attention(streams["rgb"], streams["clip"])
        compared = h.permute(0, 2, 1)
        if self.variant != "rgb":
            flow = self.transformer(F.gelu(self.linear(streams["flow"])))
            compared = self.gated_fusion(x.permute(0, 2, 1), flow)
            if self.variant == "three":
                compared = self.gated_fusion2(F.gelu(self.linear2(compared)), self.transformer2(streams["audio"]))
            x = self.dropout(compared).permute(0, 2, 1)
        return causal_scores(self.classifier, x), compared, h, found

    def forward(self, **streams: Tensor) -> Tensor:
        return self.run(streams)[0]

    def loss(self, batch: dict[str, Any]) -> Tensor:
        given, seq_len = self.given, lengths(batch)
        scores, compared, h, found = self.run(batch)
        total = bag_loss(scores, batch["labels"], seq_len)
        total = total + given["l_mc"] * contrast_loss(compared, given["k"], given["margin"], self.drop_choice)
        if self.variant == "three":
            return total
        for weight, loss in (
            (given["lamda"], prompt_loss(h, scores, batch, self.logit_scale)),
            (given["alpha"], memory_loss(found, seq_len, given["cos_loss"])),
        ):
            total = total + weight * loss if weight else total
        return total


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainSeed]
