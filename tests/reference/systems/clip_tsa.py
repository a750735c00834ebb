"""CLIP-TSA: scores, training with both gradients, and the perturbed top-k by itself (component topk_nominator).

Legend: b rows, n draws, k chosen, d = t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from cases import Case
from torch import Tensor
from vadkit_topk_nominator import SoftMask, topk_mask

from systems import rtfm
from systems.errors import NotSupported
from systems.graphs import merge
from systems.harness import component, numpy, tensor
from systems.table import Run, System

NARROW = 512  # wider features are narrowed first
CHOICE = {"chosen": rtfm.DRAWN}


def settings(case: Case) -> dict[str, Any]:
    """Return the part before the pyramid. A single row is cut to 1000 snippets; noise is given, also at test."""
    rows, crops = case.inputs["features"].shape[:2]
    if not case.config.get("enable_HA", True):
        return {"nodes": {"attended": {"use": "identity"}}}
    args = {
        "ratio": case.config["k_ratio"],
        "samples": case.config["num_samples"],
        "sigma": case.config["sigma"],
        "k_max": 1000 if rows * crops == 1 or by_row(case) else None,
        "eval_noise": "on",
    }
    return {"nodes": {"attended": {"args": args}}}


def by_row(case: Case) -> bool:
    """Whether the authors' model takes one row after the other."""
    return case.config.get("visual", "vit") != "vit" and case.inputs["features"].shape[2] != 32


def scorer(run: Run) -> Tensor:
    return torch.sigmoid(run.tap("attended.scorer"))[..., 0]


def run(case: Case) -> Mapping[str, Any]:
    system = CLIP_TSA
    if case.config.get("n_features", NARROW) != NARROW:
        system = replace(system, graph="clip_tsa_i3d_ucf", names="clip_tsa_i3d", inputs={"features": "rgb"})
    if not case.config.get("enable_HA", True):
        state = {name: case.state[name] for name in case.state if not name.startswith("hard_attention.")}
        case, system = replace(case, state=state), replace(system, taps=["chosen", "context"], draws=CHOICE)
    results = dict(system.run(case))
    if "grad_norm_textbook" in case.outputs:
        textbook = {"nodes": {"attended": {"args": {"gradient": "textbook"}}}}
        again = replace(system, changes=lambda case: merge(settings(case), textbook))
        results["grad_norm_textbook"] = again.run(case)["grad_norm"]
    return results


def topk(case: Case) -> dict[str, Any]:
    if not {"x", "noise"} <= set(case.inputs):
        raise NotSupported(f"a clip_tsa function of {', '.join(case.inputs)}")
    config = case.config
    x, noise = (tensor(case.inputs[name]) for name in ("x", "noise"))
    nominator = component("topk_nominator")(
        in_dim=1, ratio=config["k_ratio"], k_max=None, samples=noise.shape[1], sigma=config["sigma"], score="l2norm"
    )
    k = nominator._count(x.shape[1])
    assert k == config["k"], f"ratio {config['k_ratio']} of {x.shape[1]} gives {k}, not {config['k']}"
    mask = topk_mask(x[:, None] + config["sigma"] * noise, k)
    jacobian = torch.einsum("bnd,bne->bde", mask, noise) / noise.shape[1] / config["sigma"]
    results = {"indicators": ranks(mask, k).mean(1), "mask": mask.mean(1), "jacobian_of_mask": jacobian}
    for estimator, suffix in (("authors", "official"), ("textbook", "textbook")):
        if "grad_mask" in case.inputs:
            scores = x.clone().requires_grad_()
            gate = SoftMask.apply(scores, mask, noise, config["sigma"], estimator)
            (slope,) = torch.autograd.grad((gate * tensor(case.inputs["grad_mask"])).sum(), scores)
            results[f"grad_input_of_mask_{suffix}"] = slope
        if "grad_output" in case.inputs:
            slope = tensor(case.inputs["grad_output"])
            results[f"grad_input_{suffix}"] = _of_ranks(ranks(mask, k), noise, slope, config["sigma"], suffix)
    return {name: numpy(value) for name, value in results.items()}


def ranks(mask: Tensor, k: int) -> Tensor:
    """Return for each draw which snippet is the r-th of those chosen, in order of time: (b, n, k, d)."""
    rank = mask.cumsum(-1) * mask - 1  # 0, 1, ... at the chosen ones, -1 elsewhere
    return (rank[:, :, None] == torch.arange(k)[:, None]).to(mask.dtype)


def _of_ranks(onehot: Tensor, noise: Tensor, slope: Tensor, sigma: float, which: str) -> Tensor:
    """Return the slope with respect to x where each rank has a slope of its own: no component needs it."""
    jacobian = torch.einsum("bnkd,bne->bkde", onehot, noise) / noise.shape[1] / sigma
    official = which == "official"
    return torch.einsum("bkde,bke->bd" if official else "bkde,bkd->be", jacobian, slope)


CLIP_TSA = System(
    graph="clip_tsa_ucf",
    names="clip_tsa",
    args={
        "k_mil": "chosen.k",
        "alpha": "losses.magnitude weight",
        "margin": "losses.magnitude.margin",
        "sparsity": "losses.calm.sparse",
        "smooth": "losses.calm.smooth",
    },
    changes=settings,
    inputs={"features": "clip"},
    draws={**CHOICE, "attended": "noise"},
    losses={
        **rtfm.LOSSES,
        "loss_objective": {"mil": 1, "magnitude": "alpha"},
        "loss_rtfm_unweighted": "magnitude",
    },
    outputs={
        **rtfm.RTFM.outputs,
        "attended": "attended.x",
        "scorer": scorer,
        "topk_mask": "attended.gate",
    },
    taps=["chosen", "context", "attended.scorer"],
    modes={"function": topk},
)
