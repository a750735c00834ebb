"""What all cases of whole models need: a graph with the case's weights, one step, several steps.

Legend: b rows, v videos, t snippets, c channels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from cases import Case
from names import Names, load
from torch import Tensor

import vadkit
from systems.errors import NotSupported
from systems.functions import ready
from systems.harness import component, gradients, no_dropout, numpy
from vadkit.engine import optimizers
from vadkit.graph.module import VadModel

STEPS = torch.float64  # see steps


@dataclass
class Graph:
    """A model that holds the weights of a case, and what each of their names is called in it."""

    case: Case
    model: VadModel
    ours: dict[str, str]  # without those that the authors never use
    transposed: frozenset[str] = frozenset()  # official names whose axes are exchanged in it

    @property
    def weights(self) -> dict[str, Tensor]:
        """The parameters under their official names."""
        own = dict(self.model.named_parameters())
        return {official: own[name] for official, name in self.ours.items() if name in own}

    @property
    def parts(self) -> dict[str, Any]:
        return dict(self.model.named_children())


def graph(case: Case, base: str, changes: dict[str, Any], names: Names) -> Graph:
    """Build ``base`` with ``changes`` on top and fill it with the case's weights."""
    model = vadkit.build({"extends": base, **changes})
    found = {official: names(official) for official in case.state}
    own = model.state_dict()
    ours = {
        official: name
        for official, name in found.items()
        if name is not None and (name in own or not names.optional(official))
    }
    load(model, {official: case.state[official] for official in ours}, ours, names)
    return Graph(case, model, ours, frozenset(filter(names.transposed, ours)))


