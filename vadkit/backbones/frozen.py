"""A frozen network that is loaded on first use and runs in the requested precision.

``fp32`` is exact on every device. ``tf32`` is float32 whose products have 10 bits of mantissa, for GPUs: while the
network runs, TF32 is on and cuDNN times its algorithms, once per shape, to take the fastest. That is a race, so the
last digits may differ between two runs, and a recipe says so (``algorithms: timed``). On a CPU, and on a GPU without
TF32, it is fp32. ``bf16`` has 7 bits. ``auto`` is a rule, not a race: TF32 without the timing on GPUs, bf16 on CPUs
with instructions for it, fp32 elsewhere. The rule is from I3D on an H200 (torch 2.11): tf32 with the timing 1,149
clips a second, bf16 689, fp32 386; TF32 without the timing is not measured.

Legend: ``n`` inputs (crops of snippets, windows of sound), ``dim`` features.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from vadkit.backbones.weights import check_choice, origin
from vadkit.devices import float32
from vadkit.problems import fail

Precision = Literal["auto", "fp32", "tf32", "bf16"]
Load = Callable[[str | None], nn.Module]  # from a weight file (None: random weights) to a frozen float32 network

GPU_BATCH = 32  # inputs in one forward pass on a GPU, at least
AMPERE = 8  # compute capability of the first GPUs with TF32 and bfloat16
_switches = threading.RLock()  # torch's switches of float32 are of the process: one thread at a time sets them


def on_device(device: str | torch.device) -> bool:
    """Return whether a device is a GPU, to which inputs are sent."""
    return torch.device(device).type == "cuda"


def is_ampere(device: str) -> bool:
    """Return whether a device is a GPU with TF32 and bfloat16 that can be used here."""
    return on_device(device) and torch.cuda.is_available() and torch.cuda.get_device_capability(device)[0] >= AMPERE


def has_bf16(device: str) -> bool:
    """Return whether the device has instructions for bfloat16, so that it is faster than float32."""
    if on_device(device):
        return is_ampere(device)
    # Private names, because the oldest supported torch has no public list of capabilities.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def resolve(precision: str, device: str) -> str:
    """Return fp32, tf32 or bf16: what is computed on ``device``. Raises ValueError for an unknown precision."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, not '{precision}'")
    if precision == "auto" and not on_device(device):
        return "bf16" if has_bf16(device) else "fp32"
    if precision in ("auto", "tf32"):
        return "tf32" if is_ampere(device) else "fp32"
    return precision


def precision_note(precision: str, device: str) -> str | None:
    """Return what a user should know of a precision on a device, or None."""
    found = resolve(precision, device)
    if precision == "auto" and found == "tf32":
        return (
            "precision auto is TF32 on this GPU: a fixed rule, because TF32 was the fastest for I3D on an H200; "
            "--precision tf32 also lets cuDNN time its algorithms, and then last digits may differ between two runs"
        )
    if precision == "tf32" and found == "fp32":
        where = "this GPU has no TF32" if on_device(device) else f"tf32 is for GPUs, and this is {device}"
        return f"precision tf32: {where}, so it is the same as fp32"
    return None


@contextlib.contextmanager
def arithmetic(tf32: bool, timed: bool) -> Iterator[None]:
    """Compute float32 exactly meanwhile, or in TF32, and with the algorithms that cuDNN finds fastest if ``timed``."""
    cudnn: Any = torch.backends.cudnn
    with _switches, float32(tf32):
        before = cudnn.benchmark
        cudnn.benchmark = timed
        try:
            yield
        finally:
            cudnn.benchmark = before


def exact() -> contextlib.AbstractContextManager[None]:
    """Compute float32 exactly meanwhile; torch's default on a GPU is TF32 for convolutions."""
    return arithmetic(tf32=False, timed=False)


