"""The promise that keeps a training step on the device: nothing asks for the value of a tensor.

The step runs on fake tensors, which have a shape and a device but no values.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.func import functional_call

from vadkit.testing.choices import every_choice
from vadkit.testing.feeding import Batch, Inputs, each_tensor, make_inputs, map_tensors
from vadkit.testing.report import Broken, NotRun
from vadkit.testing.subject import Subject


def never_waits(subject: Subject) -> None:
    """a training step asks for no value of a tensor, and no shape depends on one, forward and backward"""
    _step(subject.build().train(), "")
    for name, value, module in every_choice(subject) if not subject.wired else ():
        _step(module.train(), f" with {name}={value!r}")


def _step(module: Any, when: str) -> None:
    inputs = make_inputs(module, Batch(videos=4, t=9, crops=2 if "crops" in module.inputs else 1))
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            _forward_and_backward(module, inputs, mode)
    except (DataDependentOutputException, DynamicOutputShapeException) as fault:
        raise Broken(
            f"{getattr(fault, 'func', fault)} waits for the device{when}, so that the step cannot be captured: "
            "in place of .item(), bool(), nonzero or x[mask], use torch.where, masks and gather"
        ) from None
    except UnsupportedOperatorException as fault:
        raise NotRun(f"{fault.func} has no version for tensors without values") from None


def _forward_and_backward(module: Any, inputs: Inputs, mode: FakeTensorMode) -> None:
    def fake(x: Tensor, grows: bool) -> Tensor:
        found: Tensor = mode.from_tensor(x.detach())
        return found.requires_grad_() if grows else found

    state = {name: fake(x, x.requires_grad) for name, x in [*module.named_parameters(), *module.named_buffers()]}
    fed = map_tensors(inputs, lambda name, x: fake(x, x.is_floating_point()))
    found = functional_call(module, state, kwargs=fed)
    tensors = [x for _, x in each_tensor(found if isinstance(found, dict) else {"x": found})]
    sums = [x.float().sum() for x in tensors if x.requires_grad]
    if sums:
        torch.stack(sums).sum().backward()