def training_batch(model: VadModel, streams: Mapping[str, np.ndarray], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a training step gets: streams cut and filled by the graph's own sampler, mask, labels."""
    section = model.spec["data"]["sampler"]
    sampler = component(section["use"])(**section["args"])
    brought, lengths = ready(sampler, dict(streams))
    t = next(iter(brought.values())).shape[1]
    return {**brought, "mask": torch.arange(t) < lengths[:, None], "labels": torch.tensor(given["labels"])}


def backward(g: Graph, total: Tensor) -> dict[str, np.ndarray]:
    """Differentiate ``total`` and return the gradient outputs of the case."""
    g.model.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    slopes = {name: weight.grad for name, weight in g.weights.items()}
    return gradients(g.case, {n: x.t() if n in g.transposed and x is not None else x for n, x in slopes.items()})


Column = str | Callable[[Mapping[str, Tensor]], Tensor]  # our part of the losses, or what to compute of them


def steps(g: Graph, batch: Callable[[int], dict[str, Any]], columns: Mapping[str, Column]) -> dict[str, Any]:
    """Take the case's optimiser steps on ``batch(step)``. ``columns`` are the official names of losses.

    A case without columns records the total only.

    In float64: Adam turns a gradient that is rounding noise, or one ReLU whose input rounds to the other
    side of 0, into a step of full size, so that two float32 programs drift apart. The original's runs in
    float32 and float64 agree on these cases. Gradients of single steps are compared in float32.
    """
    g.model.to(STEPS)
    given, before = g.case.given, {n: w.detach().clone() for n, w in g.weights.items()}
    wanted = given.get("loss_columns", ["total"])
    if set(wanted) - set(columns):
        raise NotSupported(f"loss columns {', '.join(sorted(set(wanted) - set(columns)))}")
    no_dropout(g.model)
    g.model.train()
    update, share = optimizer(g, given["optimizer"]), _schedule(given.get("scheduler"))
    rates = [group["lr"] for group in update.param_groups]
    rows, used = [], []
    for step in range(_count(g.case)):
        for group, rate in zip(update.param_groups, rates):
            group["lr"] = rate * share(step)
        used.append([rate * share(step) for rate in _rates(given["optimizer"])])
        parts = g.model.loss({n: for_steps(v) for n, v in batch(step).items()})
        rows.append([float(_column(parts, columns[name]).detach()) for name in wanted])
        update.zero_grad()
        parts["total"].backward()  # type: ignore[no-untyped-call]
        update.step()
    after, names = g.weights, given.get("param_names", list(before))
    result = {
        "losses": np.array(rows) if "loss_columns" in given else np.array(rows)[:, 0],
        "lr": np.array(used) if len(used[0]) > 1 else np.array(used)[:, 0],
        "param_change": np.array([_change(before, after, name) for name in names]),
        "param_norm": norms(g, names),
    }
    g.model.eval().float()
    return result


def _column(parts: Mapping[str, Tensor], column: Column) -> Tensor:
    return parts[column] if isinstance(column, str) else column(parts)


def _change(before: Mapping[str, Tensor], after: Mapping[str, Tensor], name: str) -> float:
    """Return how far a weight went; one that the authors never use stays."""
    return float((after[name] - before[name]).detach().norm()) if name in before else 0.0


def norms(g: Graph, names: Sequence[str]) -> np.ndarray:
    """Return the norms of weights by their official names; what the authors never use is as the case has it."""
    weights = g.weights
    values = [weights[n].detach() if n in weights else torch.from_numpy(np.asarray(g.case.state[n])) for n in names]
    return np.array([float(value.double().norm()) for value in values])


def for_steps(value: Any) -> Any:
    return value.to(STEPS) if isinstance(value, Tensor) and value.is_floating_point() else value


def _count(case: Case) -> int:
    return len({name.split(".")[0] for name in case.inputs if name.startswith("step")})


def optimizer(g: Graph, settings: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return the engine's own optimiser; a group such as "self_attention.*" is a list of our nodes."""
    groups, lr = [], settings.get("lr")
    for pattern, rate in settings.get("groups", {}).items():
        if pattern == "rest":
            lr = rate
        else:
            prefix = pattern.rstrip(".*") + "."
            nodes = {new.split(".")[0]: None for old, new in g.ours.items() if old.startswith(prefix)}
            groups.append({"nodes": list(nodes), "lr": rate})
    rule = {"use": settings["name"].lower(), "lr": lr, "weight_decay": settings.get("weight_decay")}
    rule["args"] = {key: settings[key] for key in ("betas", "momentum") if key in settings}
    return optimizers.build(g.model, rule, groups)


def _rates(settings: Mapping[str, Any]) -> list[float]:
    """Return the learning rates in the order of the case: of its groups, where the rates of several are recorded."""
    groups = settings.get("groups", {})
    return list(groups.values()) or [settings["lr"]]


def _schedule(settings: Mapping[str, Any] | None) -> Callable[[int], float]:
    """Return the share of the learning rate at a step. The originals step once per epoch, some before it begins."""
    if settings is None:
        return lambda step: 1.0
    ahead = int("before" in settings.get("stepped", "").lower())
    if settings["name"] == "CosineAnnealingLR" and not settings.get("eta_min"):
        return lambda step: (1 + np.cos(np.pi * (step + ahead) / settings["T_max"])) / 2
    if settings["name"] == "MultiStepLR":
        drops, factor = settings["milestones"], settings.get("gamma", 0.1)
        return lambda step: factor ** sum(step + ahead >= drop for drop in drops)
    raise NotSupported(f"the schedule {settings}")


def smooth(scores: np.ndarray, mode: str, kappa: int) -> np.ndarray:
    return component("score_smoothing")(kappa=kappa, mode=mode)(scores)


def merge(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings put together, later ones on top."""
    result: dict[str, Any] = {}
    for change in changes:
        for key, value in change.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), dict)
            result[key] = merge(result[key], value) if both else copy.deepcopy(value)
    return result


def probabilities(output: Tensor) -> np.ndarray:
    """Return the logits of a head (b, t) as the original's probabilities (b, t, 1)."""
    return numpy(torch.sigmoid(output))[..., None]
