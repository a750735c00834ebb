"""CUPL: the classifier of the second stage alone, and the authors' test protocol.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from cases import Case
from names import Names
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from systems.graphs import Graph, backward, graph
from systems.harness import no_dropout, numpy, tensor
from vadkit.evaluate.score_video import score_video


def build(case: Case) -> Graph:
    config = case.config
    width = config.get("in_features", 4096) // 2
    memory = {"window": config.get("win_size", 5), "unit": bool(config.get("norm"))}
    hidden = {"hidden": config["hidden"]} if "hidden" in config else {}
    changes = {"inputs": {"rgb": f"b t {width}"}, "nodes": {"memory": {"args": memory}, "score": {"args": hidden}}}
    return graph(case, "cupl_classifier_ucf", changes, Names("cupl"))


def logits(g: Graph, case: Case) -> tuple[Tensor, Tensor]:
    """Return the two outputs for pairs of snippet and memory, and the score that our head makes of them."""
    found: list[Tensor] = []
    head = g.parts["score"]
    handle = head.layers[-1].register_forward_hook(lambda _m, _i, out: found.append(out))
    score = head(tensor(case.inputs["pair"]))
    handle.remove()
    return found[0], score.sigmoid()


def classifier(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    with torch.no_grad():
        both, score = logits(g, case)
    assert torch.allclose(both.softmax(-1)[..., 1], score, atol=1e-6)
    return {"logits": numpy(both), "probs": numpy(torch.stack([1 - score, score], -1))}


def train(case: Case) -> dict[str, Any]:
    """The authors' training is not published; the case's own loss pins the gradients, and our loss equals it."""
    g = build(case)
    no_dropout(g.model)
    g.model.train()
    both, score = logits(g, case)
    labels = tensor(case.inputs["labels"])
    loss = nn.functional.cross_entropy(both.flatten(0, 1), labels.long().flatten())
    ours = g.model.losses["taught"](scores=score, targets=labels, labels=torch.ones(len(labels)))
    assert torch.allclose(loss, ours, rtol=1e-4)
    return {"logits": numpy(both), "loss_ce": numpy(loss), **backward(g, loss)}


def test_set(case: Case) -> dict[str, Any]:
    g = build(case)
    count = sum(name.startswith("video") for name in case.inputs)
    videos = [tensor(case.inputs[f"video{i}"]).transpose(0, 1) for i in range(count)]  # (crops, t, c)
    scores = [score_video(g.model, {"rgb": x}) for x in videos]
    frames = np.concatenate([x.repeat(case.config.get("segment_len", 16)) for x in scores])
    found: dict[str, Any] = {f"snippet_scores.{i}": x for i, x in enumerate(scores)} | {"frame_count": len(frames)}
    truth = np.concatenate([case.inputs[f"gt{i}"] for i in range(count) if f"gt{i}" in case.inputs] or [np.zeros(0)])
    if len(truth) == len(frames) and len(np.unique(truth)) == 2:
        found["auc"] = roc_auc_score(truth, frames)
    return {"auc": np.nan, **found}


def run(case: Case) -> Mapping[str, Any]:
    if case.config.get("mode") == "train":
        return train(case)
    return test_set(case) if "video0" in case.inputs else classifier(case)
