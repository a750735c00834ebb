"""The files of a run: where they are, and tables from the result file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from vadkit.bench.machine import machine
from vadkit.bench.speed.page import as_page
from vadkit.bench.speed.result import Run, read
from vadkit.bench.speed.table import as_markdown
from vadkit.files import make_folder, write_text_atomic
from vadkit.problems import VadkitError
from vadkit.results_folder import writing


def result_path(out: Path, device: torch.device) -> Path:
    """Return the result file: ``out`` itself if it is a .json, else a file in it that is named by the device."""
    if out.suffix == ".json":
        return out
    name = "cpu" if device.type == "cpu" else machine(device)["device"]
    return out / f"speed-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.json"


def files_of(path: Path) -> list[Path]:
    return [path, path.with_suffix(".md"), path.with_suffix(".html")]


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Refuse files that something else wrote, and record ours."""
    make_folder(path.parent)
    with writing(*files_of(path), ours=lambda file: _is_ours(path, file)):
        yield


def _is_ours(path: Path, file: Path) -> bool:
    """Whether a file that no record knows is a run, or the table or page of one."""
    try:
        read(path)
    except (VadkitError, OSError):
        return False
    return file in files_of(path)


def write_tables(run: Run, path: Path) -> list[Path]:
    """Write the Markdown and the page next to the result file; return all three paths."""
    _, markdown, page = files_of(path)
    write_text_atomic(markdown, as_markdown(run))
    write_text_atomic(page, as_page(run))
    return files_of(path)
