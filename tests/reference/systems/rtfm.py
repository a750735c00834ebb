"""RTFM: scores, training and losses, and what systems with the same choice of snippets have in common.

Legend: v videos, t snippets, c channels, k chosen snippets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from systems import data
from systems.table import Run, System

Of = Callable[[Run], Tensor]
LOSSES: dict[str, Any] = {
    "loss_total": "total",
    "loss_bce": "mil",
    "loss_sparsity_weighted": "calm.sparse",
    "loss_smooth_weighted": "calm.smooth",
}
DRAWN = ["mask_normal", "mask_abnormal"]


def rows(run: Run, kind: str) -> slice:
    """Return the rows of a kind: the first ``batch_size`` videos are normal, also if they are only one."""
    normal = run.case.config["batch_size"]
    return slice(normal) if kind == "normal" else slice(normal, None)


def index(kind: str) -> Of:
    return lambda run: run.tap("chosen")[rows(run, kind)]


def score(kind: str) -> Of:
    """Return the mean score at the chosen snippets, (v, 1)."""
    return lambda run: run.tap("output | crops").gather(1, run.tap("chosen")).mean(1, keepdim=True)[rows(run, kind)]


def selected(kind: str, place: str) -> Of:
    """Return the features at the chosen snippets, all videos of the first crop first: (crops * v, k, c)."""

    def of(run: Run) -> Tensor:
        x = run.tap(f"{place} | videos")
        found = x.gather(2, run.tap("chosen")[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[-1]))
        return found[rows(run, kind)].transpose(0, 1).flatten(0, 1)

    return of


def chosen(place: str) -> dict[str, Any]:
    """Return the outputs that systems with such a choice have; ``place`` gives the features."""
    outputs: dict[str, Any] = {
        "scores": "output | crops | column",
        "features": place,
        "magnitudes": f"{place} | norm | crops",
    }
    for kind in ("normal", "abnormal"):
        outputs[f"idx_{kind}"] = index(kind)
        outputs[f"score_{kind}"] = score(kind)
        outputs[f"feat_select_{kind}"] = selected(kind, place)
    return outputs


def statistic(module: str, name: str) -> Of:
    return lambda run: torch.as_tensor(getattr(run.graph.model.get_submodule(module), name)).clone()


RTFM = System(
    graph="rtfm_ucf",
    names="rtfm",
    args={
        "n_features": "inputs.rgb",
        "k": "chosen.k",
        "alpha": "losses.magnitude weight",
        "margin": "losses.magnitude.margin",
        "sparsity": "losses.calm.sparse",
        "smooth": "losses.calm.smooth",
    },
    inputs={"features": "rgb"},
    draws={"chosen": DRAWN},
    losses={
        **LOSSES,
        "loss_rtfm_unweighted": "magnitude",
        "loss_rtfm_objective": {"mil": 1, "magnitude": "alpha"},
    },
    outputs={
        **chosen("context"),
        "bn_running_mean": statistic("context.join_norm", "running_mean"),
        "bn_running_var": statistic("context.join_norm", "running_var"),
    },
    taps=["chosen", "context"],
    modes={"data-processing": data.only_data},
)
