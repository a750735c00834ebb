"""Latency of watching: from a picture to its score and its event, with 1, 4 and 16 simulated cameras.

    python benchmarks/latency.py --model vadkit-demo/runs/demo_rgb/seed0/model.safetensors --window 32 \
        --video vadkit-demo/videos/test_explosion_00.mp4 [--cameras 1 4 16] [--seconds 60]

A camera is the video, repeated without encoding and read in real time. A latency is the time from when the last picture
of a snippet is decoded until its score is known and its event is handed on, with what the graph looks ahead. The first
score may take one snippet and the look-ahead: "late" is what it takes beyond.

Writes benchmarks/results/latency-DEVICE-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import write
from watched import cpu_seconds, load, repeated, simulated, watch


def measure(model: str, video: Path, count: int, window: int | None, folder: Path) -> dict[str, Any]:
    """Return the row of so many cameras that show a video once."""
    system = load(model)
    latencies: list[float] = []
    first: dict[str, float] = {}
    events = 0

    def score(source: str, found: Any) -> None:
        latencies.append(found.latency)
        first.setdefault(source, time.monotonic())

    def event(found: Any) -> None:
        nonlocal events
        events += found.state == "new"

    watching = watch(system, simulated([video], count), folder / f"{count}", 1.0, window, score=score, event=event)
    began, cpu = time.monotonic(), cpu_seconds()
    watching.run()
    if watching.interrupted:
        raise SystemExit("it was ended before all was watched; nothing is written")
    seconds, used = time.monotonic() - began, cpu_seconds() - cpu
    health = {name: one.values() for name, one in watching.health.items()}
    pictures = sum(reader.pictures_read for reader in watching.readers.values())
    dropped = sum(values["frames_dropped"] for values in health.values())
    clock = system.clock
    snippet = clock["snippet_frames"] / (clock["fps"] or 25.0)
    allowed = snippet * (1 + watching.lookahead)
    late = [first[name] - watching.readers[name].first_picture - allowed for name in first]
    p50, p95 = np.percentile(latencies, [50, 95]) if latencies else (np.nan, np.nan)
    return {
        "cameras": count,
        "look-ahead, ms": round(1000 * snippet * watching.lookahead),
        "p50, ms": round(1000 * p50),
        "p95, ms": round(1000 * p95),
        "worst, ms": round(1000 * max(latencies, default=np.nan)),
        "first score late, ms": round(1000 * max(late, default=np.nan)),
        "pictures dropped, %": round(100 * dropped / max(1, pictures), 1),
        "scores": len(latencies),
        "events": events,
        "CPU s per camera-second": round(used / (seconds * count), 3),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--video", required=True, type=Path)
    parser.add_argument("--window", type=int)
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--seconds", type=float, default=60.0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        video = repeated(args.video, Path(folder) / "camera.mp4", args.seconds)
        rows = [measure(args.model, video, count, args.window, Path(folder)) for count in args.cameras]
    graph = load(args.model).header["spec"].get("about")
    window = args.window or "none, the graph is causal"
    conditions = {"graph": graph, "sliding window": window, "seconds": args.seconds, "pace": "real time"}
    write("latency", "Latency of watching", rows, conditions, "cpu")


if __name__ == "__main__":
    main()
