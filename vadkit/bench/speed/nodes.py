"""The components of a graph, each alone with the inputs that it has there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vadkit.bench.speed.counting import size
from vadkit.bench.speed.work import Work
from vadkit.graph.module import VadModel
from vadkit.graph.plan import Plan
from vadkit.graph.stages import tensors_of


def components(model: VadModel) -> dict[str, tuple[str, nn.Module]]:
    """Return name -> (kind, module) of every component that is a node or a loss; the first of each name."""
    found: dict[str, tuple[str, nn.Module]] = {}
    nodes = [(step.component, model.get_submodule(step.module)) for step in model.plan.steps]
    losses = [(loss.component, model.losses[loss.name]) for loss in model.plan.losses]
    for component, module in [*nodes, *losses]:
        found.setdefault(_name(component), (str(getattr(component, "kind", "")), module))
    return found


def names_in(plan: Plan) -> set[str]:
    """Return the names of the components of a graph."""
    return {_name(step.component) for step in (*plan.steps, *plan.losses)}


def _name(component: type) -> str:
    return str(getattr(component, "name", ""))


def works(model: VadModel, batch: Mapping[str, Any], names: Iterable[str]) -> Iterator[tuple[str, str, Work]]:
    """Yield (component, kind, work) of each of ``names`` that the loss of a batch calls."""
    found = components(model)
    calls = _calls(model, batch, [module for name, (_, module) in found.items() if name in names])
    for name, (kind, module) in found.items():
        if name in names and id(module) in calls:
            yield name, kind, _work(module, kind, calls[id(module)])


def _calls(model: VadModel, batch: Mapping[str, Any], modules: list[nn.Module]) -> dict[int, tuple[Any, Any]]:
    """Return the arguments of the first call of each module in a train step."""
    calls: dict[int, tuple[Any, Any]] = {}

    def listen(module: nn.Module, args: Any, kwargs: Any) -> None:
        calls.setdefault(id(module), (_map(_copy, args), _map(_copy, kwargs)))

    hooks = [module.register_forward_pre_hook(listen, with_kwargs=True) for module in modules]
    try:
        model.train()
        model.loss(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _work(module: nn.Module, kind: str, call: tuple[Any, Any]) -> Work:
    args, kwargs = call

    def loss() -> Tensor:
        for leaf in tensors_of(call):
            leaf.grad = None
        outputs = [t for t in tensors_of(module(*args, **kwargs)) if t.requires_grad]
        return torch.stack([t.sum() for t in outputs]).sum()

    with torch.no_grad():
        outputs = list(tensors_of(module(*args, **kwargs)))
    moved = size(tensors_of(call)) + size(outputs)
    return Work(module, loss, None if kind == "loss" else lambda: module(*args, **kwargs), moved, updates=False)


def _copy(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.detach().clone().requires_grad_(value.is_floating_point() and value.requires_grad)


def _map(change: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _map(change, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_map(change, item) for item in value)
    return change(value)
