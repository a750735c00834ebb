"""MAVD: scores and training, also with the authors' released weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from cases import Case
from names import Names
from torch import Tensor

from systems.errors import NotSupported
from systems.graphs import Graph, backward, graph, training_batch
from systems.harness import listen, no_dropout, numpy, tensor, watch

NETS = {"rgb": "v_net", "audio": "a_net", "flow": "f_net"}
LETTERS = {"v": "rgb", "a": "audio", "f": "flow"}


def run(case: Case) -> dict[str, Any]:
    mode = case.config["mode"]
    runners = {"eval": _eval, "train": _train}
    if mode not in runners:
        raise NotSupported(f"a mavd case of mode {mode}")
    return runners[mode](case)


def build(case: Case) -> Graph:
    """Return the model with every value of the case's config set; widths are (input, head, feature)."""
    config, nodes, inputs = case.config, {}, {}
    for stream, net in NETS.items():
        width, hidden, dim = config[net]
        inputs[stream] = f"b t {width}"
        nodes[f"{stream}_embedding"] = {"args": {"dim": dim}}
        nodes[f"{stream}_context"] = {"args": {"head_dim": dim // 2}}
        for score in (f"{stream}_score", f"{stream}_aligned_score"):
            nodes |= {score: {"args": {"hidden": [hidden, 32]}}} if score != "rgb_aligned_score" else {}
    joined, hidden, dim = config["vaf_net"]
    nodes |= {"joined_1": {"args": {"dim": joined // 2}}, "joined_2": {"args": {"dim": dim}}}
    nodes["score"] = {"args": {"hidden": [hidden, 32]}}
    alignment, mil, triplet = config["lambda"]
    losses: dict[str, Any] = {"mil": {"weight": mil}, "alignment": {"weight": alignment}}
    losses |= {f"{stream}_aligned_mil": {"weight": 0.01 * alignment} for stream in ("audio", "flow")}
    losses["triplet"] = {"weight": triplet, "args": {"margin": float(config["triplet_margin"])}}
    return graph(case, "mavd_xd", {"inputs": inputs, "nodes": nodes, "losses": losses}, Names("mavd"))


def _eval(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    with watch(**g.parts) as seen, torch.no_grad():
        found = g.model(**{name: tensor(case.inputs[name]) for name in NETS})
        own = {f"{letter}_output": head(g, stream)(seen[f"{stream}_context"]) for letter, stream in LETTERS.items()}
    results = {f"{letter}_satt": numpy(seen[f"{stream}_context"]) for letter, stream in LETTERS.items()}
    results |= {f"{letter}_aligned": numpy(seen[f"{LETTERS[letter]}_aligned"]) for letter in "af"}
    results |= {name: numpy(torch.sigmoid(logits)) for name, logits in own.items()}
    return {**results, "fused": numpy(seen["fused"]), "output": numpy(found), "score": numpy(found.mean(0))}


def head(g: Graph, stream: str) -> Any:
    """Return the head of a stream's own network; for audio and flow it is shared."""
    return g.parts.get(f"{stream}_head", g.parts.get(f"{stream}_score"))


def _train(case: Case) -> dict[str, Any]:
    g = build(case)
    no_dropout(g.model)
    g.model.train()
    losses = g.model.losses
    bags = {name: listen(losses[name], "bag_scores") for name in ("rgb_mil", "audio_mil", "flow_mil", "mil")}
    compared, widened = listen(losses["alignment"], "similarity"), listen(losses["alignment"], "widen")
    parts = g.model.loss(training_batch(g.model, {name: case.inputs[name] for name in NETS}, case.given))
    results = {f"{letter}_output": bags[f"{stream}_mil"][0][1][0] for letter, stream in LETTERS.items()}
    results |= {"vaf_output": bags["mil"][0][1][0], **_losses(parts, case.config["lambda"])}
    for place, stream in enumerate(("audio", "flow")):
        results[f"similarity_{stream}"] = compared[place][1]
        results[f"padded_{stream}"] = widened[place][1]
    arrays: dict[str, Any] = {name: numpy(value) for name, value in results.items()}
    for stream, (arguments, _) in zip(("audio", "flow"), widened):
        arrays[f"column_source_{stream}"] = _sources(losses["alignment"], *arguments)
    return {**arrays, **backward(g, parts["total"])}


def _losses(parts: dict[str, Tensor], weights: list[float]) -> dict[str, Tensor]:
    own = parts["rgb_mil"] + parts["audio_mil"] + parts["flow_mil"]
    aligned = parts["alignment"] + 0.01 * (parts["audio_aligned_mil"] + parts["flow_aligned_mil"])
    multimodal = weights[0] * aligned + weights[1] * parts["mil"] + weights[2] * parts["triplet"]
    return {
        "U_MIL_loss": own,
        "MA_loss": aligned,
        "M_MIL_loss": parts["mil"],
        "Triplet_loss": parts["triplet"],
        "disl_total": multimodal,
        "total": parts["total"],
    }


def _sources(loss: Any, x: Tensor, main: Tensor, counted: Tensor) -> np.ndarray:
    """Return 1 + the channel of x at each channel of the result, 0 for none."""
    from vadkit_channel_alignment import assign

    order = assign(loss.similarity(x.detach(), main, counted))
    return np.pad(np.arange(1, x.shape[-1] + 1), (0, main.shape[-1] - x.shape[-1]))[order]
