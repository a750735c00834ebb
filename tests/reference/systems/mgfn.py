"""MGFN: of this system vadkit has the magnitude-contrastive loss only."""

from __future__ import annotations

from typing import Any

import torch
from cases import Case
from torch import Tensor

from systems.errors import NoSuchSystem, NotSupported
from systems.harness import component, numpy, tensor


def run(case: Case) -> dict[str, Any]:
    if case.kind != "function":
        raise NoSuchSystem("no such system: of mgfn vadkit has only the magnitude-contrastive loss yet, not the model")
    if not {"abnormal", "normal"} <= set(case.inputs):
        raise NotSupported(f"an mgfn function of {', '.join(case.inputs)}")
    return _contrast(case)


def _contrast(case: Case) -> dict[str, Any]:
    """The loss on features that were chosen already: rows crop by crop, (crops * videos, k, c)."""
    config = case.config
    chosen = {name: tensor(case.inputs[name]).requires_grad_() for name in ("normal", "abnormal")}
    videos = config["batch_size"]
    x = torch.cat([_by_video(chosen[name], videos) for name in ("normal", "abnormal")])  # (v, crops, k, c)
    labels = torch.tensor([0.0] * videos + [1.0] * videos)
    loss = component("magnitude_contrastive")(dim=x.shape[-1], form="mgfn", k=config["k"], margin=config["margin"])
    rank = torch.arange(x.shape[2]).expand(len(x), -1)
    parts = loss.compare(*loss.magnitudes(x, torch.ones(x.shape[:3], dtype=torch.bool), rank), labels)
    mil = component("topk_mil")()
    scores = torch.cat([tensor(case.inputs[f"score_{name}"]) for name in ("normal", "abnormal")])
    objective = mil(scores, labels)["total"] + 1e-3 * parts["total"]
    objective.backward()
    return {
        "loss_objective": numpy(objective),
        "mc_between": numpy(parts["between"]),
        "mc_normal": numpy(parts["within_normal"]),
        "mc_abnormal": numpy(parts["within_abnormal"]),
        **{f"grad_{name}": numpy(leaf.grad) for name, leaf in chosen.items() if leaf.grad is not None},
    }


def _by_video(rows: Tensor, videos: int) -> Tensor:
    return rows.unflatten(0, (-1, videos)).transpose(0, 1)
