"""The promises of losses. Legend: ``v`` videos, ``b`` rows = videos x crops, ``t`` snippets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vadkit.batch_ports import BATCH_PORTS
from vadkit.testing.feeding import (
    Batch,
    Inputs,
    Labels,
    each_tensor,
    has_time,
    make_inputs,
    map_tensors,
    pick_videos,
    seeded,
    untouched,
)
from vadkit.testing.machines import on_cuda
from vadkit.testing.report import Broken, NotRun
from vadkit.testing.subject import Subject

TOLERANCE = 1e-5
KINDS_OF_BATCH: tuple[Labels, ...] = ("mixed", "normal", "abnormal")


def parts(loss: Any, inputs: Inputs) -> dict[str, Any]:
    """Call a loss and return its parts, the number itself as ``total``."""
    result = loss(**inputs)
    found = result if isinstance(result, dict) else {"total": result}
    if "total" not in found:
        raise Broken(f"it returned a dict without 'total': {', '.join(map(str, found))}")
    for name, value in found.items():
        if not isinstance(value, Tensor | float) or (isinstance(value, Tensor) and value.dim() != 0):
            shape = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise Broken(f"'{name}' is not one number but {shape}")
    return found


def total(loss: Any, inputs: Inputs) -> Tensor:
    value: Tensor = parts(loss, inputs)["total"]
    return value


def _batches() -> list[Batch]:
    mixed = [Batch(4, t, crops, kind) for t in (1, 2, 5, 9, 32) for crops in (1, 2) for kind in KINDS_OF_BATCH]
    return mixed + [Batch(1, 9, labels="normal"), Batch(1, 9, labels="abnormal"), Batch(3, 9), Batch(5, 20)]


def _batch_text(batch: Batch) -> str:
    return f"for {batch.videos} videos ({batch.labels}), {batch.crops} crops, t={batch.t}"


def is_a_finite_number(subject: Subject) -> None:
    """it gives one finite number for every batch: t of 1, 2, 5, 9, 32, crops, all-normal, all-abnormal"""
    loss = subject.build().train()
    for batch in _batches():
        with seeded(0):
            value = total(loss, make_inputs(loss, batch))
        if not torch.isfinite(value):
            raise Broken(f"it is {float(value.detach())} {_batch_text(batch)}")


def can_be_differentiated(subject: Subject) -> None:
    """it can be differentiated for every batch, with finite gradients"""
    loss = subject.build().train()
    for batch in _batches():
        _check_gradients(loss, make_inputs(loss, batch), _batch_text(batch))


def survives_saturation(subject: Subject) -> None:
    """scores of exactly 0 and 1, and features of zeros, give finite values and gradients"""
    loss = subject.build().train()
    inputs = make_inputs(loss, Batch(4, 9))
    rounded = map_tensors(inputs, lambda name, x: x.round() if _is_score(loss, name, x) else x)
    zeros = map_tensors(inputs, lambda name, x: torch.zeros_like(x) if has_time(loss, name) and x.dim() > 2 else x)
    _check_gradients(loss, rounded, "for scores of exactly 0 and 1")
    _check_gradients(loss, zeros, "for features that are all zero")


def _is_score(loss: Any, name: str, x: Tensor) -> bool:
    return x.is_floating_point() and has_time(loss, name) and x.dim() == 2 and name not in BATCH_PORTS


def _check_gradients(loss: Any, inputs: Inputs, when: str) -> Inputs:
    grown = _grow(inputs)
    with seeded(0):
        value = total(loss, grown)
        if not torch.isfinite(value):
            raise Broken(f"it is {float(value.detach())} {when}")
        if not value.requires_grad:
            raise Broken(f"nothing can be differentiated {when}; return a zero that depends on an input")
        value.backward()
    for name, x in each_tensor(grown):
        if x.grad is not None and not torch.isfinite(x.grad).all():
            raise Broken(f"the gradient at {name} is not finite {when}")
    return grown


def _grow(inputs: Inputs) -> Inputs:
    def grow(name: str, x: Tensor) -> Tensor:
        x = x.detach().clone()
        return x.requires_grad_() if x.is_floating_point() and name not in BATCH_PORTS else x

    return map_tensors(inputs, grow)


def teaches_something(subject: Subject) -> None:
    """on a mixed batch a gradient reaches one of its inputs and every parameter of its own"""
    loss = subject.build().train()
    fed = [_check_gradients(loss, make_inputs(loss, Batch(4, 20), seed), "on a mixed batch") for seed in range(3)]
    if not any(x.grad is not None and x.grad.abs().sum() > 0 for f in fed for _, x in each_tensor(f)):
        raise Broken("no input gets a gradient other than zero")
    allowed = subject.cls.no_gradient
    missed = [
        n
        for n, p in loss.named_parameters()
        if p.requires_grad and n not in allowed and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    if missed:
        raise Broken(f"none reaches {', '.join(missed)}")


def order_does_not_matter(subject: Subject) -> None:
    """permuting the videos of a batch leaves it unchanged: labels, not positions, say which is normal"""
    loss, batch = subject.build(), Batch(6, 20, crops=2)
    inputs = make_inputs(loss, batch)
    # The first order keeps the pairing of the n-th abnormal and the n-th normal video; the second does not.
    orders = [[1, 3, 5, 0, 2, 4], [1, 0, 3, 2, 5, 4]] + ([] if loss.pairs_bags else [[5, 2, 1, 4, 3, 0]])
    with torch.no_grad():
        wanted = total(loss, inputs)
        for order in orders:
            found = total(loss, pick_videos(loss, inputs, order, batch.crops))
            if abs(float(found - wanted)) > TOLERANCE * max(1.0, abs(float(wanted))):
                raise Broken(f"it is {float(wanted):.6g}, and {float(found):.6g} for the videos in the order {order}")


def optional_ports_are_optional(subject: Subject) -> None:
    """optional ports may be wired or not"""
    loss = subject.build()
    for left_out in [subject.droppable, *([name] for name in subject.droppable)]:
        value = total(loss, make_inputs(loss, Batch(4, 9), leave_out=left_out))
        if not torch.isfinite(value):
            raise Broken(f"it is {float(value.detach())} without {', '.join(left_out)}")


def honours_the_mask(subject: Subject) -> None:
    """with the mask honoured, padding changes nothing"""
    if "mask" not in subject.ports:
        return
    switch = subject.cls.mask_switch
    loss, real = subject.build({switch: True} if switch else None), 20
    inputs = make_inputs(loss, Batch(4, 33))
    inputs["mask"][:, real:] = False

    def change(name: str, x: Tensor) -> Tensor:
        return (
            torch.where(inputs["mask"].view(*inputs["mask"].shape, *[1] * (x.dim() - 2)), x, 1 - x)
            if x.is_floating_point() and has_time(loss, name)
            else x
        )

    with torch.no_grad():
        wanted, found = total(loss, inputs), total(loss, map_tensors(inputs, change))
    if abs(float(found - wanted)) > TOLERANCE * max(1.0, abs(float(wanted))):
        raise Broken(f"it is {float(wanted):.6g}, and {float(found):.6g} with other values in the padding")


def is_deterministic(subject: Subject) -> None:
    """in eval mode it gives the same number twice, and never modifies its inputs"""
    loss = subject.build()
    inputs = make_inputs(loss, Batch(4, 20))
    kept = map_tensors(inputs, lambda name, x: x.clone())
    with torch.no_grad():
        with seeded(1):
            first = total(loss, inputs)
        with seeded(2):
            if not torch.equal(total(loss, inputs), first):
                raise Broken("it changes from call to call")
    untouched(inputs, kept)


def runs_in_bfloat16(subject: Subject) -> None:
    """it runs under bfloat16 autocast on scores and features in bfloat16, and stays close"""
    loss = subject.build()
    inputs = make_inputs(loss, Batch(4, 20))
    rough = map_tensors(
        inputs,
        lambda name, x: (
            x.bfloat16() if has_time(loss, name) and x.is_floating_point() and name not in BATCH_PORTS else x
        ),
    )
    with torch.no_grad():
        exact = float(total(loss, inputs))
        with torch.autocast("cpu", torch.bfloat16):
            found = float(total(loss, rough))
    if not abs(found - exact) <= 0.05 + 0.1 * abs(exact):
        raise Broken(f"it is {exact:.6g}, and {found:.6g} in bfloat16")


def runs_on_cuda(subject: Subject) -> None:
    """it gives the same number on a CUDA device"""
    if not torch.cuda.is_available():
        raise NotRun("there is no CUDA device")
    loss = subject.build()
    inputs = make_inputs(loss, Batch(4, 20))
    with torch.no_grad():
        wanted = float(total(loss, inputs))
        found = float(total(loss.cuda(), on_cuda(inputs)))
    if abs(found - wanted) > 1e-3 * max(1.0, abs(wanted)):
        raise Broken(f"it is {wanted:.6g}, and {found:.6g} on CUDA")


LOSS = [
    is_a_finite_number,
    can_be_differentiated,
    survives_saturation,
    teaches_something,
    order_does_not_matter,
    optional_ports_are_optional,
    honours_the_mask,
    is_deterministic,
    runs_in_bfloat16,
]
