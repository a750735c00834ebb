"""Optical flow between consecutive frames: TV-L1, as published flow features use it, and a fast preview.

``optical_flow`` is the public function. ``settings`` holds the parameters of TV-L1. It has three forms: ``tvl1_numba``
for the CPU (its loops: ``tvl1_loops``), ``tvl1_triton`` for CUDA and ``tvl1_torch`` for any torch device;
``on_device`` says which one runs. ``dis`` is the preview.

A backbone with an attribute ``optical_flow``, a function of grey frames, lets ``vadkit.diff`` try other signs and axes.
"""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from vadkit.backbones.flow.settings import TvL1Settings

if TYPE_CHECKING:
    import torch

__all__ = ["Method", "TvL1Settings", "optical_flow"]

Method = Literal["tvl1", "dis"]


def optical_flow(
    frames: np.ndarray,
    method: Method = "tvl1",
    device: str | torch.device | None = None,
    threads: int | None = None,
    settings: TvL1Settings | None = None,
) -> np.ndarray:
    """Return the flow from each frame to the next.

    Args:
        frames: uint8 grey frames (f, h, w), f at least 1.
        method: ``tvl1``, or ``dis`` for a preview that is a hundred times faster and differs by about half a pixel.
        device: where torch computes TV-L1; None and "cpu" use compiled loops on the CPU instead, which are
            faster there. ``dis`` is always computed on the CPU.
        threads: CPU threads, one pair of frames each; None is as many as torch may use, so that a process
            that is limited to one core uses one. The numbers do not depend on it.
        settings: parameters of TV-L1, by default OpenCV's.

    Returns: float32 (f - 1, h, w, 2) in pixels, x to the right and then y down, such that the second frame at
    (x + flow) is the first frame at x.

    Raises ValueError for other input, and for a device that cannot be used here.
    """
    import torch

    _check(frames, method, threads)
    threads = threads or torch.get_num_threads()
    if len(frames) == 1:
        return np.zeros((0, *frames.shape[1:], 2), np.float32)
    if method == "dis":
        from vadkit.backbones.flow.dis import dis

        return dis(frames, threads)
    settings, device = settings or TvL1Settings(), device or "cpu"
    if _on_cpu(device):
        from vadkit.backbones.flow.tvl1_numba import tvl1_numba

        return tvl1_numba(frames, settings, threads)
    from vadkit.backbones.flow.on_device import tvl1_on_device

    u = tvl1_on_device(torch.from_numpy(np.ascontiguousarray(frames)).to(device), settings)
    flow: np.ndarray = u.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return flow


def _on_cpu(device: str | torch.device) -> bool:
    """Return whether ``device`` is a CPU. Raises ValueError, with the cause, if it cannot be used here."""
    import torch

    try:
        place = torch.device(device)
        torch.zeros(1, device=place).item()  # "meta" is a device, but holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = shorten(str(error) or type(error).__name__, 120, placeholder=" ...")
        raise ValueError(f"optical flow cannot be computed on '{device}': {cause}; 'cpu' always works") from error
    return place.type == "cpu"


def _check(frames: np.ndarray, method: str, threads: int | None) -> None:
    if method not in get_args(Method):
        raise ValueError(f"the flow method must be {' or '.join(get_args(Method))}, not '{method}'")
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 3:
        found = f"{frames.dtype} {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise ValueError(f"frames are {found}; they must be a uint8 array (frames, height, width)")
    if frames.size == 0:
        raise ValueError(f"frames are {frames.shape}; there must be at least one frame and one pixel")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1")
