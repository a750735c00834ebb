"""Compare store.json, videos.json and the manifest with each other."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.backbones.recipe import MADE_UP, RANDOM
from vadkit.problems import VadkitError, fail
from vadkit.store.check.finding import Finding, from_problems
from vadkit.store.index import Store, read_store
from vadkit.store.manifest import Line, read_manifest
from vadkit.store.names import HEAD, MANIFEST, VIDEOS
from vadkit.store.store_json import StoreJson, read_head
from vadkit.video import Video

FIX = "correct the file, or rerun the original 'vadkit extract' command"


@dataclass
class Indexes:
    """What the files of a store say, as far as they can be read.

    Attributes:
        store: store.json and videos.json, if both are sound.
        head: store.json alone, if it is sound.
        lines: the manifest, by video; empty if there is none.
        has_manifest: whether there is one.
    """

    root: Path
    store: Store | None = None
    head: StoreJson | None = None
    lines: dict[str, Line] = field(default_factory=dict)
    has_manifest: bool = False

    @property
    def done(self) -> dict[str, Line]:
        return {name: line for name, line in self.lines.items() if line.state == "done"}

    @property
    def dims(self) -> dict[str, int]:
        """Widths by stream, as far as store.json says."""
        return {name: stream.dim for name, stream in self.head.streams.items()} if self.head else {}

    def by_manifest(self) -> Store:
        """Return a store without videos whose streams are those of store.json, or else of the manifest."""
        found = {stream: array.shape[-1] for line in self.done.values() for stream, array in line.arrays.items()}
        dims = self.dims or found
        return Store(self.root, 1, dims, {stream: {} for stream in dims}, ("normal",), ())


def read_indexes(root: Path) -> tuple[Indexes, list[Finding]]:
    """Return what the store's files say and what is wrong with each. Raises VadkitError if there is no store."""
    if not os.path.isdir(root):
        fail(f"{root}: is not a folder" if os.path.exists(root) else f"{root}: there is no such folder")
    if not any((root / name).exists() for name in (HEAD, VIDEOS, MANIFEST)):
        fail(f"{root}: is not a feature store: it has neither {HEAD} nor {VIDEOS} nor {MANIFEST}")
    indexes = Indexes(root, has_manifest=(root / MANIFEST).exists())
    findings: list[Finding] = []
    with contextlib.suppress(VadkitError):  # reported below
        indexes.head = read_head(root)
    try:
        indexes.store = read_store(root)
    except VadkitError as error:
        for problem in error.problems:
            name = VIDEOS if VIDEOS in (problem.place.file if problem.place else problem.message) else HEAD
            findings += from_problems("index", root / name, [problem], FIX)
    try:
        indexes.lines, wrong = read_manifest(root)
        todo = "rerun the original 'vadkit extract' command: it extracts the video again"
        where = str(root / MANIFEST)
        findings += [Finding("manifest", text.removeprefix(f"{where}: "), todo, file=where) for text in wrong]
    except VadkitError as error:
        findings += from_problems("manifest", root / MANIFEST, error.problems, FIX)
    return indexes, findings


def check_indexes(indexes: Indexes) -> Iterator[Finding]:
    """Yield where the files contradict each other or themselves."""
    if indexes.store is not None:
        yield from _recipes(indexes.store)
    manifest = str(indexes.root / MANIFEST)
    if indexes.has_manifest:
        for name, line in indexes.done.items():
            for what in _line(indexes, line):
                yield Finding("manifest", f"video '{name}' {what}", FIX, name, manifest)
        yield from _videos(indexes)
    elif indexes.head is not None and indexes.head.made_with is not None:
        what = "is missing: whether files have changed since they were extracted cannot be checked"
        yield Finding(
            "manifest", what, "the original 'vadkit extract' command extracts everything again", file=manifest
        )


def _recipes(store: Store) -> Iterator[Finding]:
    """Yield where recipes contradict themselves or each other."""
    for stream, recipe in store.recipes.items():
        for what in _recipe(store, recipe):
            yield Finding("recipe", f"stream '{stream}' {what}", FIX, file=str(store.root / HEAD))
    clocks = {
        stream: {key: recipe.get(key) for key in ("fps", "stride", "tail")}
        for stream, recipe in store.recipes.items()
        if recipe and MADE_UP not in recipe
    }
    for stream, clock in clocks.items():
        first = next(iter(clocks))
        for key, value in clock.items():
            if value != clocks[first][key]:
                what = f"stream '{stream}' has {key} {value}, but '{first}' {clocks[first][key]}"
                yield Finding("recipe", what, FIX, file=str(store.root / HEAD))


