"""VadCLIP: the two branches, training, the test in chunks, and the detection figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from cases import Case
from torch import Tensor, nn

from systems.graphs import Graph, merge
from systems.harness import component, tensor
from systems.table import System
from vadkit.datasets.classes import XD_WORDS
from vadkit.evaluate.detection import detection_map
from vadkit.evaluate.score_video import score_video

TEXT_WEIGHTS = {7: 1e-4, 14: 0.1}  # XD-Violence, UCF-Crime
CLASS_BRANCH = ("mlp1.", "text_prompt_embeddings.", "clipmodel.")
BRANCH = {"nodes": {"class_score": {"use": "class_score", "in": "class_logits"}}, "output": "class_score"}


def run(case: Case) -> Mapping[str, Any]:
    """Run a case, its labels as numbers and the weight of its text loss in the config."""
    if case.kind == "protocol":
        return {"map_at_iou": detection(case)}
    names = case.given.get("prompts", [])
    weight = TEXT_WEIGHTS.get(case.config["num_class"], 0.1)
    given = {**case.given, "classes": names}
    if "labels" in given:
        rows = [[float(name in _classes(label)) for name in map(str.lower, names)] for label in given["labels"]]
        given |= {"labels": [1 - row[0] for row in rows], "class_set": rows}
    state = case.state if names else {n: case.state[n] for n in case.state if not n.startswith(CLASS_BRANCH)}
    return VADCLIP.run(replace(case, given=given, state=state, config={**case.config, "text_weight": weight}))


def _classes(label: str) -> list[str]:
    """Return the names that a label stands for: "B2-G" and "RoadAccidents" alike."""
    return [XD_WORDS.get(part, part).lower() for part in label.split("-") if part != "0"]


def changes(case: Case) -> dict[str, Any]:
    names, width = case.given["classes"], case.config["visual_width"]
    half, wide = {"args": {"dim": width // 2}}, {"args": {"dim": 4 * width}}
    sizes = {"context": {"args": {"ff_dim": 4 * width}}, "similar": half, "near": half, "widened": wide}
    if not names:  # a case without the text tower
        nothing = {"nodes": {"text": None, "class_logits": None}, "losses": {"types": None, "texts": None}}
        return merge({"nodes": sizes}, nothing, {"output": "score"})
    tokens = [case.given["prompt_token_ids"][name] for name in names]
    layers = {name.split(".")[3] for name in case.state if name.startswith("clipmodel.transformer.resblocks.")}
    text = {"tokens": tokens, "depth": len(layers), "context": len(case.state["clipmodel.positional_embedding"])}
    return merge(BRANCH, {"nodes": {**sizes, "text": {"args": text}}, "data": {"classes": list(names)}})


def class_set(graph: Graph, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    rows = graph.case.given.get("class_set")
    return {} if rows is None else {"class_set": torch.tensor(rows)}


def evaluate(case: Case) -> Mapping[str, Any]:
    """Return what the graph gives for padded videos, or for one video in chunks."""
    if any(name.startswith("loss") for name in case.outputs):
        return VADCLIP.evaluate(case)
    g = VADCLIP.build(case)
    g.model.eval()
    features = case.inputs["features"]
    padded = features if features.ndim == 3 else _chunks(features, case)
    run = VADCLIP.prepare(g, {"features": padded}, training=True)
    with torch.no_grad(), run.taps:
        g.model.values(run.batch, [name for name in ("visual", "score", "class_logits") if name in g.parts])
    wanted = [name for name in case.outputs if not name.startswith("prob")]
    VADCLIP._collect(run, wanted)
    if features.ndim == 2:
        run.results |= {"prob1": _curve(g, "score", features), "prob2": _curve(g, "class_score", features)}
    return run.results


def _chunks(features: np.ndarray, case: Case) -> np.ndarray:
    """Return the authors' chunks, with one of zeros where the video fills the last one."""
    length, count = case.config["visual_length"], len(case.given["lengths"])
    padded = np.zeros((count * length, features.shape[1]), features.dtype)
    padded[: len(features)] = features
    return padded.reshape(count, length, -1)


class Curve(nn.Module):
    """Scores by one node of a graph."""

    def __init__(self, graph: Graph, node: str) -> None:
        super().__init__()
        self.model, self.node = graph.model, node

    def forward(self, clip: Tensor, crops: int, mask: Tensor) -> Tensor:
        scores = self.model.values({"clip": clip, "crops": crops, "mask": mask}, [self.node])[self.node]
        return torch.sigmoid(scores) if self.node == "score" else scores


def _curve(g: Graph, node: str, features: np.ndarray) -> np.ndarray:
    """Score a video through the chunks of the graph's own test."""
    section = g.model.spec["eval"]["sampler"]
    sampler = component(section["use"])(**{**section["args"], "length": g.case.config["visual_length"]})
    return score_video(Curve(g, node), {"clip": tensor(features)[None]}, sampler=sampler)


def detection(case: Case) -> np.ndarray:
    curves = [case.inputs[name] for name in sorted(case.inputs, key=lambda name: int(name.rpartition("_")[2]))]
    given, classes = case.given, case.config["classes"]
    return np.array(detection_map(curves, given["gt_segments"], given["gt_labels"], classes, case.config["iou"]))


VADCLIP = System(
    graph=lambda case: "vadclip_xd" if case.config["num_class"] == 7 else "vadclip_ucf",
    names="vadclip",
    args={
        "prompt_prefix": "text.prefix",
        "prompt_postfix": "text.postfix",
        "temperature": "class_logits.temperature",
        "embed_dim": "text.dim",
        "text_weight": "losses.texts weight",
        "visual_width": ["inputs.clip", "visual.dim", "refined.dim"],
        "visual_length": "context.positions",
        "visual_head": "context.heads",
        "visual_layers": "context.depth",
        "attn_window": "context.window",
    },
    changes=changes,
    inputs={"features": "clip"},
    batch=class_set,
    losses={
        "loss_total": "total",
        "loss_clas2": "mil",
        "loss_clasm": "types",
        "loss_text_weighted": {"texts": "text_weight"},
    },
    outputs={
        "visual_features": "visual",
        "text_features": "text",
        "logits1": "score | column",
        "logits2": "class_logits",
    },
    modes={"eval": evaluate, "adapter": evaluate},
)
