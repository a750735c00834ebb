"""MSBT: scores and training with all three streams."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from systems import data
from systems.table import Run, System


def exchanged(place: int) -> Any:
    """Return what the exchange gave, by place: receivers and last tokens of all pairs in one batch."""

    def by_pair(run: Run) -> Tensor:
        found: Tensor = run.calls["exchange.exchange"][0][1][place]
        return found.unflatten(0, (run.graph.parts["exchange"].num_pairs, -1))

    return by_pair


MSBT = System(
    graph="msbt_xd",
    names="msbt",
    args={
        "v_feature_size": "inputs.rgb",
        "a_feature_size": "inputs.audio",
        "f_feature_size": "inputs.flow",
        "hid_dim": ["rgb_in.dim", "audio_in.dim", "flow_in.dim"],
        "ffn_dim": ["rgb_self.ff_dim", "audio_self.ff_dim", "flow_self.ff_dim", "exchange.ff_dim"],
        "nhead": ["rgb_self.heads", "audio_self.heads", "flow_self.heads", "exchange.heads"],
        "dropout": [f"{node}.dropout" for node in ("rgb_self", "audio_self", "flow_self", "exchange", "joint")],
        "n_transformer_layer": "joint.depth",
        "n_bottleneck": "exchange.tokens",
        "bottleneck_std": "exchange.token_std",
        "lambda_infoNCE": "losses.contrast weight",
        "temperature": "losses.contrast.temperature",
    },
    inputs={"rgb": "rgb", "audio": "audio", "flow": "flow"},
    sampler=True,
    losses={"loss_mil": "mil", "loss_tcc": "contrast", "loss_total": "total"},
    outputs={
        "scores": "output",
        "snippet_scores": "output | mean",
        "bag_scores": lambda run: run.calls["losses.mil.bag_scores"][0][1][0],
        "pair_weights": "exchange.gate",
        "pair_bottleneck": exchanged(1),
        "pair_feature": exchanged(0),
        "fused": "joint",
        "ap": lambda run: average_precision(run),
    },
    calls=["exchange.exchange", "losses.mil.bag_scores"],
    optimizer={"name": "SGD", "lr": 0.005, "weight_decay": 0.0005},
    modes={"data-processing": data.only_data},
)


def average_precision(run: Run) -> float:
    """Return the trapezoid of scores repeated for the frames of their snippets, as the inputs label them."""
    from vadkit.evaluate.scorebook import ScoreBook

    scores = run.tap("output | mean").double().numpy()
    frames = torch.as_tensor(run.case.inputs["gt"]).reshape(len(scores), -1)
    book = ScoreBook()
    book.add("all", scores, frames.sum(1).numpy(), torch.full((len(scores),), frames.shape[1]).numpy(), 1)
    return float(book.figures(0.5)["ap_trapezoid"])
