"""Loading, extraction and start-up, which scripts of a checkout measure next to the usual way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from vadkit.problems import fail

FOLDER = Path(__file__).parents[3] / "benchmarks"
SCRIPTS = {"loading": "loader.py", "extraction": "extraction.py", "startup": "startup.py"}


def run_scripts(names: Iterable[str], device: str, folder: Path = FOLDER) -> None:
    """Run each script; it writes its own result file to benchmarks/results. Raises VadkitError."""
    for name in names:
        script = folder / SCRIPTS[name]
        if device not in ("auto", "cpu"):
            fail(f"'{name}' is measured on the CPU only", "leave out --device, or choose --device cpu")
        if not script.is_file():
            fail(f"'{name}' is measured by {script}, which is not there", "run it in a checkout of vadkit")
        arguments = ["--data", str(folder / "loader-data"), "--fraction", "0.01"] if name == "loading" else []
        done = subprocess.run([sys.executable, str(script), *arguments], check=False)
        if done.returncode:
            fail(f"{script} failed (exit code {done.returncode})", "its own message is above")
