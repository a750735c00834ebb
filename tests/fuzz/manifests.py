"""Damaged manifests: what a store says of each video that was extracted into it."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clips import make_clip

import vadkit

from . import mutations
from .harness import command


class Manifests:
    name = "manifests"

    def prepare(self, folder: Path) -> None:
        for store, names in (("a", ("one", "two")), ("b", ("three",))):
            clips = [make_clip(folder / "videos" / store / f"{name}.mp4", seconds=2.0) for name in names]
            vadkit.extract(clips, out=folder / store, streams={"audio": "logmel_stats"}, progress=False)

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        store, other = folder / "a", folder / "b"
        path = store / "manifest.jsonl"
        kind = rng.randrange(20)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 6:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        else:
            lines = path.read_bytes().splitlines()
            i = rng.randrange(len(lines))
            changed = mutations.as_json(mutations.structure(json.loads(lines[i]), rng, canary), rng)
            lines[i] = changed.replace(b"\n", b" ")
            path.write_bytes(b"\n".join(lines) + b"\n")
        usual = [
            command("store", "info", store),
            command("store", "check", store),
            command("store", "check", store, "--videos"),
            command("store", "merge", store, other, "--out", folder / "merged"),
            command("store", "merge", other, store, "--out", folder / "merged", "--link"),
            command("store", "diff", store, other),
            command("store", "pack", store),
        ]
        chosen = rng.sample(usual, 3)
        if rng.random() < 0.01:  # starts a process
            chosen.append(_extract(folder, store))
        return chosen


def _extract(folder: Path, store: Path) -> Callable[[], Any]:
    def again() -> int:
        shutil.rmtree(folder / "merged", ignore_errors=True)
        return command("extract", folder / "videos" / "a", "--stream", "audio=logmel_stats", "--out", store)()

    return again
