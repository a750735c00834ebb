"""The run that ``--overwrite`` replaces: it is kept in RUN/.old-run until its successor has a checkpoint or a model.

A kill at any time leaves either run whole. The files are collected in RUN/.moving-old-run, which then becomes
RUN/.old-run, so that the first name means that the new run has written nothing yet.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vadkit.engine import checkpoints, distributed
from vadkit.engine.run_folder import CHECKPOINTS, CONFIG, MODEL, RESULT, held
from vadkit.problems import fail
from vadkit.results_folder import record

OLD, MOVING = ".old-run", ".moving-old-run"
Report = Callable[[str], None]


@contextmanager
def replaced(out: Path, keep: Path | None, report: Report, begun: bool = False) -> Iterator[None]:
    """Move the run in ``out`` aside, but for the file ``keep``; put it back if the block leaves none in its place.

    With ``begun`` it is the new run that is in ``out`` already.
    """
    if not begun:
        distributed.first(lambda: _set_aside(out, keep))
    try:
        yield
    finally:
        if distributed.rank() == 0:
            settle(out, report)


def mark(out: Path) -> None:
    """Note that the run in ``out`` is one that has replaced another."""
    (out / OLD).mkdir(exist_ok=True)


def has_begun(out: Path) -> bool:
    """Return whether the run that replaces the one set aside has a checkpoint or a model."""
    return (out / OLD).is_dir() and ((out / MODEL).is_file() or bool(checkpoints.found(out / CHECKPOINTS)))


def settle(out: Path, report: Report) -> None:
    """End an overwrite that has ended or was killed: delete the old run, or put it back. Raises VadkitError."""
    if has_begun(out):
        shutil.rmtree(out / OLD, ignore_errors=True)
        return
    try:
        if (out / OLD).is_dir():
            _clear(out)
            os.replace(out / OLD, out / MOVING)
        if (out / MOVING).is_dir():
            _put_back(out, report)
    except OSError as error:
        fail(f"the earlier run cannot be put back into {out}: {error.strerror}", f"it is in {out / OLD}, or {MOVING}")


def _set_aside(out: Path, keep: Path | None) -> None:
    try:
        (out / MOVING).mkdir()
        for name in held(out):
            if keep is None or keep.name != name:
                os.replace(out / name, out / MOVING / name)
        os.replace(out / MOVING, out / OLD)
    except OSError as error:
        fail(f"cannot move the old run in {out} aside: {error.strerror}")


def _clear(out: Path) -> None:
    """Delete what the new run has written, if there is an old one to take its place."""
    old = os.listdir(out / OLD)
    for name in held(out) if old else ():
        if name in old or name != CONFIG:  # a config that was not moved is the new run's input
            _delete(out / name)


def _put_back(out: Path, report: Report) -> None:
    names = sorted(os.listdir(out / MOVING), key=lambda name: name == CONFIG)  # it last, so that a kill loses no record
    for name in names:
        os.replace(out / MOVING / name, out / name)
    (out / MOVING).rmdir()
    if names:
        record([out / name for name in (MODEL, RESULT) if (out / name).exists()])
        record([out / CONFIG] if CONFIG in names else ())
        report(f"{out} holds its earlier run again: the one that was to replace it ended before its first checkpoint")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
