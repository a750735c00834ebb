"""The folder of a run: who may use it, and what of its config may change when it is resumed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vadkit import json_file
from vadkit.engine import checkpoints
from vadkit.engine.run_log import read_log
from vadkit.files import locked, make_folder, open_lock, why
from vadkit.graph.flat import flat, under
from vadkit.graph.model_file import read_header
from vadkit.graph.schema import with_defaults
from vadkit.problems import Note, VadkitError, fail
from vadkit.results_folder import MOVE, claim, is_recorded, set_aside

CONFIG, LOG, MODEL, RESULT = "config.yaml", "log.jsonl", "model.safetensors", "result.json"
UNFINISHED = "unfinished.safetensors"
FILES = (CONFIG, LOG, MODEL, UNFINISHED, RESULT)
CHECKPOINTS, LOGS = "checkpoints", "logs"
FOLDERS = {CHECKPOINTS: r"\.?step-\d+(\.partial|\.old)?", LOGS: r"\w+"}  # and their contents; a logger has a folder
HEADING = "# The resolved config of a run, written by vadkit train.\n"
# A run may be resumed with these changed: they decide how long it runs and what is reported, not what a
# step computes. Whether the data are the same is checked by their content, not by their path.
FREE = (
    "about",
    "train.epochs",
    "train.steps",
    "train.patience",
    "train.log",
    "train.log_every",
    "train.checkpoint_every",
    "train.capture",
    "data.workers",
    "data.args.root",
    "data.prompts",
    "data.targets",
    "train.warm_start.file",
)
LENGTH = ("train.epochs", "train.steps", "train.patience")


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make ``out`` and hold it against a second process. Raises VadkitError where that cannot be.

    A folder that is new goes again if nothing has been written to it but the lock.
    """
    is_new = not os.path.lexists(out)  # unlike Path.exists, also for a name that is too long
    make_folder(out)
    try:
        handle = open_lock(out / ".lock")
    except OSError as error:
        fail(f"cannot write {out / '.lock'}: {why(error)}", hint="choose another --out")
    with os.fdopen(handle, "rb"):
        if locked(handle) is False:  # the lock is gone with its process, even by kill -9
            fail(f"another process is training into {out}")
        try:
            yield
        finally:
            if is_new and out.is_dir() and os.listdir(out) == [".lock"]:
                shutil.rmtree(out, ignore_errors=True)


def held(out: Path) -> list[str]:
    """Return which files and folders of a run exist in ``out``."""
    return [name for name in (*FILES, *FOLDERS) if os.path.lexists(out / name)]


def prepare(
    out: Path, resume: bool, overwrite: bool, inputs: Sequence[Path | str], report: Callable[[str], None]
) -> None:
    """Refuse a folder that holds a run, unless it is to be resumed or replaced, or files that vadkit did not write.

    A config of the folder that is one of the ``inputs`` is never written to, so it may be there. A run that can be
    resumed is not stopped by its other files: those that are not as they were written get another name.
    """
    names = [name for name in held(out) if name != CONFIG or own_config(out, inputs) is None]
    if resume and checkpoints.found(out / CHECKPOINTS):
        for name in FILES:
            if name in names and not _may_be_rewritten(out / name):
                set_aside(out / name, report)
        if os.path.lexists(out / LOGS) and not (out / LOGS).is_dir():
            set_aside(out / LOGS, report)
        return
    claim([out / name for name in FILES if name in names], inputs, ours=_is_of_a_run)
    _refuse_unlisted([out / name for name in FOLDERS if name in names])
    if names and not resume and not overwrite:
        fail(
            f"{out} already holds a run ({', '.join(names)})",
            hint="--resume continues it, --overwrite replaces it, or choose another --out",
        )


def own_config(out: Path, inputs: Iterable[Path | str]) -> Path | None:
    """Return the config.yaml of ``out`` if it is one of the ``inputs``."""
    path = out / CONFIG
    return path if any(os.path.exists(file) and path.exists() and path.samefile(file) for file in inputs) else None


def _may_be_rewritten(path: Path) -> bool:
    """Return whether a resumed run may replace a file. A log or result of the run may be damaged."""
    if path.name in (LOG, RESULT) and is_recorded(path):
        return True
    try:
        claim([path], ours=_is_of_a_run)
    except VadkitError:
        return False
    return True


def _is_of_a_run(path: Path) -> bool:
    """Return whether a file that is not in the folder's record, such as that of a copied run, is of a run."""
    try:
        if path.name in (MODEL, UNFINISHED):
            return bool(read_header(path))
        if path.name == LOG:
            return bool(read_log(path))
        if path.name == RESULT:
            plain = json_file.load(path)
            return isinstance(plain, dict) and plain.keys() >= {"chosen_step", "selected_by", "protocol"}
        with path.open("rb") as file:
            return file.read(len(HEADING)) == HEADING.encode()
    except (VadkitError, OSError):
        return False


def _refuse_unlisted(folders: Iterable[Path]) -> None:
    """Refuse folders that hold what no run writes: ``--overwrite`` would delete it."""
    for folder in folders:
        inside = os.listdir(folder) if folder.is_dir() else [""]
        for name in sorted(inside):
            if not re.fullmatch(FOLDERS[folder.name], name):
                fail(f"{folder / name} exists and was not written by vadkit", hint=MOVE)


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any], select: str, finished: bool = False) -> None:
    """Raise VadkitError if the config of the run to resume differs in a way that matters.

    Evaluation matters only where it selects the weights, and the length of a run only once it is ``finished`` and
    others build on it. A key that a newer vadkit has added had its default then.
    """
    free: tuple[str, ...] = FREE if select != "last" else (*FREE, "eval", "train.evaluate_every")
    if finished:
        free = tuple(key for key in free if key not in LENGTH)
    old, new = flat(_without_paths(with_defaults(before))), flat(_without_paths(now))
    differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    swapped = [key.removesuffix("use") + "args" for key in differing if key.endswith(".use")]
    changed = sorted(key for key in differing if not under(key, (*free, *swapped)))
    if changed:
        notes = [Note(f"{key}: {_say(old, key)} then, {_say(new, key)} now") for key in changed[:10]]
        fail(
            f"the config differs from the run's in {', '.join(changed[:3])}"
            + (f" and {len(changed) - 3} more" if len(changed) > 3 else ""),
            hint="resume with the config the run began with (config.yaml in its folder), or use --overwrite",
            notes=notes,
        )


def _without_paths(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config whose list of warm starts names no file: each may be moved, as the only one may."""
    warm = spec["train"]["warm_start"]
    if not isinstance(warm, list):
        return dict(spec)
    return {**spec, "train": {**spec["train"], "warm_start": [{**entry, "file": None} for entry in warm]}}


def _say(flat: Mapping[str, Any], key: str) -> str:
    return str(flat[key]) if key in flat else "nothing"
