"""Seeds, and the random state of a process: saved, restored, and kept apart from the caller's.

mmengine saves no random state, so a run with dropout could not be resumed exactly.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal, cast

import msgspec
import numpy as np
import torch
from msgspec import Meta
from torch import Tensor

from vadkit.devices import seed_torch


class PythonState(msgspec.Struct):
    """The state of ``random``."""

    version: int
    numbers: Tensor
    gauss: float | None


class NumpyState(msgspec.Struct):
    """The state of ``numpy.random``."""

    keys: Tensor
    position: Annotated[int, Meta(ge=0, le=624)]
    has_gauss: Literal[0, 1]
    cached: float


class RandomState(msgspec.Struct):
    """What ``capture`` returns, as it comes back from a checkpoint."""

    python: PythonState
    numpy: NumpyState
    torch: Tensor
    cuda: Tensor | None = None


def seed_all(seed: int) -> None:
    """Seed Python, numpy and torch (every device) of this process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    seed_torch(seed)


def capture() -> dict[str, Any]:
    """Return the random state as tensors and plain numbers (see ``vadkit.engine.tensor_tree``)."""
    version, numbers, gauss = random.getstate()
    _, keys, position, has_gauss, cached = cast(tuple[Any, ...], np.random.get_state())
    state: dict[str, Any] = {
        "python": {"version": version, "numbers": torch.tensor(numbers), "gauss": gauss},
        "numpy": {
            "keys": torch.from_numpy(keys.astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore(state: RandomState | dict[str, Any]) -> None:
    """Set the random state that ``capture`` returned. Raises ValueError, TypeError or RuntimeError for another one."""
    state = msgspec.convert(state, RandomState)
    python, array = state.python, state.numpy
    random.setstate((python.version, tuple(python.numbers.tolist()), python.gauss))
    keys = array.keys.numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, array.position, array.has_gauss, array.cached))
    torch.set_rng_state(state.torch)
    if state.cuda is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state.cuda)


@contextmanager
def isolated() -> Iterator[None]:
    """Restore the random state afterwards, whatever happens inside."""
    before = capture()
    try:
        yield
    finally:
        restore(before)
