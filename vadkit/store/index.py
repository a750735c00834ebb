"""The index of a feature store: what store.json and videos.json say, together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.problems import fail
from vadkit.store.names import HEAD, MANIFEST, VIDEOS, base_folder
from vadkit.store.store_json import STORE, read_head
from vadkit.store.videos_json import read_videos
from vadkit.video import SPLITS, Video


@dataclass(frozen=True)
class Store:
    """The index of a feature store. ``dims``, ``recipes``, ``axes`` and ``packed`` are by stream.

    ``base`` is the folder that the files of ``Video.files`` are relative to; ``axes`` are by split, too.
    """

    root: Path
    snippet_frames: int
    dims: dict[str, int]
    recipes: dict[str, dict[str, Any]]
    classes: tuple[str, ...]
    videos: tuple[Video, ...]
    warnings: tuple[str, ...] = field(default=())
    base: Path = field(default=Path())
    axes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    packed: Mapping[str, str] = field(default_factory=dict)
    data_set: str | None = None
    intervals: str = "half_open"
    segments: int | None = None
    notice: str | None = None
    sources: str | None = None


def read_store(root: Path | str) -> Store:
    """Return the index of the store in ``root``. Raises VadkitError with every problem of a file."""
    root = Path(root)
    _check_folder(root)
    head = read_head(root)
    videos, classes, warnings = read_videos(root, head.classes, head.streams, head.segments)
    return Store(
        root,
        head.snippet_frames,
        {name: stream.dim for name, stream in head.streams.items()},
        {name: stream.recipe or {} for name, stream in head.streams.items()},
        classes,
        videos,
        tuple(warnings),
        base=base_folder(root, head.root),
        axes={name: _by_split(stream.axes) for name, stream in head.streams.items() if stream.axes is not None},
        packed={name: stream.packed for name, stream in head.streams.items() if stream.packed is not None},
        data_set=head.data_set,
        intervals=head.intervals,
        segments=head.segments,
        notice=head.notice,
        sources=head.sources,
    )


def _check_folder(root: Path) -> None:
    if not os.path.exists(root):  # unlike Path.exists, also for a name that is too long
        fail(f"{root}: there is no such folder", hint=STORE)
    if not root.is_dir():
        fail(f"{root}: is not a folder", hint=STORE)
    if not any(root.iterdir()):
        fail(f"{root}: the folder is empty", hint=STORE)
    if {HEAD, VIDEOS, MANIFEST}.isdisjoint(os.listdir(root)) and any(root.rglob("*.npy")):
        fail(
            f"{root}: holds features, but no {HEAD}, so it is no feature store",
            hint=f"index them, where they are: vadkit store import own --root {root} --out STORE",
        )
    if (root / MANIFEST).exists() and not (root / VIDEOS).exists():
        fail(
            f"{root / VIDEOS}: is missing: perhaps the extraction was stopped before it ended",
            hint="rerun the same command; it resumes where it stopped",
        )


def _by_split(axes: str | Mapping[str, str]) -> Mapping[str, str]:
    return dict.fromkeys(SPLITS, axes) if isinstance(axes, str) else axes
