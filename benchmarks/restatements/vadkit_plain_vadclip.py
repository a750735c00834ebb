"""VadCLIP as its authors run it: the text tower is read in every call, and attention in windows is a masked map.

Wu et al., "VadCLIP: Adapting Vision-Language Models for Weakly Supervised Video Anomaly Detection", AAAI 2024. All 77
positions of a sentence pass the tower. Loops over the videos build the similarity graph and both bag losses; the
distance graph is computed on the host. Their videos have 256 rows; positions begin again after 256 here.

Legend: b rows, t snippets, c channels, n classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vadkit_plain_hl_net import GraphConvolution, nearness, similarity

from vadkit import Restatement, hookimpl

DIM, LENGTH, CONTEXT, PREFIX, POSTFIX, TEMPERATURE = 512, 256, 77, 10, 10, 0.07
START, END, VOCABULARY = 49406, 49407, 49408
# Tokens of the names of the classes, normal first.
UCF_NAMES = [[5967], [7678], [9320], [29937], [9679], [32573], [13785], [4652], [4370, 22072], [16393], [3992]]
UCF_NAMES += [[5738, 10857], [14242], [45664]]
XD_NAMES = [[5967], [4652], [3992], [14218], [7678], [1615, 6608], [13785]]
UCF = {"names": UCF_NAMES, "layers": 2, "window": 8, "text_weight": 0.1, "by_class": False}
XD = {"names": XD_NAMES, "layers": 1, "window": 64, "text_weight": 1e-4, "by_class": True}


class QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


def two_layers(dim: int) -> nn.Sequential:
    """Return two layers, four times as wide in between, under CLIP's names."""
    layers = nn.Sequential()
    layers.add_module("c_fc", nn.Linear(dim, 4 * dim))
    layers.add_module("gelu", QuickGelu())
    layers.add_module("c_proj", nn.Linear(4 * dim, dim))
    return layers


class Block(nn.Module):
    """A pre-norm layer of CLIP."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.attn, self.ln_1 = nn.MultiheadAttention(DIM, heads), nn.LayerNorm(DIM)
        self.mlp, self.ln_2 = two_layers(DIM), nn.LayerNorm(DIM)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Take x (t, b, c) and what is added to the map (t, t)."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))  # type: ignore[no-any-return]


class Blocks(nn.Module):
    def __init__(self, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(heads) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Take and return x (b, t, c)."""
        x = x.permute(1, 0, 2)
        for block in self.resblocks:
            x = block(x, mask)
        return x.permute(1, 0, 2)


