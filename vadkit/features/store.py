"""Many videos in, a feature store out: the folder that training reads.

STORE/store.json            {"vadkit_store": 1, "snippet_frames": 16,
                             "streams": {NAME: {"dim": D, "recipe": {...}}}, "classes": ["normal", ...],
                             "made_with": {"vadkit": VERSION, "av": ..., "libavcodec": ..., "torch": ..., "numpy": ...}}
STORE/videos.json           the videos whose features are there, with labels and intervals; written when a run ends
STORE/manifest.jsonl        what became of each video, one JSON line each, see ``vadkit.features.manifest``:
                            source {bytes, sample}, fps, native_fps, num_frames, duration, size, has_sound, snippets,
                            clip_start, clip_step, arrays {STREAM: {shape, bytes, sha256}}, warnings; or, for a
                            broken one, the cause
STORE/<stream>/<name>.npy   float32 (t, dim), or (crops, t, dim) if the backbone takes several crops
STORE/.lock                 empty; processes that write to the store lock parts of it

A recipe holds backbone, snippet_frames, stride, fps (null: the video's own), tail, decoder and crops, and what the
backbone's own ``recipe()`` adds: weights ("random" for ever marks a store of random weights), pretrained, resize,
normalise, precision, and so on. ``sha256`` is that of the whole .npy file, as ``sha256sum`` gives it. ``spans`` and
``num_frames`` of videos.json are frames at its ``fps``, which is that of the manifest.

Every file appears whole or not at all, and a video's line in the manifest comes last, so a run that is killed
goes on where it was. How videos are spread over processes changes no byte of the finished store.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from vadkit.features.extract import Extracted, Tail, extract_video, recipe
from vadkit.features.workers import spread
from vadkit.kinds import Backbone
from vadkit.problems import Problem, VadkitError, fail

VERSION = 1
CLIPS = "clips"
Progress = Callable[[str, int, int], None]  # a video's name, videos done, videos in all


class VideoEntry(TypedDict):
    """One video to extract. ``file`` is where it lies; the rest is copied to videos.json.

    ``spans`` are [start, end) in frames at ``fps``; ``num_frames`` and ``fps`` are filled in from the
    file where they are missing.
    """

    name: str
    file: str
    split: NotRequired[str]
    label: NotRequired[int]
    classes: NotRequired[list[str]]
    spans: NotRequired[list[list[int]]]
    num_frames: NotRequired[int]
    fps: NotRequired[float]
    tags: NotRequired[dict[str, Any]]


@dataclass
class StoreResult:
    """What became of each video, by name."""

    made: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    """What a worker process needs to know, once."""

    out: Path
    backbones: dict[str, Backbone]
    names: dict[str, str]
    fps: float | None
    snippet_frames: int
    tail: Tail

    def recipes(self) -> dict[str, dict[str, Any]]:
        return {
            stream: recipe(self.names[stream], backbone, self.snippet_frames, self.fps, self.tail)
            for stream, backbone in self.backbones.items()
        }


def extract_store(
    videos: Sequence[VideoEntry],
    backbones: Mapping[str, Backbone],
    out: str | Path,
    *,
    fps: float | None = None,
    snippet_frames: int = 16,
    tail: Tail = "repeat",
    classes: Sequence[str] = ("normal",),
    workers: int = 2,
    progress: Progress | None = None,
) -> StoreResult:
    """Extract the features of all videos into the store ``out``; skip those that are there already.

    Args:
        videos: see ``VideoEntry``. Names become file names, so they are checked.
        backbones: backbone by stream name.
        fps, snippet_frames, tail: see ``extract_video``. Part of the recipe.
        classes: names of the classes, normal first.
        workers: processes; 0 does the work in this one.
        progress: called when a video is finished.

    A video that cannot be used does not stop the others; it is in ``failed`` of the result and not in
    videos.json. Raises VadkitError for bad names, for a store made with another recipe, for a disk
    that cannot be written, and if not one video could be used.
    """
    job = _Job(
        Path(out), dict(backbones), {s: type(b).name for s, b in backbones.items()}, fps, snippet_frames, tail
    )
    _check_names(videos, job)
    _start_store(job, classes)
    result = StoreResult()
    left = []
    for video in videos:
        if _is_finished(job, video):
            result.skipped.append(video["name"])
        else:
            left.append(video)
    finished = len(result.skipped)
    workers = 0 if len(left) < 2 else workers
    for name, warnings, error in spread(partial(_Extractor, job), left, workers):
        finished += 1
        if error is not None:
            result.failed[name] = error
        else:
            result.made.append(name)
            if warnings:
                result.warnings[name] = warnings
        if progress:
            progress(name, finished, len(videos))
    _write_videos(job, [v for v in videos if v["name"] not in result.failed])
    if videos and len(result.failed) == len(videos):
        raise VadkitError([Problem(text) for text in result.failed.values()])
    return result


def write_atomically(path: Path, write: Callable[[Any], None]) -> None:
    """Have ``write`` fill a temporary file beside ``path`` and put it in place. Raises VadkitError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            write(file)
        os.replace(temporary, path)
    except OSError as error:
        fail(f"{path} cannot be written: {(error.strerror or str(error)).lower()}")
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_json(path: Path, data: Any) -> None:
    write_atomically(path, lambda file: file.write(json.dumps(data, indent=1).encode() + b"\n"))


