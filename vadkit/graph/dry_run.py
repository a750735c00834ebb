"""Run every node once on tensors of the declared shapes and compare them with what its output really is.

Runs on the meta device (nothing is computed) at b = 2, t = 9. A component that cannot run there is
run on the CPU instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vadkit.batch_ports import BATCH_PORTS, Drawing, as_shape
from vadkit.graph.plan import Plan, Ref, Step, feed
from vadkit.problems import Problems
from vadkit.shapes import Pattern, agrees

COUNTS = {"b": 2, "t": 9, "v": 2}


def dry_run(plan: Plan, modules: Mapping[str, nn.Module], problems: Problems) -> None:
    """Note every node whose real output is not what it declares."""
    for step in plan.steps:
        message = _check(plan, step, modules[f"nodes.{step.name}"])
        if message:
            problems.add(message, ("nodes", step.name), key=True)


def _check(plan: Plan, step: Step, module: nn.Module) -> str | None:
    blame = f"component '{step.component.name}' (node '{step.name}')"  # type: ignore[attr-defined]
    try:
        with torch.no_grad():
            result = _run(plan, step, module)
    except Exception as error:  # whatever a plugin's forward raises
        text = str(error).strip().split("\n")[0] or type(error).__name__
        return f"{blame} failed in the dry run (b=2, t=9): {text}"
    outputs = result if isinstance(result, dict) else {next(iter(step.outputs)): result}
    if set(outputs) != set(step.outputs):
        return f"{blame} declares outputs {', '.join(step.outputs)} but returned {', '.join(map(str, outputs))}"
    for name, pattern in step.outputs.items():
        value = outputs[name]
        if not isinstance(value, Tensor) or not agrees(value.shape, pattern, COUNTS):
            wanted = " ".join(str(n) for n in _shape(pattern))
            got = " ".join(map(str, value.shape)) if isinstance(value, Tensor) else type(value).__name__
            return f"{blame} declares {name}: {pattern} ({wanted}) but returned {got}"
    return None


def _run(plan: Plan, step: Step, module: nn.Module) -> Any:
    module.eval()
    try:
        return module(**_feed(plan, step, "meta"))
    except (NotImplementedError, TypeError, RuntimeError):
        # Not everything runs on the meta device (NumPy, a branch on a value), so run it for real.
        if sum(p.numel() for p in (*module.parameters(), *module.buffers())) > 50_000_000:
            raise
        real = step.component(**step.args).eval()
        return real(**_feed(plan, step, "cpu"))


def _feed(plan: Plan, step: Step, device: str) -> dict[str, Any]:
    """Return the ports of a step; what only training has is left out, as at test time."""
    return feed(step.wires, lambda ref: _tensor(plan, ref, device))


def _tensor(plan: Plan, ref: Ref, device: str) -> Tensor | None:
    if ref.batch:
        port = BATCH_PORTS[ref.name]
        if port.training or not port.shape.tokens:
            return None
        labels = torch.arange(COUNTS["v"]) % 2
        value: Tensor = port.draw(Drawing(as_shape(port.shape, COUNTS), labels))
        return value.to(device)
    pattern = plan.inputs[ref.name] if ref.port is None else plan.step(ref.name).outputs[ref.port]
    return torch.zeros(_shape(pattern), device=device)


def _shape(pattern: Pattern) -> tuple[int, ...]:
    return tuple(t if isinstance(t, int) else COUNTS[t] for t in pattern.tokens)
