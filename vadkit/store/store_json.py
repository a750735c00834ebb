"""store.json: which streams a store has, how they were extracted, and the classes of its videos.

{"vadkit_store": 1, "snippet_frames": 16, "streams": {NAME: {"dim": D, "recipe": {...}}}, "classes": ["normal", ...]}

A store may also be an index of published features in another folder. Then "root" is that folder. A stream may have
"axes" (how a file of all crops is laid out, for all videos or by split) and "packed" (``vadkit.store.pack``).
"segments": N means that features are of N equal parts of each video, "data_set" names a published one, "intervals"
is the rule by which its spans were read, "sources" how names show which videos are of one film or camera
(``vadkit.store.sources``), "made_with" are versions of what features may depend on. "notice" is a
sentence that every model, figure and page from these features repeats: why they say little about real videos.

Unknown keys are kept when the file is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vadkit import json_file
from vadkit.backbones.recipe import RANDOM
from vadkit.problems import Problem, VadkitError, fail
from vadkit.store.names import HEAD, is_pack_name, is_path, is_stream_name
from vadkit.store.sources import source_rule

VERSION = 1
AXES = ("crops snippets width", "snippets crops width")
CLOCK = ("snippet_frames", "stride", "fps", "tail")  # what all streams of a store have in common
STORE = (
    "a feature store is a folder with store.json, videos.json and one folder per stream; --data DIR names it, "
    "'vadkit store import' makes one of existing features, 'vadkit extract' of videos"
)
OTHER_FOLDER = "write to another folder"

Width = Annotated[int, Meta(ge=1, le=2**20)]
Frames = Annotated[int, Meta(ge=1, le=10**9)]  # a year at 30 a second
Absent = bool | list[tuple[Annotated[int, Meta(ge=0)], int]]  # throughout, or in [start, end) of the snippets
Name = Annotated[str, Meta(min_length=1)]


class StreamJson(msgspec.Struct):
    """One stream of store.json."""

    dim: Width
    recipe: dict[str, Any] | None = None
    axes: str | dict[str, str] | None = None
    packed: str | None = None
    licence: str | None = None


class StoreJson(msgspec.Struct):
    """store.json. ``classes`` are None if it names none."""

    vadkit_store: int
    snippet_frames: Annotated[int, Meta(ge=1, le=10**6)]
    streams: Annotated[dict[str, StreamJson], Meta(min_length=1)]
    classes: Annotated[list[Name], Meta(min_length=1)] | None = None
    root: str = ""
    data_set: str | None = None
    intervals: str = "half_open"
    segments: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    made_with: dict[str, str] | None = None
    notice: str | None = None
    sources: str | None = None


def read_head(root: Path) -> StoreJson:
    """Return store.json of the store in ``root``. Raises VadkitError."""
    return _checked(root / HEAD, json_file.load(root / HEAD, STORE))


def load_head(root: Path) -> dict[str, Any]:
    """Return store.json as plain data that is known to be sound, to change it and write it back. Raises VadkitError."""
    plain = json_file.load(root / HEAD, STORE)
    _checked(root / HEAD, plain)
    return dict(plain)


def write_head(root: Path, head: Mapping[str, Any]) -> None:
    """Write store.json. Raises VadkitError."""
    json_file.write(root / HEAD, head)


def _checked(path: Path, plain: Any) -> StoreJson:
    if not isinstance(plain, dict) or "vadkit_store" not in plain:
        fail(f"{path}: has no 'vadkit_store', so it does not describe a feature store", hint=STORE)
    if plain["vadkit_store"] != VERSION:
        fail(
            f"{path}: is a store of version {json_file.shown(plain['vadkit_store'])}; "
            f"this vadkit reads version {VERSION}",
            hint="install a newer vadkit, or extract the features again",
        )
    head = json_file.typed(plain, StoreJson, str(path))
    problems = [problem for name, stream in head.streams.items() for problem in _stream(path, name, stream)]
    if not is_path(head.root):
        problems.append(Problem(f"{path}: root is {json_file.shown(head.root)}, which is not a path"))
    if head.sources is not None:
        try:
            source_rule(head.sources, f"{path}: sources")
        except VadkitError as error:
            problems += error.problems
    classes = head.classes or []
    for name in sorted({name for name in classes if classes.count(name) > 1}):
        problems.append(Problem(f"{path}: classes names '{name}' twice"))
    if problems:
        raise VadkitError(problems)
    return head


def _stream(path: Path, name: str, stream: StreamJson) -> list[Problem]:
    """Return what is wrong with a stream whose types are right."""
    problems = []
    if not is_stream_name(name):
        problems.append(Problem(f"{path}: stream name {name!r} is not a plain folder name"))
    axes = stream.axes.values() if isinstance(stream.axes, dict) else [stream.axes or AXES[0]]
    if not all(order in AXES for order in axes):
        problems.append(Problem(f"{path}: stream '{name}' has axes {stream.axes!r}", hint=f"use {' or '.join(AXES)}"))
    if stream.packed is not None and not is_pack_name(stream.packed, name):
        problems.append(
            Problem(
                f"{path}: stream '{name}' is packed in {stream.packed!r}, which is no name of a packed file",
                hint="remove the key 'packed', and pack the store again",
            )
        )
    return problems


# -- a store that is being extracted ---------------------------------------------------------------
@dataclass(frozen=True)
class NewStream:
    """A stream that a store is to hold: its width, its recipe, the licence of its weights."""

    dim: int
    recipe: dict[str, Any]
    licence: str = ""


def start_store(root: Path, snippet_frames: int, streams: Mapping[str, NewStream], classes: Sequence[str]) -> list[str]:
    """Write store.json, or check that the existing one has the same recipes and add streams that are new to it.

    Return what the user should know. Raises VadkitError that names what differs.
    """
    path = root / HEAD
    before = _extendable(root) if path.exists() else {}
    entries = dict(before.get("streams", {}))
    problems = _differences(path, {name: stream.recipe for name, stream in streams.items()}, entries)
    if problems:
        raise VadkitError(problems)
    for name, stream in streams.items():
        licence = {"licence": stream.licence} if stream.licence and stream.recipe.get("weights") != RANDOM else {}
        entries.setdefault(name, {"dim": stream.dim, "recipe": stream.recipe, **licence})
    now = versions()
    head = {
        **before,
        "vadkit_store": VERSION,
        "snippet_frames": snippet_frames,
        "streams": entries,
        "classes": [*classes] or before.get("classes") or ["normal"],
        "made_with": before.get("made_with", now),
    }
    if head != before:
        write_head(root, head)
    return _other_versions(path, head["made_with"] or {}, now)


def _extendable(root: Path) -> dict[str, Any]:
    """Return an existing store.json to which streams can be added. Raises VadkitError for another one."""
    path, plain = root / HEAD, load_head(root)
    if "root" in plain or "segments" in plain:
        fail(f"{path}: is an index of features in another folder; nothing can be added", hint=OTHER_FOLDER)
    for name, stream in plain["streams"].items():
        if "packed" in stream:
            fail(f"{path}: stream '{name}' is packed; nothing can be added", hint=OTHER_FOLDER)
    return plain


def _differences(
    path: Path, recipes: Mapping[str, Mapping[str, Any]], streams: Mapping[str, Mapping[str, Any]]
) -> list[Problem]:
    """Return a problem for each field of a recipe that is not as in the store."""
    problems = []
    clock = next(((name, stream.get("recipe") or {}) for name, stream in streams.items()), None)
    for stream, recipe in recipes.items():
        if stream in streams:
            before: Mapping[str, Any] = streams[stream].get("recipe") or {}
            keys: Sequence[str] = list({**recipe, **before})
            where = f"stream '{stream}' was extracted with"
        elif clock is not None:
            before, keys = clock[1], CLOCK
            where = f"stream '{stream}' is new, but '{clock[0]}' was extracted with"
        else:
            continue
        for key in keys:
            if recipe.get(key) != before.get(key):
                problems.append(
                    Problem(
                        f"{path}: {where} {key}: {_say(before.get(key))}, now it is {_say(recipe.get(key))}",
                        hint=f"features of different recipes cannot be mixed; {OTHER_FOLDER} with --out",
                    )
                )
    return problems


def _say(value: Any) -> str:
    return "nothing" if value is None else str(value)


def versions() -> dict[str, str]:
    """Return the versions of what features may depend on in the last digit."""
    import av

    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    return {
        "vadkit": version("vadkit"),
        "av": av.__version__,
        "libavcodec": codec,
        "torch": version("torch"),
        "numpy": version("numpy"),
    }


def _other_versions(path: Path, then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [f"{name} {then.get(name)}, now {number}" for name, number in now.items() if then.get(name) != number]
    return [f"{path}: the store was begun with {'; '.join(changed)}: last digits may differ"] if changed else []
