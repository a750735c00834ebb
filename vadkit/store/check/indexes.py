"""Hold store.json, videos.json and the manifest up to each other, and to the folders."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.problems import VadkitError, fail
from vadkit.store.check.findings import Finding, from_problems
from vadkit.store.index import Store, read_store
from vadkit.store.manifest import Line, read_manifest
from vadkit.store.names import HEAD, MANIFEST, VIDEOS
from vadkit.store.store_json import StoreJson, read_head
from vadkit.video import Video


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
        """Widths by stream, as far as store.json tells."""
        return {name: stream.dim for name, stream in self.head.streams.items()} if self.head else {}


def read_indexes(root: Path) -> tuple[Indexes, list[Finding]]:
    """Return what the store's files say and what is wrong with each. Raises VadkitError if there is no store."""
    if not root.is_dir():
        fail(f"{root}: there is no such folder" if not root.exists() else f"{root}: is not a folder")
    if not any((root / name).exists() for name in (HEAD, VIDEOS, MANIFEST)):
        fail(f"{root}: is no feature store: it has neither {HEAD} nor {VIDEOS} nor {MANIFEST}")
    indexes = Indexes(root, has_manifest=(root / MANIFEST).exists())
    findings: list[Finding] = []
    with contextlib.suppress(VadkitError):  # reported below
        indexes.head = read_head(root)
    try:
        indexes.store = read_store(root)
    except VadkitError as error:
        for problem in error.problems:
            said = problem.place.file if problem.place else problem.message
            findings += from_problems(root, VIDEOS if VIDEOS in said else HEAD, [problem])
    try:
        indexes.lines, wrong = read_manifest(root)
        findings += [Finding(MANIFEST, text.removeprefix(f"{root / MANIFEST}: ")) for text in wrong]
    except VadkitError as error:
        findings += from_problems(root, MANIFEST, error.problems)
    return indexes, findings


def check_indexes(indexes: Indexes) -> Iterator[Finding]:
    """Yield where the files contradict each other or themselves."""
    if indexes.store is not None:
        yield from _recipes(indexes.store)
    if not indexes.has_manifest:
        if indexes.head is not None and indexes.head.made_with is not None:
            yield Finding(
                MANIFEST,
                "is missing: what the files held when they were made is not known any more",
                "'vadkit extract' with the words that made the store makes everything anew",
            )
        return
    for name, line in indexes.done.items():
        yield from _line(indexes, name, line)
    if indexes.store is None:
        return
    videos = {video.name: video for video in indexes.store.videos}
    for name, video in videos.items():
        if name not in indexes.done:
            broken = "says that it is broken" if name in indexes.lines else "does not know it"
            yield Finding(VIDEOS, f"names video '{name}', but the manifest {broken}")
        else:
            yield from _video(video, indexes.done[name])
    for name in indexes.done:
        if name not in videos:
            yield Finding(
                VIDEOS,
                f"lacks video '{name}', whose features are there by the manifest",
                "run 'vadkit extract' with the same words: it writes the file at its end",
            )