class Clip(nn.Module):
    """CLIP's text tower, frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, DIM)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(CONTEXT, DIM))
        self.transformer, self.ln_final = Blocks(12, 8), nn.LayerNorm(DIM)
        self.text_projection = nn.Parameter(DIM**-0.5 * torch.randn(DIM, DIM))
        self.logit_scale = nn.Parameter(torch.zeros(()))  # never used
        self.requires_grad_(False)

    def forward(self, sentences: Tensor, ends: list[int]) -> Tensor:
        """Take sentences (n, 77, c) and where each ends; return (n, c)."""
        later = torch.full((CONTEXT, CONTEXT), float("-inf"), device=sentences.device).triu_(1)
        x = self.ln_final(self.transformer(sentences + self.positional_embedding, later))
        return x[torch.arange(len(x)), ends] @ self.text_projection


class PlainVadClip(Restatement):
    """Both branches and the losses.

    Args:
        names: tokens of the name of each class.
        layers: of the transformer in windows.
        window: snippets of a window.
        text_weight: of the loss on the texts.
        by_class: score by the classes, as on XD-Violence.
    """

    graphs: ClassVar[dict[str, dict[str, Any]]] = {"vadclip_ucf": UCF, "vadclip_xd": XD}

    def __init__(self, *, names: list[list[int]], layers: int, window: int, text_weight: float, by_class: bool) -> None:
        super().__init__()
        self.names, self.window, self.text_weight, self.by_class = names, window, text_weight, by_class
        self.temporal = Blocks(layers, 1)
        self.gc1, self.gc3 = GraphConvolution(DIM, DIM // 2), GraphConvolution(DIM, DIM // 2)
        self.gc2, self.gc4 = GraphConvolution(DIM // 2, DIM // 2), GraphConvolution(DIM // 2, DIM // 2)
        self.disAdj = nn.ParameterDict({"sigma": nn.Parameter(torch.ones(1))})  # never used
        self.linear, self.gelu, self.classifier = nn.Linear(DIM, DIM), QuickGelu(), nn.Linear(DIM, 1)
        self.mlp1, self.mlp2 = two_layers(DIM), two_layers(DIM)
        self.clipmodel = Clip()
        self.frame_position_embeddings = nn.Embedding(LENGTH, DIM)
        self.text_prompt_embeddings = nn.Embedding(CONTEXT, DIM)
        for table in (self.frame_position_embeddings, self.text_prompt_embeddings):
            nn.init.normal_(table.weight, std=0.01)

    def video(self, x: Tensor, lengths: list[int] | None) -> Tensor:
        """Return snippets (b, t, c) that know their surroundings."""
        t = x.shape[1]
        x = x + self.frame_position_embeddings(torch.arange(t, device=x.device) % LENGTH)
        mask = torch.full((t, t), float("-inf"), device=x.device)
        for start in range(0, t, self.window):
            mask[start : start + self.window, start : start + self.window] = 0
        x = self.temporal(x, mask)
        alike, near = similarity(x, lengths), nearness(x)
        first = self.gelu(self.gc2(self.gelu(self.gc1(x, alike)), alike))
        second = self.gelu(self.gc4(self.gelu(self.gc3(x, near)), near))
        out: Tensor = self.linear(torch.cat([first, second], 2))
        return out

    def texts(self) -> Tensor:
        """Return the vector of each class (n, c): start, learned words, the name, learned words, end."""
        device = self.classifier.weight.device
        rows = self.text_prompt_embeddings(torch.arange(CONTEXT, device=device)).repeat(len(self.names), 1, 1)
        ends = []
        for i, name in enumerate(self.names):
            words = self.clipmodel.token_embedding(torch.tensor([START, *name, END], device=device))
            end = PREFIX + len(name) + POSTFIX + 1
            rows[i, 0], rows[i, PREFIX + 1 : PREFIX + 1 + len(name)], rows[i, end] = words[0], words[1:-1], words[-1]
            ends.append(end)
        out: Tensor = self.clipmodel(rows, ends)
        return out

    def network(self, clip: Tensor, lengths: list[int] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the vectors of the classes (n, c), and logits (b, t) and (b, t, n)."""
        x = self.video(clip, lengths)
        logits = self.classifier(x + self.mlp2(x))
        plain = self.texts()
        prompt = logits.permute(0, 2, 1) @ x
        prompt = prompt / prompt.norm(dim=-1, keepdim=True)
        texts = plain.unsqueeze(0).expand(len(x), -1, -1) + prompt.repeat(1, len(plain), 1)
        texts = texts + self.mlp1(texts)
        unit = x / x.norm(dim=-1, keepdim=True)
        texts = texts / texts.norm(dim=-1, keepdim=True)
        return plain, logits.squeeze(-1), unit @ texts.permute(0, 2, 1) / TEMPERATURE

    def forward(self, clip: Tensor) -> Tensor:
        """Take clip (b, t, c); return scores (b, t)."""
        _, logits, classes = self.network(clip)
        return 1 - classes.softmax(dim=-1)[..., 0] if self.by_class else torch.sigmoid(logits)

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the bag losses of both branches and that of the texts."""
        mask = batch.get("mask")
        lengths = [batch["clip"].shape[1]] * len(batch["clip"]) if mask is None else mask.sum(1).tolist()
        plain, logits, classes = self.network(batch["clip"], lengths)
        scores = torch.zeros(0, device=logits.device)
        found = torch.zeros(0, device=logits.device)
        for row, wide, n in zip(torch.sigmoid(logits), classes, lengths):
            k = int(n / 16 + 1)
            scores = torch.cat([scores, torch.topk(row[:n], k=k, largest=True)[0].mean().view(1)])
            found = torch.cat([found, torch.topk(wide[:n], k=k, largest=True, dim=0)[0].mean(0, keepdim=True)])
        mil = F.binary_cross_entropy(scores, batch["labels"].float())
        share = batch["class_set"] / batch["class_set"].sum(1, keepdim=True)
        types = -(share * F.log_softmax(found, dim=1)).sum(1).mean()
        texts = torch.zeros((), device=logits.device)
        normal = plain[0] / plain[0].norm()
        for other in plain[1:]:
            texts = texts + (normal @ (other / other.norm())).abs()
        return mil + types + self.text_weight * texts / (len(plain) - 1)


@hookimpl
def vadkit_restatements() -> list[type]:
    return [PlainVadClip]
