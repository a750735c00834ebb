"""Tools that all systems share: components by name, tensors of a case, taps, gradients, noise.

Legend: b rows, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from cases import Case
from rule import sample
from torch import Tensor, nn

from vadkit.plugin_manager import load_plugins


def component(name: str) -> Any:
    """Return the component class called ``name``."""
    found = load_plugins().components.find(name)
    assert found is not None, f"there is no component {name}"
    return found


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def numpy(value: Tensor) -> np.ndarray:
    return value.detach().numpy()


def swap(value: Tensor) -> np.ndarray:
    """Return (b, t, c) as the original's (b, c, t)."""
    return numpy(value.transpose(1, 2))


def give_noise(module: nn.Module, noise: Tensor) -> None:
    """Make a component use ``noise`` for its next random draws."""

    def draw_noise(shape: tuple[int, ...], like: Tensor) -> Tensor:
        assert tuple(shape) == tuple(noise.shape), f"noise of {tuple(shape)} asked for, {tuple(noise.shape)} given"
        return noise.to(like.dtype)

    module.draw_noise = draw_noise  # type: ignore[method-assign]


def no_dropout(model: nn.Module) -> None:
    """Set every drop probability to 0, which is what all cases of training do."""
    for module in model.modules():
        for name in ("p", "dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


@contextmanager
def watch(**modules: nn.Module) -> Iterator[dict[str, Any]]:
    """Record what modules return while the context is open."""
    seen: dict[str, Any] = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
        for name, module in modules.items()
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def listen(thing: Any, method: str) -> list[Any]:
    """Record the positional arguments and the result of each call of ``thing.method``."""
    calls: list[Any] = []
    original: Callable[..., Any] = getattr(thing, method)

    def call(*args: Any) -> Any:
        result = original(*args)
        calls.append((args, result))
        return result

    object.__setattr__(thing, method, call)
    return calls


def gradients(case: Case, grads: Mapping[str, Tensor | None]) -> dict[str, np.ndarray]:
    """Return grad_norm and grad_projection in the order of ``given["grad_names"]``; NaN where there is none."""
    norms: list[float] = []
    projections = []
    for number, name in enumerate(case.given["grad_names"]):
        grad = grads.get(name)
        if grad is None:
            known = case.outputs["grad_norm"].value if "grad_norm" in case.outputs else [np.nan]
            is_zero = number < len(known) and known[number] == 0  # the authors multiply by it, and then drop the result
            norms.append(0.0 if is_zero else np.nan)
            projections.append(np.nan)
            continue
        direction = sample("direction/" + name, case.state[name].shape, case.seed or 0)
        flat = grad.detach().double().flatten()
        norms.append(float(flat.norm()))
        projections.append(float(flat @ torch.from_numpy(direction).double().flatten()) / max(1, flat.numel()) ** 0.5)
    return {"grad_norm": np.array(norms), "grad_projection": np.array(projections)}


def norms_of(weights: Iterable[Tensor], inputs: Iterable[Tensor]) -> dict[str, float]:
    """Return the norms of all gradients together: of the weights, and of what went in."""
    return {"grad_norm_total": _norm(weights), "grad_input_norm": _norm(inputs)}


def _norm(of: Iterable[Tensor]) -> float:
    return float(sum(x.grad.double().square().sum() for x in of if x.grad is not None)) ** 0.5
