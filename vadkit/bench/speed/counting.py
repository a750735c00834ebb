"""What a piece of work cannot do without: floating point operations, and bytes that must move at least once.

Operations are counted as in ``vadkit.graph.cost``: products, convolutions and attention, a multiply-add as two. Of the
bytes count parameters, inputs, outputs, gradients and the optimizer's state, each as often as a step without any
intermediate result would move it; what a network keeps between its layers does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

ADAM = 8  # times that a step moves a trained parameter: it, its gradient and two moments, read and written


def operations(work: Callable[[], Any]) -> dict[str, float] | None:
    """Return floating point operations of ``work`` by operator, or None if they cannot be counted.

    It is run once, attention as products, which no fused kernel hides.
    """
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            work()
    except Exception:  # a component may do anything in its forward; a count is never worth a failed run
        return None
    found: dict[str, float] = {}
    for operator, count in counter.get_flop_counts().get("Global", {}).items():
        name = str(operator).removeprefix("aten.").partition(".")[0]
        found[name] = found.get(name, 0.0) + count
    return found


def size(values: Iterable[Any]) -> float:
    """Return the bytes of the tensors among ``values``."""
    return float(sum(value.numel() * value.element_size() for value in values if isinstance(value, Tensor)))


def trained_bytes(model: nn.Module, inputs: float) -> float:
    """Return the bytes that a train step with Adam moves."""
    trained = size(p for p in model.parameters() if p.requires_grad)
    return ADAM * trained + size(p for p in model.parameters() if not p.requires_grad) + inputs


def limit_ms(flops: float, moved: float, flops_per_ms: float, bytes_per_ms: float) -> float:
    """Return the milliseconds that operations or bytes take at the peak, whichever is longer."""
    return max(flops / flops_per_ms, moved / bytes_per_ms)
