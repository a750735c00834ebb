"""What is built holds what the checkout holds: the sdist, a wheel from it, a wheel from here, an editable install."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from plugin_packages import run

ROOT = Path(__file__).parent.parent
KINDS = sorted(folder for folder in (ROOT / "plugins").iterdir() if folder.is_dir() and list(folder.glob("*.py")))
PARTS = ("vadkit", "plugins", "registry_configs", "pyproject.toml", "README.md", "LICENSE", ".gitignore")


def files_in(folder: Path) -> set[str]:
    """Return the files below a folder, without compiled ones."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".nbi", ".nbc"))
    return {path.relative_to(folder).as_posix() for path in paths}


def installed(names: Iterable[str]) -> set[str]:
    """Return where files of the checkout are once they are installed."""
    moved = set()
    for name in names:
        first, _, rest = name.partition("/")
        if first == "plugins":
            moved.add(rest.split("/", 1)[1])
        elif first in ("vadkit", "registry_configs"):
            moved.add(name if first == "vadkit" else f"vadkit/{name}")
    return moved


EXPECTED = installed(f"{part}/{name}" for part in PARTS[:3] for name in files_in(ROOT / part))


def build(source: Path, hook: str, out: Path) -> Path:
    """Run a hook of the build backend in ``source`` and return the file that it builds, without a network."""
    out.mkdir(exist_ok=True)
    code = f"import hatchling.build, sys; hatchling.build.{hook}(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, out], cwd=source, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


def held_by(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built from, so that no test writes here."""
    copy = tmp_path_factory.mktemp("packaging") / "checkout"
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, copy / part)
    return copy


@pytest.fixture(scope="module")
def unpacked(checkout: Path) -> Path:
    """The sdist, unpacked."""
    sdist = build(checkout, "build_sdist", checkout.parent / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(checkout.parent, filter="data")
    return checkout.parent / sdist.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked: Path) -> Path:
    """The wheel that is built from the sdist, as a release is."""
    return build(unpacked, "build_wheel", unpacked.parent / "wheel")


def test_what_is_expected_is_not_nothing() -> None:
    assert {"vadkit_tca.py", "vadkit/py.typed", "vadkit/registry_configs/data/pel4vad/xd_violence.npy"} <= EXPECTED
    assert any(name.startswith("vadkit/templates/") and name.endswith(".txt") for name in EXPECTED)
    assert "vadkit/datasets/intervals/xd_violence.tsv" in EXPECTED
    assert [folder.name for folder in KINDS] == [
        "backbones",
        "corruptions",
        "datasets",
        "evaluation",
        "fusion",
        "heads",
        "labellers",
        "loggers",
        "losses",
        "optimizers",
        "samplers",
        "schedules",
        "selectors",
        "sinks",
        "sources",
        "temporal",
    ]


def test_the_sdist_holds_the_checkout(unpacked: Path) -> None:
    assert installed(files_in(unpacked)) == EXPECTED
    assert {"pyproject.toml", "README.md", "LICENSE"} <= files_in(unpacked)


def test_the_wheel_from_the_sdist_holds_the_checkout(wheel: Path) -> None:
    assert held_by(wheel) == EXPECTED


def test_the_wheel_from_the_checkout_holds_the_same(checkout: Path) -> None:
    assert held_by(build(checkout, "build_wheel", checkout.parent / "direct")) == EXPECTED


def test_an_editable_install_sees_the_same(checkout: Path) -> None:
    editable = build(checkout, "build_editable", checkout.parent / "editable")
    with zipfile.ZipFile(editable) as archive:
        (path_file,) = [name for name in archive.namelist() if name.endswith(".pth")]
        folders = [Path(line) for line in archive.read(path_file).decode().splitlines()]
    assert folders[0] == checkout  # vadkit itself; its configs are next to it
    seen = {name for folder in folders[1:] for name in files_in(folder)}
    assert seen == {name for name in EXPECTED if not name.startswith("vadkit/")}


LOOK = """
import json, vadkit
from vadkit.graph.load import load_config
from vadkit.plugin_manager import load_plugins
plugins = load_plugins()
found = {
    "vadkit": vadkit.__file__,
    "modules": sorted(plugin.module for plugin in plugins.plugins if plugin.package == "vadkit"),
    "broken": [plugin.name for plugin in plugins.broken],
    "config": load_config("seed_xd_rgb", folders=plugins.config_folders).files,
}
print(json.dumps(found))
"""


def test_the_wheel_from_the_sdist_works(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "here").mkdir()
    done = run(["-c", LOOK], tmp_path / "site", cwd=tmp_path / "here")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["vadkit"] == str(tmp_path / "site" / "vadkit" / "__init__.py")
    assert found["modules"] == sorted(path.stem for folder in KINDS for path in folder.glob("*.py"))
    assert found["broken"] == []
    assert found["config"][0].startswith(str(tmp_path / "site" / "vadkit" / "registry_configs"))
