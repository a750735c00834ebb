"""Motion without weights: a descriptor of dense inverse-search (DIS) optical flow, from OpenCV.

Legend: ``s`` snippets, ``f`` frames of a snippet, ``p`` = f - 1 frame pairs.

Flow is computed on grey frames of a small fixed height, so that numbers mean the same for videos of
any size. What a flow network would learn is counted by hand: how much moves, how fast, which way, where, how
much that changes from pair to pair (the idea of Hassner et al., Violent Flows, CVPRW 2012), and how
much neighbours disagree. The camera's own motion, the median flow, is taken off and told apart.
Flow: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vadkit import Backbone, hookimpl

SHORT_SIDE = 96  # pixels
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # edges of the speed histogram, in hundredths of the short side
ROWS, COLUMNS, DIRECTIONS = 3, 4, 8
PAIR = len(SPEEDS) + 4 + DIRECTIONS + 2 * ROWS * COLUMNS + 3 + 2 + 1  # numbers per frame pair


class DisFlow(Backbone):
    """How things move in a snippet: mean, deviation and maximum over its frame pairs of a flow descriptor.

    Out: (s, 144). Speeds are in hundredths of the picture's short side per frame, so they depend on the
    frame rate (part of the store's recipe), then compressed by log(1 + x). A snippet of one frame, or of
    equal frames, gives what stillness gives.
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
            "pretrained": False, "flow": "DIS ultrafast", "resize": f"short side {SHORT_SIDE}, area, then grey",
            "descriptor": "v1", "speeds": list(SPEEDS), "grid": [ROWS, COLUMNS], "directions": DIRECTIONS,
            "pool": "mean, deviation and maximum over pairs",
        }  # fmt: skip

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.stack([self._snippet(snippet) for snippet in snippets])

    def _snippet(self, frames: np.ndarray) -> np.ndarray:
        grey = [_grey(frame) for frame in frames]
        if len(grey) == 1:
            grey = grey * 2
        speed = None
        pairs = []
        for first, second in zip(grey, grey[1:]):
            flow = self._estimate(first, second) * (100 / SHORT_SIDE)
            numbers, speed = describe(flow, speed)
            pairs.append(numbers)
        x = np.log1p(np.stack(pairs))
        return np.concatenate([x.mean(0), x.std(0), x.max(0)]).astype(np.float32)

    def _estimate(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        import cv2

        if self._flow is None:
            self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        return self._flow.calc(first, second, None)

    def __getstate__(self) -> dict[str, Any]:
        return {"_flow": None}  # OpenCV objects do not go to other processes


def _grey(frame: np.ndarray) -> np.ndarray:
    import cv2

    height, width = frame.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    size = [min(max(round(side * scale), 1), 4 * SHORT_SIDE) for side in (width, height)]
    return cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def describe(flow: np.ndarray, before: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of one pair, all >= 0, and its speeds.

    Args:
        flow: (h, w, 2), in hundredths of the short side.
        before: (h, w), the speeds of the pair ahead, or None.
    """
    own = np.median(flow, axis=(0, 1))
    flow = flow - own
    dx, dy = flow[..., 0], flow[..., 1]
    speed = np.hypot(dx, dy)
    change = np.abs(speed - before) if before is not None else np.zeros_like(speed)
    histogram = np.histogram(speed, [*SPEEDS, np.inf])[0] / speed.size
    high = np.quantile(speed, [0.5, 0.9, 0.99, 0.999])
    turn = ((np.arctan2(dy, dx) / (2 * np.pi)) % 1.0 * DIRECTIONS).astype(int) % DIRECTIONS
    directions = np.bincount(turn.ravel(), speed.ravel(), DIRECTIONS) / speed.size
    numbers = np.concatenate([
        histogram, high, directions, _grid(speed), _grid(change), np.quantile(change, [0.9, 0.99, 0.999]),
        np.abs(own), [_disorder(flow, speed)],
    ])  # fmt: skip
    return numbers, speed


def _grid(x: np.ndarray) -> np.ndarray:
    """Return the means over a grid of cells, row by row."""
    rows = [int(i * x.shape[0] / ROWS) for i in range(ROWS)]
    columns = [int(i * x.shape[1] / COLUMNS) for i in range(COLUMNS)]
    sums = np.add.reduceat(np.add.reduceat(x, rows, 0), columns, 1)
    cells = np.outer(np.diff([*rows, x.shape[0]]), np.diff([*columns, x.shape[1]]))
    return (sums / np.maximum(cells, 1)).ravel()


def _disorder(flow: np.ndarray, speed: np.ndarray) -> float:
    """Return how much moving neighbours (3 pixels apart) disagree, weighted by speed; 0 if nothing moves."""
    across = np.abs(flow[:, 3:] - flow[:, :-3]).sum(-1).sum()
    down = np.abs(flow[3:] - flow[:-3]).sum(-1).sum()
    return float((across + down) / (speed.sum() + 0.01 * speed.size))


@hookimpl
def vadkit_components() -> list[type]:
    return [DisFlow]
