"""Import from the command line, and open what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layouts import Opened

from vadkit.cli import main


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "features"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def run(root: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Import from the command line and return what it says as JSON."""

    def run(what: str, *options: str) -> dict[str, Any]:
        code = main(["store", "import", what, "--root", str(root), "--out", str(out), "--json", *options])
        said = capsys.readouterr()
        assert code == 0, said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    return run


@pytest.fixture
def refused(root: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Import, expect that it is refused, and return the message."""

    def refused(what: str, *options: str) -> str:
        code = main(["store", "import", what, "--root", str(root), "--out", str(out), *options])
        said = capsys.readouterr()
        assert code == 2 and not said.out, said
        assert "Traceback" not in said.err
        return said.err

    return refused


@pytest.fixture
def opened(out: Path) -> Callable[[], Opened]:
    return lambda: Opened(out)
