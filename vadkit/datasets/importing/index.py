"""Write the index of a plan, store.json and videos.json, or add it to an existing one.

Both are first written into one file, ``UNFINISHED``, so that an import that is killed goes on. All feature files are
below one folder, the ``root`` of store.json, as any index promises: where a link or a second import leads elsewhere, it
is the folder above both.

Legend: dim the width of a stream.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from vadkit import json_file
from vadkit.datasets.importing.plan import Plan, axes_entry
from vadkit.files import alone_in, make_folder, read_bytes, write_atomically
from vadkit.problems import Problem, VadkitError, fail, plural, some
from vadkit.results_folder import claim
from vadkit.store.index import Store, read_store
from vadkit.store.names import HEAD, VIDEOS, stream_folder
from vadkit.store.store_json import VERSION, load_head, read_head, write_head
from vadkit.store.videos_json import load_videos
from vadkit.video import Video

SNIPPET_FRAMES = 16
IfExists = Literal["refuse", "merge", "replace"]
IF_EXISTS: tuple[IfExists, ...] = ("refuse", "merge", "replace")
UNFINISHED = ".vadkit-import"  # what an import is about to write; gone when it is written


class _Unfinished(msgspec.Struct):
    head: dict[str, Any]
    videos: list[dict[str, Any]]


def check_out(out: Path, if_exists: IfExists) -> None:
    """Raise VadkitError if the folder ``out`` holds a store that must not be changed, or is no folder."""
    if out.exists() and not out.is_dir():
        fail(f"{out}: is not a folder", hint="--out is the folder of the store")
    existing = [name for name in (HEAD, VIDEOS) if (out / name).exists()]
    if existing and if_exists == "refuse" and not (out / UNFINISHED).exists():
        fail(
            f"{out}: already holds a store ({' and '.join(existing)})",
            hint="--merge adds the streams found now, --replace overwrites it, --out names another folder",
        )
    claim([out / VIDEOS] if not (out / HEAD).exists() else (), ours=_is_listing)
    if if_exists == "replace" and (out / HEAD).exists() and _has_own_features(out):
        fail(
            f"{out}: the store holds features of its own, which an index must not replace",
            hint="--out names another folder",
        )


def write_index(plan: Plan, out: Path, if_exists: IfExists = "refuse") -> None:
    """Write the index into ``out``. Features stay where they are. If it is killed, the same call goes on.

    Raises VadkitError as ``check_out`` does, and for a merge that does not fit. A replaced file that differs is kept
    under another name, which the plan's notes give.
    """
    make_folder(out)
    with alone_in(out):
        check_out(out, if_exists)
        if (out / UNFINISHED).exists():
            _write(out, json_file.read(out / UNFINISHED, _Unfinished))
        head, base, videos = _head(plan), plan.root, [*plan.videos]
        if if_exists == "merge" and (out / HEAD).exists():
            head, base, videos = _merged(plan, out, head)
        base, videos = _below_one_folder(base, videos)
        new = _Unfinished({**head, "root": _root(base, out)}, [_entry(video) for video in videos])
        if if_exists == "replace":
            plan.notes += _keep_what_differs(out, new)
        json_file.write(out / UNFINISHED, new, indent=None)
        _write(out, new)
        (out / UNFINISHED).unlink(missing_ok=True)


def _write(out: Path, new: _Unfinished) -> None:
    # The videos go first: with an old head next to them they are refused, never misread.
    json_file.write_rows(out / VIDEOS, new.videos)
    write_head(out, new.head)


def _keep_what_differs(out: Path, new: _Unfinished) -> list[str]:
    """Copy the files that are replaced by others, which may have been changed by hand. Return what to say."""
    notes = []
    for path, value in ((out / HEAD, new.head), (out / VIDEOS, new.videos)):
        if path.exists() and json_file.load(path) != value:
            copies = (path.with_name(f"{path.name}.before-{number}") for number in range(1, 10**6))
            copy = next(copy for copy in copies if not os.path.lexists(copy))
            write_atomically(copy, read_bytes(path))
            notes.append(f"{path} was replaced by another one; what it said before is in {copy.name}")
    return notes


def _below_one_folder(base: Path, videos: Sequence[Video]) -> tuple[Path, list[Video]]:
    """Return a folder that all feature files are below, whatever links lead to, and the videos seen from there."""
    real = os.path.realpath(base)
    outside: set[str] = set()
    real_folder = cache(os.path.realpath)

    def located(file: str) -> str:
        path = os.path.join(real, file)
        where = os.path.join(real_folder(os.path.dirname(path)), os.path.basename(path))
        where = os.path.realpath(where) if os.path.islink(where) else where
        if where.startswith(real.rstrip("/") + "/"):
            return path if path.startswith(real.rstrip("/") + "/") else where
        outside.add(os.path.dirname(where))
        return where

    placed = [{stream: [*map(located, files)] for stream, files in video.files.items()} for video in videos]
    folder = os.path.commonpath([real, *outside]) if outside else real
    seen = [
        replace(video, files={s: tuple(os.path.relpath(file, folder) for file in files) for s, files in own.items()})
        for video, own in zip(videos, placed)
    ]
    return (Path(folder) if outside else base), seen


def _head(plan: Plan) -> dict[str, Any]:
    streams: dict[str, Any] = {}
    for stream, dim in plan.dims.items():
        streams[stream] = {"dim": dim, "recipe": plan.recipe(stream)}
        axes = axes_entry(plan.axes[stream])
        if axes is not None:
            streams[stream]["axes"] = axes
    return {
        "vadkit_store": VERSION,
        "snippet_frames": SNIPPET_FRAMES,
        "root": "",
        "intervals": plan.intervals,
        "streams": streams,
        "classes": [*plan.classes],
        **({"data_set": plan.data_set} if plan.data_set else {}),
        **({"segments": plan.segments} if plan.segments else {}),
        **({"sources": plan.sources} if plan.sources else {}),
    }


def _root(root: Path, out: Path) -> str:
    """Return the folder of the files: relative to the store if one is in the other, so that they move together."""
    root, out = root.resolve(), out.resolve()
    if out.is_relative_to(root):
        return "/".join([".."] * len(out.relative_to(root).parts)) or "."
    return root.relative_to(out).as_posix() if root.is_relative_to(out) else str(root)


def _entry(video: Video) -> dict[str, Any]:
    """Return the entry of a video in videos.json; unknown values are left out."""
    entry = {
        "name": video.name,
        "split": video.split,
        "label": video.label,
        "classes": [*video.classes],
        "num_frames": video.num_frames,
        "fps": video.fps,
        "spans": [[*span] for span in video.spans],
        "clicks": [*video.clicks],
        "file": video.file,
        "tags": dict(video.tags),
        "files": {stream: files[0] if len(files) == 1 else [*files] for stream, files in video.files.items()},
    }
    return {key: value for key, value in entry.items() if key == "label" or value not in (None, [], {})}


def _is_listing(path: Path) -> bool:
    try:
        return bool(load_videos(path.parent))
    except VadkitError:
        return False


def _has_own_features(out: Path) -> bool:
    return any(stream_folder(out, stream).is_dir() for stream in read_head(out).streams)


# -- merging -------------------------------------------------------------------------------------
def _merged(plan: Plan, out: Path, head: dict[str, Any]) -> tuple[dict[str, Any], Path, list[Video]]:
    """Return head, folder and videos of the existing store with the plan's streams added or replaced."""
    store, old = read_store(out), load_head(out)
    _refuse_misfits(plan, store, old)
    here = str(plan.root.resolve())
    by_name = {video.name: video for video in store.videos}
    for video in plan.videos:
        files = {s: tuple(os.path.join(here, file) for file in paths) for s, paths in video.files.items()}
        known = by_name.get(video.name)
        by_name[video.name] = (
            replace(video, files=files)
            if known is None
            else replace(known, files={**known.files, **files}, clicks=video.clicks or known.clicks)
        )
    streams = {**old["streams"], **head["streams"]}
    sources = {"sources": plan.sources} if plan.sources else {}
    return {**old, **sources, "streams": streams}, store.base, _in_index([*by_name.values()], plan)


