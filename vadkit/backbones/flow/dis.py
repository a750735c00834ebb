"""DIS optical flow: a fast preview, about a hundred times cheaper than TV-L1, and another flow.

Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016; OpenCV's, medium preset. Features
made with it are not comparable with published ones, which are TV-L1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

SMALLEST_SIDE = 16  # pixels; OpenCV refuses less than 12, and reads wild memory in low wide pictures of less than 16


def dis(frames: np.ndarray, threads: int) -> np.ndarray:
    """Return the flow between neighbours of uint8 ``frames`` (f, h, w): float32 (f - 1, h, w, 2).

    Frames with a side of less than 16 pixels are continued to the right and downwards by their border.
    """
    height, width = frames.shape[1:]
    missing = [(0, max(0, SMALLEST_SIDE - side)) for side in (height, width)]
    frames = np.pad(frames, [(0, 0), *missing], mode="edge")
    with ThreadPoolExecutor(threads) as pool:
        flow = list(pool.map(_pair, frames[:-1], frames[1:]))
    return np.stack(flow)[:, :height, :width]


def _pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    import cv2

    create: Any = cv2.DISOpticalFlow_create  # type: ignore[attr-defined, unused-ignore]
    method = create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # an object of its own: one must not serve two threads
    flow: np.ndarray = method.calc(first, second, None)
    return flow
