"""Weights taken over from model files, by node name, and the rows of sources from .npy files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vadkit.engine.optimizers import node_modules
from vadkit.graph.model_file import read_weights
from vadkit.kinds import Source
from vadkit.problems import Problem, VadkitError, did_you_mean, fail
from vadkit.store.array_file import open_any


@dataclass(frozen=True)
class Loaded:
    """What was taken over: nodes, tensors and numbers in them."""

    nodes: tuple[str, ...]
    tensors: int
    values: int

    def __str__(self) -> str:
        return f"{self.tensors} tensors ({self.values:,} values) of {len(self.nodes)} nodes"


def entries(section: dict[str, Any] | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return the files and nodes of ``train.warm_start``, which may be one mapping or a list of them."""
    return section if isinstance(section, list) else [] if section is None else [section]


def start_from(model: nn.Module, file: str, nodes: Sequence[str] | None) -> Loaded:
    """Copy what a file holds into ``model``: the rows of a source (.npy), or the weights of nodes (a model file).

    Raises VadkitError, with the model unchanged, for a file that is missing or does not fit.
    """
    if not Path(file).exists():
        fail(
            f"train.warm_start.file: there is no file {file}",
            hint="train that model first and name its file (--set train.warm_start.file=FILE), "
            "or start from fresh weights (--set train.warm_start=null)",
        )
    if Path(file).suffix == ".npy":
        return rows_from(model, file, nodes)
    return warm_start(model, read_weights(file), nodes, file)


def rows_from(model: nn.Module, file: str, nodes: Sequence[str] | None) -> Loaded:
    """Copy the array in a .npy file into the ``weight`` of sources. Raises VadkitError for all that does not fit."""
    found = open_any(Path(file))
    modules = node_modules(model)
    sources = {name: m for name, m in modules.items() if isinstance(m, Source) and _rows(m) is not None}
    if not nodes:
        fail(
            f"train.warm_start: {file} holds the rows of a source, and no node is named",
            hint=f"add nodes: [{next(iter(sources), 'NAME')}]",
        )
    problems = [problem for node in nodes if (problem := _misfit(node, modules, sources, found, file))]
    if problems:
        raise VadkitError(problems)
    with torch.no_grad():
        for node in nodes:
            target = _rows(sources[node])
            assert target is not None
            target.copy_(torch.from_numpy(np.array(found, dtype=np.float32)))
    return Loaded(tuple(nodes), len(nodes), len(nodes) * found.size)


def _rows(source: nn.Module) -> Tensor | None:
    weight = getattr(source, "weight", None)
    return weight if isinstance(weight, Tensor) else None


def _misfit(
    node: str, modules: Mapping[str, nn.Module], sources: Mapping[str, nn.Module], found: np.ndarray, file: str
) -> Problem | None:
    """Return why an array cannot be the rows of a node."""
    if node not in modules:
        return Problem(f"train.warm_start: there is no node '{node}'", hint=did_you_mean(node, modules))
    if node not in sources:
        names = ", ".join(sources) or "none of this graph"
        return Problem(f"train.warm_start: node '{node}' takes no rows from a .npy file", hint=f"such a node: {names}")
    where, weight = f"train.warm_start: node '{node}' in {file}", _rows(sources[node])
    assert weight is not None
    if found.dtype.kind != "f" or found.shape != tuple(weight.shape):
        return Problem(f"{where}: rows of {found.dtype} {found.shape} in the file, float32 {tuple(weight.shape)} here")
    with np.errstate(over="ignore"):
        if not np.isfinite(found.astype(np.float32)).all():
            return Problem(f"{where}: the rows hold NaN, infinity, or a number beyond the largest float32")
    return None


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
