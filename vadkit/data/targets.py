"""Targets of training snippets, one file for all videos: soft labels and their weights.

A file of targets is a .safetensors file with a float32 tensor (t, 2) for each video, under the video's name: for each
snippet a target from 0 to 1 and a weight of 0 or more. What made them, and a SHA-256, may be in its metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vadkit.files import cannot_read, read_bytes, write_atomically
from vadkit.presence import absent_spans, is_throughout
from vadkit.problems import Problem, VadkitError, fail
from vadkit.video import Video, VideoDataset, shape_of

STREAM = "targets"  # what a sampler sees them as, next to the streams of the graph
FORMAT = 1
HINT = "a recipe of rounds writes such files; see 'Recipes' in the README"


@dataclass(frozen=True)
class Targets:
    """Targets by video name, float32 (t, 2), and ``made_by``, what made them, if vadkit wrote the file."""

    path: Path
    rows: Mapping[str, np.ndarray]
    made_by: dict[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """A digest of the targets alone."""
        return _digest("", self.rows)

    def of(self, video: Video) -> np.ndarray:
        """Return (t, 2)."""
        return self.rows[video.name]

    def check(self, dataset: VideoDataset, videos: Iterable[Video], streams: Sequence[str]) -> None:
        """Raise VadkitError, with every problem, unless each video has a target for each of its snippets."""
        problems = []
        for video in videos:
            if video.name not in self.rows:
                problems.append(Problem(f"{self.path}: has no targets for the training video '{video.name}'"))
                continue
            there = [s for s in streams if not is_throughout(absent_spans(dataset, video, s))]
            t = [shape_of(dataset, video, stream)[1] for stream in there]
            if (found := len(self.rows[video.name])) not in t:
                said = f"has targets for {found} snippets of video '{video.name}', which has {t[0]}"
                problems.append(
                    Problem(f"{self.path}: {said}", hint="targets belong to the features they were made with")
                )
        if problems:
            raise VadkitError(problems)


def read_targets(path: str | Path) -> Targets:
    """Return the targets of a file. Raises VadkitError for anything but a sound file of targets."""
    path = Path(path)
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        fail(f"there is no file of targets {path}", HINT)
    except OSError as error:
        cannot_read(path, error)
    try:
        rows, meta = load(data), _metadata(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fail(f"{path} is not a sound .safetensors file: {error}", HINT)
    problems = [Problem(f"{path}: {wrong}", hint=HINT) for name, x in rows.items() if (wrong := _wrong(name, x))]
    if problems:
        raise VadkitError(problems)
    text = meta.get("vadkit_targets", "")
    if text and meta.get("sha256") != _digest(text, rows):
        fail(f"{path} is damaged: its contents do not match its SHA-256", "copy it again, or delete it")
    return Targets(path, {name: np.asarray(x, np.float32) for name, x in rows.items()}, _made_by(path, text))


def write_targets(path: Path, rows: Mapping[str, np.ndarray], made_by: Mapping[str, Any]) -> None:
    """Write targets, and what made them. Equal ones give equal bytes."""
    rows = {name: np.ascontiguousarray(x, np.float32) for name, x in sorted(rows.items())}
    text = json.dumps({"format": FORMAT, **made_by}, sort_keys=True)
    data = save(dict(rows), {"vadkit_targets": text, "sha256": _digest(text, rows)})
    write_atomically(path, _in_order(data))


def _in_order(data: bytes) -> bytes:
    """Return a file with its metadata in order of name: safetensors writes them in a random one."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def _metadata(data: bytes) -> dict[str, str]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    meta = header.get("__metadata__", {})
    return {str(key): str(value) for key, value in meta.items()}


def _made_by(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.pop("format", FORMAT) != FORMAT:
        fail(f"{path} is of another format", "update vadkit, or delete the file")
    return found


def _wrong(name: str, x: np.ndarray) -> str | None:
    """Return what is wrong with the targets of a video, or None."""
    if x.ndim != 2 or x.shape[1] != 2 or not len(x):
        return f"the targets of '{name}' are of shape {tuple(x.shape)}, not (snippets, 2): target and weight"
    if not np.issubdtype(x.dtype, np.floating):
        return f"the targets of '{name}' are {x.dtype}, not floats"
    with np.errstate(over="ignore"):
        if not np.isfinite(x.astype(np.float32)).all():
            return f"the targets of '{name}' hold NaN, infinity, or a number beyond the largest float32"
    low, high = x[:, 0].min(), x[:, 0].max()
    if low < 0 or high > 1:
        return f"the targets of '{name}' go from {low:g} to {high:g}; targets are from 0 to 1"
    return f"a weight of '{name}' is {x[:, 1].min():g}; weights are 0 or more" if x[:, 1].min() < 0 else None


def _digest(text: str, rows: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(rows):
        digest.update(f"{json.dumps(name)}:{len(rows[name])}".encode())
        digest.update(np.ascontiguousarray(rows[name], np.float32).tobytes())
    return digest.hexdigest()
