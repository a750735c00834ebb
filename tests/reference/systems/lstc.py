"""LSTC: encoders alone, training of both networks, pseudo labels, and the two test protocols.

Legend: b rows, t clips, p patches, c channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from cases import Case
from names import Names
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from systems import data
from systems.graphs import Graph, graph, merge
from systems.harness import component, numpy, tensor
from systems.table import Run, System
from vadkit.evaluate.score_video import score_video

OPTIONS = {
    "MHA_layerNorm": "attention_norm",
    "FFN_layerNorm": "ff_norm",
    "input_layerNorm": "input_norm",
    "CLS_learned": "learned_cls",
    "position_encoding": "positions",
}


def is_long(case: Case) -> bool:
    """Return whether a case is of the long-term network."""
    return any("classifier" in name for name in case.state)


def encoder(config: Mapping[str, Any], run: int) -> dict[str, Any]:
    """Return the arguments of the encoder, but for its widths of input."""
    biased = config.get("relative_pe") or config.get("relative_pe_2D")
    return {
        "run": run,
        "heads": [config["n_head"]] * config["n_layers"],
        "widths": [config["d_k"], config["d_v"], config["d_inner"]],
        "window": config.get("window_size", 4) if biased else None,
        "options": [ours for theirs, ours in OPTIONS.items() if config.get(theirs)],
    }


def changes(case: Case) -> dict[str, Any]:
    config, long = case.config, is_long(case)
    run = config.get("part_len") or 1
    unit = ["unit_at_test"] if config.get("protocol") == "ucf" else []
    args = encoder(config, run if long else 1)
    found = {
        "inputs": {"rgb": f"b t {config['n_patch']} {config['d_model']}"},
        "nodes": {"encoder": {"args": {**args, "options": args["options"] + unit}}},
    }
    if config["mode"] != "train":
        return found
    losses: dict[str, Any] = {"rank": {"args": {"run": run, "sparse": config["lambda_1"]}}}
    if "pseudo_labels" in case.inputs:
        factors = {"normal": config.get("lambda_normal"), "abnormal": config.get("lambda_abnormal")}
        losses["taught"] = {"args": {"run": run, **{key: value for key, value in factors.items() if value is not None}}}
    return merge(found, {"losses": losses})


def which(case: Case) -> str:
    if is_long(case):
        return "lstc_ltn_sht"
    return "lstc_stn_labels_sht" if "pseudo_labels" in case.inputs else "lstc_stn_sht"


def targets(g: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the labels of both halves; those of the normal one are not used."""
    if "pseudo_labels" not in inputs:
        return {}
    own = tensor(inputs["pseudo_labels"])
    return {"targets": torch.cat([torch.rand_like(own), own]), "target_weight": torch.ones(2 * len(own), own.shape[1])}


def every(run: Run, x: Tensor) -> Tensor:
    """Return one row of (b, t, ...) for each part, or each clip of the short-term network."""
    return x[:, :: run.case.config["part_len"]] if is_long(run.case) else x


def probabilities(run: Run) -> Tensor:
    parts = every(run, run.tap("score.layers.2").softmax(-1))
    return parts.flatten(0, 1)


def with_names(case: Case) -> Case:
    """Return a case with the names of weights where it has their places in the head: "head.0" is the first."""
    head = [name for name in case.state if name.startswith("head.")]
    listed = case.given.get("stepped_norm_names", [])
    plain = [head[int(name[5:])] if name[5:].isdigit() and name.startswith("head.") else name for name in listed]
    return replace(case, given={**case.given, "stepped_norm_names": plain} if listed else case.given)


LSTC = System(
    graph=which,
    names="lstc",
    changes=changes,
    inputs={"normal": "rgb", "abnormal": "rgb"},
    batch=targets,
    outputs={
        "cls": lambda run: every(run, run.tap("encoder")).flatten(0, 1),
        "scores": lambda run: every(run, run.tap("output")),
        "probs": probabilities,
    },
    taps=["encoder", "output", "score.layers.2"],
    losses={
        "loss_mil": "rank",
        "loss_rank": "rank.rank",
        "loss_sparse": "rank.sparse",
        "loss_ce": "taught",
        "loss_bce": "taught",
        "loss_total": "total",
    },
    optimizer={"name": "adagrad", "groups": {"encoder.*": 1e-4, "head.*": 1e-2}, "weight_decay": 1e-3},
)


