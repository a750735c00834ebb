"""Each stage of extraction on the CPU in float32 against its limit, measured in the same run.

    python benchmarks/extraction_stages.py [VIDEO] [--rounds 3] [--small]

VIDEO is any video with sound; by default a clip of the demo is rendered. Weights are random, which does not affect the
time. A stage, a large matrix product and a large copy take turns on one thread; the least CPU time of each counts. The
limit of a network is its operations over the rate of the product, or its weights over the rate of the copy; that of
decoding and resizing is the bytes read and written over the rate of the copy; that of TV-L1 is the sum over its
loops of operations over the rate of the product, or bytes over the rate of a copy of as many planes, which a cache may
hold. A multiply-add counts as two operations, which only loops that fuse both can reach. Above 1.5 times the limit,
a profile of the same run says where the time goes.

Writes benchmarks/results/extraction_stages-cpu-MONTH.json and .md. About 2 minutes on an idle machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
import vadkit_clip_vit
import vadkit_i3d
import vadkit_vggish
from results import write

from vadkit.backbones.crops import cut_crops, resize_short_side, to_grey
from vadkit.backbones.flow import TvL1Settings, tvl1_loops
from vadkit.backbones.flow.tvl1_numba import tvl1_numba
from vadkit.backbones.frozen import Frozen
from vadkit.bench.speed import counting, why
from vadkit.bench.speed.peaks import Peaks, peaks
from vadkit.demo.render import render
from vadkit.demo.script import write_script
from vadkit.extract.media import Picture, Samples, open_media

FRAMES, SOUND_RATE, WINDOWS = 16, 16_000, 16  # frames of a snippet; windows of sound in one pass of VGGish
FAR = 1.5  # times the limit above which a row says why
CPU = torch.device("cpu")
# Operations of a pixel, from the formulas in tvl1_loops: an iteration's threshold 7, primal steps 2 x 9 and dual steps
# 2 x 15; a median's 11 sorts of five with 9 exchanges, and 12 more, of two components; a warp's two kernels of 21,
# three sums of 16 weighted pixels, and the data term. And float32 planes that each reads and writes.
LOOPS = {"inner_loop": (55, 10 + 6), "median": (2 * (11 * 18 + 12), 2 + 2), "warp": (2 * 21 + 3 * 35 + 13, 6 + 4)}
PLANES = 10  # that an iteration reads: flow, duals, gradient, its inverse, the data term


@dataclass
class Stage:
    """Work of one row. ``flops`` and ``moved`` are its operations and its bytes; ``parts`` explain its time."""

    name: str
    of: str
    run: Callable[[], object]
    flops: float = 0.0
    moved: float = 0.0
    operators: Mapping[str, float] | None = None
    parts: dict[str, Callable[[], object]] = field(default_factory=dict)


# -- the material --------------------------------------------------------------------------------
def demo_clip(path: Path) -> Path:
    """Render the demo's first fight."""
    render(next(clip for clip in write_script() if clip.kind == "fight"), path)
    return path


def pictures(path: Path, count: int) -> list[Picture]:
    with open_media(path) as media:
        return list(islice((e for e in media.events() if isinstance(e, Picture)), count))


def samples(path: Path) -> np.ndarray:
    """Return the sound of a video, repeated to some seconds: only its length matters for the time."""
    with open_media(path) as media:
        found = [e.mono for e in media.events() if isinstance(e, Samples)]
    wave = np.concatenate(found) if found else np.zeros(0, np.float32)
    if not wave.any():
        raise SystemExit(f"{path} has no sound: choose a video with sound, or leave VIDEO out")
    return np.resize(wave, WINDOWS * SOUND_RATE)


# -- stages --------------------------------------------------------------------------------------
def stages(path: Path, side: int, crops: int) -> list[Stage]:
    """Return all stages but TV-L1, on the first snippet of a video."""
    shown = pictures(path, FRAMES + 1)
    frames = np.stack([p.rgb(*p.size) for p in shown])
    small, crop = resize_short_side(frames, side), vadkit_i3d.crop_side(side)
    clips = [vadkit_i3d.normalised(x.transpose(0, 1)) for _, x in cut_crops(small[:FRAMES], crop, "five")][:crops]
    pairs = [x[:2].contiguous() for x in clips]
    images = [x[:, 7] for x in clips]
    rgb = vadkit_i3d.I3dRgb(random_weights=True, short_side=side)
    flow = vadkit_i3d.I3dFlow(random_weights=True, short_side=side)
    clip = vadkit_clip_vit.ClipVit(random_weights=True, precision="fp32")
    if crop != 224:  # CLIP takes one size
        images = [torch.rand(3, 224, 224) for _ in images]
    return [
        decoding(path, shown, frames),
        resizing(frames, small, side, crop),
        network("I3D rgb", f"{crops} clips", rgb.frozen, clips),
        network("I3D flow", f"{crops} clips", flow.frozen, pairs),
        network("CLIP ViT-B/16", f"{crops} pictures", clip.frozen, images),
        sound(samples(path), WINDOWS if crops > 1 else 2),
    ]


