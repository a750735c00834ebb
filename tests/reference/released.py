"""The files that authors released, for cases that run with them; they are found by their SHA-256."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from cases import Case

from vadkit.files import sha256

HERE = Path(__file__).parent
# Besides the folder given by --checkpoints. None of these files is part of the repository.
FOLDERS = [HERE.parents[2] / "shared" / "checkpoints"]


class NoSuchFile(Exception):
    """A released file is in none of the folders."""


def state(case: Case) -> dict[str, np.ndarray]:
    """Return the weights in the case's released files under their official names, prefixes included."""
    result = {}
    for entry in case.checkpoint:
        path = find(entry["sha256"])
        if path is None:
            raise NoSuchFile(f"{entry['file']} of {entry['repo']} is not here: give its folder with --checkpoints")
        for name, value in torch.load(path, map_location="cpu", weights_only=True).items():
            result[entry["prefix"] + name.removeprefix("module.")] = value.numpy()
    return result


def find(digest: str) -> Path | None:
    return next((found[digest] for found in map(digests, FOLDERS) if digest in found), None)


@cache
def digests(folder: Path) -> dict[str, Path]:
    """Return the files at any depth below a folder by their SHA-256."""
    return {sha256(path): path for path in sorted(folder.rglob("*")) if path.is_file()}
