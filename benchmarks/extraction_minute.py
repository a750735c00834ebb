"""A minute of video, from mp4 to store: five crops, three modalities and CLIP, networks loaded, by stage.

    python benchmarks/extraction_minute.py [--device cuda] [--precision tf32] [--seconds 60] [--rounds 3]

The video is generated: 480 x 360, 25 frames a second, H.264 and AAC. Weights are random, which does not affect the
time. Each stage runs alone, with what it needs at hand, in the batches of an extraction; the last row is the whole
extraction, in which stages overlap. On a GPU the time of a stage is that of its events, and a profiled run says how
long kernels ran: the rest of the whole run's wall time is the GPU's idle share. The aim is 4 seconds on an H100 or
H200 with 16 cores.

Takes about 2 minutes on such a GPU (an estimate: not measured), and many on a CPU: there, use --small. Writes
benchmarks/results/extraction-minute-PRECISION-DEVICE-MONTH.json and .md; --small writes nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import torch
import torch.nn.functional as F
import vadkit_clip_vit
import vadkit_i3d
import vadkit_vggish
from results import markdown, write

from vadkit.backbones import FrameBatch, device_flow, to_grey
from vadkit.backbones.frozen import Precision, resolve
from vadkit.bench.machine import machine
from vadkit.devices import choose_device
from vadkit.extract import stages
from vadkit.extract.gpu import Gpu
from vadkit.extract.media import Picture, Samples, open_media
from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.extract.sound import SoundWindows
from vadkit.kinds import Backbone

FPS, FRAMES, SIZE, RATE = 25, 16, (360, 480), 44_100  # frames a second, of a snippet; height, width; samples a second
Work = Callable[[], object]


# -- the material ------------------------------------------------------------------------------------
def film(path: Path, seconds: float) -> Path:
    """Write a video of a smooth texture that drifts, with camera noise and sound."""
    draws, (height, width) = np.random.default_rng(0), SIZE
    coarse = torch.from_numpy(draws.uniform(0, 255, (1, 3, 40, 50)).astype(np.float32))
    plane = F.interpolate(coarse, (3 * height, 3 * width), mode="bicubic").clamp(0, 255)[0].permute(1, 2, 0).numpy()
    with av.open(str(path), "w") as sink:
        pictures = sink.add_stream("libx264", rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        track = sink.add_stream("aac", rate=RATE, layout="mono")
        for number in range(round(seconds * FPS)):
            angle = number / 90
            top, left = (round(n * (1 + turn(angle))) for n, turn in ((height, np.sin), (width, np.cos)))
            view = plane[top : top + height, left : left + width] + draws.normal(0, 2, (height, width, 1))
            frame = av.VideoFrame.from_ndarray(np.clip(view, 0, 255).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            sink.mux(pictures.encode(frame))
        sink.mux(pictures.encode(None))
        wave = draws.normal(0, 0.1, (1, round(seconds * RATE))).astype(np.float32)
        for start in range(0, wave.shape[1], 1024):
            piece = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = RATE, start, Fraction(1, RATE)
            sink.mux(track.encode(piece))
        sink.mux(track.encode(None))
    return path


def backbones_of(device: str, precision: Precision, small: bool) -> dict[str, Backbone]:
    common: dict[str, Any] = {"random_weights": True, "precision": precision, "device": device}
    side = 64 if small else 256
    return {
        "rgb": vadkit_i3d.I3dRgb(crops="five", short_side=side, **common),
        "flow": vadkit_i3d.I3dFlow(crops="five", short_side=side, **common),
        "clip": vadkit_clip_vit.ClipVit(crops="five", model="b32" if small else "b16", **common),
        "audio": vadkit_vggish.Vggish(**common),
    }


def read(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the pictures of whole snippets, and the sound of each."""
    frames, windows = [], SoundWindows(vadkit_vggish.RATE, vadkit_vggish.WINDOW, FRAMES / FPS)
    sound: list[np.ndarray] = []
    with open_media(path) as media:
        for event in media.events():
            if isinstance(event, Picture):
                frames.append(event.rgb(*event.size))
            elif isinstance(event, Samples):
                sound += windows.feed(event.rate, event.mono)
    snippets = len(frames) // FRAMES
    return np.stack(frames[: snippets * FRAMES]), [*sound, *windows.finish(snippets)][:snippets]


