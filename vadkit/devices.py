"""The device a command computes on, and the precision of its float32 arithmetic."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from vadkit.problems import fail

if TYPE_CHECKING:  # command lines are parsed before torch is needed
    import torch

HINT = "auto takes a GPU if there is one; cpu, cuda or cuda:N choose one"


def choose_device(name: str, index: int | None = None) -> torch.device:
    """Return the device that ``--device`` names: "cpu", "cuda", "cuda:1", ..., or "auto", a GPU if there is one.

    A CUDA device always has its index: ``torch.cuda.set_device`` and DistributedDataParallel refuse it without.

    Args:
        name: what the user wrote.
        index: the GPU for "auto" and "cuda"; None is torch's current one.

    Raises VadkitError, with the cause, for a device that cannot be used here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        _refuse(name, error)
    if device.type == "cuda":
        device = torch.device("cuda", _gpu(name, device.index, index))
    try:
        torch.zeros(1, device=device).item()  # "meta" is a device, but it stores no values
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        _refuse(name, error)
    return device


def seed_torch(seed: int) -> None:
    """Seed the generators of the CPU and of each device that computes, as often as one likes.

    ``torch.manual_seed`` does the same, but for each kind of device that is not in use it notes that it is to be seeded
    later, with the stack of the call: a millisecond, and memory that is never given back. It is left to devices of
    other kinds than CUDA.
    """
    import torch

    if torch.accelerator.is_available() and not torch.cuda.is_available():
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


def _gpu(name: str, written: int | None, given: int | None) -> int:
    """Return the index of a GPU: the one ``written`` after "cuda:", or the one ``given``, or the current one."""
    import torch

    if not torch.cuda.is_available():
        cause = "this torch was built without CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        fail(
            f"device {name} cannot be used here: {cause}", "use the device cpu; nvidia-smi lists the GPUs of a machine"
        )
    # cuBLAS reads this once, when it is first used: too late to set it when determinism is asked for.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    count = torch.cuda.device_count()
    index = next((i for i in (written, given) if i is not None), None)
    if index is None:
        return torch.cuda.current_device()
    if not 0 <= index < count:
        found = "there is one GPU, cuda:0" if count == 1 else f"there are {count} GPUs, cuda:0 to cuda:{count - 1}"
        wanted = "" if written is not None else f"this process was started to use cuda:{index}, but "
        hint = HINT if written is not None else "start at most one process per GPU, or use the device cpu"
        fail(f"device {name} cannot be used here: {wanted}{found}", hint)
    return index


def _refuse(name: str, error: BaseException) -> NoReturn:
    cause = (str(error).splitlines() or [type(error).__name__])[0]
    fail(f"device {name} cannot be used here: {cause}", HINT)


@contextmanager
def current(device: torch.device) -> Iterator[None]:
    """Make a CUDA device torch's current one meanwhile; nothing for other devices."""
    import torch

    if device.type != "cuda":
        yield
        return
    before = torch.cuda.current_device()
    torch.cuda.set_device(device)
    try:
        yield
    finally:
        torch.cuda.set_device(before)


@contextmanager
def float32(tf32: bool = False) -> Iterator[None]:
    """Compute products of float32 exactly meanwhile, or in TF32 (10 bits of mantissa) on GPUs that have it.

    torch computes convolutions in TF32 by default, and matrix products once somebody has switched that on.
    """
    before = []
    try:
        for switch in _float32_switches():
            try:
                before.append((switch, switch.read()))
            except RuntimeError:  # the caller has mixed torch's two ways; the newer one decides, and comes last
                continue
        for switch, _ in before:
            switch.write(switch.tf32 if tf32 else switch.exact)
        yield
    finally:
        for switch, value in before:
            switch.write(value)


@dataclass(frozen=True)
class _Switch:
    read: Callable[[], Any]
    write: Callable[[Any], object]
    exact: Any
    tf32: Any


def _float32_switches() -> list[_Switch]:
    """Return torch's switches, the older ones first; all of them, because torch refuses to read some that disagree."""
    import torch

    switches = [
        _Switch(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest", "high"),
        _attribute(torch.backends.cudnn, "allow_tf32", False, True),
    ]
    newer: list[Any] = [torch.backends.cuda.matmul, *(getattr(torch.backends.cudnn, n, None) for n in ("conv", "rnn"))]
    if all(hasattr(module, "fp32_precision") for module in newer):
        switches += [_attribute(module, "fp32_precision", "ieee", "tf32") for module in newer]
    cpu: Any = getattr(torch.backends, "mkldnn", None)  # may be allowed to round to bfloat16; never here
    for module in (getattr(cpu, "matmul", None), getattr(cpu, "conv", None)):
        if hasattr(module, "fp32_precision"):
            switches.append(_attribute(module, "fp32_precision", "ieee", "ieee"))
    return switches


def _attribute(module: Any, name: str, exact: Any, tf32: Any) -> _Switch:
    return _Switch(lambda: getattr(module, name), lambda value: setattr(module, name, value), exact, tf32)
