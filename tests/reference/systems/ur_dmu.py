"""UR-DMU in all its settings: scores, training with and without crops, segments of training files."""

from __future__ import annotations

from typing import Any

import numpy as np
import published_lists as published
import torch
from cases import Case
from torch import Tensor

from systems.errors import NotSupported
from systems.harness import component, tensor
from systems.table import Run, System


def refuse_unsupported(case: Case) -> dict[str, Any]:
    if case.config["transformer"]["mlp_dim"] != case.config["transformer"]["dim"]:
        raise NotSupported("a feed-forward part of another width than the snippets")
    return {}


def latent_noise(run: Run) -> Tensor:
    """Return the noise of normal rows as given, zeros for all others."""
    x = run.batch["rgb"]
    drawn = torch.zeros(*x.shape[:2], run.graph.parts["memory"].in_dim)
    if "noise" in run.inputs:
        normal = (run.labels < 0.5).repeat_interleave(run.crops)
        drawn[normal] = tensor(run.inputs["noise"]).reshape(-1, *drawn.shape[1:])
    return drawn


def read(run: Run, kind: str) -> Tensor:
    """Return what a memory bank reads at the encoder's output."""
    memory = run.graph.parts["memory"]
    bank = getattr(memory, kind)
    return memory._ask(run.tap("attention"), bank) @ bank  # type: ignore[no-any-return]


def segments(case: Case) -> dict[str, Any]:
    from vadkit_segment_mean import segment_edges

    wanted = case.config["num_segments"]
    sampler = component("segment_mean")(length=wanted)
    dataset = {"xd": "xd_violence", "ucf": "ucf_crime"}[case.config["dataset"].lower()]
    labels = [int(not published.is_normal(file, dataset)) for file in case.given["files"]]
    assert labels == case.given["labels"], f"labels are {labels}, not {case.given['labels']}"
    results: dict[str, Any] = {"edges": np.array([segment_edges(n, wanted) for n in case.given["lengths"]])}
    for name, video in case.inputs.items():
        results[name] = sampler.sample({"x": video[0]}, np.random.default_rng(0))[0]["x"]
    return results


UR_DMU = System(
    graph="ur_dmu_xd",
    names="ur_dmu",
    args={
        "input_size": "inputs.rgb",
        "transformer.dim": "embedding.dim",
        "transformer.depth": "attention.depth",
        "transformer.heads": "attention.heads",
        "transformer.dim_head": "attention.head_dim",
        "a_nums": "memory.abnormal_slots",
        "n_nums": "memory.normal_slots",
    },
    changes=refuse_unsupported,
    inputs={"features": "rgb"},
    draws={"memory": latent_noise},
    losses={
        "total_loss": "total",
        "att_loss": "mil",
        "N_Aatt_loss": "memory.normal_low",
        "A_loss": "memory.abnormal_high",
        "N_loss": "memory.normal_high",
        "A_Nloss": "memory.abnormal_low",
        "triplet_loss": "memory.triplet",
        "kl_loss": "memory.kl",
        "distance_loss": "memory.distance",
    },
    outputs={
        "frame": "output | crops",
        "score": "output | crops | mean",
        "embedding": "embedding",
        "attn0": "attention.layers.0.out",
        "encoder": "attention",
        "cls_in": "urdmu",
        "A_aug": lambda run: read(run, "abnormal"),
        "N_aug": lambda run: read(run, "normal"),
        "A_att": {"train": "memory.abnormal_score | crops | abnormal", "eval": "memory.abnormal_score"},
        "N_att": {"train": "memory.normal_score | crops | normal", "eval": "memory.normal_score"},
        "A_Natt": "memory.abnormal_score | crops | normal",
        "N_Aatt": "memory.normal_score | crops | abnormal",
    },
    modes={"data": segments},
)
