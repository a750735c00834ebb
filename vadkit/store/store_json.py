"""store.json of a store that is being extracted: written by the first run, held up to every later one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vadkit.files import write_atomically
from vadkit.problems import Problem, VadkitError, fail
from vadkit.store.index import HEAD, VERSION, read_json
from vadkit.store.recipes import RANDOM

CLOCK = ("snippet_frames", "stride", "fps", "tail")  # what all streams of a store have in common


@dataclass(frozen=True)
class NewStream:
    """A stream that a store is to hold: its width, what decided its features, the licence of its weights."""

    dim: int
    recipe: dict[str, Any]
    licence: str = ""


def start_store(root: Path, snippet_frames: int, streams: Mapping[str, NewStream], classes: Sequence[str]) -> list[str]:
    """Write store.json, or check that the one there was made in the same way and add streams that are new to it.

    Return what the user should know. Raises VadkitError that names what differs.
    """
    path = root / HEAD
    there = _read(path) if path.exists() else {}
    entries = dict(there.get("streams", {}))
    problems = _differences(path, {name: stream.recipe for name, stream in streams.items()}, entries)
    if problems:
        raise VadkitError(problems)
    for name, stream in streams.items():
        licence = {"licence": stream.licence} if stream.licence and stream.recipe.get("weights") != RANDOM else {}
        entries.setdefault(name, {"dim": stream.dim, "recipe": stream.recipe, **licence})
    made_with = versions()
    wanted = {
        **there,
        "vadkit_store": VERSION,
        "snippet_frames": snippet_frames,
        "streams": entries,
        "classes": [*classes] or there.get("classes") or ["normal"],
        "made_with": there.get("made_with", made_with),
    }
    if wanted != there:
        write_json(path, wanted)
    return _other_versions(path, wanted["made_with"], made_with)


def _read(path: Path) -> dict[str, Any]:
    there = read_json(path)
    if not isinstance(there, dict) or there.get("vadkit_store") != VERSION:
        fail(f"{path} is not of a feature store of version {VERSION}", hint="write to another folder")
    if "root" in there or "segments" in there:
        fail(f"{path} is an index of features that lie elsewhere; nothing can be added", hint="write to another folder")
    streams = there.get("streams")
    if not isinstance(streams, dict) or not all(isinstance(told, dict) for told in streams.values()):
        fail(f"{path} names no streams", hint="put back what it was, or write to another folder")
    for stream, told in streams.items():
        if "packed" in told:
            fail(f"{path}: stream '{stream}' is packed; nothing can be added", hint="write to another folder")
    return there


def _differences(
    path: Path, recipes: Mapping[str, Mapping[str, Any]], streams: Mapping[str, Mapping[str, Any]]
) -> list[Problem]:
    """Return a problem for each field of a recipe that is not as in the store."""
    problems = []
    clock = next(((s, told.get("recipe") or {}) for s, told in streams.items()), None)
    for stream, told in recipes.items():
        if stream in streams:
            there: Mapping[str, Any] = streams[stream].get("recipe") or {}
            keys: Sequence[str] = list({**told, **there})
            where = f"stream '{stream}' was made with"
        elif clock is not None:
            there, keys = clock[1], CLOCK
            where = f"stream '{stream}' is new, but '{clock[0]}' was cut with"
        else:
            continue
        for key in keys:
            if told.get(key) != there.get(key):
                problems.append(
                    Problem(
                        f"{path}: {where} {key}: {_say(there.get(key))}, now it is {_say(told.get(key))}",
                        hint="features made in different ways cannot be mixed; write to another folder with --out",
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


def _other_versions(path: Path, then: Any, now: Mapping[str, str]) -> list[str]:
    if not isinstance(then, dict):
        return []
    changed = [f"{name} {then.get(name)}, now {number}" for name, number in now.items() if then.get(name) != number]
    return [f"{path}: the store was begun with {'; '.join(changed)}: last digits may differ"] if changed else []


def write_json(path: Path, data: Any) -> None:
    """Write JSON for people, whole or not at all. Raises VadkitError."""
    write_atomically(path, json.dumps(data, indent=1).encode() + b"\n")
