"""MGFN: scores, training, and the magnitude-contrastive loss by itself."""

from __future__ import annotations

from typing import Any

import torch
from cases import Case
from torch import Tensor

from systems import rtfm
from systems.errors import NotSupported
from systems.harness import component, numpy, tensor
from systems.table import System

STAGES = ("glance", "focus", "deep")
KINDS = {"gb": "glance", "fb": "focus"}


def settings(case: Case) -> dict[str, Any]:
    """Return sizes and kinds of the stages. The last channel of the input is the norm, as in the authors' files."""
    config = case.config
    if config["mc_between_weight"] != 1e-3:
        raise NotSupported("another weight of the term between the classes")
    widths = [*config["dims"][1:], None]
    nodes: dict[str, Any] = {
        stage: {"args": {"dim": dim, "kind": KINDS[kind], "depth": depth}}
        for stage, dim, kind, depth in zip(STAGES, widths, config["types"], config["depths"], strict=True)
    }
    nodes["tokens"] = {"args": {"dim": config["dims"][0], "appended": True}}
    return {"inputs": {"rgb": f"b t {config['channels'] + 1}"}, "nodes": nodes}


def contrast(case: Case) -> dict[str, Any]:
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


MGFN = System(
    graph="mgfn_ucf",
    names="mgfn",
    args={
        "mag_ratio": "tokens.ratio",
        "dim_head": [f"{stage}.head_dim" for stage in STAGES],
        "ff_repe": [f"{stage}.expand" for stage in STAGES],
        "kernel": [f"{stage}.kernel" for stage in STAGES],
        "k": "chosen.k",
        "mc_weight": "losses.contrast weight",
        "margin": "losses.contrast.margin",
        "sparsity": "losses.calm.sparse",
        "smooth": "losses.calm.smooth",
    },
    changes=settings,
    inputs={"features": "rgb"},
    draws={"chosen": rtfm.DRAWN},
    losses={
        **rtfm.LOSSES,
        "loss_objective": {"mil": 1, "contrast": "mc_weight"},
        "mc_between": "contrast.between",
        "mc_normal": "contrast.within_normal",
        "mc_abnormal": "contrast.within_abnormal",
    },
    outputs={
        **rtfm.chosen("normed"),
        "bn_running_mean": rtfm.statistic("focus.layers.0.attention.norm", "running_mean"),
        "bn_running_var": rtfm.statistic("focus.layers.0.attention.norm", "running_var"),
    },
    taps=["chosen", "normed"],
    modes={"function": contrast},
)
