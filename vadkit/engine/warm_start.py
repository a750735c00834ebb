"""Weights taken over from a model file, by node name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vadkit.engine.optimizers import node_modules
from vadkit.problems import Problem, VadkitError, did_you_mean, fail


@dataclass(frozen=True)
class Loaded:
    """What was taken over: nodes, tensors and numbers in them."""

    nodes: tuple[str, ...]
    tensors: int
    values: int

    def __str__(self) -> str:
        return f"{self.tensors} tensors ({self.values:,} values) of {len(self.nodes)} nodes"


def warm_start(
    model: nn.Module, weights: Mapping[str, Tensor], nodes: Sequence[str] | None, source: str | Path
) -> Loaded:
    """Copy the tensors of ``nodes`` from ``weights`` (state dict of another model) into ``model``.

    None for ``nodes`` means every node that both models have. Raises VadkitError with all that does not
    fit; the model is then unchanged.
    """
    modules = {name: m for name, m in node_modules(model).items() if not name.startswith("losses.")}
    theirs = {key.split(".")[0] for key in weights} - {"losses"}
    chosen = list(nodes) if nodes is not None else [name for name in modules if name in theirs]
    problems: list[Problem] = []
    copies: list[tuple[Tensor, Tensor]] = []
    for node in chosen:
        if node not in modules:
            hint = did_you_mean(node, modules)
            problems.append(Problem(f"train.warm_start: there is no node '{node}'", hint=hint))
        else:
            problems += _match(node, modules[node], weights, source, copies)
    if problems:
        raise VadkitError(problems)
    if not copies:
        fail(f"train.warm_start: {source} has nothing for the nodes {', '.join(chosen) or 'of this graph'}")
    with torch.no_grad():
        for target, tensor in copies:
            target.copy_(tensor)
    return Loaded(tuple(chosen), len(copies), sum(tensor.numel() for _, tensor in copies))


def _match(
    node: str,
    module: nn.Module,
    weights: Mapping[str, Tensor],
    source: str | Path,
    copies: list[tuple[Tensor, Tensor]],
) -> list[Problem]:
    """Add the copies for one node; return what does not fit."""
    mine = module.state_dict()
    theirs = {k.removeprefix(f"{node}."): v for k, v in weights.items() if k.startswith(f"{node}.")}
    where = f"train.warm_start: node '{node}' in {source}"
    if mine and not theirs:
        return [Problem(f"{where}: the file has no weights for it", hint=f"it has {_nodes(weights)}")]
    problems = []
    for key in sorted(mine.keys() ^ theirs.keys()):
        side = "the file lacks" if key in mine else "this graph lacks"
        problems.append(Problem(f"{where}: {side} '{key}'", hint="the node uses another component or size"))
    for key in sorted(mine.keys() & theirs.keys()):
        if mine[key].shape != theirs[key].shape:
            shapes = f"{tuple(theirs[key].shape)} in the file, {tuple(mine[key].shape)} here"
            problems.append(Problem(f"{where}: '{key}' is {shapes}"))
        else:
            copies.append((mine[key], theirs[key]))
    return problems


def _nodes(weights: Mapping[str, Tensor]) -> str:
    return ", ".join(sorted({key.split(".")[0] for key in weights}))
