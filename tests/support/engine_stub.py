"""A tiny trainable system and batches for it, to test the engine apart from graphs and data; and a small graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vadkit.engine.progress import Progress
from vadkit.engine.run_log import Log
from vadkit.engine.session import Outcome, Session
from vadkit.graph.schema import with_defaults

# Dropout of two sorts and a loss that is a mean over bags.
GRAPH = {
    "about": "a small system for the tests of the engine",
    "inputs": {"rgb": "b t 16", "flow": "b t 12"},
    "nodes": {
        "context": {"use": "tca", "in": "rgb", "args": {"hidden": 8, "window": 3}},
        "cnn": {"use": "dense", "in": "context", "args": {"dim": 12, "dropout": 0.3}},
        "fusion": {"use": "gated_attention", "in": ["cnn", "flow"]},
        "h": {"use": "progressive_dropout", "in": "fusion"},
        "score": {"use": "causal_conv", "in": "h"},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"sampler": {"args": {"length": 16}}, "batch": 4},
    "train": {"steps": 12, "epochs": None, "optimizer": {"lr": 0.003}},
}


class StubLoss(nn.Module):
    """Binary cross entropy of each bag's mean score: a mean over bags."""

    kind = "loss"

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy(scores.mean(1), labels)


class StubModel(nn.Module):
    """x (b, t, 6) -> scores (b, t), with dropout, a buffer, and a parameter that no loss reaches."""

    def __init__(self, dropout: float = 0.2, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.context = nn.Linear(6, 8)
            self.score = nn.Linear(8, 1)
        self.losses = nn.ModuleDict({"mil": StubLoss()})
        self.dropout = nn.Dropout(dropout)
        self.unused = nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.dropout(self.context(x).relu())).squeeze(-1).sigmoid()

    def loss(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        self.seen += 1
        scores = self(batch["x"])
        mil = self.losses["mil"](scores=scores, labels=batch["labels"])
        smooth = scores.diff(dim=1).square().mean(1).mean()
        return {"total": mil + 0.1 * smooth, "mil": mil, "smooth": smooth}


class StubBatches:
    """Batches of ``bags`` normal and ``bags`` abnormal bags; a pure function of (seed, number)."""

    def __init__(self, seed: int = 0, bags: int = 4, length: int = 10, t: int = 5) -> None:
        self.seed, self.bags, self.length, self.t = seed, bags, length, t

    def __len__(self) -> int:
        return self.length

    def batch(self, step: int) -> dict[str, Any]:
        draw = torch.Generator().manual_seed(1000 * self.seed + step)
        labels = torch.tensor([0.0, 1.0]).repeat_interleave(self.bags)
        x = torch.randn(2 * self.bags, self.t, 6, generator=draw)
        x[:, :, 0] += labels[:, None]
        return {"x": x, "labels": labels, "crops": 1}


def section(**changes: Any) -> dict[str, Any]:
    """Return a complete ``train`` section with the given keys changed."""
    base = {"epochs": None, "steps": 12, "optimizer": {"lr": 0.01}}
    return with_defaults({"inputs": {}, "train": {**base, **changes}})["train"]


def fit(
    model: nn.Module, batches: Any, train: dict[str, Any] | None = None, progress: Progress | None = None
) -> Outcome:
    """Train ``model`` in memory on the CPU, without a folder; None for ``train`` is the section of the model."""
    chosen = model.spec["train"] if train is None else section(**train)
    return Session(model, batches, chosen, torch.device("cpu"), log=Log(progress=progress)).run()
