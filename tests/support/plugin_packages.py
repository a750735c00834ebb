"""Plugin packages for the tests: written by hand or installed by pip into a folder, and taken out again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from vadkit.plugin_manager import reload_plugins

COMPONENT = '''
from torch import nn
from vadkit import Temporal, hookimpl

class Block(Temporal):
    """Keep the snippets."""
    name = "{name}"
    example = {{"in_dim": 4}}

    def __init__(self, *, in_dim: int) -> None:
        super().__init__()
        self.in_dim = self.dim = in_dim
        self.scale = nn.Linear(in_dim, in_dim)

    def forward(self, x):
        return self.scale(x)

@hookimpl
def vadkit_components():
    return [Block]
'''


def write_plugin(
    folder: Path, name: str, source: str, module: str | None = None, package: str | None = None, version: str = "1.0"
) -> None:
    """Write a module and the metadata of the package that brings it, as pip would leave them."""
    module, package = module or f"vadkit_{name}", package or f"vadkit-{name}"
    (folder / f"{module}.py").write_text(textwrap.dedent(source))
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[vadkit]\n{name} = {module}\n")


@contextmanager
def plugins_in(folder: Path) -> Iterator[None]:
    """Let this process see the packages of a folder; forget them and their modules afterwards."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        reload_plugins()
        try:
            yield
        finally:
            for name in set(sys.modules) - before:
                origin = getattr(sys.modules[name], "__file__", None) or ""
                if Path(origin).parent == folder:
                    del sys.modules[name]
    reload_plugins()


def run(
    arguments: Sequence[str | Path], folder: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, and with the packages of ``folder`` importable."""
    path = [str(folder)] if folder else []
    path += filter(None, [os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
    environment.pop("VADKIT_PLUGINS", None)
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment, cwd=cwd, capture_output=True, text=True, timeout=300
    )


def install(packages: Sequence[Path], target: Path, wheels: Path) -> None:
    """Build wheels of the packages and install them into ``target``, without a network."""
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    for arguments in (
        ["wheel", *quiet, "--no-build-isolation", "--wheel-dir", wheels, *packages],
        ["install", *quiet, "--target", target, "--find-links", wheels, *(_distribution(p) for p in packages)],
    ):
        done = run(["-m", "pip", *arguments])
        assert done.returncode == 0, done.stderr


def _distribution(package: Path) -> str:
    import tomllib

    return str(tomllib.loads((package / "pyproject.toml").read_text())["project"]["name"])
