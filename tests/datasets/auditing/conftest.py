"""A sound store, written once; a copy of it for each fault."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from whole_store import Spoiled, write_whole

from vadkit.cli import main

Finding = dict[str, Any]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "features"
    write_whole(root)
    return root


@pytest.fixture
def spoiled(sound: Path, tmp_path: Path) -> Spoiled:
    shutil.copytree(sound, tmp_path / "copy", copy_function=os.link)  # Spoiled never writes into a file of others
    return Spoiled(tmp_path / "copy")


@pytest.fixture
def audit(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[Finding]]:
    """Audit from the command line; return the faults. The exit code must say whether there are any."""

    def audit(store: Path, *options: str) -> list[Finding]:
        capsys.readouterr()
        code = main(["store", "check", str(store), "--json", *options])
        output = capsys.readouterr()
        found = json.loads(output.out)
        assert code == (1 if found["faults"] else 0), output
        faults = [finding for finding in found["findings"] if finding["fault"]]
        assert len(faults) == found["faults"] and all(finding["todo"] for finding in faults)
        return faults

    return audit
