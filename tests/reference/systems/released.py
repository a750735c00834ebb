"""Released checkpoints, found by their digest in the folder of the cases or in ``checkpoints`` next to it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from cases import Case

FOLDERS: list[Path] = []  # conftest.py fills it


class NoCheckpoint(LookupError):
    """The released weights of a case are not here. They are not part of the repository."""


def with_state(case: Case) -> Case:
    """Return the case with the weights of its released files as its state. Raises NoCheckpoint."""
    if not case.checkpoint:
        return case
    state = {entry["prefix"] + name: x for entry in case.checkpoint for name, x in _read(_find(entry)).items()}
    return dataclasses.replace(case, state=state)


def _find(entry: Mapping[str, Any]) -> Path:
    for folder in FOLDERS:
        if entry["sha256"] in _digests(folder):
            return _digests(folder)[entry["sha256"]]
    raise NoCheckpoint(f"{entry['repo']} {entry['file']} is not here: pass its folder with --checkpoints")


@cache
def _digests(folder: Path) -> dict[str, Path]:
    suffixes = (".pkl", ".pth", ".pt")
    files = [path for path in folder.rglob("*") if path.suffix in suffixes]
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(files)}


def _read(path: Path) -> dict[str, Any]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name.removeprefix("module."): x.numpy() for name, x in state.items()}
