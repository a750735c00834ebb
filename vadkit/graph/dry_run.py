"""Run every node and loss once, on what the nodes before it really return, and compare that with what it declares.

Runs on the meta device (nothing is computed) at b = 2, t = 9, v = 2. A component that cannot run there is run on the
CPU instead, on zeros where nothing was computed. Nodes get what they get at test time, those that exist in training
alone and losses a batch of one abnormal and one normal video.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vadkit.batch_ports import BATCH_PORTS, Drawing, as_shape
from vadkit.graph.plan import LossStep, Plan, Ref, Step, feed
from vadkit.graph.wiring import ports_of
from vadkit.problems import Problems
from vadkit.shapes import Port, sizes

COUNTS = {"b": 2, "t": 9, "v": 2}
MOST_VALUES = 50_000_000  # of a component that is run on the CPU
Values = dict[str, Tensor]  # by name, on the CPU if they were computed, else on the meta device
MOST_KNOWN = 10_000
_KNOWN: dict[Any, Any] = {}  # what components returned, by all that decides it: variants of a graph have most in common


def dry_run(plan: Plan, modules: Mapping[str, nn.Module], problems: Problems) -> None:
    """Note every node and loss that fails, or whose output is not what it declares.

    A node that is fed by one with a problem is not run.
    """
    values: Values = {name: torch.zeros(sizes(p, COUNTS), device="meta") for name, p in plan.inputs.items()}
    for step in plan.steps:
        if _known(step, values):
            message = _check(step, modules[f"nodes.{step.name}"], values)
            if message:
                problems.add(f"{_blame(step, 'node')} {message}", ("nodes", step.name), key=True)
    for loss in plan.losses:
        if _known(loss, values):
            message = _check_loss(loss, modules[f"losses.{loss.name}"], values)
            if message:
                problems.add(f"{_blame(loss, 'loss')} {message}", ("losses", loss.name), key=True)


def _known(step: Step | LossStep, values: Values) -> bool:
    return all(ref.batch or str(ref) in values for ref in step.refs)


def _blame(step: Step | LossStep, what: str) -> str:
    return f"component '{step.component.name}' ({what} '{step.name}')"  # type: ignore[attr-defined]


def _check(step: Step, module: nn.Module, values: Values) -> str | None:
    """Run a node and add its outputs to the values. Return what is wrong with it, as the end of a sentence."""
    result = _run(step, module, values)
    if isinstance(result, Exception):
        return _failed(result)
    outputs = result if isinstance(result, dict) else {next(iter(step.outputs)): result}
    if set(outputs) != set(step.outputs):
        return f"declares outputs {', '.join(step.outputs)} but returned {', '.join(map(str, outputs))}"
    indices: Mapping[str, str] = step.component.indices  # type: ignore[attr-defined]
    for name, pattern in step.outputs.items():
        wanted, value = sizes(pattern, COUNTS, indices.get(name)), outputs[name]
        if not isinstance(value, Tensor) or tuple(value.shape) != wanted:
            got = " ".join(map(str, value.shape)) if isinstance(value, Tensor) else type(value).__name__
            return f"declares {name}: {pattern} ({' '.join(map(str, wanted))}) but returned {got}"
        if name in indices and value.dtype != torch.int64:
            return f"declares {name} to be indices (int64) but returned {str(value.dtype).removeprefix('torch.')}"
    values |= {f"{step.name}.{name}": outputs[name] for name in step.outputs}
    return None


def _check_loss(step: LossStep, module: nn.Module, values: Values) -> str | None:
    result = _run(step, module, values)
    if isinstance(result, Exception):
        return _failed(result)
    total = result.get("total") if isinstance(result, dict) else result
    if not isinstance(total, Tensor):
        return f"must return a number or a dict with 'total', but returned {type(result).__name__}"
    if total.dim():
        return f"must return one number, but returned {' '.join(map(str, total.shape))}"
    return None


def _failed(error: Exception) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return f"failed in the dry run (b=2, t=9): {text}"


def _run(step: Step | LossStep, module: nn.Module, values: Values) -> Any:
    """Return what a component returns, or what it raises."""
    key = _key(step, module, values)
    if key in _KNOWN:
        return _KNOWN[key]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            result = _on_meta_or_cpu(step, module, values)
    except Exception as error:  # whatever a plugin's forward raises
        return error
    if key is not None:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = result
    return result


def _key(step: Step | LossStep, module: nn.Module, values: Values) -> Any:
    """Return what decides a result: the component, its arguments, and shapes of what it holds and is given.

    None if values decide, too.
    """
    arriving = {str(ref): values[str(ref)] for ref in step.refs if not ref.batch}
    if not all(x.is_meta for x in arriving.values()):
        return None

    def given(ref: Ref) -> Any:
        x = None if ref.batch else arriving[str(ref)]
        return ref.name if x is None else (x.shape, x.dtype, ref.probability)

    wires = [(port, isinstance(wire, list), *map(given, step.of(port))) for port, wire in step.wires.items()]
    held = tuple(x.shape for x in (*module.parameters(), *module.buffers()))
    at_test = isinstance(step, Step) and not step.train_only
    component: Any = step.component
    return component, component.forward, repr(step.args), at_test, held, *wires


def _on_meta_or_cpu(step: Step | LossStep, module: nn.Module, values: Values) -> Any:
    module.eval()
    try:
        return module(**_feed(step, module, values, lambda x: x.to("meta")))
    except (NotImplementedError, TypeError, RuntimeError):
        # Not everything runs on the meta device (NumPy, a branch on a value), so run it for real.
        if sum(p.numel() for p in (*module.parameters(), *module.buffers())) > MOST_VALUES:
            raise
        real = step.component(**step.args).eval()
        return real(**_feed(step, real, values, _computed))


def _computed(x: Tensor) -> Tensor:
    return torch.zeros_like(x, device="cpu") if x.is_meta else x


def _feed(
    step: Step | LossStep, module: nn.Module, values: Values, convert: Callable[[Tensor], Tensor]
) -> dict[str, Any]:
    ports = ports_of(step.component)
    port_of = {id(ref): ports[name] for name in step.wires for ref in step.of(name)}

    def value(ref: Ref) -> Any:
        x = _drawn(ref.name, port_of[id(ref)], step, module) if ref.batch else values[str(ref)]
        x = convert(x) if isinstance(x, Tensor) else x
        return torch.sigmoid(x) if ref.probability else x

    return feed(step.wires, value)


def _drawn(name: str, port: Port, step: Step | LossStep, module: nn.Module) -> Any:
    """Return a value of the batch, None where a node that runs at test, too, can do without what only training has."""
    at_test = isinstance(step, Step) and not step.train_only
    if port.optional and at_test and BATCH_PORTS[name].training:
        return None
    found = {word: size for word in port.pattern.words if isinstance(size := getattr(module, word, None), int)}
    lacking = next((word for word in port.pattern.words if word not in found), None)
    if lacking and not port.optional:
        raise ValueError(f"port '{port.name}' ({port.pattern}) has no size '{lacking}'")
    labels = torch.tensor([1.0, 0.0])
    return None if lacking else BATCH_PORTS[name].draw(Drawing(as_shape(port.pattern, {**COUNTS, **found}), labels))
