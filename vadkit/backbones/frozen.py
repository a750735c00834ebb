"""A frozen network that is loaded on first use and runs in the requested precision.

Legend: ``n`` inputs (crops of snippets, windows of sound), ``dim`` features.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from vadkit.backbones.weights import check_choice, origin
from vadkit.problems import fail

Precision = Literal["auto", "fp32", "bf16"]
Load = Callable[[str | None], nn.Module]  # from a weight file (None: random weights) to a frozen float32 network


def has_bf16(device: str) -> bool:
    """Return whether the device has instructions for bfloat16, so that it is faster than float32."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_available() and torch.cuda.get_device_capability(device)[0] >= 8
    # Private names, because the oldest supported torch has no public list of capabilities.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def resolve(precision: str, device: str) -> str:
    """Return fp32 or bf16. Raises ValueError for an unknown precision."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, not '{precision}'")
    if precision == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    return precision


class Frozen:
    """A network that is not trained, and the origin of its weights.

    Args:
        backbone: its name, for messages.
        load: builds the network; must be picklable, so that work can be spread over processes.
        weights: weight file, or None.
        random_weights: run without a file, with random weights that are the same each time.
        precision: ``fp32`` gives equal numbers everywhere; ``bf16`` is 3 to 5 times as fast on CPUs
            and GPUs that support it, at a cosine of 0.9999; ``auto`` uses it where it is fast.
        device: where it runs.
        batch: inputs in one forward pass on a CPU; on a GPU at least 16.
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
        self.batch = batch if device == "cpu" else max(batch, 16)
        self._network: nn.Module | None = None

    def recipe(self) -> dict[str, Any]:
        """Return the weights and the precision, as parts of a recipe. Raises VadkitError if there are no weights."""
        weights = origin(self.backbone, self.weights, self.random_weights)
        return {**weights, "precision": resolve(self.precision, self.device)}

    def run(self, inputs: Iterable[Tensor]) -> np.ndarray:
        """Return float32 (n, dim) of n float32 inputs of any sizes, drawn one batch at a time."""
        with torch.inference_mode(), _exact_convolutions():
            rows = [self._forward(batch) for batch in _batches(inputs, self.batch)]
        return torch.cat(rows).numpy()

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
        return torch.bfloat16 if resolve(self.precision, self.device) == "bf16" else torch.float32

    def _forward(self, batch: Tensor) -> Tensor:
        network = self.network  # before the input is moved: its error explains what is wrong with the device
        x = batch.to(self.device, dtype=self._dtype).contiguous(memory_format=self.layout)
        result: Tensor = network(x)
        return result.float().cpu()

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


def _exact_convolutions() -> contextlib.AbstractContextManager[None]:
    """Keep CUDA from computing float32 convolutions in TF32 (10 bits), its default."""
    flags: Any = torch.backends.cudnn.flags
    return flags(enabled=True, allow_tf32=False)  # type: ignore[no-any-return]
