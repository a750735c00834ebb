"""HL-Net: scores of both branches, training, optimiser steps, the test protocol, also with the released weights."""

from __future__ import annotations

from typing import Any

import torch
from cases import Case
from torch import Tensor

from systems import data
from systems.table import Run, System

GRAPHS = {1152: "hl_net_xd", 2176: "hl_net_xd_rgb_flow_audio"}
WHOLE = slice(None)


def which(case: Case) -> str:
    return GRAPHS.get(case.config["feature_size"], "hl_net_xd_rgb")


def changes(case: Case) -> dict[str, Any]:
    """Return the width of the single stream, and the mean of all snippets in place of the highest."""
    width = case.config["feature_size"]
    inputs = {} if width in GRAPHS else {"inputs": {"rgb": f"b t {width}"}}
    if case.config.get("is_topk", case.given.get("is_topk", True)):
        return inputs
    every = {"args": {"divisor": 1}}  # n // 1 + 1 is cut to n
    return {**inputs, "losses": {"mil": every, "online_mil": every}}


def similarity(run: Run) -> Tensor:
    features = torch.cat([run.batch[stream] for stream in run.graph.model.input_sizes], -1)
    return run.graph.parts["similar"].graph(features, run.batch.get("mask"))(WHOLE)  # type: ignore[no-any-return]


def distance(run: Run) -> Tensor:
    x = run.tap("reduced")
    return run.graph.parts["near"].graph(x)(WHOLE).expand(len(x), -1, -1)  # type: ignore[no-any-return]


def score(run: Run) -> Tensor:
    scores = torch.sigmoid(run.tap("online"))
    return run.graph.parts["alike"].graph(scores, run.batch.get("mask"))(WHOLE)  # type: ignore[no-any-return]


HL_NET = System(
    graph=which,
    names="hl_net",
    args={"dropout": ["wide.dropout", "reduced.dropout", "similar.dropout", "near.dropout", "alike.dropout"]},
    changes=changes,
    inputs={"features": ["rgb", "flow", "audio"]},
    sampler=True,
    losses={
        "total_loss": "total",
        "loss_offline": "mil",
        "loss_online": "online_mil",
        "loss_distill": "distillation",
    },
    outputs={
        "logits": "score | column",
        "logits_online": "online | column",
        "score": "score | sigmoid | mean",
        "score_online": "online | sigmoid | mean",
        "conv1d2": "reduced",
        "adj_sim": similarity,
        "adj_dist": distance,
        "adj_score": score,
        "gc1": "similar.layers.0",
        "gc2": "similar.layers.1",
        "gc3": "near.layers.0",
        "gc4": "near.layers.1",
        "gc5": "alike.layers.0",
        "gc6": "alike.layers.1",
    },
    taps=["reduced", "online"],
    protocol={
        "score": "score",
        "score_online": "score_online",
        "ap_offline": "score, ap",
        "ap_online": "score_online, ap",
    },
    modes={"data": data.only_data},
)
