"""UR-DMU in all its settings: scores, training with and without crops, segments of training files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import published_lists as published
import torch
from cases import Case
from names import Names
from torch import Tensor

from systems.errors import NotSupported
from systems.graphs import Graph, backward, graph, steps
from systems.harness import component, give_noise, no_dropout, numpy, tensor, watch

COLUMNS = {
    "total_loss": "total",
    "att_loss": "mil",
    "N_Aatt_loss": "memory.normal_low",
    "A_loss": "memory.abnormal_high",
    "N_loss": "memory.normal_high",
    "A_Nloss": "memory.abnormal_low",
    "triplet_loss": "memory.triplet",
    "kl_loss": "memory.kl",
    "distance_loss": "memory.distance",
}


def run(case: Case) -> dict[str, Any]:
    mode = case.config["mode"]
    runners = {"eval": _eval, "train": _train, "train-steps": _steps, "data": _segments}
    if mode not in runners:
        raise NotSupported(f"a ur_dmu case of mode {mode}")
    return runners[mode](case)


def build(case: Case) -> Graph:
    """Return the model with every value of the case's config set."""
    config, transformer = case.config, case.config["transformer"]
    if transformer["mlp_dim"] != transformer["dim"]:
        raise NotSupported("a feed-forward part of another width than the snippets")
    attention = {
        "depth": transformer["depth"],
        "heads": transformer["heads"],
        "head_dim": transformer["dim_head"],
    }
    nodes = {
        "embedding": {"args": {"dim": transformer["dim"]}},
        "attention": {"args": attention},
        "memory": {"args": {"abnormal_slots": config["a_nums"], "normal_slots": config["n_nums"]}},
    }
    changes = {"inputs": {"rgb": f"b t {config['input_size']}"}, "nodes": nodes}
    return graph(case, "ur_dmu_xd", changes, Names("ur_dmu"))


def rows(x: np.ndarray) -> tuple[Tensor, int]:
    """Return (b, t, c) and the number of crops: inputs are (b, t, c) or (videos, crops, t, c)."""
    if x.ndim == 3:
        return tensor(x), 1
    return tensor(x).flatten(0, 1), x.shape[1]


def scores(g: Graph, x: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = g.model(rgb=x)
    return result


def _eval(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    x, crops = rows(case.inputs["features"])
    memory = g.parts["memory"]
    with watch(**g.parts, attn0=g.parts["attention"].layers[0].out) as seen:
        frame = scores(g, x)
    frame = frame.unflatten(0, (-1, crops)).mean(1)
    plain = {"embedding": "embedding", "attn0": "attn0", "encoder": "attention", "cls_in": "urdmu"}
    results = {name: numpy(seen[node]) for name, node in plain.items()}
    for letter, bank in (("A", memory.abnormal), ("N", memory.normal)):
        answer, score = memory._ask(seen["attention"], bank)
        results |= {f"{letter}_aug": numpy(answer @ bank), f"{letter}_att": numpy(score)}
    return {**results, "frame": numpy(frame), "score": numpy(frame.mean(0))}


def _batch(g: Graph, name: str, noise: str) -> dict[str, Any]:
    """Return a training batch, all of it real, and lay the latent noise in (normal rows; zeros if none is given)."""
    x, crops = rows(g.case.inputs[name])
    labels = torch.tensor(g.case.given["labels"])
    width = g.parts["memory"].in_dim
    drawn = torch.zeros(len(x), x.shape[1], width)
    if noise in g.case.inputs:
        normal = (labels < 0.5).repeat_interleave(crops)
        drawn[normal] = tensor(g.case.inputs[noise]).reshape(-1, x.shape[1], width)
    give_noise(g.parts["memory"], drawn)
    return {"rgb": x, "labels": labels, "crops": crops}


def _train(case: Case) -> dict[str, Any]:
    g = build(case)
    no_dropout(g.model)
    g.model.train()
    batch = _batch(g, "features", "noise")
    with watch(**g.parts) as seen:
        parts = g.model.loss(batch)
    results = {official: numpy(parts[ours]) for official, ours in COLUMNS.items()}
    results |= _attention(seen, batch["labels"], batch["crops"])
    results["frame"] = numpy(_fold(torch.sigmoid(seen["score"]), batch["crops"]))
    return {**results, **backward(g, parts["total"])}


def _fold(x: Tensor, crops: int) -> Tensor:
    return x.unflatten(0, (-1, crops)).mean(1)


def _attention(seen: Mapping[str, Any], labels: Tensor, crops: int) -> dict[str, Any]:
    a, n = (numpy(_fold(seen["memory"][f"{kind}_score"], crops)) for kind in ("abnormal", "normal"))
    abnormal = numpy(labels > 0.5)
    return {"A_att": a[abnormal], "N_att": n[~abnormal], "A_Natt": a[~abnormal], "N_Aatt": n[abnormal]}


def _steps(case: Case) -> dict[str, Any]:
    g = build(case)
    results = steps(g, lambda step: _batch(g, f"step{step}", f"noise{step}"), COLUMNS)
    return {**results, "probe_frame": numpy(scores(g, rows(case.inputs["probe"])[0]))}


def _segments(case: Case) -> dict[str, Any]:
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
