"""Promises that need more than plain Python: an exported program, a CUDA device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vadkit.testing.feeding import Batch, Inputs, call, compare, make_inputs, map_tensors
from vadkit.testing.report import Broken, NotRun
from vadkit.testing.subject import Subject

SAME = 1e-4  # other kernels, same arithmetic
GPU = 1e-2  # TF32 and fused kernels


def exports(subject: Subject) -> None:
    """torch.export takes it with dynamic batch and time, and gives equal outputs at other lengths"""
    module = subject.build()
    inputs = make_inputs(module, Batch(2, 33))
    dynamic = {name: _dynamic(module, name, value) for name, value in inputs.items()}
    try:
        with torch.no_grad():
            program: Any = torch.export.export(module, (), kwargs=inputs, dynamic_shapes=dynamic).module()
    except Exception as error:
        raise Broken(f"torch.export refused it: {_first_line(error)}") from error
    for batch in (Batch(2, 33), Batch(3, 64), Batch(5, 20)):
        other = make_inputs(module, batch, seed=1)
        with torch.no_grad():
            result = program(**other)
            found = result if isinstance(result, dict) else {next(iter(module.outputs)): result}
            compare(found, call(module, other), SAME, f"differs once exported, at b={batch.rows}, t={batch.t}")


def _dynamic(module: Any, name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_dynamic(module, name, item) for item in value]
    if not isinstance(value, Tensor):
        return None
    tokens = next(p.split() for k, p in module.inputs.items() if k.strip("*?") == name)
    return {i: torch.export.Dim.DYNAMIC for i, token in enumerate(tokens) if token in ("b", "t", "v")}


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


def runs_on_cuda(subject: Subject) -> None:
    """it gives the same outputs on a CUDA device"""
    if not torch.cuda.is_available():
        raise NotRun("there is no CUDA device")
    module = subject.build()
    inputs = make_inputs(module, Batch(3, 9))
    with torch.no_grad():
        wanted = call(module, inputs)
        found = call(module.cuda(), on_cuda(inputs))
    compare({name: value.cpu() for name, value in found.items()}, wanted, GPU, "differs on CUDA")


def on_cuda(inputs: Inputs) -> Inputs:
    return map_tensors(inputs, lambda name, x: x.cuda())
