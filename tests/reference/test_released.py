"""Released weights by the way of users: ``vadkit weights import``, then ``vadkit.load``."""

from __future__ import annotations

from pathlib import Path

import pytest
import released
import systems
import torch
from cases import Case, list_cases, load_case
from compare import compare
from systems.graphs import Graph
from systems.table import System

import vadkit
from vadkit.cli import main

CASES = Path(__file__).parent / "cases"
RELEASED = [path for path in list_cases(CASES) if '"released-checkpoint"' in path.read_text()]


def system_of(case: Case) -> System:
    found = getattr(systems.RUNNERS[case.system], "__self__", None)
    assert isinstance(found, System), "a system with released weights is run by a table"
    return found


def evaluated() -> list[Path]:
    return [path for path in RELEASED if load_case(path).config["mode"] == "eval"]


@pytest.mark.parametrize("path", evaluated(), ids=lambda path: path.stem)
def test_a_released_checkpoint_gives_its_scores(path: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    case = load_case(path)
    files = [(entry["prefix"], released.find(entry["sha256"])) for entry in case.checkpoint]
    if any(file is None for _, file in files):
        pytest.skip("the released files are not here: give their folder with --checkpoints")
    system = system_of(case)
    graph = system.graph if isinstance(system.graph, str) else system.graph(case)
    words = [f"{prefix}={file}" if prefix else str(file) for prefix, file in files]
    assert main(["weights", "import", graph, *words, "-o", str(tmp_path / "m.safetensors")]) == 0
    model = vadkit.load(tmp_path / "m.safetensors")
    results = system.scores(Graph(case, model, {}), case.inputs).results
    wrong = [str(difference) for difference in compare(case, results) if not difference.equal]
    assert not wrong, "\n".join(wrong)


def test_released_checkpoints_of_several_systems_are_tried() -> None:
    assert len({load_case(path).system for path in evaluated()}) >= 2
