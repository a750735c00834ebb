"""CMA-LA: scores, training, optimiser steps, and the test protocol, also with the authors' released weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from cases import Case
from names import Names
from torch import Tensor

from systems import data, protocol
from systems.errors import NotSupported
from systems.graphs import Graph, backward, graph, steps, training_batch
from systems.harness import no_dropout, numpy, swap, tensor, watch

COLUMNS = {"loss": "total"}


def run(case: Case) -> dict[str, Any]:
    mode = case.config["mode"]
    runners = {"eval": _eval, "train": _train, "train-steps": _steps, "protocol": _protocol, "data": data.only_data}
    if mode not in runners:
        raise NotSupported(f"a cma_la case of mode {mode}")
    return runners[mode](case)


def build(case: Case) -> Graph:
    """Return the model with every value of the case's config set."""
    config = case.config
    nodes = {
        "attended": {"args": {"hidden": config["hid_dim"]}},
        "hidden": {"args": {"dim": config["d_ff"], "dropout": config["dropout"]}},
        "reduced": {"args": {"dim": config.get("out_dim", 128), "dropout": config["dropout"]}},
        "score": {"args": {"kernel": config["kernel"]}},
    }
    inputs = {"rgb": f"b t {config['visual']}", "audio": f"b t {config['audio']}"}
    return graph(case, "cma_la_xd", {"inputs": inputs, "nodes": nodes}, Names("cma_la"))


def streams(case: Case, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the joined features of the authors as streams."""
    visual, audio = case.config["visual"], case.config["audio"]
    return {"rgb": x[..., :visual], "audio": x[..., visual : visual + audio]}


def scores(g: Graph, x: np.ndarray) -> Tensor:
    with torch.no_grad():
        result: Tensor = g.model(**{name: tensor(part) for name, part in streams(g.case, x).items()})
    return result


def _eval(case: Case) -> dict[str, Any]:
    g, x = build(case), case.inputs["features"]
    g.model.eval()
    step = g.parts["attended"].steps[0]
    with watch(**g.parts, q=step.q, k=step.k, cross=step.out) as seen:
        found = scores(g, x)
        attention = step.attention(seen["q"], seen["k"], None)
    return {
        "scores": numpy(found),
        "score": numpy(found.mean(0)),
        "adj": numpy(step.prior(seen["k"])),
        "attention": numpy(attention),
        "cross": numpy(seen["cross"]),
        "normed": numpy(seen["normed"]),
        "fused": swap(seen["reduced"]),
    }


def _batch(g: Graph, x: np.ndarray) -> dict[str, Any]:
    return training_batch(g.model, streams(g.case, x), g.case.given)


def _train(case: Case) -> dict[str, Any]:
    g = build(case)
    no_dropout(g.model)
    g.model.train()
    with watch(**g.parts) as seen:
        parts = g.model.loss(_batch(g, case.inputs["features"]))
    results = {official: numpy(parts[ours]) for official, ours in COLUMNS.items()}
    results["scores"] = numpy(torch.sigmoid(seen["score"]))
    return {**results, **backward(g, parts["total"])}


def _steps(case: Case) -> dict[str, Any]:
    g = build(case)
    results = steps(g, lambda step: _batch(g, case.inputs[f"step{step}"]), COLUMNS)
    return {**results, "probe_scores": numpy(scores(g, case.inputs["probe"]))}


def _protocol(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    found = [numpy(scores(g, case.inputs[f"video{i}"]).mean(0)) for i in range(len(case.given["snippets"]))]
    return {"score": np.concatenate(found), "ap": protocol.figures(case, found)["ap"]}
