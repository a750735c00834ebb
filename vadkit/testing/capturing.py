"""The promise that a training step can be captured as a CUDA graph: see ``train.capture``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vadkit import cuda_graph
from vadkit.devices import float32
from vadkit.testing.feeding import Batch, Inputs, compare, each_tensor, make_inputs, map_tensors, seeded
from vadkit.testing.report import Broken, NotRun
from vadkit.testing.subject import Subject

SAME = 1e-5  # the same kernels


def is_captured(subject: Subject) -> None:
    """a training step is captured on a CUDA device, and replayed on other inputs it gives what it gives without"""
    device = recorder()
    with seeded(0), float32():
        wanted = _third_step(subject, device, captured=False)
        try:
            found = _third_step(subject, device, captured=True)
        except RuntimeError as error:
            raise Broken(f"a training step cannot be captured: {(str(error).splitlines() or [''])[0]}") from error
    compare(found, wanted, SAME, "differs once captured: something is decided in Python, once")


def recorder() -> cuda_graph.Device:
    """Return what captures here. Raises NotRun without a CUDA device."""
    found = torch.cuda.is_available()
    device = cuda_graph.device_of(torch.device("cuda", torch.cuda.current_device()) if found else torch.device("cpu"))
    if device is None:
        raise NotRun("there is no CUDA device")
    return device


def _third_step(subject: Subject, device: cuda_graph.Device, captured: bool) -> dict[str, Tensor]:
    """Do a step as it is, then two on other inputs; return the outputs and gradients of the last, and the state."""
    module = subject.build().train().to(device.type)
    batch = Batch(videos=4, crops=2 if "crops" in module.inputs else 1)
    held, *others = (_there(make_inputs(module, batch, seed), device) for seed in range(3))
    leaves = [*module.parameters(), *(x for _, x in each_tensor(held) if x.is_floating_point())]

    def work() -> dict[str, Tensor]:
        for x in leaves:
            x.grad = None
        return _step(module, held, leaves)

    torch.manual_seed(0)
    with device.aside():
        work()
        replay, found = device.capture(work) if captured else (None, {})
        for other in others:
            with torch.no_grad():
                for (_, own), (_, new) in zip(each_tensor(held), each_tensor(other)):
                    own.copy_(new)
            if replay is None:
                found = work()
            else:
                replay()
        state = {f"state {name}": x for name, x in module.state_dict().items()}
        return {name: x.detach().clone() for name, x in {**found, **state}.items()}


def _there(inputs: Inputs, device: cuda_graph.Device) -> Inputs:
    def moved(name: str, x: Tensor) -> Tensor:
        found = x.detach().clone().to(device.type)
        return found.requires_grad_() if found.is_floating_point() else found

    return map_tensors(inputs, moved)


def _step(module: Any, inputs: Inputs, leaves: list[Tensor]) -> dict[str, Tensor]:
    found = module(**inputs)
    outputs = dict(each_tensor(found if isinstance(found, dict) else {"x": found}))
    sums = [x.float().sum() for x in outputs.values() if x.requires_grad]
    if sums:
        torch.stack(sums).sum().backward()
    gradients = {f"gradient {n}": x.grad for n, x in enumerate(leaves) if x.grad is not None}
    return {**outputs, **gradients}
