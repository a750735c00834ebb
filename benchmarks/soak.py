"""Memory of watching over hours of stream, read at many times its speed.

    python benchmarks/soak.py --model vadkit-demo/runs/demo_rgb/seed0/model.safetensors --window 32 \
        --video vadkit-demo/videos/test_explosion_00.mp4 [--hours 2] [--pace 20] [--cameras 1]

A camera shows the video again and again, ten minutes in each of its recordings. Between two of them, what is freed is
given back, and what is held is noted: memory is flat if that grows by less than a MiB in an hour of stream over the
second half. What is not scored in time is dropped and counted.

Writes benchmarks/results/soak-DEVICE-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import write
from watched import load, repeated, resident, simulated, watch

from vadkit.memory import give_back

LENGTH = 600.0  # seconds of a recording


def measure(
    model: str,
    video: Path,
    count: int,
    hours: float,
    pace: float,
    window: int | None,
    folder: Path,
) -> dict[str, Any]:
    """Return the row of so many cameras over so many hours of stream each."""
    recording = repeated(video, folder / "recording.mp4", LENGTH)
    files = []
    for number in range(max(1, round(hours * 3600 / LENGTH))):
        files.append(folder / f"{number:04}.mp4")
        files[-1].symlink_to(recording)
    system = load(model)
    memory: list[tuple[float, float]] = []
    most, scores = 0.0, 0
    seen: set[str] = set()
    began = time.monotonic()

    def score(source: str, found: Any) -> None:
        nonlocal scores, most
        scores += 1
        most = max(most, resident())
        if source not in seen:  # a recording has begun: what is held between two
            seen.add(source)
            gc.collect()
            give_back()
            memory.append((time.monotonic() - began, resident()))

    watching = watch(system, simulated(files, count), folder / "out", pace, window, score=score)
    watching.run()
    if watching.interrupted:
        raise SystemExit("it was ended before all was watched; nothing is written")
    times, held = np.array(memory).T
    half = times > times[-1] / 2
    slope = np.polyfit(times[half], held[half], 1)[0] if half.sum() > 2 else 0.0  # MiB a second of the clock
    pictures = sum(reader.pictures_read for reader in watching.readers.values())
    dropped = sum(one.values()["frames_dropped"] for one in watching.health.values())
    return {
        "cameras": count,
        "hours of stream": round(len(files) * LENGTH / 3600, 2),
        "pace": pace,
        "scores": scores,
        "pictures": pictures,
        "pictures dropped, %": round(100 * dropped / max(1, pictures), 1),
        "held between recordings, MiB": " ".join(f"{size:.0f}" for size in held),
        "at most, MiB": round(most),
        "growth in the second half, MiB per hour of stream": round(float(slope) * 3600 / pace, 2),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--video", required=True, type=Path)
    parser.add_argument("--window", type=int)
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--pace", type=float, default=20.0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        row = measure(args.model, args.video, args.cameras, args.hours, args.pace, args.window, Path(folder))
    conditions = {"graph": load(args.model).header["spec"].get("about"), "sliding window": args.window or "none"}
    write("soak", "Memory of watching", [row], conditions, "cpu")


if __name__ == "__main__":
    main()
