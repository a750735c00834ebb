"""CLIP-TSA: of this system vadkit has the perturbed top-k only (component topk_nominator).

Legend: b rows, n draws, k chosen, d = t snippets.
"""

from __future__ import annotations

from typing import Any

import torch
from cases import Case
from torch import Tensor
from vadkit_topk_nominator import SoftMask, topk_mask

from systems.errors import NoSuchSystem, NotSupported
from systems.harness import component, numpy, tensor


def run(case: Case) -> dict[str, Any]:
    if case.kind != "function":
        raise NoSuchSystem("no such system: of clip_tsa vadkit has only the top-k nominator yet, not the model")
    if not {"x", "noise"} <= set(case.inputs):
        raise NotSupported(f"a clip_tsa function of {', '.join(case.inputs)}")
    return _topk(case)


def _topk(case: Case) -> dict[str, Any]:
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
