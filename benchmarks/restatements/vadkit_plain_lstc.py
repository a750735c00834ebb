"""LSTC as its authors run it: all tokens pass all layers, and a test video is scored part by part.

Sun and Gong, "Long-Short Temporal Co-Teaching for Weakly Supervised Video Anomaly Detection", ICME 2023. Two nested
loops over the videos make the ranking loss. What writes the labels between the rounds is not part of this.

Legend: b videos, t snippets, p patches, c channels, m parts, n tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Restatement, hookimpl


def relative_index(depth: int, side: int) -> Tensor:
    """Return which entry of the table belongs to two cells of a grid of depth x side x side."""
    axes = torch.meshgrid(torch.arange(depth), torch.arange(side), torch.arange(side), indexing="ij")
    cells = torch.stack(axes).flatten(1)
    apart = (cells[:, :, None] - cells[:, None, :]).permute(1, 2, 0) + torch.tensor([depth, side, side]) - 1
    reach = 2 * side - 1
    return (apart * torch.tensor([reach * reach, reach, 1])).sum(-1)


class Attention(nn.Module):
    """Attention with a residual; the norm is there also where it is not used."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        dim, self.heads, self.normed = given["d_model"], given["n_head"], given["MHA_layerNorm"]
        self.width, (drop, drop_out, _) = given["d_k"], given["rates"]
        self.w_qs, self.w_ks = (nn.Linear(dim, self.heads * self.width, bias=False) for _ in range(2))
        self.w_vs = nn.Linear(dim, self.heads * given["d_v"], bias=False)
        self.fc = nn.Linear(self.heads * given["d_v"], dim, bias=False)
        self.layer_norm, self.drop, self.drop_out = nn.LayerNorm(dim, eps=1e-6), nn.Dropout(drop), nn.Dropout(drop_out)
        self.biased = given["relative_pe"]
        if self.biased:
            depth, side = given["window_depth"], given["window_size"]
            table = torch.empty((2 * depth - 1) * (2 * side - 1) ** 2, self.heads)
            self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
            self.register_buffer("relative_position_index", relative_index(depth, side), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        m, n, _ = x.shape
        q, k, v = (layer(x).view(m, n, self.heads, -1).transpose(1, 2) for layer in (self.w_qs, self.w_ks, self.w_vs))
        scores = torch.matmul(q / self.width**0.5, k.transpose(2, 3))
        if self.biased:
            index = self.relative_position_index[: n - 1, : n - 1]
            bias = self.relative_position_bias_table[index.reshape(-1)].view(n - 1, n - 1, -1).permute(2, 0, 1)
            scores = scores + F.pad(bias, (1, 0, 1, 0)).unsqueeze(0)  # the mean of the patches has none
        found = torch.matmul(self.drop(F.softmax(scores, dim=-1)), v).transpose(1, 2).contiguous().view(m, n, -1)
        x = self.drop_out(self.fc(found)) + x
        return self.layer_norm(x) if self.normed else x


class FeedForward(nn.Module):
    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        dim, inner, self.normed = given["d_model"], given["d_inner"], given["FFN_layerNorm"]
        self.w_1, self.w_2 = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.layer_norm, self.dropout = nn.LayerNorm(dim, eps=1e-6), nn.Dropout(given["rates"][2])

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.w_2(self.w_1(x).relu())) + x
        return self.layer_norm(x) if self.normed else x


class EncoderLayer(nn.Module):
    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.slf_attn, self.pos_ffn = Attention(given), FeedForward(given)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pos_ffn(self.slf_attn(x))
        return out


class Encoder(nn.Module):
    """Layers over the patches of a part and their mean, which is the result; the last norm is not used."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.layer_stack = nn.ModuleList(EncoderLayer(given) for _ in range(given["n_layers"]))
        self.layer_norm = nn.LayerNorm(given["d_model"], eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Take parts (m, n, c); return (m, c)."""
        x = torch.cat([x.mean(1, keepdim=True), x], 1)
        for layer in self.layer_stack:
            x = layer(x)
        return x[:, 0]


STN: dict[str, Any] = {
    **{"d_model": 2048, "n_layers": 3, "n_head": 8, "d_k": 256, "d_v": 256, "d_inner": 3027, "n_patch": 16},
    **{"rates": (0.3, 0.3, 0.1), "MHA_layerNorm": False, "FFN_layerNorm": True, "relative_pe": False},
    **{"window_depth": 3, "window_size": 4, "part_len": 7, "long": False, "labels": False, "unit": False},
}
LTN = {**STN, "d_inner": 4096, "rates": (0.2, 0.2, 0.1), "MHA_layerNorm": True, "relative_pe": True}
LTN |= {"part_len": 3, "long": True, "labels": True}


