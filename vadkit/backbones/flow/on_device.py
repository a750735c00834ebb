"""TV-L1 for frames that are on a torch device: which form runs there, and in what batches.

The form depends on the device alone: ``loops`` on a CPU, ``triton`` on CUDA, ``torch`` elsewhere and where Triton is
missing. A recipe names it, because the forms agree within the acceptance of the reference cases, not bit by bit.
"""

from __future__ import annotations

import warnings
from functools import cache
from textwrap import shorten
from typing import TYPE_CHECKING, Literal, get_args

from vadkit.backbones.flow.settings import TvL1Settings

if TYPE_CHECKING:
    import torch

Form = Literal["loops", "triton", "torch"]
NOTE = (
    "TV-L1 runs in plain torch on this CUDA device, because Triton cannot be used here: {}. "
    "PyTorch for Linux brings Triton; it needs a C compiler such as gcc"
)


def tvl1_form(device: str | torch.device) -> Form:
    """Return which form of TV-L1 runs on ``device``."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda" and not torch.version.hip and _has_triton():
        return "triton"
    return "loops" if kind == "cpu" else "torch"


@cache
def _has_triton() -> bool:
    """Return whether Triton can launch kernels; if not, say why, once."""
    try:
        import triton

        triton.runtime.driver.active.get_current_device()  # compiles its launcher
    except Exception as error:  # also what its driver raises, which is of many kinds
        cause = shorten(str(error) or type(error).__name__, 120, placeholder=" ...")
        warnings.warn(NOTE.format(cause), stacklevel=3)
        return False
    return True


def device_flow(grey: torch.Tensor) -> torch.Tensor:
    """Return TV-L1 flow in pixels (f, 2, h, w) from each grey picture (f, h, w) to the next, on their device.

    The last has no next one: its flow is 0.
    """
    import torch

    return tvl1_on_device(torch.cat([grey, grey[-1:]]))


def tvl1_on_device(
    frames: torch.Tensor, settings: TvL1Settings | None = None, form: Form | None = None
) -> torch.Tensor:
    """Return the flow between consecutive frames, on their device.

    Args:
        frames: grey frames (f, h, w) of any dtype, 0 to 255, f at least 2.
        form: by default the one of the device; ``loops`` takes frames of a CPU.

    Returns: float32 (f - 1, 2, h, w) in pixels, x to the right and then y down.
    """
    import torch

    settings, form = settings or TvL1Settings(), form or tvl1_form(frames.device)
    if form == "loops":
        from vadkit.backbones.flow.tvl1_numba import tvl1_numba

        return torch.from_numpy(tvl1_numba(frames.numpy(), settings, torch.get_num_threads())).permute(0, 3, 1, 2)
    if form == "torch":
        from vadkit.backbones.flow import tvl1_torch as module
    elif form == "triton":
        from vadkit.backbones.flow import tvl1_triton as module  # type: ignore[no-redef]
    else:
        raise ValueError(f"the form of TV-L1 must be {', '.join(get_args(Form))}, not '{form}'")
    batch = max(1, module.PIXELS // frames[0].numel())
    flow = torch.empty((len(frames) - 1, 2, *frames.shape[1:]), device=frames.device)
    for start in range(0, len(flow), batch):
        flow[start : start + batch] = module.tvl1_pairs(frames[start : start + batch + 1], settings)
    return flow