class Frozen:
    """A network that is not trained, and the origin of its weights.

    Args:
        backbone: its name, for messages.
        load: builds the network; must be picklable, so that work can be spread over processes.
        weights: weight file, or None.
        random_weights: run without a file, with random weights that are the same each time.
        precision: see the top of the file.
        device: where it runs.
        batch: inputs in one forward pass on a CPU. On a GPU it is at least 32, and the last pass is filled up to it: of
            one shape, cuDNN's choice of algorithms does not depend on how inputs were batched.
        layout: memory format of the inputs.

    Raises ValueError for an unknown precision, or if weights are both given and random.
    """

    def __init__(
        self,
        backbone: str,
        load: Load,
        weights: str | None,
        random_weights: bool,
        precision: str = "fp32",
        device: str = "cpu",
        batch: int = 1,
        layout: torch.memory_format = torch.channels_last_3d,
    ) -> None:
        check_choice(weights, random_weights)
        resolve(precision, "cpu")
        self.backbone, self.load, self.weights, self.random_weights = backbone, load, weights, random_weights
        self.precision, self.device, self.layout = precision, device, layout
        self.batch = max(batch, GPU_BATCH) if on_device(device) else batch
        self._network: nn.Module | None = None

    def recipe(self) -> dict[str, Any]:
        """Return the weights, the precision and a GPU, as parts of a recipe. Raises VadkitError without weights."""
        weights = origin(self.backbone, self.weights, self.random_weights)
        place = {"device": "cuda"} if on_device(self.device) else {}
        race = {"algorithms": "timed"} if self._timed else {}
        return {**weights, "precision": self.computed_in, **place, **race}

    @property
    def note(self) -> str | None:
        """What a user should know of the precision; see ``precision_note``."""
        return precision_note(self.precision, self.device)

    @property
    def computed_in(self) -> str:
        """fp32, tf32 or bf16."""
        return resolve(self.precision, self.device)

    @property
    def _timed(self) -> bool:
        return self.precision == self.computed_in == "tf32"

    def run(self, inputs: Iterable[Tensor]) -> np.ndarray:
        """Return float32 (n, dim) of n float32 inputs of any sizes, drawn one batch at a time."""
        return self.rows(inputs).cpu().numpy()

    def rows(self, inputs: Iterable[Tensor]) -> Tensor:
        """Return the same on the device, without waiting for it."""
        with torch.inference_mode():
            return torch.cat([self._forward(batch) for batch in _batches(inputs, self.batch)])

    @property
    def network(self) -> nn.Module:
        """The network in its precision, on its device. Raises VadkitError if it cannot be loaded."""
        if self._network is None:
            self._network = self._place(self.load(self._weights()))
        return self._network

    def _weights(self) -> str | None:
        self.recipe()  # raises if there are no weights
        return None if self.random_weights else self.weights

    def _place(self, network: nn.Module) -> nn.Module:
        try:
            network = network.to(self.device, dtype=self._dtype)
        except (RuntimeError, AssertionError) as error:
            cause = (str(error).splitlines() or [""])[0]
            fail(f"backbone '{self.backbone}' cannot use the device {self.device}: {cause}")
        rank = {torch.channels_last_3d: 5, torch.channels_last: 4}.get(self.layout)
        for parameter in network.parameters():
            if parameter.dim() == rank:
                parameter.data = parameter.data.contiguous(memory_format=self.layout)
        return network

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.computed_in == "bf16" else torch.float32

    def _forward(self, batch: Tensor) -> Tensor:
        network = self.network  # before the input is moved: its error explains what is wrong with the device
        x = batch.to(self.device, dtype=self._dtype)
        if on_device(self.device):
            x = _filled_up(x, self.batch)
        with arithmetic(self.computed_in == "tf32", self._timed):
            result: Tensor = network(x.contiguous(memory_format=self.layout))
        return result[: len(batch)].float()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_network": None}  # each process loads its own


def _batches(inputs: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Yield stacks of up to ``size`` consecutive inputs of one shape."""
    waiting: list[Tensor] = []
    for x in inputs:
        if waiting and (len(waiting) == size or x.shape != waiting[0].shape):
            yield torch.stack(waiting)
            waiting = []
        waiting.append(x)
    if waiting:
        yield torch.stack(waiting)


def _filled_up(x: Tensor, size: int) -> Tensor:
    """Return ``size`` inputs: the last one is repeated."""
    return x if len(x) == size else torch.cat([x, x[-1:].expand(size - len(x), *x.shape[1:])])
