"""A stand-in of ShanghaiTech that an audit finds nothing wrong with: every video, two crops of RGB, flow.

Features are two numbers wide; names, lengths and labels are the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.cli import main
from vadkit.datasets.annotations import Annotated, read_annotations


def snippets(video: Annotated) -> int:
    return -(-(video.frames or 160 + 16 * (len(video.name) + int(video.name[:2]))) // 16)


def write_whole(root: Path) -> Path:
    """Write features and index; return the index, which lies inside the features and moves with them."""
    rng = np.random.default_rng(0)
    for folder in ("rgb", "flow"):
        (root / folder).mkdir(parents=True)
    for video in read_annotations("shanghaitech").videos:
        t = snippets(video)
        for crop in range(2):
            np.save(root / "rgb" / f"{video.name}_{crop}.npy", rng.standard_normal((t + 1, 2), dtype=np.float32))
        np.save(root / "flow" / f"{video.name}.npy", rng.standard_normal((t, 2), dtype=np.float32))
    assert main(["store", "import", "shanghaitech", "--root", str(root), "--out", str(root / "index"), "--json"]) == 0
    return root / "index"


class Spoiled:
    """A copy of the stand-in, to be spoiled. Its files are links to the original's: replace them, never write into
    them."""

    def __init__(self, root: Path) -> None:
        self.root, self.index = root, root / "index"

    def file(self, stream: str, name: str, crop: int | None = None) -> Path:
        return self.root / stream / (f"{name}.npy" if crop is None else f"{name}_{crop}.npy")

    def change(self, path: Path, how: Callable[[np.ndarray], np.ndarray]) -> None:
        features = how(np.load(path))
        path.unlink()
        np.save(path, features)

    def write(self, path: Path, data: bytes) -> None:
        path.unlink()
        path.write_bytes(data)

    def copy(self, source: Path, path: Path) -> None:
        self.write(path, source.read_bytes())

    def entry(self, name: str, how: Callable[[dict[str, Any]], None]) -> None:
        """Change what videos.json says of one video."""
        videos = json.loads((self.index / "videos.json").read_text())
        how(next(video for video in videos if video["name"] == name))
        self._write(videos)

    def keep(self, which: Callable[[dict[str, Any]], bool]) -> None:
        """Keep some videos only."""
        videos = json.loads((self.index / "videos.json").read_text())
        self._write([video for video in videos if which(video)])

    def _write(self, videos: list[dict[str, Any]]) -> None:
        self.write(self.index / "videos.json", json.dumps(videos).encode())
