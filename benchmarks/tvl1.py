"""TV-L1 optical flow: our loops against OpenCV's on one thread, or our kernels against plain torch on a GPU.

    python benchmarks/tvl1.py [--rounds 5] [--small]
    python benchmarks/tvl1.py --device cuda [--rounds 5] [--batches 16,64,192] [--small]

Real frames (a reference case) and generated ones, 256 x 340 pixels unless --small. Before anything is timed,
both flows must agree within the acceptance of the reference cases. Then both take turns. On the CPU the least
CPU time of each counts, because other load lengthens some rounds and shortens none; that needs the contributed
modules of OpenCV. On a GPU the median of the seconds between two synchronisations counts, frames already there.

Writes benchmarks/results/tvl1-cpu-MONTH.json and .md, or tvl1-GPU-MONTH. About 3 minutes on a CPU, 1 on a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from results import write

from vadkit.backbones.flow import TvL1Settings
from vadkit.backbones.flow.on_device import Form, tvl1_on_device
from vadkit.backbones.flow.tvl1_numba import tvl1_numba
from vadkit.devices import choose_device
from vadkit.problems import VadkitError

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


# -- on a GPU --------------------------------------------------------------------------------------
def seconds(frames: torch.Tensor, form: Form) -> float:
    torch.cuda.synchronize(frames.device)
    before = time.perf_counter()
    tvl1_on_device(frames, SETTINGS, form)
    torch.cuda.synchronize(frames.device)
    return time.perf_counter() - before


def gpu_row(scene: str, pair: np.ndarray, pairs: int, rounds: int, device: torch.device) -> dict[str, Any]:
    """Return how many pairs per second both forms compute, when ``pairs`` are given at once."""
    frames = torch.from_numpy(np.resize(pair, (pairs + 1, *pair.shape[1:]))).to(device)
    plain, fused = (tvl1_on_device(frames, SETTINGS, form) for form in ("torch", "triton"))  # compiles, too
    equal = agreement(*(u[:2].permute(0, 2, 3, 1).cpu().numpy() for u in (fused, plain)))
    agreement(fused[0].permute(1, 2, 0).cpu().numpy(), ours(pair)[0])
    times = [(seconds(frames, "torch"), seconds(frames, "triton")) for _ in range(rounds)]
    slow, fast = (pairs / statistics.median(column) for column in zip(*times))
    figures = {"plain torch, pairs/s": round(slow), "kernels, pairs/s": round(fast), "ratio": round(fast / slow, 1)}
    return {"scene": scene, "pairs": pairs, **figures, **equal}


def on_gpu(args: argparse.Namespace) -> None:
    try:
        device = choose_device(args.device)
    except VadkitError as error:
        raise SystemExit(str(error)) from None
    if device.type != "cuda":
        raise SystemExit("--device takes cpu, cuda or cuda:N")
    size, found = SMALL if args.small else FULL, []
    for scene, pair in scenes(size).items():
        for pairs in map(int, args.batches.split(",")):
            found.append(gpu_row(scene, pair, pairs, args.rounds, device))
            print(found[-1], flush=True)
    conditions = {
        "pictures": f"{size[0]} x {size[1]}, grey",
        "time": f"median of {args.rounds} rounds, frames on the device",
        "parameters": "OpenCV's defaults",
    }
    name = "tvl1-small" if args.small else "tvl1"
    write(name, "TV-L1 optical flow on a GPU: our kernels against plain torch", found, conditions, str(device))


# -- on a CPU --------------------------------------------------------------------------------------
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:N")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", default="16,64,192", help="pairs at once on a GPU (16,64,192)")
    parser.add_argument("--small", action="store_true", help="64 x 80 pixels, to check that this runs")
    args = parser.parse_args()
    if args.device == "cpu":
        on_cpu(args)
    else:
        on_gpu(args)


def on_cpu(args: argparse.Namespace) -> None:
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