def _check_names(videos: Sequence[VideoEntry], job: _Job) -> None:
    problems, seen = [], set()
    for what, name in [("stream", s) for s in job.backbones] + [("video", v["name"]) for v in videos]:
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name or name.startswith("."):
            problems.append(Problem(f"'{name}' cannot be a {what}'s name: it must be a plain file name"))
        if (what, name) in seen:
            problems.append(Problem(f"two videos are called '{name}'"))
        seen.add((what, name))
    if CLIPS in job.backbones:
        problems.append(Problem(f"a stream cannot be called '{CLIPS}': the store keeps clip times there"))
    if problems:
        raise VadkitError(problems)


def _start_store(job: _Job, classes: Sequence[str]) -> None:
    """Write store.json, or check that the one there was made in the same way."""
    path = job.out / "store.json"
    streams = {
        stream: {"dim": job.backbones[stream].dim, "recipe": told} for stream, told in job.recipes().items()
    }
    wanted = {
        "vadkit_store": VERSION, "snippet_frames": job.snippet_frames, "streams": streams, "classes": [*classes],
    }  # fmt: skip
    if path.exists():
        there = _read_json(path)
        for stream, told in streams.items():
            other = there.get("streams", {}).get(stream)
            if other is not None and other != told:
                _refuse_other_recipe(path, stream, told, other)
        if there.get("snippet_frames") != job.snippet_frames:
            fail(f"{path}: the store has snippets of {there.get('snippet_frames')} frames, not {job.snippet_frames}")
        wanted["streams"] = {**there.get("streams", {}), **streams}
    _write_json(path, wanted)


def _refuse_other_recipe(path: Path, stream: str, told: dict[str, Any], other: dict[str, Any]) -> None:
    new, old = told["recipe"], other.get("recipe", {})
    key = next((k for k in {**new, **old} if new.get(k) != old.get(k)), "dim")
    fail(
        f"{path}: stream '{stream}' was made with another recipe ({key}: {old.get(key)}, now {new.get(key)})",
        hint="features of different recipes cannot be mixed; write to another folder",
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        fail(f"{path} cannot be read: {error}")
    if not isinstance(data, dict):
        fail(f"{path} does not hold a mapping")
    return data


def _source(video: VideoEntry) -> dict[str, Any]:
    """What tells a file from another version of it, cheaply."""
    try:
        about = Path(video["file"]).stat()
    except OSError:
        return {}
    return {"bytes": about.st_size, "modified": about.st_mtime_ns}


def _is_finished(job: _Job, video: VideoEntry) -> bool:
    note = job.out / CLIPS / f"{video['name']}.json"
    if not note.exists():
        return False
    told = _read_json(note)
    return (
        told.get("source") == _source(video)
        and all(told.get("recipes", {}).get(s) == r for s, r in job.recipes().items())
        and all((job.out / stream / f"{video['name']}.npy").exists() for stream in job.backbones)
    )


def _extract_one(job: _Job, video: VideoEntry) -> list[str]:
    """Extract one video, write its files, return its warnings."""
    source = _source(video)
    found = extract_video(
        video["file"], job.backbones, fps=job.fps, snippet_frames=job.snippet_frames, tail=job.tail
    )
    for stream, features in found.streams.items():
        write_atomically(job.out / stream / f"{video['name']}.npy", partial(_save, features))
    _write_json(job.out / CLIPS / f"{video['name']}.json", _note(job, source, found))
    return found.warnings


def _save(features: np.ndarray, file: Any) -> None:
    np.save(file, features)


def _note(job: _Job, source: dict[str, Any], found: Extracted) -> dict[str, Any]:
    return {
        "source": source, "recipes": job.recipes(), "fps": found.fps, "num_frames": found.num_frames,
        "duration": round(found.duration, 6), "size": list(found.size), "has_sound": found.has_sound,
        "warnings": found.warnings, "clip_starts": np.round(found.snippet_times[:, 0], 6).tolist(),
    }  # fmt: skip


def _write_videos(job: _Job, videos: Sequence[VideoEntry]) -> None:
    entries = []
    for video in videos:
        note = _read_json(job.out / CLIPS / f"{video['name']}.json")
        entry: dict[str, Any] = {
            "split": "test", "label": 0, "classes": [], "spans": [], "tags": {},
            "num_frames": note["num_frames"], "fps": note["fps"], **video,
        }  # fmt: skip
        entry["file"] = os.path.relpath(video["file"], job.out)
        entries.append(entry)
    _write_json(job.out / "videos.json", entries)


class _Extractor:
    """Extracts one video after the other with the same backbones."""

    def __init__(self, job: _Job) -> None:
        self.job = job

    def __call__(self, video: VideoEntry) -> tuple[str, list[str], str | None]:
        """Return the video's name, its warnings and, if it could not be used, why."""
        try:
            return video["name"], _extract_one(self.job, video), None
        except VadkitError as error:
            return video["name"], [], error.problems[0].render()
