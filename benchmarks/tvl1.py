"""TV-L1 optical flow: our loops against OpenCV's, on one thread.

    python benchmarks/tvl1.py [--rounds 5] [--small]

Real frames (a reference case) and generated ones, 256 x 340 pixels unless --small. Before anything is timed,
both flows must agree within the acceptance of the reference cases. Then both take turns, and the least
CPU time of each counts, because other load lengthens some rounds and shortens none.
Needs the contributed modules of OpenCV. Writes benchmarks/results/tvl1-cpu-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from results import write

from vadkit.backbones.flow import TvL1Settings
from vadkit.backbones.flow.tvl1_numba import tvl1_numba

CASES = Path(__file__).parent.parent / "tests" / "reference" / "cases"
FULL, SMALL = (256, 340), (64, 80)
SETTINGS = TvL1Settings()
MISSING = """OpenCV's TV-L1 is not in this Python: its contributed modules are missing. They replace the cv2 that vadkit
brings, so give them an environment of their own:
    python -m venv with-contrib
    with-contrib/bin/pip install -e . && with-contrib/bin/pip uninstall -y opencv-python
    with-contrib/bin/pip install opencv-contrib-python-headless
    with-contrib/bin/python benchmarks/tvl1.py"""


def film(size: tuple[int, int]) -> np.ndarray:
    """Return real frames of that size from a reference case."""
    with np.load(CASES / f"tvl1-bunny-{size[0]}x{size[1]}.npz") as stored:
        frames: np.ndarray = stored["input/frames"][:2]
    return frames


def texture(size: tuple[int, int], zoom: float, angle: float) -> np.ndarray:
    """Return two frames of a smooth random texture that turns and grows, with the noise of a camera."""
    h, w = size
    draws = np.random.default_rng(0)
    plane = cv2.GaussianBlur(draws.uniform(0, 255, (h, w)), (0, 0), 2.5)
    plane = (plane - plane.min()) / np.ptp(plane) * 255
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), angle, zoom)
    moved = cv2.warpAffine(plane, turn, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    frames = np.stack([plane, moved]) + draws.normal(0, 1.5, (2, h, w))
    return np.rint(np.clip(frames, 0, 255)).astype(np.uint8)


def scenes(size: tuple[int, int]) -> dict[str, np.ndarray]:
    return {"film": film(size), "slow texture": texture(size, 1.003, 0.2), "fast texture": texture(size, 1.02, 1.0)}


def ours(frames: np.ndarray) -> np.ndarray:
    return tvl1_numba(frames, SETTINGS, threads=1)


def theirs(frames: np.ndarray) -> np.ndarray:
    # An object for each call: after a small picture an object permanently uses fewer levels.
    method: Any = cv2.optflow.DualTVL1OpticalFlow_create()
    return np.stack([method.calc(first, second, None) for first, second in zip(frames, frames[1:])])


def agreement(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Return mean and 95th percentile of the distance in pixels, and the share of values within a uint8 level.

    Stops the run if that is beyond the acceptance of the reference cases.
    """
    distance = np.linalg.norm(found.astype(float) - wanted, axis=-1)
    levels = [np.rint((np.clip(flow, -20, 20) + 20) * 255 / 40) for flow in (found, wanted)]
    mean, most = float(distance.mean()), float(np.percentile(distance, 95))
    near = float((np.abs(levels[0] - levels[1]) <= 1).mean())
    if mean > 0.05 or most > 0.2 or near < 0.98:
        raise SystemExit(f"the flows differ by {mean:.3f} pixels, 95th percentile {most:.3f}, {near:.2%} near")
    return {"distance, px": round(mean, 4), "95th percentile": round(most, 4), "within a level": round(near, 4)}


def clocked(function: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> float:
    before = time.process_time()
    function(frames)
    return (time.process_time() - before) * 1e3 / (len(frames) - 1)


def rows(size: tuple[int, int], rounds: int) -> Iterator[dict[str, Any]]:
    for scene, frames in scenes(size).items():
        equal = agreement(ours(frames), theirs(frames))  # compiles the loops, too
        times = np.array([[clocked(theirs, frames), clocked(ours, frames)] for _ in range(rounds)])
        slow, fast = times.min(axis=0)
        yield {
            "scene": scene,
            "OpenCV, ms": round(slow),
            "ours, ms": round(fast),
            "ratio": round(slow / fast, 1),
            "ratio of medians": round(float(np.divide(*np.median(times, axis=0))), 1),
            **equal,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="64 x 80 pixels, to check that this runs")
    args = parser.parse_args()
    if not hasattr(getattr(cv2, "optflow", None), "DualTVL1OpticalFlow_create"):
        raise SystemExit(MISSING)
    cv2.setNumThreads(1)
    size = SMALL if args.small else FULL
    conditions = {
        "pictures": f"{size[0]} x {size[1]}, grey, one pair",
        "time": f"CPU ms per pair, least of {args.rounds} rounds",
        "flow threads": 1,
        "OpenCV": cv2.__version__,
        "parameters": "OpenCV's defaults, both",
    }
    name, title = "tvl1-small" if args.small else "tvl1", "TV-L1 optical flow on one thread: our loops against OpenCV's"
    write(name, title, [*rows(size, args.rounds)], conditions, "cpu")


if __name__ == "__main__":
    main()