def alone(case: Case) -> dict[str, Any]:
    """Run an encoder on the tokens of its parts."""
    x = tensor(next(iter(case.inputs.values())))
    x = x.flatten(1, -2)
    config, names = case.config, Names("lstc")
    run = config.get("window_depth", 1) if config.get("relative_pe") else 1
    module = component("part_transformer")(
        patches=-(-x.shape[1] // run), in_dim=x.shape[2], **encoder(config, run)
    ).eval()
    own = module.state_dict()
    state = {str(names(old)).removeprefix("encoder."): tensor(value) for old, value in case.state.items()}
    state = {name: value[:, : own[name].shape[1]] if name == "positions" else value for name, value in state.items()}
    missing, _ = module.load_state_dict({name: x for name, x in state.items() if name in own}, strict=False)
    assert not missing
    with torch.no_grad():
        tokens = module.encode(x)
        seen = module.encode(x, only_first=True)[:, 0]
        found = {"tokens": tokens, "cls": seen, **head(case, seen)}
    return {name: numpy(x) for name, x in found.items()}


def head(case: Case, x: Tensor) -> dict[str, Tensor]:
    """Return what the head of an encoder's case makes of class tokens, if it has one."""
    weights = [name for name in case.state if name.startswith("head.") and name.endswith("weight")]
    if not weights:
        return {}
    for number, name in enumerate(weights):
        bias = tensor(case.state[name.replace("weight", "bias")])
        x = nn.functional.linear(x.relu() if number == 1 else x, tensor(case.state[name]), bias)
    probs = x.softmax(-1)
    score = x.sigmoid()[..., 0] if x.shape[-1] == 1 else probs[..., 1]
    return {"probs": probs, "scores": score, "score": score}


def videos(case: Case) -> tuple[Graph, list[np.ndarray]]:
    """Return the graph, and the scores (t,) of each video of a case."""
    g = graph(case, which(case), changes(case), Names("lstc"))
    length = case.config.get("max_clips")
    sampler = None if length is None else component("segment_mean")(length=length)
    count = sum(name.startswith("video") for name in case.inputs)
    rows = [tensor(case.inputs[f"video{i}"]).flatten(1)[None] for i in range(count)]
    return g, [score_video(g.model, {"rgb": x}, sampler=sampler) for x in rows]


def test_set(case: Case) -> dict[str, Any]:
    """Return the curves and their AUC. Equal rows of one matrix may score differently in the last bit; the authors
    score a part once, so that positives and negatives in it are ties."""
    scores = [held(x, case.config.get("part_len") or 1, case) for x in videos(case)[1]]
    truth = [case.inputs[f"gt{i}"][: 16 * len(x)] for i, x in enumerate(scores) if f"gt{i}" in case.inputs]
    frames = np.concatenate([x.repeat(16) for x in scores])
    found: dict[str, Any] = {f"frame_scores.{i}": x for i, x in enumerate(scores)} | {"frame_count": len(frames)}
    both = bool(truth) and len(np.unique(np.concatenate(truth))) == 2
    found["auc"] = roc_auc_score(np.concatenate(truth), frames) if both else np.nan
    return found


def held(x: np.ndarray, run: int, case: Case) -> np.ndarray:
    """Return scores (t,) with the first of each part in place of the others."""
    return x if case.config.get("max_clips") else x[np.arange(len(x)) // run * run]


def pseudo_labels(case: Case) -> dict[str, Any]:
    """Return the labels of videos, as abnormal ones; the authors label normal videos, too, and ignore those."""
    scores = {str(i): x[None] for i, x in enumerate(videos(case)[1])}
    labels = component("threshold_labels")(above=case.config["threshold"]).label(scores, dict.fromkeys(scores, 1), {})
    return {f"pseudo.{name}": x[:, 0] for name, x in labels.items()}


def run(case: Case) -> Mapping[str, Any]:
    mode = case.config.get("mode")
    if case.kind == "data-processing":
        return data.only_data(case)
    if mode == "pseudo-labels":
        return pseudo_labels(case)
    if mode == "train":
        return LSTC.run(with_names(case))
    return test_set(case) if "video0" in case.inputs else alone(case)
