"""DIS optical flow: a fast preview, about a hundred times cheaper than TV-L1 and different from it.

Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016; OpenCV's, medium preset. Features
extracted with it are not comparable with published ones, which are TV-L1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from vadkit.opencv import load_opencv

SMALLEST_SIDE = 16  # pixels; OpenCV refuses less than 12, and reads out of bounds in low wide pictures of less than 16


def dis(frames: np.ndarray, threads: int) -> np.ndarray:
    """Return the flow between consecutive uint8 ``frames`` (f, h, w): float32 (f - 1, h, w, 2).

    Frames with a side of less than 16 pixels are padded to the right and downwards by repeating their border.
    """
    height, width = frames.shape[1:]
    missing = [(0, max(0, SMALLEST_SIDE - side)) for side in (height, width)]
    frames = np.pad(frames, [(0, 0), *missing], mode="edge")
    pair = partial(_pair, load_opencv())
    with ThreadPoolExecutor(threads) as pool:
        flow = list(pool.map(pair, frames[:-1], frames[1:]))
    return np.stack(flow)[:, :height, :width]


def _pair(cv2: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    # An object of its own: one must not serve two threads.
    method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow: np.ndarray = method.calc(first, second, None)
    return flow