def _recipe(store: Store, recipe: Mapping[str, Any]) -> Iterator[str]:
    frames = recipe.get("snippet_frames", store.snippet_frames)
    if frames != store.snippet_frames:
        yield f"is of snippets of {frames} frames, the store of {store.snippet_frames}"
    weights = recipe.get("weights")
    if recipe.get("pretrained") is True and weights == RANDOM:
        yield "claims both pretrained and random weights"
    if isinstance(weights, str) and weights != RANDOM and not _is_sha256(weights):
        yield f"has the weights '{weights}', which is no SHA-256"


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def _line(indexes: Indexes, line: Line) -> Iterator[str]:
    """Yield what is wrong with one line of the manifest."""
    for stream in indexes.dims.keys() - line.arrays.keys():
        yield f"has no features of stream '{stream}': the run that was to extract them did not end"
    for stream, array in line.arrays.items():
        if array.shape[-2] != (line.snippets or array.shape[-2]):
            yield f"has {line.snippets} snippets, but stream '{stream}' {array.shape[-2]} rows"
        dim = indexes.dims.get(stream)
        if dim is None and indexes.head is not None:
            yield f"has features of a stream '{stream}', which is not in store.json"
        elif dim is not None and array.shape[-1] != dim:
            yield f"has stream '{stream}' of shape {array.shape}, by store.json it is {dim} wide"
    yield from _clock(indexes, line)


def _clock(indexes: Indexes, line: Line) -> Iterator[str]:
    """Yield where the numbers of snippets and frames and the duration contradict each other."""
    recipes = [stream.recipe or {} for stream in indexes.head.streams.values()] if indexes.head else []
    recipe: Mapping[str, Any] = next((recipe for recipe in recipes if "tail" in recipe), {})
    expected = _snippets(line.num_frames, recipe)
    if expected is not None and (line.snippets or expected) != expected:
        yield (
            f"has {line.num_frames} frames, which are {expected} snippets by the tail rule '{recipe['tail']}', "
            f"not {line.snippets}"
        )
    duration, fps = line.duration, line.fps
    if duration is not None and not math.isclose(duration, line.num_frames / fps, abs_tol=2 / fps):
        yield f"has {line.num_frames} frames at {fps:g} a second, which are not {duration:g} s"


def _snippets(frames: int, recipe: Mapping[str, Any]) -> int | None:
    """Return how many snippets a video of so many frames has; None if the recipe does not say."""
    n = recipe.get("snippet_frames")
    if type(n) is not int or n < 1 or recipe.get("stride", n) != n:
        return None
    rules = {"repeat": -(-frames // n), "drop": frames // n, "xd_violence": (frames - 1) // n}
    count = rules.get(str(recipe.get("tail")))
    return None if count is None else max(1, count)


def _videos(indexes: Indexes) -> Iterator[Finding]:
    """Yield where videos.json and the manifest differ."""
    if indexes.store is None:
        return
    file = str(indexes.root / VIDEOS)
    videos = {video.name: video for video in indexes.store.videos}
    for name, video in videos.items():
        if name not in indexes.done:
            broken = "says that it is broken" if name in indexes.lines else "does not list it"
            yield Finding("index", f"lists video '{name}', but the manifest {broken}", FIX, name, file)
            continue
        for what in _video(video, indexes.done[name]):
            yield Finding("index", f"video '{name}' has {what}", FIX, name, file)
    for name in indexes.done.keys() - videos.keys():
        what = f"lacks video '{name}', which has features by the manifest"
        yield Finding("index", what, "rerun the original 'vadkit extract' command: it writes the file", name, file)


def _video(video: Video, line: Line) -> Iterator[str]:
    if video.num_frames is not None and video.num_frames != line.num_frames:
        yield f"{video.num_frames} frames, {line.num_frames} by the manifest"
    if video.fps is not None and not math.isclose(video.fps, line.fps, rel_tol=1e-6):
        yield f"{video.fps:g} frames a second, {line.fps:g} by the manifest"
