"""Join stores that were made in the same way, such as parts of one data set made on several machines.

(Processes that can write to one folder need no joining: see ``vadkit extract --shard``.)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.files import replacing
from vadkit.problems import Problem, VadkitError, fail
from vadkit.store.check.arrays import sha256 as sha256_of
from vadkit.store.index import HEAD, MANIFEST, VIDEOS, read_json, read_store
from vadkit.store.manifest import Line, put_in_order, read_manifest
from vadkit.store.store_json import write_json

Progress = Callable[[int, int], None]  # arrays done, arrays in all


@dataclass
class _Part:
    """One of the stores: its indexes as they are."""

    root: Path
    head: dict[str, Any]
    videos: list[dict[str, Any]]
    lines: dict[str, Line]


@dataclass
class Merged:
    """What was joined. ``notes`` should be known."""

    videos: int = 0
    arrays: int = 0
    notes: list[str] = field(default_factory=list)


def merge(roots: Sequence[Path | str], out: Path | str, link: bool = False, progress: Progress | None = None) -> Merged:
    """Write one store ``out`` with the videos of all, in the order of their names.

    Args:
        link: make hard links of array files instead of copies; all must be on one disk.
        progress: called after each array.

    A video that is in several stores must be the same in all; if it is broken in one, another one's counts. Raises
    VadkitError, with all that stands against it, before anything is written; and for an array that is not as its
    manifest says, or that cannot be written.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        fail(f"{out}: is there already", hint="--out names a folder that is new or empty")
    parts = [_read(Path(root)) for root in roots]
    problems = [problem for part in parts[1:] for problem in _against(parts[0], part)]
    owners, doubles = _owners(parts)
    if problems or doubles:
        raise VadkitError([*problems, *doubles])
    lines = [part.lines[name] for name, part in owners.items()]
    jobs = [
        (part.root / stream / f"{name}.npy", out / stream / f"{name}.npy", array["sha256"])
        for name, part in owners.items()
        for stream, array in part.lines[name].get("arrays", {}).items()
    ]
    for number, job in enumerate(jobs, 1):
        _bring(*job, link)
        if progress:
            progress(number, len(jobs))
    put_in_order(out, lines)
    videos = [_moved(entry, part.root, out) for part in parts for entry in part.videos if owners[entry["name"]] is part]
    write_json(out / VIDEOS, sorted(videos, key=lambda entry: entry["name"]))  # as of one run of vadkit extract
    write_json(out / HEAD, parts[0].head)  # last: without it, nobody takes the folder for a store
    return Merged(len(lines), len(jobs), _notes(parts))


def _read(root: Path) -> _Part:
    store = read_store(root)
    if store.packed or store.base != root:
        fail(f"{root}: its features are packed or lie elsewhere, so it cannot be joined", hint="pack after joining")
    lines, wrong = read_manifest(root)
    if not lines:
        fail(f"{root / MANIFEST}: is missing or empty; only stores that 'vadkit extract' made can be joined")
    names = {video.name for video in store.videos}
    done = {name for name, line in lines.items() if line["state"] == "done"}
    if wrong or names != done:
        fail(f"{root}: is not finished, or was changed", hint=f"'vadkit features verify {root}' tells more")
    return _Part(root, read_json(root / HEAD), read_json(root / VIDEOS), lines)


def _against(first: _Part, part: _Part) -> list[Problem]:
    """Return what stands against joining two stores."""
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
                told = f"stream '{stream}', {key}: {a.get(key)} in {first.root}, {b.get(key)} in {part.root}"
                problems.append(Problem(told, hint="features made in different ways cannot be mixed"))
    return problems


def _owners(parts: Sequence[_Part]) -> tuple[dict[str, _Part], list[Problem]]:
    """Return whose each video is, and a problem for each that differs between stores."""
    owners: dict[str, _Part] = {}
    problems = []
    for part in parts:
        for name, line in part.lines.items():
            before = owners.get(name)
            if before is None or before.lines[name]["state"] == "broken":
                owners[name] = part
            elif line["state"] == "done" and line != before.lines[name]:
                problems.append(Problem(f"video '{name}' is in {before.root} and in {part.root}, and not the same"))
    return owners, problems


def _bring(source: Path, target: Path, sha256: str, link: bool) -> None:
    """Copy or link one array file, and see that it is the one it should be."""
    try:
        if link:
            _check(source, source, sha256)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
            return
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
            _check(temporary, source, sha256)
    except OSError as error:
        fail(f"{source}: cannot be brought to {target}: {error.strerror or error}")


def _check(path: Path, source: Path, sha256: str) -> None:
    if sha256_of(path) != sha256:
        fail(f"{source}: was changed since it was made", hint="'vadkit features verify' tells more")


def _moved(entry: dict[str, Any], root: Path, out: Path) -> dict[str, Any]:
    """Return the entry with its file told as from the new store."""
    file = entry.get("file")
    return {**entry, "file": os.path.relpath(root / file, out)} if isinstance(file, str) else entry


def _notes(parts: Sequence[_Part]) -> list[str]:
    made = {part.root: part.head.get("made_with") or {} for part in parts}
    first = made[parts[0].root]
    notes = []
    for root, versions in made.items():
        changed = [
            f"{name} {versions.get(name)}, not {number}"
            for name, number in first.items()
            if versions.get(name) != number
        ]
        if changed:
            notes.append(f"{root} was made with {'; '.join(changed)}: last digits may differ")
    return notes
