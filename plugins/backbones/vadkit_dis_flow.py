"""Motion without weights: a descriptor of dense inverse-search (DIS) optical flow, from OpenCV.

Legend: ``s`` snippets, ``f`` frames of a snippet, ``p`` = f - 1 frame pairs.

Flow is computed on grey frames of a small fixed size, so that numbers are comparable between videos of
any size. The descriptor holds what a flow network would learn: how much moves, how fast, in which direction,
where, how much that changes from pair to pair (after Hassner et al., Violent Flows, CVPRW 2012), and how
much neighbouring pixels disagree. The camera's own motion, the median flow, is subtracted and reported separately.
Flow: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vadkit import Backbone, hookimpl
from vadkit.backbones import load_opencv

SHORT_SIDE = 96  # pixels
SPEEDS = (
    0.25,
    0.5,
    1.0,
    2.0,
    4.0,
    8.0,
)  # per pair, the share that is faster; in hundredths of the short side
ROWS, COLUMNS, DIRECTIONS = 3, 4, 8
PAIR = len(SPEEDS) + 4 + DIRECTIONS + 2 * ROWS * COLUMNS + 3 + 2 + 1  # numbers per frame pair


class DisFlow(Backbone):
    """Describe the motion in a snippet: mean, deviation and maximum of a flow descriptor over its frame pairs.

    Out: (s, 144). Speeds are in hundredths of the picture's short side per frame, so they depend on the
    frame rate (part of the store's recipe), then compressed by log(1 + x). A snippet of one frame, or of
    equal frames, counts as still.
    """

    name = "dis_flow"
    modality = "flow"
    dim = 3 * PAIR
    paper = "Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016; Hassner et al., CVPRW 2012"
    fidelity = "ours"

    def __init__(self) -> None:
        self._flow: Any = None

    def recipe(self) -> dict[str, Any]:
        return {
            "pretrained": False,
            "flow": "DIS ultrafast",
            "resize": f"short side {SHORT_SIDE}, area, then grey",
            "descriptor": 1,
            "speeds": list(SPEEDS),
            "grid": [ROWS, COLUMNS],
            "directions": DIRECTIONS,
            "pool": "mean, deviation and maximum over pairs",
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.stack([self._snippet(snippet) for snippet in snippets])

    def _snippet(self, frames: np.ndarray) -> np.ndarray:
        grey = [_grey(frame) for frame in frames]
        if len(grey) == 1:
            grey = grey * 2
        # DIS ultrafast computes flow at a quarter of the size, so every second pixel holds all of it.
        flow = np.stack([self._estimate(a, b)[::2, ::2] for a, b in zip(grey, grey[1:])])
        x = np.log1p(describe(flow * (100 / SHORT_SIDE)))
        return np.concatenate([x.mean(0), x.std(0), x.max(0)]).astype(np.float32)

    def _estimate(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if self._flow is None:
            cv2 = load_opencv()
            self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        return self._flow.calc(first, second, None)

    def __getstate__(self) -> dict[str, Any]:
        return {"_flow": None}  # OpenCV objects cannot be pickled


def _grey(frame: np.ndarray) -> np.ndarray:
    cv2 = load_opencv()
    height, width = frame.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    size = [min(max(round(side * scale), 1), 4 * SHORT_SIDE) for side in (width, height)]
    return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)


def describe(flow: np.ndarray) -> np.ndarray:
    """Return the numbers of each pair, all >= 0, (p, PAIR), from flow (p, h, w, 2) in hundredths of the short side."""
    own = np.median(flow, axis=(1, 2), keepdims=True)
    flow = flow - own
    dx, dy = flow[..., 0], flow[..., 1]
    speed = np.hypot(dx, dy)
    change = np.abs(np.diff(speed, axis=0, prepend=speed[:1]))
    faster = np.stack([(speed >= edge).mean((1, 2)) for edge in SPEEDS], -1)
    turn = ((np.arctan2(dy, dx) / (2 * np.pi)) % 1.0 * DIRECTIONS).astype(int) % DIRECTIONS
    directions = [np.bincount(t.ravel(), s.ravel(), DIRECTIONS) / s.size for t, s in zip(turn, speed)]
    means = np.concatenate([faster, directions, _grid(speed), _grid(change)], -1)
    # Means over a mostly still picture are small; times 100 they are as large as the other numbers.
    return np.concatenate(
        [
            100 * means,
            _quantiles(speed, (0.5, 0.9, 0.99, 0.999)),
            _quantiles(change, (0.9, 0.99, 0.999)),
            np.abs(own[:, 0, 0]),
            10 * _disorder(flow, speed),
        ],
        -1,
    )


def _quantiles(x: np.ndarray, parts: tuple[float, ...]) -> np.ndarray:
    """Return (p, len(parts)): the values of x (p, h, w) that exceed these parts of a picture."""
    flat = x.reshape(len(x), -1)
    where = [int(part * (flat.shape[1] - 1)) for part in parts]
    return np.partition(flat, where, axis=1)[:, where]


def _grid(x: np.ndarray) -> np.ndarray:
    """Return (p, ROWS * COLUMNS): the means of x (p, h, w) over a grid of cells, row by row."""
    rows = [int(i * x.shape[1] / ROWS) for i in range(ROWS)]
    columns = [int(i * x.shape[2] / COLUMNS) for i in range(COLUMNS)]
    sums = np.add.reduceat(np.add.reduceat(x, rows, 1), columns, 2)
    cells = np.outer(np.diff([*rows, x.shape[1]]), np.diff([*columns, x.shape[2]]))
    return (sums / np.maximum(cells, 1)).reshape(len(x), -1)


def _disorder(flow: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Return (p, 1): how much moving pixels (2 apart) disagree, relative to their speed; 0 if nothing moves."""
    across = np.abs(flow[:, :, 2:] - flow[:, :, :-2]).sum((1, 2, 3))
    down = np.abs(flow[:, 2:] - flow[:, :-2]).sum((1, 2, 3))
    still = 0.01 * speed[0].size
    return ((across + down) / (speed.sum((1, 2)) + still))[:, None]


@hookimpl
def vadkit_components() -> list[type]:
    return [DisFlow]
