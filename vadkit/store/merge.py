"""Merge stores with the same recipes, such as parts of one data set extracted on several machines.

(Processes that can write to one folder need no merging: see ``vadkit extract --shard``.)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit import json_file
from vadkit.files import alone_in, make_folder, remove_leftovers, replacing
from vadkit.files import sha256 as sha256_of
from vadkit.problems import Problem, VadkitError, fail
from vadkit.store.array_file import LARGEST
from vadkit.store.index import read_store
from vadkit.store.manifest import Array, Line, put_in_order, read_manifest
from vadkit.store.names import MANIFEST, VIDEOS, Below, video_file
from vadkit.store.store_json import load_head, write_head
from vadkit.store.videos_json import load_videos

Progress = Callable[[int, int], None]  # arrays done, arrays in all
CHECK = "see 'vadkit store check'"
UNFINISHED = ".vadkit-merge"  # in the new store until it is whole: which stores are merged


@dataclass
class _Part:
    """One of the stores: its indexes as they are."""

    root: Path
    head: dict[str, Any]
    videos: list[dict[str, Any]]
    lines: dict[str, Line]


@dataclass
class Merged:
    """What was merged. ``notes`` are for the user."""

    videos: int = 0
    arrays: int = 0
    notes: list[str] = field(default_factory=list)


def merge(roots: Sequence[Path | str], out: Path | str, link: bool = False, progress: Progress | None = None) -> Merged:
    """Write one store ``out`` with the videos of all, in the order of their names.

    Args:
        link: hard links of array files instead of copies; all must be on one disk. What is later changed in place in
            one store is then changed in the other, too; vadkit itself never changes an array in place.
        progress: called after each array.

    A video that is in several stores must be the same in all; if it is broken in one, another one's counts. Raises
    VadkitError, with everything that is against it, before anything is written; and for an array that is not as its
    manifest says, or that cannot be written. If it is killed, the same call goes on.
    """
    out = Path(out)
    _refuse_folder(out, roots)
    parts = [_read(Path(root)) for root in roots]
    problems = [problem for part in parts[1:] for problem in _conflicts(parts[0], part)]
    owners, doubles = _owners(parts)
    if problems or doubles:
        raise VadkitError([*problems, *doubles])
    make_folder(out)
    with alone_in(out):
        _refuse_folder(out, roots)  # another process may have been faster
        json_file.write(out / UNFINISHED, _sources(roots))
        jobs = _bring_all(owners, out, link, progress)
        _write_indexes(parts, owners, out)
        (out / UNFINISHED).unlink(missing_ok=True)
    return Merged(len(owners), jobs, _notes(parts))


def _refuse_folder(out: Path, roots: Sequence[Path | str]) -> None:
    """Raise VadkitError unless ``out`` is new, empty, or left by the same merge that was killed."""
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / UNFINISHED).exists():
        fail(f"{out}: already exists", hint="--out names a folder that is new or empty")
    if json_file.read(out / UNFINISHED, list[str]) != _sources(roots):
        fail(f"{out}: holds an unfinished merge of other stores", hint="delete the folder, or choose another --out")


def _sources(roots: Sequence[Path | str]) -> list[str]:
    return [os.path.realpath(root) for root in roots]


def _bring_all(owners: Mapping[str, _Part], out: Path, link: bool, progress: Progress | None) -> int:
    """Bring all arrays, but those that a killed process has brought; return how many there are."""
    target = Below(out)
    sources = {part.root: Below(part.root) for part in owners.values()}
    jobs = [
        (sources[part.root].array(stream, name), target.array(stream, name), array)
        for name, part in owners.items()
        for stream, array in part.lines[name].arrays.items()
    ]
    for number, job in enumerate(jobs, 1):
        _bring(*job, link)
        if progress:
            progress(number, len(jobs))
    for folder in {path.parent for _, path, _ in jobs}:
        remove_leftovers(folder)
    return len(jobs)


def _write_indexes(parts: Sequence[_Part], owners: Mapping[str, _Part], out: Path) -> None:
    put_in_order(out, [part.lines[name] for name, part in owners.items()])
    videos = [_moved(entry, part.root, out) for part in parts for entry in part.videos if owners[entry["name"]] is part]
    json_file.write(out / VIDEOS, sorted(videos, key=lambda entry: entry["name"]))  # as of one run of vadkit extract
    write_head(out, parts[0].head)  # last: without it, the folder is no store


def _read(root: Path) -> _Part:
    store = read_store(root)
    if store.packed or store.base != root:
        fail(f"{root}: its features are packed or in another folder, so it cannot be merged", hint="pack after merging")
    lines, wrong = read_manifest(root)
    if not lines:
        fail(f"{root / MANIFEST}: is missing or empty; only stores that 'vadkit extract' wrote can be merged")
    names = {video.name for video in store.videos}
    done = {name for name, line in lines.items() if line.state == "done"}
    streams = {stream for line in lines.values() for stream in line.arrays}
    if wrong or names != done or not streams <= store.dims.keys():
        fail(f"{root}: is not finished, or was changed", hint=f"see 'vadkit store check {root}'")
    return _Part(root, load_head(root), load_videos(root), lines)


def _conflicts(first: _Part, part: _Part) -> list[Problem]:
    """Return what is against merging two stores."""
    problems = []
    for key in ("snippet_frames", "classes"):
        a, b = first.head.get(key), part.head.get(key)
        if a != b:
            problems.append(Problem(f"{key}: {a} in {first.root}, {b} in {part.root}"))
    ours, theirs = first.head["streams"], part.head["streams"]
    for stream in ours.keys() | theirs.keys():
        if stream not in ours or stream not in theirs:
            has = first if stream in ours else part
            problems.append(Problem(f"only {has.root} has a stream '{stream}'"))
            continue
        a, b = ({"dim": about["dim"], **(about.get("recipe") or {})} for about in (ours[stream], theirs[stream]))
        for key in {**a, **b}:
            if a.get(key) != b.get(key):
                text = f"stream '{stream}', {key}: {a.get(key)} in {first.root}, {b.get(key)} in {part.root}"
                problems.append(Problem(text, hint="features of different recipes cannot be mixed"))
    return problems


def _owners(parts: Sequence[_Part]) -> tuple[dict[str, _Part], list[Problem]]:
    """Return whose each video is, and a problem for each that differs between stores."""
    owners: dict[str, _Part] = {}
    problems = []
    for part in parts:
        for name, line in part.lines.items():
            before = owners.get(name)
            if before is None or before.lines[name].state == "broken":
                owners[name] = part
            elif line.state == "done" and line != before.lines[name]:
                problems.append(Problem(f"video '{name}' is in {before.root} and in {part.root}, and not the same"))
    return owners, problems


def _bring(source: Path, target: Path, array: Array, link: bool) -> None:
    """Copy or link one array file, and check its length before and its content after."""
    sha256 = array.sha256
    try:
        if source.stat().st_size != array.bytes or array.bytes > LARGEST:
            fail(f"{source}: was changed since it was extracted: it has another length", hint=CHECK)
        if os.path.lexists(target):  # of a process that was killed
            if sha256_of(target) == sha256 and link == target.samefile(source):
                return
            target.unlink()
        if link:
            _check(source, source, sha256)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
            return
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
            _check(temporary, source, sha256)
    except OSError as error:
        fail(f"{source}: cannot be copied to {target}: {error.strerror or error}")


def _check(path: Path, source: Path, sha256: str) -> None:
    if sha256_of(path) != sha256:
        fail(f"{source}: was changed since it was extracted", hint=CHECK)


def _moved(entry: dict[str, Any], root: Path, out: Path) -> dict[str, Any]:
    """Return the entry with its file seen from the new store."""
    file = entry.get("file")
    return {**entry, "file": os.path.relpath(video_file(root, file), out)} if isinstance(file, str) else entry


def _notes(parts: Sequence[_Part]) -> list[str]:
    made_with = {part.root: part.head.get("made_with") or {} for part in parts}
    first = made_with[parts[0].root]
    notes = []
    for root, versions in made_with.items():
        changed = [
            f"{name} {versions.get(name)}, not {number}"
            for name, number in first.items()
            if versions.get(name) != number
        ]
        if changed:
            notes.append(f"{root} was extracted with {'; '.join(changed)}: last digits may differ")
    return notes
