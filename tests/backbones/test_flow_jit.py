"""Compiled loops are kept on disk, and whatever is wrong there costs a compilation, not the run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching, config

from vadkit.backbones.flow.jit import jit

SOURCE = """
from vadkit.backbones.flow.jit import jit

@jit
def double(x):
    return 2 * x

@jit
def quadruple(x):
    return double(double(x))
"""
RUN = SOURCE + "assert quadruple(3) == 12\n"


@pytest.fixture(autouse=True)
def no_folder_is_prescribed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "loops.py"
    path.write_text(SOURCE)
    return path


def as_a_new_process_would(source: Path) -> Any:
    """Import ``source`` again, run it, and return its outer function."""
    spec = importlib.util.spec_from_file_location("loops", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.quadruple(3) == 12
    return module.quadruple


def was_kept(function: Any) -> bool:
    return sum(function.stats.cache_hits.values()) == 1


def test_loops_are_compiled_once(source: Path) -> None:
    assert not was_kept(as_a_new_process_would(source))
    assert was_kept(as_a_new_process_would(source))
    source.write_text(SOURCE.replace("2 * x", "x + x"))
    assert not was_kept(as_a_new_process_would(source))


def test_processes_may_compile_at_once(source: Path) -> None:
    source.write_text(RUN)
    running = [subprocess.Popen([sys.executable, str(source)], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in running] == [""] * 2
    assert was_kept(as_a_new_process_would(source))


@pytest.mark.parametrize("suffix", (".nbc", ".nbi"))
@pytest.mark.parametrize("content", (b"", b"no pickle"))
def test_a_broken_file_is_made_anew(source: Path, suffix: str, content: bytes) -> None:
    as_a_new_process_would(source)
    files = list(source.parent.rglob(f"*{suffix}"))
    assert len(files) == 2
    for file in files:
        file.write_bytes(content)
    assert not was_kept(as_a_new_process_would(source))
    assert was_kept(as_a_new_process_would(source))


def test_a_full_disk_is_no_hindrance(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", full)
    assert not was_kept(as_a_new_process_would(source))
    monkeypatch.undo()
    assert not was_kept(as_a_new_process_would(source))
    assert was_kept(as_a_new_process_would(source))


def test_a_folder_that_cannot_be_written_sends_the_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "installed").mkdir()
    source = tmp_path / "installed" / "loops.py"
    source.write_text(RUN)
    (source.parent / "__pycache__").write_text("a file, so that even root cannot put a folder here")
    places = {"XDG_CACHE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "home")}
    for _ in range(2):
        subprocess.run([sys.executable, str(source)], check=True, env={**os.environ, **places})
    assert len(list((tmp_path / "home").rglob("*.nbi"))) == 2


def test_without_any_folder_loops_still_compile() -> None:
    compiled = jit(eval("lambda x: x + 1"))  # numba finds no source file next to which it could cache this
    assert compiled(1) == 2
