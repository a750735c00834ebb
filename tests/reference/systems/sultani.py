"""Sultani et al.: the objective of a batch, and the regulariser that Keras adds to it."""

from __future__ import annotations

from typing import Any

from cases import Case
from torch import Tensor

from systems.graphs import backward
from systems.harness import no_dropout, norms_of, numpy
from systems.table import Results, System


def kernels(weights: dict[str, Tensor]) -> Tensor:
    """Return the sum of all squared weights but the biases."""
    return sum((w.square().sum() for name, w in weights.items() if name.endswith("weight")), Tensor([0.0]).sum())


def train(case: Case) -> Results:
    """Return the losses and gradients with the regulariser, which is weight decay in our graph."""
    g = SULTANI.build(case)
    no_dropout(g.model)
    g.model.train()
    run = SULTANI.prepare(g, case.inputs, training=True)
    with run.taps:
        parts = g.model.loss(run.batch)
    regulariser = case.config.get("l2", 0.001) * kernels(g.weights)
    total = parts["total"] + regulariser
    scores = run.tap("output")
    found: dict[str, Any] = {
        "scores": scores,
        "argmax": scores.argmax(1),
        "loss_hinge": parts["rank"],
        "loss_sparsity_weighted": parts["calm.sparse"],
        "loss_smooth_weighted": parts["calm.smooth"],
        "loss_l2": regulariser,
        "loss_objective": parts["total"],
        "loss_total": total,
    }
    return {**{name: numpy(x) for name, x in found.items()}, **backward(g, total), **norms_of(g.weights.values(), [])}


SULTANI = System(
    graph="sultani_ucf",
    names="sultani",
    args={
        "input_dim": "inputs.rgb",
        "margin": "losses.rank.margin",
        "sparsity": "losses.calm.sparse",
        "smooth": "losses.calm.smooth",
    },
    # The records are of rows as they were drawn, so that the scores spread.
    changes=lambda case: {"nodes": {"unit": {"use": "identity"}}},
    inputs={"abnormal": "rgb", "normal": "rgb"},
    outputs={"scores": "output"},
    modes={"train": train},
)