# -- stages ------------------------------------------------------------------------------------------
class Stages:
    """The stages of an extraction, each with its input at hand."""

    def __init__(self, path: Path, device: torch.device, backbones: dict[str, Any]) -> None:
        self.path, self.device, self.backbones = path, device, backbones
        frames, self.sound = read(path)
        step = stages.GPU_SNIPPETS * FRAMES
        self.host = [torch.from_numpy(frames[i : i + step]) for i in range(0, len(frames), step)]
        self.gpu = Gpu(device) if device.type == "cuda" else None
        if self.gpu:
            self.host = [self._pinned(part) for part in self.host]
        self.batches = [self._batch(part) for part in self.host]
        rgb = backbones["rgb"].view
        self.grey = [to_grey(rgb.all_pictures(batch)) for batch in self.batches]
        self.flow = [device_flow(grey) for grey in self.grey]

    def _pinned(self, part: torch.Tensor) -> torch.Tensor:
        assert self.gpu is not None
        return self.gpu.pinned(part.shape, part.dtype).copy_(part)

    def _batch(self, part: torch.Tensor) -> FrameBatch:
        frames = self.gpu.upload(part) if self.gpu else part
        return FrameBatch(frames, [(i, i + FRAMES) for i in range(0, len(part), FRAMES)])

    def named(self) -> Iterator[tuple[str, Work, bool]]:
        """Yield each stage, and whether it is the device's."""
        yield "decode, pictures and sound", lambda: read(self.path), False
        if self.gpu:
            yield "upload", lambda: [self.gpu.upload(part) for part in self.host], True  # type: ignore[union-attr]
        yield "resize", self.resize, True
        yield "TV-L1", lambda: [device_flow(grey) for grey in self.grey], True
        yield "I3D on pictures", lambda: [self.backbones["rgb"].rows(batch) for batch in self.batches], True
        yield "I3D on flow", self.i3d_flow, True
        yield "CLIP ViT-B/16", lambda: [self.backbones["clip"].rows(batch) for batch in self.batches], True
        yield "sound, VGGish", lambda: self.backbones["audio"].extract(self.sound), False

    def resize(self) -> None:
        view = self.backbones["rgb"].view
        for batch in self.batches:
            view.resized(batch.frames)

    def i3d_flow(self) -> None:
        backbone = self.backbones["flow"]
        for batch, flow in zip(self.batches, self.flow):
            clips = (part.transpose(0, 1) for part in batch.cut(flow))
            crops = (crop for clip in clips for _, crop in backbone.view.cut(clip))
            backbone.frozen.rows(vadkit_i3d.QUANTISE["bound20"](crop) for crop in crops)


# -- timing ------------------------------------------------------------------------------------------
def timed(work: Work, device: torch.device, events: bool) -> float:
    """Return seconds: of the device's events, or of the wall."""
    with torch.inference_mode():
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if not (events and device.type == "cuda"):
            begun = time.perf_counter()
            work()
            return time.perf_counter() - begun
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        work()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / 1000


def busy_seconds(work: Work) -> float:
    """Return how long kernels and copies of the GPU ran, where they overlap counted once."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize()
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events() or ()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    busy, reached = 0.0, float("-inf")
    for start, end in spans:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return busy / 1e6


def extract(path: Path, backbones: dict[str, Backbone], out: Path) -> None:
    entries: Any = [{"name": "film", "file": str(path)}]
    extract_store(entries, backbones, out, clock=Clock(tail="drop"), resources=Resources(workers=0))


def whole(path: Path, backbones: dict[str, Backbone], folder: Path) -> Iterator[Work]:
    """Yield extractions of the video into one new store after another."""
    for number in count():
        yield partial(extract, path, backbones, folder / f"store{number}")


def measured(path: Path, folder: Path, device: torch.device, args: argparse.Namespace) -> list[dict[str, Any]]:
    backbones, rounds = backbones_of(str(device), args.precision, args.small), args.rounds
    runs, found = whole(path, backbones, folder), []
    print("loading the networks and a first run", flush=True)
    next(runs)()
    for name, work, on_device in Stages(path, device, backbones).named():
        print(name, flush=True)
        timed(work, device, on_device)
        found.append(row(name, [timed(work, device, on_device) for _ in range(rounds)]))
    print("whole runs", flush=True)
    times = [timed(next(runs), device, events=False) for _ in range(rounds)]
    last = row("whole extraction, mp4 to store", times)
    if device.type == "cuda":
        busy, wall = busy_seconds(next(runs)), float(np.median(times))
        last |= {
            "GPU busy, s": round(busy, 2),
            "GPU idle, share": round(max(0.0, 1 - busy / wall), 2),
        }
    return [*found, last]


def row(stage: str, seconds: list[float]) -> dict[str, Any]:
    return {"stage": stage, "s": round(float(np.median(seconds)), 3), "spread, s": round(float(np.ptp(seconds)), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--seconds", type=float, default=60, help="length of the video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--small", action="store_true", help="two snippets of small pictures, once, to check that it runs"
    )
    args = parser.parse_args()
    device = choose_device(args.device)
    if args.small:
        args.seconds, args.rounds = 2 * FRAMES / FPS, 1
    with tempfile.TemporaryDirectory() as folder:
        path = film(Path(folder) / "film.mp4", args.seconds)
        found = measured(path, Path(folder), device, args)
    chosen = resolve(args.precision, str(device))
    conditions = {
        "video": f"{args.seconds:g} s of {SIZE[1]} x {SIZE[0]}, {FPS} frames a second, H.264 and AAC",
        "crops": 5,
        "precision": f"{chosen} ({args.precision})",
        "time": f"seconds, median of {args.rounds}; each stage alone, networks loaded",
    }
    title = "A minute of video to a store, by stage"
    if args.small:
        print(markdown(title, found, conditions, machine(device)))
    else:
        write(f"extraction-minute-{args.precision}", title, found, conditions, str(device))


if __name__ == "__main__":
    main()
