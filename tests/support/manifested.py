"""Tiny stores with a manifest, as an extraction writes them, without videos or networks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from tiny_store import write_tiny_store


def write_manifested(root: Path, **options: Any) -> Path:
    """Write a tiny store whose manifest says what its arrays are."""
    write_tiny_store(root, **{"train": 1, "test": 1, "dims": {"rgb": 16, "flow": 12}, **options})
    write_lines(root, [line_of(root, video) for video in json.loads((root / "videos.json").read_text())])
    return root


def line_of(root: Path, video: dict[str, Any]) -> dict[str, Any]:
    streams = json.loads((root / "store.json").read_text())["streams"]
    return {
        "name": video["name"], "state": "done", "source": {"bytes": 9, "sample": "0f"}, "fps": video["fps"],
        "num_frames": video["num_frames"], "arrays": {s: array_of(root / s / f"{video['name']}.npy") for s in streams},
    }  # fmt: skip


def array_of(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    shape = list(np.load(path).shape)
    return {"shape": shape, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def read_lines(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "manifest.jsonl").read_text().splitlines()]


def write_lines(root: Path, lines: list[dict[str, Any]]) -> None:
    (root / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def everything(folder: Path) -> dict[str, bytes]:
    """Return the files in a folder, and what links lead to."""
    return {
        str(path.relative_to(folder)): str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
