"""CPU seconds that an hour of one camera takes: decoding, features and scores, for the demo's systems.

    python benchmarks/camera_hour.py --demo vadkit-demo --students students

The film is made of the demo's clips, one after another, scaled to a camera's picture and rate, with their sound (H.264
and AAC). Each system scores it as `vadkit predict` does, with its networks loaded, on one thread; what is counted is
the processor time of the process, so that waiting costs nothing and decoding in another thread counts. Rounds take
turns over systems; the table has medians, for an hour. Pages and contributions of streams are not in it.

Takes about 5 minutes. Writes benchmarks/results/camera_hour-cpu-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import torch
from results import markdown, write

from vadkit.bench.machine import machine
from vadkit.extract.media import open_media
from vadkit.predict.system import System, load_system

FPS, SIZE, RATE = 25, (1280, 720), 16_000  # frames a second; width, height; samples a second
SYSTEMS = {"RGB": "demo_rgb", "RGB + flow": "demo_rgb_flow", "RGB + flow + sound": "demo_three_stream"}
STUDENTS = {"student, RGB + flow + sound": "demo_student"}
HOUR = 3600


# -- the film ----------------------------------------------------------------------------------------
def film(path: Path, clips: list[Path], seconds: float, size: tuple[int, int] = SIZE, fps: int = FPS) -> Path:
    """Write ``seconds`` of the clips, one after another and again from the first, as a camera would."""
    with av.open(str(path), "w") as sink:
        pictures = sink.add_stream("libx264", rate=fps, options={"preset": "veryfast"})
        pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
        track = sink.add_stream("aac", rate=RATE, layout="mono")
        shown = heard = 0
        for clip in _again(clips):
            begun = shown / fps
            for frame in _pictures(clip, fps):
                if shown >= seconds * fps:
                    break
                scaled = frame.reformat(width=size[0], height=size[1], format="yuv420p")
                scaled.pts, scaled.time_base = shown, Fraction(1, fps)
                sink.mux(pictures.encode(scaled))
                shown += 1
            for piece in _sound(clip):
                if heard >= shown / fps * RATE:
                    break
                piece.pts, piece.time_base = heard, Fraction(1, RATE)
                sink.mux(track.encode(piece))
                heard += piece.samples
            if shown >= seconds * fps or shown / fps == begun:
                break
        sink.mux(pictures.encode(None))
        sink.mux(track.encode(None))
    return path


def _again(clips: list[Path]) -> Iterator[Path]:
    while True:
        yield from clips


def _pictures(path: Path, fps: int) -> Iterator[av.VideoFrame]:
    """Yield the picture that is on the screen at each of ``fps`` times a second."""
    with av.open(str(path)) as source:
        number = 0
        for frame in source.decode(video=0):
            while number / fps <= float(frame.time):
                yield frame
                number += 1


def _sound(path: Path) -> Iterator[av.AudioFrame]:
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    with av.open(str(path)) as source:
        for frame in source.decode(audio=0):
            yield from resampler.resample(frame)


# -- what is measured --------------------------------------------------------------------------------
def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time of all threads of this process, and what the work gives."""
    before = time.process_time()
    found = work()
    return time.process_time() - before, found


def decode(path: Path) -> int:
    """Decode pictures and sound, and do nothing with them."""
    with open_media(path) as media:
        return sum(1 for _ in media.events())


def one_round(system: System, path: Path) -> dict[str, float]:
    """Return the seconds of each part."""
    extraction, extracted = cpu_seconds(lambda: system.extract(path))
    scoring, _ = cpu_seconds(lambda: system.score(extracted.streams))
    return {"extraction": extraction, "scores": scoring}


def measured(systems: dict[str, System], path: Path, seconds: float, rounds: int) -> list[dict[str, Any]]:
    decoding: list[float] = []
    times: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
    for number in range(rounds + 1):  # the first one warms up
        found = cpu_seconds(lambda: decode(path))[0]
        if number:
            decoding.append(found)
        for name, system in systems.items():
            parts = one_round(system, path)
            if number:
                times[name].append(parts)
            print(f"round {number}, {name}: {sum(parts.values()):.1f} CPU s", flush=True)
    alone = statistics.median(decoding) * HOUR / seconds
    return [row(name, times[name], alone, HOUR / seconds) for name in systems]


def row(name: str, times: list[dict[str, float]], decoding: float, factor: float) -> dict[str, Any]:
    """Return what an hour takes; what extraction takes besides decoding alone is features."""
    extraction, scores = (statistics.median(part[key] for part in times) * factor for key in ("extraction", "scores"))
    whole = [sum(part.values()) * factor for part in times]
    return {
        "system": name,
        "decode, CPU s": round(decoding, 1),
        "features, CPU s": round(extraction - decoding, 1),
        "scores, CPU s": round(scores, 2),
        "all, CPU s": round(statistics.median(whole), 1),
        "spread, CPU s": round(max(whole) - min(whole), 1),
        "cameras per core": round(HOUR / statistics.median(whole), 1),
    }


def systems_of(demo: Path, students: Path) -> dict[str, System]:
    """Return the systems whose models exist."""
    files = {name: demo / "runs" / config / "seed0/model.safetensors" for name, config in SYSTEMS.items()}
    files |= {name: students / "distilled" / config / "seed0/model.safetensors" for name, config in STUDENTS.items()}
    return {name: load_system(file, "cpu") for name, file in files.items() if file.is_file()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("vadkit-demo"), help="folder of a finished vadkit demo")
    parser.add_argument("--students", type=Path, default=Path("students"), help="folder of benchmarks/students.py")
    parser.add_argument("--seconds", type=float, default=60, help="length of the film")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true", help="print the table only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    clips = sorted((args.demo / "videos").glob("test_*.mp4"))
    with tempfile.TemporaryDirectory() as folder:
        path = film(Path(folder) / "camera.mp4", clips, args.seconds)
        rows = measured(systems_of(args.demo, args.students), path, args.seconds, args.rounds)
    conditions = {
        "film": f"{args.seconds:g} s of the demo's clips, {SIZE[0]} x {SIZE[1]}, {FPS} frames a second, H.264 and AAC",
        "time": f"processor time for an hour, median of {args.rounds} rounds, networks loaded",
        "features": "all of extraction besides decoding alone: scaling, clock, networks, sound",
    }
    title = "An hour of one camera, end to end"
    if args.no_write:
        print(markdown(title, rows, conditions, machine(torch.device("cpu"))))
    else:
        write("camera_hour", title, rows, conditions, "cpu")


if __name__ == "__main__":
    main()
