"""MACIL-SD, light and full: scores of both networks, training with the contrast, one step and the blend after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from cases import Case
from torch import Tensor

from systems import data
from systems.graphs import Graph
from systems.table import Run, System
from vadkit.engine import optimizers
from vadkit.engine.blend import Blend
from vadkit.evaluate.scorebook import ScoreBook

AV, PEER = "av.", "v."  # before the names of the two models


def second(case: Case) -> str:
    return "flow" if "flow" in case.inputs else "audio"


def settings(case: Case) -> dict[str, Any]:
    """Return the width of the second stream, and the factors of the contrast, which an epoch gives too."""
    config, stream = case.config, second(case)
    given = case.inputs[stream].shape[-1] if stream in case.inputs else config.get("a_feature_size", 128)
    background = config.get("lamda_a2b", min(1.5, 0.1 * config.get("epoch", 15)))
    contrast: dict[str, Any] = {"weight": background}
    if background:
        contrast["args"] = {"normal": config.get("lamda_a2n", background) / background}
    return {"inputs": {stream: f"b t {given}"}, "losses": {"contrast": contrast}}


def average_precision(scores: str) -> Callable[[Run], float]:
    """Return a function for the authors' AP, a trapezoid, over the frames of the case."""

    def ap(run: Run) -> float:
        values = run.tap(scores).double().numpy()
        truth = np.asarray(run.case.inputs["gt"]).reshape(len(values), -1)
        book = ScoreBook()
        book.add("video", values, truth.sum(1).astype(int), np.full(len(values), truth.shape[1]), 1)
        return float(book.figures(0.5)["ap_trapezoid"])

    return ap


def bag(loss: str) -> Callable[[Run], Any]:
    return lambda run: run.calls[f"losses.{loss}.bag_scores"][0][1][0]


class MacilSd(System):
    """The table, and what follows the backward pass: a step of the graph's own optimizer, and its blend."""

    def _stepped(self, g: Graph) -> Mapping[str, Any]:
        case, train = g.case, g.model.spec["train"]
        optimizers.build(g.model, train["optimizer"], train["groups"]).step()
        stepped = self._all(g)
        results = {"stepped_norm": _norms(stepped, case.given["stepped_norm_names"])}
        if "ema_m" in case.given:
            entries = [{**entry, "keep": case.given["ema_m"], "per": "step"} for entry in train["blend"]]
            blend = Blend(g.model, entries, steps=1, epoch_steps=1)
            blend.prepare(0)
            blend.apply()
            blended = self._all(g, case.given["ema_m"])
            moved = {name: blended[name] - stepped[name] for name in blended}
            results["ema_norm"] = _norms(blended, case.given["ema_norm_names"])
            results["ema_delta"] = _norms(moved, case.given["ema_delta_names"])
        return results

    def _all(self, g: Graph, keep: float = 1.0) -> dict[str, Tensor]:
        """Return the weights of the first model, those that the authors never use as their average leaves them."""
        own = {name: weight.detach().clone() for name, weight in g.weights.items()}
        for name in g.case.state:
            if name not in own:
                peer = g.case.state.get(PEER + name.removeprefix(AV), g.case.state[name])
                own[name] = torch.from_numpy(keep * np.asarray(g.case.state[name]) + (1 - keep) * np.asarray(peer))
        return {name.removeprefix(AV): weight for name, weight in own.items() if not name.startswith(PEER)}


def _norms(weights: Mapping[str, Tensor], names: list[str]) -> np.ndarray:
    return np.array([float(weights[name].double().norm()) for name in names])


SHARED: dict[str, Any] = {
    "v_feature_size": "inputs.rgb",
    "hid_dim": ["first.dim", "second.dim"],
    "ffn_dim": ["first_out.ff_dim", "second_out.ff_dim"],
    "nhead": ["first_out.heads", "second_out.heads"],
    "dropout": ["first_out.dropout", "second_out.dropout"],
    "cma_temperature": "losses.contrast.temperature",
}
PEERS = {
    "hid_dim": "peer_first.dim",
    "ffn_dim": "peer_out.ff_dim",
    "nhead": "peer_out.heads",
    "dropout": "peer_out.dropout",
}
COMMON: dict[str, Any] = {
    "inputs": {"rgb": "rgb", "audio": "audio", "flow": "flow"},
    "changes": settings,
    "sampler": True,  # which cuts a batch to its longest bag
    "losses": {
        "loss_mil": "mil",
        "loss_a2v_a2b": "contrast.first_background",
        "loss_a2v_a2n": "contrast.first_normal",
        "loss_v2a_a2b": "contrast.second_background",
        "loss_v2a_a2n": "contrast.second_normal",
    },
    "calls": ["losses.mil.bag_scores"],
    "modes": {"sampling": data.only_data},
}
OUTPUTS: dict[str, Any] = {
    "snippet_scores": "output | mean",
    "av_logits": "score",
    "v_out": "first_out",
    "a_out": "second_out",
    "visual_scores": "first_score | sigmoid",
    "audio_scores": "second_score | sigmoid",
    "ap": average_precision("output | mean"),
    "bag_scores": bag("mil"),
    "loss_total": lambda run: run.results["loss_mil"] + _contrast(run),
}


def _contrast(run: Run) -> Any:
    """Return the four terms with the factors of the case."""
    weight = run.graph.model.plan.losses[1].weight.last
    normal = run.graph.parts["losses"]["contrast"].normal
    results = run.results
    background = results["loss_a2v_a2b"] + results["loss_v2a_a2b"]
    return weight * (background + normal * (results["loss_a2v_a2n"] + results["loss_v2a_a2n"]))


LIGHT = MacilSd(
    graph=lambda case: "macil_sd_light_xd_flow" if second(case) == "flow" else "macil_sd_light_xd",
    names="macil_sd_light",
    args=SHARED,
    outputs=OUTPUTS,
    **COMMON,
)
FULL = MacilSd(
    graph="macil_sd_full_xd",
    names="macil_sd_full",
    args={
        key: [*([own] if isinstance(own, str) else own), *([PEERS[key]] if key in PEERS else [])]
        for key, own in SHARED.items()
    },
    outputs={
        **OUTPUTS,
        "v_logits": "peer_score",
        "v_snippet_scores": "peer_score | sigmoid | mean",
        "v_ap": average_precision("peer_score | sigmoid | mean"),
        "v_bag_scores": bag("peer"),
    },
    **{
        **COMMON,
        "losses": {**COMMON["losses"], "loss_v": "peer"},
        "calls": ["losses.mil.bag_scores", "losses.peer.bag_scores"],
    },
)
