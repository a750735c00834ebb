"""How a run computes: deterministic algorithms, exact float32 or TF32. The process is as before afterwards.

With ``train.deterministic`` the same seed gives the same bytes on the same device, also after a kill and a
resume. torch then takes another algorithm where the usual one adds in an order that varies (attention's
backward pass, for one), and raises for an operation that has no other; the run is refused with its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from vadkit.devices import current, float32
from vadkit.problems import fail

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
REPEATABLE = (":4096:8", ":16:8")
GIVE_UP = "give up equal weights for equal seeds with train.deterministic=false"
NO_FORM = re.compile(r"(\S+) does not have a deterministic implementation")


@contextmanager
def settings(train: Mapping[str, Any], device: torch.device, strict: bool = True) -> Iterator[None]:
    """Apply a ``train`` section's precision and determinism meanwhile, and make ``device`` the current one.

    Args:
        train: the section.
        device: where the run computes.
        strict: raise for an operation without a deterministic form; False computes it as it is.
    """
    with ExitStack() as stack:
        stack.enter_context(current(device))
        # The caller may be inside an autocast of its own.
        stack.enter_context(torch.autocast(device.type, enabled=False))
        stack.enter_context(float32(tf32=train["precision"] == "tf32"))
        stack.enter_context(deterministic(train["deterministic"], device, strict))
        yield


@contextmanager
def deterministic(wanted: bool, device: torch.device, strict: bool = True) -> Iterator[None]:
    """Use deterministic algorithms meanwhile. Raises VadkitError where cuBLAS was set up to vary."""
    if not wanted:
        yield
        return
    if device.type == "cuda":
        _check_cublas()
    switches = _switches(strict)
    before = [read() for _, read, _ in switches]
    try:
        for write, _, value in switches:
            write(value)
        yield
    finally:
        for (write, _, _), value in zip(switches, before):
            write(value)


def _check_cublas() -> None:
    found = os.environ.setdefault(CUBLAS, REPEATABLE[0])
    if found not in REPEATABLE:
        fail(
            f"train.deterministic cannot hold: the environment sets {CUBLAS} to '{found}'",
            hint=f"unset it or set it to {REPEATABLE[0]}; or {GIVE_UP}",
        )


Switch = tuple[Callable[[Any], object], Callable[[], Any], Any]


def _switches(strict: bool) -> list[Switch]:
    """Return (setter, getter, value while training) of what decides whether torch repeats itself."""
    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda
    filling: Any = torch.utils.deterministic

    def algorithms(value: tuple[bool, bool]) -> None:
        torch.use_deterministic_algorithms(value[0], warn_only=value[1])

    def algorithms_now() -> tuple[bool, bool]:
        return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()

    return [
        (algorithms, algorithms_now, (True, not strict)),
        # Measuring which convolution is fastest chooses by chance.
        (partial(setattr, cudnn, "benchmark"), lambda: cudnn.benchmark, False),
        (partial(setattr, cudnn, "deterministic"), lambda: cudnn.deterministic, True),
        # cuDNN's attention has no deterministic backward pass, and does not say so; the other two have one.
        (cuda.enable_cudnn_sdp, cuda.cudnn_sdp_enabled, False),
        # Filling fresh memory costs time, and decides nothing unless a component reads what it never wrote.
        (
            partial(setattr, filling, "fill_uninitialized_memory"),
            lambda: filling.fill_uninitialized_memory,
            False,
        ),
    ]


def refuse_nondeterministic(error: RuntimeError) -> None:
    """Raise a VadkitError if torch refused an operation because it has no deterministic form."""
    named = NO_FORM.search(str(error))
    if named:
        operation = named.group(1)
        fail(
            f"train.deterministic cannot hold: {operation} has no deterministic form on this device",
            hint=f"use a component without it, or {GIVE_UP}",
        )
    if "not deterministic because it uses CuBLAS" in str(error):
        fail(
            "train.deterministic cannot hold: cuBLAS was in use before it could be made deterministic",
            hint=f"set {CUBLAS}={REPEATABLE[0]} before Python starts, or {GIVE_UP}",
        )
