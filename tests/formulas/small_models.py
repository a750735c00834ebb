"""What the tests of formulas share: drawn numbers, bags of two lengths, and values inside of a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return normal numbers in float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bags(lengths: Sequence[int], **widths: int) -> dict[str, Any]:
    """Return a batch of drawn streams: an abnormal and a normal bag, of so many real snippets."""
    draw, t = torch.Generator().manual_seed(1), max(lengths)
    streams = {n: torch.randn(len(lengths), t, c, dtype=torch.float64, generator=draw) for n, c in widths.items()}
    mask = torch.arange(t) < torch.tensor(lengths)[:, None]
    return {**streams, "mask": mask, "labels": torch.tensor([1.0, 0.0]), "crops": 1}


def values(model: Any, batch: Mapping[str, Any], *names: str) -> list[np.ndarray]:
    """Return the outputs of nodes."""
    graph = model.graph(names)
    needed = {node.target for node in graph.graph.nodes if node.op == "placeholder"}
    with torch.no_grad():
        return [found.numpy() for found in graph(**{n: x for n, x in batch.items() if n in needed}).values()]


def weights(model: torch.nn.Module, node: str) -> dict[str, np.ndarray]:
    """Return the weights of a node, by their names in it."""
    return {name: x.numpy() for name, x in dict(model.named_children())[node].state_dict().items()}


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))
