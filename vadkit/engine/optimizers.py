"""The optimizer and its parameter groups, by node name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from vadkit.components import build_component, find_component
from vadkit.kinds import Optimizer
from vadkit.plugin_manager import Plugins
from vadkit.problems import did_you_mean, fail


def node_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules that ``train`` may name: nodes, shared ones by ``share``, and losses as ``losses.NAME``."""
    modules = {name: module for name, module in model.named_children() if name != "losses"}
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
    model: nn.Module, groups: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any], decay_biases: bool = True
) -> list[dict[str, Any]]:
    """Return torch parameter groups: one per entry of ``groups``, and one with all that is left.

    Each entry has ``nodes`` and what differs from ``defaults`` (``lr``, ``weight_decay``). Without ``decay_biases``
    the biases of a group are a group of their own. Raises VadkitError for an unknown node, a parameter in two
    groups, and a group without parameters.
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
    return result if decay_biases else [part for group in result for part in _without_decay(model, group)]


def _without_decay(model: nn.Module, group: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the group without its biases, and its biases with no weight decay; either may be missing."""
    named = {parameter for name, parameter in model.named_parameters() if name.endswith("bias")}
    biases = [parameter for parameter in group["params"] if parameter in named]
    others = [parameter for parameter in group["params"] if parameter not in named]
    apart = {**group, "params": biases, "weight_decay": 0.0, "name": f"{group['name']}.biases"}
    return [part for part in ({**group, "params": others}, apart) if part["params"]]


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


def rule_of(section: Mapping[str, Any], plugins: Plugins | None = None) -> Optimizer:
    """Return the component that ``train.optimizer`` names. Raises VadkitError for unknown names and arguments."""
    component = find_component(section["use"], "optimizer", plugins)
    return build_component(component, section["args"], "train.optimizer")  # type: ignore[no-any-return]


def build(
    model: nn.Module,
    section: Mapping[str, Any],
    groups: Sequence[Mapping[str, Any]] = (),
    plugins: Plugins | None = None,
) -> torch.optim.Optimizer:
    """Return the optimizer that ``train.optimizer`` and ``train.groups`` describe.

    Raises VadkitError for a name or an argument that does not exist, and for a model with nothing to train.
    """
    rule = rule_of(section, plugins)
    defaults = {key: section[key] for key in ("lr", "weight_decay") if section.get(key) is not None}
    params = parameter_groups(model, groups, defaults, section.get("decay_biases", True))
    if not any(group["params"] for group in params):
        fail("the graph has no parameters to train")
    try:
        return rule.build(params)
    except (TypeError, ValueError) as error:
        fail(f"train.optimizer: {error}")


def uncapturable(optimizer: torch.optim.Optimizer) -> str | None:
    """Return why an update by this optimizer cannot be captured, or None if it can.

    It can where all that changes from step to step is on the device: in torch's fused forms, and where a rule has the
    option ``capturable``.
    """
    if all(group.get("fused") or "capturable" in group for group in optimizer.param_groups):
        return None
    return f"the optimizer {type(optimizer).__name__} counts its steps on the host"


def keep_on_device(optimizer: torch.optim.Optimizer) -> None:
    """Let an optimizer keep on the device what changes, captured or not, so that both give equal weights."""
    for group in optimizer.param_groups:
        if "capturable" in group:
            group["capturable"] = True
    optimizer._warned_capturable_if_run_uncaptured = True  # it need not be captured


def plain_state(optimizer: torch.optim.Optimizer, rates: Iterable[float]) -> dict[str, Any]:
    """Return the state to save: the same whether the learning rates are tensors or numbers."""
    state = optimizer.state_dict()
    groups = [{**group, "lr": rate} for group, rate in zip(state["param_groups"], rates)]
    return {**state, "param_groups": groups}


def state_of_one_weight(rule: Optimizer) -> dict[str, Any]:
    """Return what an optimizer knows of a weight of shape (1,) after a step."""
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    trial = rule.build([{"params": [weight], "lr": 0.1, "weight_decay": 0.0, "name": "trial"}])
    trial.step()
    return {key: value for key, value in trial.state[weight].items() if value is not None}
