"""BN-WVAD: scores by crop or averaged first, training with both choices of snippets, segments of training files."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from cases import Case
from torch import Tensor

from systems import data
from systems.table import Run, System
from vadkit.evaluate.scorebook import ScoreBook


def settings(case: Case) -> dict[str, Any]:
    """Return the width, where the weights have another one, and how the crops of a four-dimensional input meet."""
    shape = case.state["embedding.conv_1.0.weight"].shape
    four = any(case.inputs[name].ndim == 4 for name in ("rgb", "normal", "abnormal") if name in case.inputs)
    return {
        "inputs": {"rgb": f"b t {shape[1]}"},
        "nodes": {
            "embedding": {"args": {"dim": shape[0], "kernel": shape[2]}},
            "score": {"args": {"crops_first": four}},
        },
    }


def distance(level: int) -> Any:
    return lambda run: run.tap("score.distances | crops")[..., level]


def chosen(run: Run, level: int) -> tuple[Tensor, Tensor, Tensor]:
    return run.calls["losses.divergence.select"][level][1]  # type: ignore[no-any-return]


def selected(level: int) -> Any:
    return lambda run: chosen(run, level)[0][run.labels > 0.5].long()


def counts(run: Run) -> Tensor:
    """Return how many normal and abnormal snippets were chosen at each level."""
    found = []
    for level in range(2):
        mask, pairs, _ = chosen(run, level)
        found += [(pairs < pairs.numel()).sum(), mask.sum()]
    return torch.stack(found)


def statistic(level: int, name: str) -> Any:
    return lambda run: getattr(run.graph.parts["score"].norms[level], name).clone()


def figure(name: str) -> Any:
    """Return a figure of one video whose truth is given by frame, 16 to a snippet, as a function of the run."""

    def of(run: Run) -> float:
        scores, truth = run.tap("output | crops | mean").numpy(), run.inputs["gt"].reshape(-1, 16)
        book = ScoreBook()
        book.add("video", scores, truth.sum(1), np.full(len(scores), 16), 1)
        found = book.figures(None)[name]
        return float("nan") if found is None else float(found)

    return of


BN_WVAD = System(
    graph="bn_wvad_xd",
    names="bn_wvad",
    args={
        "len_feature": "inputs.rgb",
        "ratios": "score.ratios",
        "kernel_sizes": "score.kernels",
        "ratio_sample": "losses.divergence.of_video",
        "ratio_batch": "losses.divergence.of_batch",
    },
    changes=settings,
    inputs={"rgb": "rgb", "normal": "rgb", "abnormal": "rgb"},
    losses={"loss_total": "total", "loss_normal": "normal", "loss_mpp": "divergence"},
    outputs={
        "scores": "output | crops",
        "snippet_scores": "output | crops | mean",
        "normal_scores_normal_half": "score.probability | crops | normal",
        "normal_scores": "score.probability | crops",
        "distances_1": distance(0),
        "distances_2": distance(1),
        "bn1_features": "score.convs.0",
        "bn2_features": "score.convs.1",
        "embedding": "attention",
        "selected_mask_1": selected(0),
        "selected_mask_2": selected(1),
        "num_selected": counts,
        "running_mean_1": statistic(0, "running_mean"),
        "running_var_1": statistic(0, "running_var"),
        "running_mean_2": statistic(1, "running_mean"),
        "running_var_2": statistic(1, "running_var"),
        "auc": figure("auc"),
        "ap": figure("ap_trapezoid"),
    },
    calls=["losses.divergence.select"],
    modes={"data-processing": data.only_data},
)
