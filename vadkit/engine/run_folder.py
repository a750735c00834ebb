"""The folder of a run: who may use it, and what of its config may change when it is resumed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vadkit.files import make_folder, why
from vadkit.graph.schema import with_defaults
from vadkit.problems import Note, fail

FILES = ("config.yaml", "log.jsonl", "model.safetensors", "unfinished.safetensors", "result.json")
FOLDERS = ("checkpoints", "logs")
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
    "data.workers",
    "data.args.root",
    "data.prompts",
    "train.warm_start.file",
)


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make ``out`` and hold it against a second process. Raises VadkitError where that cannot be.

    A folder that is new goes again if nothing has been written to it but the lock.
    """
    is_new = not out.exists()
    make_folder(out)
    try:
        stream = (out / ".lock").open("w")
    except OSError as error:
        fail(f"cannot write {out / '.lock'}: {why(error)}", hint="choose another --out")
    with stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gone with the process, even by kill -9
        except BlockingIOError:
            fail(f"another process is training into {out}")
        except (ImportError, OSError):
            pass  # a system, or a file system, without locks
        try:
            yield
        finally:
            if is_new and out.is_dir() and os.listdir(out) == [".lock"]:
                shutil.rmtree(out, ignore_errors=True)


def prepare(out: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that holds a run, unless it is to be resumed or replaced."""
    held = [name for name in (*FILES, *FOLDERS) if (out / name).exists()]
    if not held or resume:
        return
    if not overwrite:
        fail(
            f"{out} already holds a run ({', '.join(held)})",
            hint="--resume continues it, --overwrite deletes it, or choose another --out",
        )
    try:
        for name in held:
            shutil.rmtree(out / name) if name in FOLDERS else (out / name).unlink()
    except OSError as error:
        fail(f"cannot delete the old run in {out}: {error.strerror}")


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any], select: str) -> None:
    """Raise VadkitError if the config of the run to resume differs in a way that matters.

    Evaluation matters only where it selects the weights. A key that a newer vadkit has added had its
    default then.
    """
    free = FREE if select != "last" else (*FREE, "eval", "train.evaluate_every")
    old, new = _flat(with_defaults(before)), _flat(now)
    differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    swapped = [key.removesuffix("use") + "args" for key in differing if key.endswith(".use")]
    changed = sorted(key for key in differing if not _under(key, (*free, *swapped)))
    if changed:
        notes = [Note(f"{key}: {_say(old, key)} then, {_say(new, key)} now") for key in changed[:10]]
        fail(
            f"the config differs from the run's in {', '.join(changed[:3])}"
            + (f" and {len(changed) - 3} more" if len(changed) > 3 else ""),
            hint="resume with the config the run began with (config.yaml in its folder), or use --overwrite",
            notes=notes,
        )


def _under(key: str, roots: Iterable[str]) -> bool:
    return any(key == root or key.startswith(f"{root}.") for root in roots)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    return {k: v for key, item in value.items() for k, v in _flat(item, f"{path}.{key}" if path else str(key)).items()}


def _say(flat: Mapping[str, Any], key: str) -> str:
    return str(flat[key]) if key in flat else "nothing"
