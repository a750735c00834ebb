"""The paper's features from raw video, five crops and three modalities: our chain against the usual one, by stage.

    python benchmarks/extraction.py [--rounds 3] [--snippets 4] [--precision fp32] [--small]

The usual chain is what the public extractors do: OpenCV's decoder, a PIL resize per frame, OpenCV's TV-L1, networks
in float32 with their batch norms, one clip at a time, resampy's filter. Both take turns on one thread, and the
least CPU time of each counts. A stage is timed on a few snippets and reported in CPU seconds per minute of video
(25 frames a second, 94 snippets, 470 clips). The last row is a whole run of ``vadkit extract`` on a generated video,
including all that is between the stages. Weights are random, which does not affect the time.

OpenCV's TV-L1 is in its contributed modules: see benchmarks/tvl1.py for an environment that has them. Writes
benchmarks/results/extraction-cpu-MONTH.json and .md, or extraction-PRECISION-cpu-MONTH with --precision.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import av
import cv2
import numpy as np
import timm
import torch
import torch.nn.functional as F
import vadkit_clip_vit
import vadkit_i3d
import vadkit_vggish
from PIL import Image
from resampy_kaiser import resample
from results import write
from torch import nn

from vadkit.backbones.crops import cut_crops, resize_short_side, to_grey
from vadkit.backbones.flow import TvL1Settings
from vadkit.backbones.flow.tvl1_numba import tvl1_numba
from vadkit.backbones.frozen import Precision, resolve
from vadkit.extract.media import Picture, open_media
from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.extract.sound import SoundWindows

FPS, FRAMES = 25, 16
FRAMES_A_MINUTE, SNIPPETS_A_MINUTE, CROPS = 60 * FPS, 94, 5
SIZE, SIDE = (480, 360), 256  # width and height of the video; short side for the networks
RATE, SOUND_RATE = 44_100, 16_000
NEEDS = "OpenCV's TV-L1 is not in this Python: see benchmarks/tvl1.py for an environment that has it"
Stage = tuple[str, int, Callable[[], object], Callable[[], object]]  # name, times a minute, usual, ours


# -- the material ------------------------------------------------------------------------------------
def film(path: Path, seconds: float, size: tuple[int, int]) -> Path:
    """Write a video of a texture that drifts, with camera noise and sound."""
    draws, (width, height) = np.random.default_rng(0), size
    plane = cv2.GaussianBlur(draws.uniform(0, 255, (2 * height, 2 * width, 3)), (0, 0), 2.5)
    plane = (plane - plane.min()) / np.ptp(plane) * 255
    with av.open(str(path), "w") as sink:
        pictures = sink.add_stream("libx264", rate=FPS)
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        track = sink.add_stream("aac", rate=RATE, layout="mono")
        for number in range(round(seconds * FPS)):
            turn = cv2.getRotationMatrix2D((width, height), 0.3 * number, 1 + 0.003 * number)
            turn[:, 2] += (number - width / 2, number / 2 - height / 2)
            moved = cv2.warpAffine(plane, turn, size, borderMode=cv2.BORDER_REFLECT)
            noisy = np.rint(np.clip(moved + draws.normal(0, 2, moved.shape), 0, 255)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            sink.mux(pictures.encode(frame))
        sink.mux(pictures.encode(None))
        sound = av.AudioFrame.from_ndarray(noise(seconds)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE, 0, Fraction(1, RATE)
        for piece in [
            *(resampler := av.AudioResampler("fltp", "mono", RATE, frame_size=1024)).resample(sound),
            *resampler.resample(None),
        ]:
            sink.mux(track.encode(piece))
        sink.mux(track.encode(None))
    return path


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def read_frames(path: Path) -> np.ndarray:
    with open_media(path) as media:
        return np.stack([e.rgb(*e.size) for e in media.events() if isinstance(e, Picture)])


# -- the usual networks ------------------------------------------------------------------------------
class WithNorm(nn.Module):
    """A convolution of I3D as it is published: no bias, a batch norm of its own."""

    def __init__(self, conv: vadkit_i3d.Conv) -> None:
        super().__init__()
        self.conv, self.norm = conv, nn.BatchNorm3d(conv.out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, padding = vadkit_i3d._pad(x, self.conv.kernel_size, self.conv.stride)
        return F.relu(self.norm(F.conv3d(x, self.conv.weight, None, self.conv.stride, padding)))


def usual_i3d(channels: int) -> nn.Module:
    network = vadkit_i3d.load_network(None, channels)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, vadkit_i3d.Conv):
                setattr(module, name, WithNorm(child))
    return network.eval()


# -- stages ------------------------------------------------------------------------------------------
def stages(path: Path, snippets: int, precision: Precision) -> list[Stage]:
    frames = read_frames(path)[: snippets * FRAMES + 1]
    small = resize_short_side(frames, SIDE)
    grey = to_grey(small[:3]).numpy()
    rgb = vadkit_i3d.I3dRgb(random_weights=True, crops="five", precision=precision)
    flow = vadkit_i3d.I3dFlow(random_weights=True, crops="five", precision=precision)
    clip = vadkit_clip_vit.ClipVit(random_weights=True, crops="five", precision=precision)
    vggish = vadkit_vggish.Vggish(random_weights=True, precision=precision)
    plain_rgb, plain_flow = usual_i3d(3), usual_i3d(2)
    plain_clip = timm.create_model("vit_base_patch16_clip_quickgelu_224", num_classes=512).eval()
    plain_vggish = vadkit_vggish.load_network(None)
    clips = {
        n: [part.transpose(0, 1).float() / 127.5 - 1 for _, part in cut_crops(small[:FRAMES], 224, "five")][:n]
        for n in (1, CROPS)
    }
    pairs = [x[:2].contiguous() for x in clips[CROPS]]
    images = [x[:, 7] for x in clips[CROPS]]
    seconds = len(frames) / FPS
    wave = noise(seconds)
    return [
        (
            "decode",
            FRAMES_A_MINUTE // len(frames),
            lambda: usual_decode(path, len(frames)),
            lambda: our_decode(path, len(frames)),
        ),
        (
            "resize",
            FRAMES_A_MINUTE // FRAMES,
            lambda: [usual_resize(f) for f in frames[:FRAMES]],
            # The picture and the flow backbone each resize.
            lambda: [resize_short_side(frames[:FRAMES], SIDE) for _ in range(2)],
        ),
        ("TV-L1", FRAMES_A_MINUTE // 2, lambda: usual_flow(grey), lambda: tvl1_numba(grey, TvL1Settings(), threads=1)),
        (
            "I3D on pictures",
            SNIPPETS_A_MINUTE,
            lambda: [plain_rgb(x[None]) for x in clips[CROPS]],
            lambda: rgb.frozen.run(clips[CROPS]),
        ),
        (
            "I3D on flow",
            SNIPPETS_A_MINUTE,
            lambda: [plain_flow(x[None]) for x in pairs],
            lambda: flow.frozen.run(pairs),
        ),
        (
            "CLIP ViT-B/16",
            SNIPPETS_A_MINUTE,
            lambda: [plain_clip(x[None]) for x in images],
            lambda: clip.frozen.run(images),
        ),
        (
            "sound, VGGish",
            round(60 / seconds),
            lambda: usual_sound(plain_vggish, wave, snippets),
            lambda: our_sound(vggish, wave, snippets),
        ),
    ]


def usual_decode(path: Path, count: int) -> None:
    video = cv2.VideoCapture(str(path))
    for _ in range(count):
        cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB)


def our_decode(path: Path, count: int) -> None:
    with open_media(path) as media:
        for event in media.events():
            if isinstance(event, Picture):
                event.rgb(*event.size)
                count -= 1
            if count == 0:
                return


def usual_resize(frame: np.ndarray) -> np.ndarray:
    short = min(frame.shape[:2])
    size = (frame.shape[1] * SIDE // short, frame.shape[0] * SIDE // short)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def usual_flow(grey: np.ndarray) -> None:
    method: Any = cv2.optflow.DualTVL1OpticalFlow_create()
    for first, second in zip(grey, grey[1:]):
        method.calc(first, second, None)


def usual_sound(network: nn.Module, wave: np.ndarray, snippets: int) -> None:
    sound = resample(wave, RATE, SOUND_RATE)
    for end in np.linspace(vadkit_vggish.WINDOW, len(sound), snippets).astype(int):
        example = vadkit_vggish.log_mel(vadkit_vggish.last_window(sound[:end]))
        network(torch.from_numpy(example.astype(np.float32))[None, None])


def our_sound(vggish: vadkit_vggish.Vggish, wave: np.ndarray, snippets: int) -> None:
    windows = SoundWindows(SOUND_RATE, vadkit_vggish.WINDOW, FRAMES / FPS)
    cut = [w for start in range(0, len(wave), 1024) for w in windows.feed(RATE, wave[start : start + 1024])]
    vggish.extract([*cut, *windows.finish(snippets)][:snippets])


# -- timing ------------------------------------------------------------------------------------------
def clocked(work: Callable[[], object]) -> float:
    before = time.process_time()
    with torch.inference_mode():
        work()
    return time.process_time() - before


def rows(path: Path, snippets: int, rounds: int, precision: Precision) -> list[dict[str, Any]]:
    found = []
    for name, times, usual, ours in stages(path, snippets, precision):
        clocked(usual), clocked(ours)  # loads and compiles
        taken = np.array([[clocked(usual), clocked(ours)] for _ in range(rounds)]).min(axis=0) * times
        found.append(row(name, *taken))
    return found


def row(stage: str, usual: float, ours: float) -> dict[str, Any]:
    seconds = {"usual, CPU s": usual, "ours, CPU s": ours, "ratio": usual / ours}
    return {"stage": stage, **{key: round(value, 1) for key, value in seconds.items()}}


def whole_run(path: Path, seconds: float, folder: Path, precision: Precision) -> float:
    """Return the CPU seconds per minute of video of an extraction: what a second video adds."""
    backbones = {
        "rgb": vadkit_i3d.I3dRgb(random_weights=True, crops="five", precision=precision),
        "flow": vadkit_i3d.I3dFlow(random_weights=True, crops="five", precision=precision),
        "clip": vadkit_clip_vit.ClipVit(random_weights=True, crops="five", precision=precision),
        "audio": vadkit_vggish.Vggish(random_weights=True, precision=precision),
    }

    def run(name: str, count: int) -> float:
        entries: Any = [{"name": f"film{n}", "file": str(path)} for n in range(count)]
        return clocked(
            lambda: extract_store(
                entries, backbones, folder / name, clock=Clock(tail="drop"), resources=Resources(workers=0)
            )
        )

    run("loads the networks", 1)
    return (run("two", 2) - run("one", 1)) / seconds * 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--snippets", type=int, default=4, help="length of the generated video")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto", help="of our networks")
    parser.add_argument("--small", action="store_true", help="one round of two snippets, to check that this runs")
    args = parser.parse_args()
    if not hasattr(getattr(cv2, "optflow", None), "DualTVL1OpticalFlow_create"):
        raise SystemExit(NEEDS)
    rounds, snippets = (1, 2) if args.small else (args.rounds, args.snippets)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        seconds = (snippets * FRAMES + 1) / FPS
        path = film(Path(folder) / "film.mp4", seconds, SIZE)
        found = rows(path, snippets, rounds, args.precision)
        run = whole_run(path, snippets * FRAMES / FPS, Path(folder), args.precision)
    usual, ours = (sum(row[key] for row in found) for key in ("usual, CPU s", "ours, CPU s"))
    found += [row("all stages", usual, ours), row("vadkit extract, a whole run", usual, run)]
    conditions = {
        "video": f"{SIZE[0]} x {SIZE[1]}, {FPS} frames a second, H.264 and AAC",
        "crops": CROPS,
        "time": f"CPU seconds per minute of video, least of {rounds} rounds",
        "threads": 1,
        "ours in": resolve(args.precision, "cpu"),
        "OpenCV": cv2.__version__,
    }
    name = "extraction" if args.precision == "auto" else f"extraction-{args.precision}"
    name = "extraction-small" if args.small else name
    write(name, "Extraction of five crops, three modalities and CLIP", found, conditions, "cpu")


if __name__ == "__main__":
    main()
