"""CMA-LA: scores, training, optimiser steps, and the test protocol, also with the authors' released weights."""

from __future__ import annotations

from torch import Tensor

from systems import data
from systems.table import Run, System


def attention(run: Run) -> Tensor:
    step = run.graph.parts["attended"].steps[0]
    return step.attention(run.tap("attended.steps.0.q"), run.tap("attended.steps.0.k"), None)  # type: ignore[no-any-return]


def prior(run: Run) -> Tensor:
    return run.graph.parts["attended"].steps[0].prior(run.tap("attended.steps.0.k"))  # type: ignore[no-any-return]


CMA_LA = System(
    graph="cma_la_xd",
    names="cma_la",
    args={
        "visual": "inputs.rgb",
        "audio": "inputs.audio",
        "hid_dim": "attended.hidden",
        "d_ff": "hidden.dim",
        "dropout": ["hidden.dropout", "reduced.dropout"],
        "out_dim": "reduced.dim",
        "kernel": "score.kernel",
    },
    inputs={"features": ["rgb", "audio"]},
    sampler=True,
    losses={"loss": "total"},
    outputs={
        "scores": "output",
        "score": "output | mean",
        "adj": prior,
        "attention": attention,
        "cross": "attended.steps.0.out",
        "normed": "normed",
        "fused": "reduced | swap",
    },
    taps=["attended.steps.0.q", "attended.steps.0.k"],
    protocol={"score": "score", "ap": "score, ap"},
    modes={"data": data.only_data},
)