def _recipes(store: Store) -> Iterator[Finding]:
    """Yield what is wrong with the recipes by themselves."""
    clocks = {}
    for stream, recipe in store.recipes.items():
        if not recipe:
            continue
        frames = recipe.get("snippet_frames", store.snippet_frames)
        if frames != store.snippet_frames:
            yield Finding(
                HEAD,
                f"stream '{stream}' was made of snippets of {frames} frames, the store says {store.snippet_frames}",
            )
        weights = recipe.get("weights")
        if recipe.get("pretrained") is True and weights == "random":
            yield Finding(HEAD, f"stream '{stream}' is said to be of pretrained weights and of random ones")
        if isinstance(weights, str) and weights != "random" and not _is_sha256(weights):
            yield Finding(HEAD, f"the weights of stream '{stream}' are '{weights}', which is no SHA-256")
        clocks[stream] = {key: recipe.get(key) for key in ("fps", "stride", "tail")}
    for stream, clock in clocks.items():
        first = next(iter(clocks))
        for key, value in clock.items():
            if value != clocks[first][key]:
                yield Finding(HEAD, f"stream '{stream}' has {key} {value}, but '{first}' {clocks[first][key]}")


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def _line(indexes: Indexes, name: str, line: Line) -> Iterator[Finding]:
    """Yield what is wrong with one line of the manifest."""
    where, arrays = f"video '{name}'", line.arrays
    for stream in indexes.dims:
        if stream not in arrays:
            yield Finding(
                MANIFEST,
                f"{where} has no features of stream '{stream}'",
                "a run that was to make them did not end; start it again",
            )
    rows = {stream: array.shape[-2] for stream, array in arrays.items()}
    for stream, count in rows.items():
        if count != (line.snippets or count):
            yield Finding(MANIFEST, f"{where} has {line.snippets} snippets, but stream '{stream}' {count} rows")
    for stream, array in arrays.items():
        dim = indexes.dims.get(stream)
        if dim is None and indexes.head is not None:
            yield Finding(MANIFEST, f"{where} has features of a stream '{stream}', which store.json does not know")
        elif dim is not None and array.shape[-1] != dim:
            told = f"stream '{stream}' has shape {array.shape}, by store.json it is {dim} wide"
            yield Finding(MANIFEST, f"{where}: {told}")
    yield from _clock(indexes, where, line)


def _clock(indexes: Indexes, where: str, line: Line) -> Iterator[Finding]:
    """Yield where the number of snippets, of frames and the length do not go together."""
    recipes = [stream.recipe or {} for stream in indexes.head.streams.values()] if indexes.head else []
    recipe: Mapping[str, Any] = next((told for told in recipes if "tail" in told), {})
    expected = _snippets(line.num_frames, recipe)
    if expected is not None and (line.snippets or expected) != expected:
        yield Finding(
            MANIFEST,
            f"{where} has {line.num_frames} frames, which are {expected} snippets by the tail "
            f"rule '{recipe['tail']}', not {line.snippets}",
        )
    duration = line.duration
    if duration is not None and not math.isclose(duration, line.num_frames / line.fps, abs_tol=2 / line.fps):
        yield Finding(
            MANIFEST,
            f"{where} has {line.num_frames} frames at {line.fps:g} a second, which are not {duration:g} s",
        )


def _snippets(frames: int, recipe: Mapping[str, Any]) -> int | None:
    """Return how many snippets a video of so many frames has; None if the recipe does not tell."""
    n = recipe.get("snippet_frames")
    if type(n) is not int or n < 1 or recipe.get("stride", n) != n:
        return None
    rules = {"repeat": -(-frames // n), "drop": frames // n, "xd_violence": (frames - 1) // n}
    count = rules.get(str(recipe.get("tail")))
    return None if count is None else max(1, count)


def _video(video: Video, line: Line) -> Iterator[Finding]:
    """Yield where videos.json and the manifest differ about one video."""
    who = f"video '{video.name}' has"
    if video.num_frames is not None and video.num_frames != line.num_frames:
        yield Finding(VIDEOS, f"{who} {video.num_frames} frames, {line.num_frames} by the manifest")
    if video.fps is not None and not math.isclose(video.fps, line.fps, rel_tol=1e-6):
        yield Finding(VIDEOS, f"{who} {video.fps:g} frames a second, {line.fps:g} by the manifest")


def strangers(indexes: Indexes) -> Iterator[Finding]:
    """Yield the array files that no index names."""
    named = {
        stream: {f"{name}.npy" for name, line in indexes.done.items() if stream in line.arrays}
        for stream in indexes.dims
    }
    for stream, names in named.items():
        folder = indexes.root / stream
        if not folder.is_dir():
            continue
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name not in names and not entry.name.startswith(".vadkit-"):
                yield Finding(
                    f"{stream}/{entry.name}",
                    "is not in the manifest: nobody knows how it was made",
                    "remove it, or let 'vadkit extract' make it",
                )