def _in_index(videos: Sequence[Video], plan: Plan) -> list[Video]:
    """Return the videos without the files that cannot be used, and without those that are left out."""
    kept = []
    for video in videos:
        files = {stream: paths for stream, paths in video.files.items() if (video.name, stream) not in plan.broken}
        if files == video.files or files:
            kept.append(replace(video, files=files))
    streams = {stream for video in kept for stream in video.files}
    whole = [video for video in kept if video.files.keys() == streams or not plan.complete]
    if len(whole) < len(kept):
        gone = [video.name for video in kept if video.files.keys() != streams]
        plan.notes.append(f"{plural(len(gone), 'video')} of the store without every stream left out: {some(gone)}")
    return whole


def _refuse_misfits(plan: Plan, store: Store, old: dict[str, Any]) -> None:
    out, problems = store.root, []
    for what, before, now in (
        ("data set", store.data_set, plan.data_set),
        ("interval rule", old.get("intervals"), plan.intervals),
        ("number of segments", old.get("segments"), plan.segments),
        ("snippet length", store.snippet_frames, SNIPPET_FRAMES),
    ):
        if before != now:
            problems.append(Problem(f"{out}: the {what} of the store is {before}, that of the files found now {now}"))
    known = {video.name: video for video in store.videos}
    for attribute in ("label", "split"):
        other = [v.name for v in plan.videos if v.name in known and _of(known[v.name], attribute) != _of(v, attribute)]
        if other:
            problems.append(Problem(f"{out}: {len(other)} videos have another {attribute} in the store: {some(other)}"))
    for stream, dim in plan.dims.items():
        before = old["streams"].get(stream)
        if before and (before["dim"] != dim or before.get("axes") != axes_entry(plan.axes[stream])):
            problems.append(
                Problem(
                    f"{out}: the store has a stream '{stream}', {before['dim']} wide; the files found now are {dim} "
                    "wide or have other axes",
                    hint="--stream NAME=FOLDER gives the new ones another name",
                )
            )
    packed = [stream for stream in plan.dims if stream in store.packed]
    if packed:
        problems.append(Problem(f"{out}: stream '{packed[0]}' of the store is packed; merging would hide it"))
    if problems:
        raise VadkitError([*problems, Problem("nothing was merged", hint="write to another folder with --out")])


def _of(video: Video, attribute: str) -> Any:
    return getattr(video, attribute)