def decoding(path: Path, shown: list[Picture], frames: np.ndarray) -> Stage:
    """The least that moves: a picture in 12 bits a pixel is written and read, its RGB is written."""
    return Stage(
        "decode",
        f"{len(frames)} frames",
        lambda: [p.rgb(*p.size) for p in pictures(path, len(frames))],
        moved=2.0 * frames.size,
        parts={
            "opening and decoding": lambda: pictures(path, len(frames)),
            "conversion to RGB": lambda: [p.rgb(*p.size) for p in shown],
        },
    )


def resizing(frames: np.ndarray, small: torch.Tensor, side: int, crop: int) -> Stage:
    """Crops are views; each is read once and written as float32."""

    def cut() -> list[torch.Tensor]:
        return [x.float() for _, x in cut_crops(small, crop, "five")]

    cropped = sum(5 * x.numel() for x in cut())
    return Stage(
        "resize and crop",
        f"{len(frames)} frames, 5 crops",
        lambda: [x.float() for _, x in cut_crops(resize_short_side(frames, side), crop, "five")],
        moved=float(frames.size + small.numel() + cropped),
        parts={"resize": lambda: resize_short_side(frames, side), "crops to float32": cut},
    )


def network(name: str, of: str, frozen: Frozen, inputs: list[torch.Tensor]) -> Stage:
    counted = counting.operations(lambda: frozen.run(inputs)) or {}
    weights = counting.size(frozen.network.parameters())
    # On a CPU each pass reads the weights.
    passes = -(-len(inputs) // frozen.batch)
    return Stage(name, of, lambda: frozen.run(inputs), sum(counted.values()), passes * weights, counted)


def sound(wave: np.ndarray, count: int) -> Stage:
    """Its limit leaves the spectrum out."""
    vggish = vadkit_vggish.Vggish(random_weights=True, precision="fp32")
    size = vadkit_vggish.WINDOW
    windows = [wave[i * SOUND_RATE : i * SOUND_RATE + size] for i in range(count)]
    examples = list(vggish._examples(windows))
    stage = network("VGGish", f"{count} windows of sound", vggish.frozen, examples)
    stage.run = lambda: vggish.extract(windows)
    stage.parts = {
        "log-mel spectrum": lambda: list(vggish._examples(windows)),
        "network": lambda: vggish.frozen.run(examples),
    }
    return stage


# -- TV-L1 ---------------------------------------------------------------------------------------
def counted_flow(grey: np.ndarray) -> dict[str, float]:
    """Return how many pixels each loop of TV-L1 visits; an iteration at a time, so that they can be counted."""
    visited = dict.fromkeys(LOOPS, 0.0)
    inner, median, warp = tvl1_loops.inner_loop, tvl1_loops.median, tvl1_loops.warp

    def count_inner(u: np.ndarray, *others: Any) -> bool:
        for _ in range(others[-1]):
            visited["inner_loop"] += u[0].size
            if inner(u, *others[:-1], 1):
                return True
        return False

    def count_median(u: np.ndarray, *others: Any) -> None:
        visited["median"] += u[0].size
        median(u, *others)

    def count_warp(planes: np.ndarray, first: np.ndarray, *others: Any) -> None:
        visited["warp"] += first.size
        warp(planes, first, *others)

    with patch.multiple(tvl1_loops, inner_loop=count_inner, median=count_median, warp=count_warp):
        tvl1_numba(grey, TvL1Settings(), threads=1)
    return visited


def profiled_flow(grey: np.ndarray) -> dict[str, float]:
    """Return the CPU milliseconds in each loop, and under "all" those of the whole."""
    spent = dict.fromkeys(LOOPS, 0.0)

    def clocked(name: str) -> Callable[..., Any]:
        loop = getattr(tvl1_loops, name)

        def run(*arguments: Any) -> Any:
            start = time.thread_time()
            result = loop(*arguments)
            spent[name] += (time.thread_time() - start) * 1e3
            return result

        return run

    clocks: dict[str, Any] = {name: clocked(name) for name in LOOPS}
    with patch.multiple(tvl1_loops, **clocks):
        whole = cpu_ms(lambda: tvl1_numba(grey, TvL1Settings(), threads=1))
    return {**spent, "all": whole}


def flow_row(grey: np.ndarray, top: Peaks, rounds: int) -> dict[str, Any]:
    visited = counted_flow(grey)
    planes = torch.ones(PLANES // 2, *grey.shape[1:])
    target = torch.empty_like(planes)
    times, runs = 100, {"stage": lambda: tvl1_numba(grey, TvL1Settings(), threads=1)}
    taken = in_turns({**runs, "product": top.product, "copy": lambda: copies(planes, target, times)}, rounds)
    flops, copied = top.flops / taken["product"], 8.0 * planes.numel() * times / taken["copy"]
    limits = {n: max(visited[n] * ops / flops, visited[n] * 4.0 * moved / copied) for n, (ops, moved) in LOOPS.items()}
    by = "bytes in the cache" if limits["inner_loop"] > visited["inner_loop"] * 55 / flops else "operations"
    row = as_row("TV-L1", f"1 pair, {grey.shape[1]} x {grey.shape[2]}", taken["stage"], sum(limits.values()), by)
    if taken["stage"] > FAR * sum(limits.values()):
        found = profiled_flow(grey)
        parts = [
            f"{name} {found[name] / found['all']:.0%} at {limits[name] / found[name]:.0%} of its limit "
            f"({visited[name] * LOOPS[name][0] / found[name] / flops:.0%} of the product's rate)"
            for name in LOOPS
        ]
        row["why"] = f"{', '.join(parts)}; the rest {1 - sum(found[n] for n in LOOPS) / found['all']:.0%}"
    return row


def copies(source: torch.Tensor, target: torch.Tensor, times: int) -> None:
    for _ in range(times):
        target.copy_(source)


# -- timing --------------------------------------------------------------------------------------
def cpu_ms(work: Callable[[], object]) -> float:
    before = time.process_time()
    with torch.inference_mode():
        work()
    return max(1e3 * (time.process_time() - before), 1e-6)


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least CPU milliseconds of each; a first round loads and compiles."""
    times = [{name: cpu_ms(work) for name, work in works.items()} for _ in range(rounds + 1)][1:]
    return {name: min(taken[name] for taken in times) for name in works}


def stage_row(stage: Stage, top: Peaks, rounds: int) -> dict[str, Any]:
    taken = in_turns({"stage": stage.run, "product": top.product, "copy": top.copy}, rounds)
    flops, moved = top.flops / taken["product"], top.bytes / taken["copy"]
    limit = counting.limit_ms(stage.flops, stage.moved, flops, moved)
    by = "operations" if stage.flops / flops >= stage.moved / moved else "bytes"
    row = as_row(stage.name, stage.of, taken["stage"], limit, by)
    if taken["stage"] > FAR * limit:
        row["why"] = explained(stage, flops)
    return row


def explained(stage: Stage, flops: float) -> str:
    """Return the shares of a stage's parts, and of the operators of its network."""
    spent = in_turns(stage.parts, 3)
    lines = [", ".join(f"{name} {ms / sum(spent.values()):.0%}" for name, ms in spent.items())] if spent else []
    if stage.operators:
        lines.append(why.sentence(why.profile(stage.run, None, CPU), stage.operators, flops))
    return "; ".join(lines)


def as_row(name: str, of: str, ms: float, limit: float, by: str) -> dict[str, Any]:
    figures = {"CPU ms": digits(ms), "limit, ms": digits(limit), "ratio": digits(ms / limit)}
    return {"stage": name, "of": of, **figures, "limited by": by, "why": "-"}


def digits(value: float) -> float:
    """Return three digits that count."""
    return float(f"{value:.3g}")


# -- the run -------------------------------------------------------------------------------------
def measured_rows(path: Path, side: int, crops: int, rounds: int) -> list[dict[str, Any]]:
    top = peaks(CPU, "fp32")
    found = []
    for stage in stages(path, side, crops):
        print(f"{stage.name} ...", flush=True)
        found.append(stage_row(stage, top, rounds))
    print("TV-L1 ...", flush=True)
    frames = np.stack([p.rgb(*p.size) for p in pictures(path, 2)])
    found.insert(2, flow_row(to_grey(resize_short_side(frames, side)).numpy(), top, rounds))
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, help="a video with sound (default: a clip of the demo)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="one round of one small crop, to check that this runs")
    args = parser.parse_args(arguments)
    rounds, side, crops = (1, 64, 1) if args.small else (args.rounds, 256, 5)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = args.video or demo_clip(Path(folder) / "clip.mp4")
        rows = measured_rows(path, side, crops, rounds)
    conditions = {
        "video": "a clip of the demo" if args.video is None else "given",
        "short side": side,
        "time": f"CPU milliseconds, least of {rounds} rounds",
        "threads": 1,
    }
    name = "extraction_stages-small" if args.small else "extraction_stages"
    write(name, "Stages of extraction in float32 against their limits", rows, conditions, "cpu")


if __name__ == "__main__":
    main()
