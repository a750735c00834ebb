"""Checkpoints that a kill, a full disk or a flipped byte cannot spoil.

``FOLDER/step-00000120/`` holds ``tensors.safetensors``, ``state.json`` and ``SHA256SUMS``. It is written
under a hidden name, flushed to the disk and renamed, so a folder with the plain name was once whole; the
sums show whether it still is. The last two are kept: if the newest is damaged, the previous one is used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load, save

from vadkit import json_file
from vadkit.engine.run_record import Step
from vadkit.engine.tensor_tree import pack, unpack
from vadkit.files import read_bytes, read_text
from vadkit.problems import VadkitError, fail

FORMAT = 1
KEEP = 2


class StateJson(msgspec.Struct):
    """state.json. ``state`` is a tree of ``vadkit.engine.tensor_tree``; its own type is checked once it is unpacked."""

    vadkit_checkpoint: int
    step: Step
    state: dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """One whole checkpoint: where it is, after how many steps it was written, and what it contains."""

    folder: Path
    step: int
    state: dict[str, Any]


class Damaged(Exception):
    """A checkpoint that cannot be used; the text says why."""


def name(step: int) -> str:
    return f"step-{step:08d}"


def found(folder: Path) -> list[Path]:
    """Return the checkpoints in ``folder``, newest first, whole or not."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.glob("step-*") if p.name[5:].isdigit()), reverse=True)


def write(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Save ``state`` (a tree of plain data and tensors) and drop all but the newest two.

    Raises VadkitError when the disk refuses; the earlier checkpoints are then untouched.
    """
    partial, final = folder / f".{name(step)}.partial", folder / name(step)
    try:
        _remove(partial)
        partial.mkdir(parents=True)
        _fill(partial, step, state)
        _replace(partial, final)
        for old in found(folder)[KEEP:]:
            _remove(old)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        _refused(folder, step, error)
    return final


def _fill(folder: Path, step: int, state: dict[str, Any]) -> None:
    plain, tensors = pack(state)
    files = {
        "tensors.safetensors": save(tensors),
        "state.json": json_file.as_line(StateJson(FORMAT, step, plain))[:-1],
    }
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {file}\n" for file, data in files.items())
    for file, data in {**files, "SHA256SUMS": sums.encode()}.items():
        with open(folder / file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())


def _replace(partial: Path, final: Path) -> None:
    _remove(final)
    os.replace(partial, final)
    if os.name != "posix":
        return  # folders cannot be flushed there
    handle = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(handle)  # the new name is on the disk before an older checkpoint goes
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    """Delete a checkpoint in one move, so that a kill in between leaves no half of it under its name."""
    if folder.exists():
        hidden = folder.with_name(f".{folder.name.strip('.')}.old")
        shutil.rmtree(hidden, ignore_errors=True)
        os.replace(folder, hidden)
        shutil.rmtree(hidden)


def _refused(folder: Path, step: int, error: OSError) -> None:
    left = found(folder)
    kept = f"the checkpoint of step {int(left[0].name[5:])} is intact" if left else "there is no earlier one"
    fail(
        f"the checkpoint of step {step} could not be written to {folder}: {error.strerror or error}",
        hint=f"{kept}; make room or allow writing there, then continue with --resume",
    )


def read(folder: Path, types: Sequence[Any] = ()) -> Checkpoint:
    """Return one checkpoint whose state fits ``types``. Raises Damaged if a file is missing, torn, changed or wrong."""
    where = str(folder / "state.json")
    try:
        data = _whole(folder)
        head = _head(data["state.json"], where)
        state = unpack(head.state, load(data["tensors.safetensors"]))
        for type in types:
            json_file.typed(state, type, where)
    except VadkitError as error:
        raise Damaged(error.problems[0].message) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise Damaged(f"{folder} cannot be read: {error}") from error
    return Checkpoint(folder, head.step, state)


def _whole(folder: Path) -> dict[str, bytes]:
    """Return the content of the files. Raises Damaged if it is not as the sums say."""
    lines = read_text(folder / "SHA256SUMS").splitlines()
    sums = {file: digest for digest, _, file in (line.partition("  ") for line in lines)}
    data = {file: read_bytes(folder / file) for file in ("tensors.safetensors", "state.json")}
    for file, content in data.items():
        if hashlib.sha256(content).hexdigest() != sums.get(file):
            raise Damaged(f"{folder / file} is damaged: its SHA-256 differs from the one in SHA256SUMS")
    return data


def _head(content: bytes, where: str) -> StateJson:
    plain = json_file.from_bytes(content, dict[str, Any], where)
    if (found := plain.get("vadkit_checkpoint", FORMAT)) != FORMAT:
        raise Damaged(f"{where} has format {json_file.shown(found)}, this version reads {FORMAT}")
    return json_file.typed(plain, StateJson, where)


def latest(
    folder: Path,
    skipped: Callable[[str], None] = lambda text: None,
    types: Sequence[Any] = (),
    check: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> Checkpoint | None:
    """Return the newest whole checkpoint, or None if none exists.

    ``skipped`` is called with a message about each damaged one: its state does not fit ``types``, or ``check`` raises
    Damaged. Raises VadkitError if all are damaged.
    """
    reasons = []
    for candidate in found(folder):
        try:
            checkpoint = read(candidate, types)
            check(checkpoint)
            return checkpoint
        except Damaged as reason:
            reasons.append(str(reason))
            skipped(f"skipped a checkpoint: {reason}")
    if reasons:
        fail(f"no checkpoint in {folder} is whole: {reasons[0]}", hint="start again with --overwrite")
    return None
