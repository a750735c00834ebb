"""Precision of a training step: autocast where requested, scaling for fp16, clipping.

mmengine's AMP wrapper refuses the CPU, its clipping waits for the device at every step and appends to a
process-wide history whose cost grows with the run, and its accumulation counts batches, not updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from vadkit.problems import fail

# What autocast computes in. TF32 is a switch of the process: see ``vadkit.engine.numerics``.
TYPES = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def check(precision: str, device: torch.device) -> None:
    """Raise VadkitError for a precision that ``device`` cannot train in."""
    if precision not in TYPES:
        fail(f"train.precision is '{precision}'", hint=f"known: {', '.join(TYPES)}")
    if precision == "fp16" and device.type != "cuda":
        fail(
            f"train.precision fp16 needs a CUDA device, this run is on {device.type}",
            hint="use bf16, which needs no loss scaling and runs on the CPU too, or fp32",
        )
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        fail("train.precision bf16 is not supported by this GPU", hint="use fp16 or fp32")


def note(precision: str, device: torch.device) -> str | None:
    """Return a sentence if ``device`` computes in another precision than requested, or None."""
    if precision != "tf32":
        return None
    if device.type != "cuda":
        return f"train.precision tf32 is for GPUs; on {device.type} it is the same as fp32"
    if torch.cuda.get_device_capability(device)[0] < 8:
        return "train.precision tf32: this GPU has no TF32, so it is the same as fp32"
    return None


class StepWrapper(OptimWrapper):  # type: ignore[misc]
    """One optimiser update from ``accumulate`` batches.

    Args:
        optimizer: what updates the parameters.
        precision: fp32, tf32, bf16 or fp16.
        device_type: "cpu" or "cuda".
        accumulate: batches whose gradients are averaged into one update.
        clip_grad: largest norm of the whole gradient, or None.
        scaler: for fp16; a gradient scaler.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        precision: str = "fp32",
        device_type: str = "cpu",
        accumulate: int = 1,
        clip_grad: float | None = None,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        super().__init__(optimizer, accumulate, None if clip_grad is None else {"max_norm": clip_grad})
        self.type, self.device_type, self.scaler = TYPES[precision], device_type, scaler
        self.grad_norm: Tensor | None = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Wrap the forward pass: no gradient exchange before the last batch, and autocast if requested."""
        with super().optim_context(model):
            if self.type is None:
                yield
            else:
                with torch.autocast(self.device_type, self.type):
                    yield
                # torch keeps rounded weights until the outermost context ends, and this one is inside another.
                torch.clear_autocast_cache()

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        super().backward(loss if self.scaler is None else self.scaler.scale(loss), **kwargs)

    def step(self, **kwargs: Any) -> None:
        if self.scaler is None:
            super().step(**kwargs)
            return
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def _clip_grad(self) -> None:
        """Clip, and keep the norm on the device; it is read when it is logged."""
        params = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.grad_norm = torch.nn.utils.clip_grad_norm_(params, **self.clip_grad_kwargs)

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Start counting. A run always stops and resumes between updates, so there is no remainder."""
        self._inner_count, self._max_counts = 0, -1


@contextmanager
def ends_in_float32(model: nn.Module, precision: str, device_type: str) -> Iterator[None]:
    """Within this context heads and losses run without autocast, on float32 inputs.

    The sigmoid of a bf16 logit above 6 is exactly 1, and its cross entropy a cliff of 100; on CUDA
    autocast refuses cross entropy of probabilities altogether.
    """
    modules = [m for m in model.modules() if getattr(m, "kind", None) in ("head", "loss")]
    modules = modules if TYPES[precision] is not None else []
    for module in modules:
        # On the instance: torch looks there first, and nothing of the class or its state changes.
        module.forward = _full(module.forward, device_type)
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _full(forward: Callable[..., Any], device_type: str) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device_type, enabled=False):
            return forward(*(_wide(a) for a in args), **{name: _wide(a) for name, a in kwargs.items()})

    return run


def _wide(value: Any) -> Any:
    if isinstance(value, list):
        return [_wide(item) for item in value]
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