class PlainLstc(Restatement):
    """One of the two networks and its losses; arguments are called as in the authors' scripts.

    ``long`` is the long-term network, which sees ``part_len`` clips at once; ``labels`` trains on targets; ``unit``
    scales patches to length 1 at test time.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {
        "lstc_stn_sht": STN,
        "lstc_stn_ucf": {**STN, "n_patch": 9},
        "lstc_stn_labels_sht": {**STN, "labels": True},
        "lstc_stn_labels_ucf": {**STN, "n_patch": 9, "labels": True},
        "lstc_ltn_sht": LTN,
        "lstc_ltn_ucf": {**LTN, "n_patch": 9, "part_len": 2, "window_depth": 2, "unit": True},
    }

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.given, self.run, self.long = given, given["part_len"], given["long"]
        self.encoder, self.head = Encoder(given), nn.ModuleDict()
        hidden = [nn.Linear(given["d_model"], 512), nn.ReLU(), nn.Dropout(0.6), nn.Linear(512, 32), nn.Dropout(0.6)]
        last = nn.Linear(32, 2 if self.long else 1)
        self.head["classifier" if self.long else "regressor"] = nn.Sequential(*hidden, last)

    def scores(self, parts: Tensor) -> Tensor:
        """Take parts (m, n, c); return the score of each (m)."""
        found = self.encoder(parts)
        if self.long:
            return self.head["classifier"](found).softmax(-1)[:, 1]  # type: ignore[no-any-return]
        return torch.sigmoid(self.head["regressor"](found)).squeeze(-1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Take rgb (b, t, p * c); return scores (b, t), part by part."""
        rgb = self.patches(rgb)
        rgb = F.normalize(rgb, dim=-1) if self.given["unit"] and not self.training else rgb
        run, t, found = self.run if self.long else 1, rgb.shape[1], []
        for start in range(0, t, run):
            first = min(start, t - run)  # a short last part reads the last clips again; below 0, Python's tail
            part = rgb[:, first : first + run] if first >= 0 else rgb[:, first:t]
            found.append(self.scores(part.flatten(1, 2))[:, None].expand(-1, min(run, t - start)))
        return torch.cat(found, 1)

    def patches(self, rgb: Tensor) -> Tensor:
        return rgb if rgb.dim() == 4 else rgb.unflatten(-1, (self.given["n_patch"], -1))

    def per_snippet(self, rgb: Tensor) -> Tensor:
        """Return scores (b, t); whole parts go through the network at once."""
        run = self.run if self.long else 1
        if rgb.shape[1] % run:
            return self(rgb)
        rgb = self.patches(rgb)
        parts = rgb.unflatten(1, (-1, run)).flatten(2, 3).flatten(0, 1)
        return self.scores(parts).view(len(rgb), -1).repeat_interleave(run, 1)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the ranking loss, the mean of scores, and on labels the cross entropy of the parts."""
        scores, labels = self.per_snippet(batch["rgb"]), batch["labels"].float()
        parts, half = self.means(scores), len(scores) // 2
        peaks, rank = parts.max(1)[0], scores.new_zeros(())
        for i in range(half):
            for j in range(half, len(scores)):
                rank = rank + (1 - peaks[j] + peaks[i]).clamp_min(0)
        flat = (parts if self.long else scores).reshape(-1)
        sparse = flat[half:].mean() if self.given["labels"] else scores[half:].mean()
        mil = rank / half**2 + 0.01 * sparse
        if not self.given["labels"]:
            return mil
        weight = batch.get("target_weight")
        weight = torch.ones_like(parts) if weight is None else self.means(weight)
        wanted = self.means(batch["targets"] * labels[:, None])
        return mil + (self.taught(parts, wanted) * weight).sum() / weight.sum()

    def means(self, x: Tensor) -> Tensor:
        """Return the mean of each part (b, parts)."""
        return torch.stack([x[:, start : start + self.run].mean(1) for start in range(0, x.shape[1], self.run)], 1)

    def taught(self, parts: Tensor, wanted: Tensor) -> Tensor:
        """Return the cross entropy of each part; that of the long-term network takes a softmax of probabilities."""
        if not self.long:
            return -2.0 * wanted * (parts + 1e-8).log() - 0.2 * (1 - wanted) * (1 - parts + 1e-8).log()
        logs = F.log_softmax(torch.stack([1 - parts, parts], -1), -1)
        return -0.8 * ((1 - wanted) * logs[..., 0] + wanted * logs[..., 1])


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainLstc]
