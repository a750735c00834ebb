"""What is in a store: streams, crops, recipes, videos, hours, size.

Legend: k crops, t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from vadkit.backbones.recipe import RANDOM
from vadkit.labels import label_word
from vadkit.problems import VadkitError
from vadkit.store.index import Store, read_store
from vadkit.store.manifest import Line, read_manifest
from vadkit.store.reader import StoredFeatures, originals
from vadkit.store.store_json import read_head


@dataclass(frozen=True)
class Stream:
    """One stream.

    Attributes:
        dim: its width.
        crops: how many, by the first video that can be read; None if none can.
        order: what each crop shows, in order, if the recipe says.
        rows: rows of one crop of all videos that can be read, in hours of video if their rate is known.
        bytes: on the disk.
        unreadable: videos without features that can be read.
        packed: name of its packed file, if it has one.
        random: of random weights, so the features mean nothing.
        recipe: as in store.json; empty if it is unknown.
        licence: of its weights, by store.json; None if unknown.
    """

    dim: int
    crops: int | None
    order: list[str]
    rows: int
    bytes: int
    unreadable: int
    packed: str | None
    random: bool
    recipe: dict[str, Any]
    licence: str | None


@dataclass(frozen=True)
class Summary:
    """The store. ``hours`` is None if not all lengths are known; ``clip_times`` are (start, step) in seconds by
    which snippets begin, one for each rate; ``broken`` says why, by video."""

    root: Path
    data_set: str | None
    snippet_frames: int
    classes: list[str]
    videos: int
    splits: dict[str, dict[str, int]]
    hours: float | None
    streams: dict[str, Stream]
    clip_times: list[tuple[float, float]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    made_with: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "root": str(self.root)}


def summarise(root: Path | str) -> Summary:
    """Return what is in the store. Raises VadkitError if it cannot be read."""
    store = read_store(root)
    lines, _ = read_manifest(store.root)
    head = read_head(store.root)
    stored = originals(store)
    splits: dict[str, Counter[str]] = {}
    for video in store.videos:
        splits.setdefault(video.split, Counter())[label_word(video.label)] += 1
    return Summary(
        store.root,
        store.data_set,
        store.snippet_frames,
        list(store.classes),
        len(store.videos),
        {split: dict(counts) for split, counts in splits.items()},
        _hours(store),
        {stream: _stream(store, stored, stream, about.licence) for stream, about in head.streams.items()},
        _clip_times(lines),
        {name: line.cause for name, line in lines.items() if line.state == "broken"},
        head.made_with or {},
    )


def _stream(store: Store, stored: StoredFeatures, stream: str, licence: str | None) -> Stream:
    recipe, shapes, unreadable = store.recipes[stream], [], 0
    files: set[Path] = set()
    for video in store.videos:
        if stored.is_left_out(video, stream):
            continue
        try:
            shapes.append(stored.shape(video, stream))
            files.update(stored.paths(video, stream))
        except VadkitError:
            unreadable += 1
    return Stream(
        store.dims[stream],
        shapes[0][0] if shapes else None,
        _order(recipe),
        sum(t for _, t, _ in shapes),
        sum(_size(path) for path in files),
        unreadable,
        store.packed.get(stream),
        recipe.get("weights") == RANDOM,
        recipe,
        licence,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _order(recipe: dict[str, Any]) -> list[str]:
    from vadkit.backbones.crops import Order, crop_places  # imported here, for it takes torch

    order = recipe.get("crops")
    if order not in get_args(Order):
        return []
    return [f"{crop.place}{', mirrored' if crop.mirrored else ''}" for crop in crop_places(2, 2, 1, str(order))]


def _hours(store: Store) -> float | None:
    seconds = 0.0
    for video in store.videos:
        if not video.num_frames or not video.fps:
            return None
        seconds += video.num_frames / video.fps
    return seconds / 3600


def _clip_times(lines: dict[str, Line]) -> list[tuple[float, float]]:
    return sorted({(line.clip_start or 0.0, line.clip_step) for line in lines.values() if line.clip_step is not None})
