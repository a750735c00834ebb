"""The optimiser and its parameter groups, by node name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from vadkit.problems import did_you_mean, fail, nearest

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "sgd": torch.optim.SGD,
}


def node_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules that ``train`` may name: every node, and each loss as ``losses.NAME``.

    A node that shares another's weights is found under its own name too.
    """
    modules = {name: module for name, module in model.named_children() if name != "losses"}
    for step in getattr(getattr(model, "plan", None), "steps", []):
        modules.setdefault(step.name, modules[step.module])
    losses = getattr(model, "losses", None) or {}
    return modules | {f"losses.{name}": module for name, module in losses.items()}


def find_node(model: nn.Module, name: str, what: str) -> nn.Module:
    """Return the module called ``name``. Raises VadkitError with the nearest name; ``what`` names the key."""
    modules = node_modules(model)
    if name not in modules:
        fail(
            f"{what}: there is no node '{name}'",
            hint=did_you_mean(name, modules) or f"the nodes are {', '.join(modules)}",
        )
    return modules[name]


def parameter_groups(
    model: nn.Module, groups: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return torch parameter groups: one per entry of ``groups``, and one with all that is left.

    Each entry has ``nodes`` and what differs from ``defaults`` (``lr``, ``weight_decay``). Raises
    VadkitError for an unknown node, a parameter in two groups, and a group without parameters.
    """
    taken: dict[nn.Parameter, str] = {}
    result = []
    for index, entry in enumerate(groups):
        what = f"train.groups[{index}]"
        own = _claim(model, entry["nodes"], what, taken)
        options = {key: value for key, value in entry.items() if key != "nodes" and value is not None}
        result.append({**defaults, **options, "params": own, "name": what})
    rest = [p for p in model.parameters() if p.requires_grad and p not in taken]
    if rest or not result:
        result.append({**defaults, "params": rest, "name": "rest"})
    return result


def _claim(model: nn.Module, nodes: Sequence[str], what: str, taken: dict[nn.Parameter, str]) -> list[nn.Parameter]:
    own: dict[nn.Parameter, None] = {}
    for node in nodes:
        for parameter in find_node(model, node, what).parameters():
            if parameter in taken:
                fail(f"{what}: node '{node}' has parameters that are already in {taken[parameter]}")
            if parameter.requires_grad:
                own[parameter] = None
    if not own:
        fail(f"{what}: the nodes {', '.join(nodes)} have no parameters to train")
    taken.update({parameter: what for parameter in own})
    return list(own)


def build(
    model: nn.Module, optimizer: Mapping[str, Any], groups: Sequence[Mapping[str, Any]] = ()
) -> torch.optim.Optimizer:
    """Return the optimiser that ``train.optimizer`` and ``train.groups`` describe.

    ``optimizer`` has ``name`` and the arguments of the torch class of that name. Raises VadkitError
    for a name or an argument it does not have, and for a model with nothing to train.
    """
    options = {key: value for key, value in optimizer.items() if key != "name" and value is not None}
    cls = _find(optimizer["name"], options)
    params = parameter_groups(model, groups, options)
    if not any(group["params"] for group in params):
        fail("the graph has no parameters to train")
    if "fused" in inspect.signature(cls).parameters and all(p.is_floating_point() for p in model.parameters()):
        options.setdefault("fused", True)  # one pass over memory instead of several: same rule, 3x faster
    try:
        return cls(params, **options)
    except (TypeError, ValueError) as error:
        fail(f"train.optimizer: {error}")


def _find(name: str, options: Mapping[str, Any]) -> type[torch.optim.Optimizer]:
    if name not in OPTIMIZERS:
        close = nearest(name, OPTIMIZERS)
        known = f"known: {', '.join(OPTIMIZERS)}"
        fail(f"there is no optimizer '{name}'", hint=f"did you mean '{close}'?" if close else known)
    arguments = set(inspect.signature(OPTIMIZERS[name]).parameters) - {"params"}
    for option in options:
        if option not in arguments:
            fail(f"the optimizer {name} has no argument '{option}'", did_you_mean(option, arguments))
    return OPTIMIZERS[name]
