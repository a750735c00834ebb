"""Hold one array file up to what the manifest says of it.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vadkit.files import sha256, unreadable
from vadkit.problems import VadkitError
from vadkit.store.array_file import check_finite, open_features
from vadkit.store.check.findings import Finding, from_problems
from vadkit.store.manifest import Array

AGAIN = "'vadkit extract' with the words that made the store makes it again once the file is removed"


def check_array(root: Path, file: str, dim: int | None, told: Array | None) -> tuple[list[Finding], int]:
    """Return what is wrong with an array file, and how long it is in bytes.

    Args:
        root: the store.
        file: below it.
        dim: width by store.json, if known.
        told: what the manifest says of it, if there is one.
    """
    path = root / file
    try:
        size = path.stat().st_size
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        cause = "is missing" if missing else f"cannot be read: {unreadable(error)}"
        return [Finding(file, cause, AGAIN if missing else None)], 0
    if told is not None and size != told.bytes:
        how = "cut off" if size < told.bytes else "longer than it was"
        return [Finding(file, f"is {how}: {size} bytes, {told.bytes} by the manifest", AGAIN)], size
    findings = _content(root, file, dim, told)
    if told is not None and not findings:
        found = sha256(path)
        if found != told.sha256:
            cause = f"was changed: its SHA-256 is {found[:16]}..., {told.sha256[:16]}... by the manifest"
            findings.append(Finding(file, cause, AGAIN))
    return findings, size


def _content(root: Path, file: str, dim: int | None, told: Array | None) -> list[Finding]:
    """Return what is wrong with its header and its numbers."""
    try:
        features = open_features(root / file, dim, "store.json")
        check_finite(features, str(root / file), AGAIN)
    except VadkitError as error:
        return from_problems(root, file, error.problems)
    findings = []
    if told is not None and features.shape != (1, *told.shape)[-3:]:
        shape = features.shape[3 - len(told.shape) :]
        findings.append(Finding(file, f"has shape {[*shape]}, {told.shape} by the manifest", AGAIN))
    if told is not None and features.dtype != np.float32:
        findings.append(Finding(file, f"holds {features.dtype}; a store has float32", AGAIN))
    return findings
