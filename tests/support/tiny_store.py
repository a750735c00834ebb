"""Write a small feature store whose anomalies can be separated, for tests of every part.

    from tiny_store import write_tiny_store
    root = write_tiny_store(tmp_path / "store")

8 normal and 8 abnormal training videos, 4 and 4 test videos, streams rgb (16 wide), clip (8), flow (12) and
audio (4). Names hold '#', '=' and dots as the names of XD-Violence do. Lengths differ; one training video has a
single snippet; one test video has one rgb snippet more than its other streams. Inside an abnormal interval
every stream is shifted by ``SHIFT`` along its own direction, so a linear head can find it. Needs numpy only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

DIMS = {"rgb": 16, "clip": 8, "flow": 12, "audio": 4}
CLASSES = ["normal", "explosion", "riot", "car accident"]
SNIPPET_FRAMES = 16
FPS = 24.0
SHIFT = 2.0
LENGTHS = (9, 23, 40, 5, 17, 31, 1, 12)  # snippets; the single snippet goes to a training video
LONGER_RGB = "v=Zq0__.x.y__#00-03-00_label_G-0-0_test0"


def _name(split: str, label: int, number: int) -> str:
    code = "A" if label == 0 else ("G-0-0", "B4-0-0", "B6-0-0")[number % 3]
    if split == "test" and label and number == 0:
        return LONGER_RGB
    if number % 2:
        return f"Some.Film.{2000 + number}__#00-0{number}-07_00-0{number}-59_label_{code}_{split}{number}"
    return f"v=ab{number}_Q-x__#{number}_label_{code}_{split}{number}"


def _spans(label: int, t: int, rng: np.random.Generator) -> list[list[int]]:
    """Return one abnormal interval in frames that does not begin on a snippet edge when there is room."""
    if not label:
        return []
    frames = t * SNIPPET_FRAMES
    if t < 4:
        return [[0, frames]]
    start = int(rng.integers(frames // 4, frames // 2))
    return [[start, start + max(SNIPPET_FRAMES, frames // 3)]]


def _video(split: str, label: int, number: int, rng: np.random.Generator) -> dict[str, Any]:
    t = LENGTHS[number % len(LENGTHS)]
    return {
        "name": _name(split, label, number),
        "split": split,
        "label": label,
        "classes": [CLASSES[1 + number % 3]] if label else [],
        "num_frames": t * SNIPPET_FRAMES,
        "fps": FPS,
        "spans": _spans(label, t, rng),
        "tags": {"number": number},
    }


def _features(
    video: Mapping[str, Any], t: int, direction: np.ndarray, crops: int, rng: np.random.Generator
) -> np.ndarray:
    """Return float32 (t, dim), or (crops, t, dim) for more than one crop."""
    middles = np.arange(t) * SNIPPET_FRAMES + SNIPPET_FRAMES // 2
    inside = np.zeros(t, bool)
    for start, end in video["spans"]:
        inside |= (middles >= start) & (middles < end)
    noise = rng.standard_normal((crops, t, direction.size)) * 0.5
    features = (noise + SHIFT * inside[:, None] * direction).astype(np.float32)
    return features[0] if crops == 1 else features


def write_tiny_store(
    root: Path,
    *,
    train: int = 8,
    test: int = 4,
    val: int = 0,
    crops: Mapping[str, int] | None = None,
    dims: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Path:
    """Write the store and return ``root``.

    Args:
        root: the folder to make.
        train, test, val: videos of each label in that split.
        crops: crops per stream, e.g. ``{"rgb": 5}``; a stream that is not named has one (2-D files).
        dims: streams and their widths.
        seed: of the features and the intervals.
    """
    rng = np.random.default_rng(seed)
    dims, crops = dict(dims or DIMS), dict(crops or {})
    counts = {"train": train, "test": test, "val": val}
    videos = [_video(s, label, n, rng) for s, c in counts.items() for label in (1, 0) for n in range(c)]
    streams = {s: {"dim": d, "recipe": {"backbone": f"made up {s}"}} for s, d in dims.items()}
    for stream, dim in dims.items():
        (root / stream).mkdir(parents=True, exist_ok=True)
        direction = rng.choice([-1.0, 1.0], dim)
        for video in videos:
            extra = int(stream == "rgb" and video["name"] == LONGER_RGB)
            t = video["num_frames"] // SNIPPET_FRAMES + extra
            array = _features(video, t, direction, crops.get(stream, 1), rng)
            np.save(root / stream / f"{video['name']}.npy", array)
    head = {"vadkit_store": 1, "snippet_frames": SNIPPET_FRAMES, "streams": streams, "classes": CLASSES}
    (root / "store.json").write_text(json.dumps(head, indent=1))
    (root / "videos.json").write_text(json.dumps(videos, indent=1))
    return root
