"""Every graph of every system, small: it trains, evaluates, is saved and loaded, exported, and takes any length.

Every graph trains, on made-up features or on those of a ``--store``. Lengths and export are tested with the largest
graph of each system; ``--all-graphs`` tests each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import adapt
import pytest
import torch
from torch import Tensor

import vadkit
from vadkit.plugin_manager import own_configs

LONG = 300
SHORT = 4  # snippets of an exported program: a branch on a shorter video would be fixed by the example
BATCHES: list[tuple[list[int], int]] = [([0], 1), ([1], 2), ([1, 1], 1), ([0, 1], 1)]
GRAPHS = sorted(path.stem for path in (own_configs() / "graphs").rglob("*.yaml"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "graph" in metafunc.fixturenames:
        metafunc.parametrize("graph", GRAPHS)
    if "structure" in metafunc.fixturenames:
        every = metafunc.config.getoption("--all-graphs")
        metafunc.parametrize("structure", GRAPHS if every else adapt.largest())


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_graph_trains_evaluates_and_is_saved(graph: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    config = adapt.for_training(graph, tmp_path, pytestconfig.getoption("--store"))
    run = vadkit.train(config, out=tmp_path / "run", device="cpu")
    assert run.steps >= 2
    assert all(value is None or value == value for value in run.figures.values())
    found = vadkit.evaluate(run.model_path, device="cpu")
    assert set(found.scores) == adapt.test_videos(config)
    t = max(len(scores) for scores in found.scores.values())
    given = adapt.batch(run.model, [0, 1], t)
    with torch.no_grad():
        loaded, trained = (m(**adapt.streams(m, given)) for m in (vadkit.load(run.model_path), run.model.eval()))
    assert torch.equal(loaded, trained)
    assert trained.isfinite().all()


def scored(model: Any, given: dict[str, Tensor], rows: slice = slice(None), crops: int = 1) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.eval()(**adapt.streams(model, given, rows), crops=crops)
    assert found.isfinite().all()
    return found


@pytest.mark.parametrize("t", [1, 2, 5, LONG])
def test_a_score_does_not_depend_on_its_neighbours(structure: str, t: int) -> None:
    model = adapt.model(structure)
    given = adapt.batch(model, [0, 1], t, crops=2 if t < LONG else 1)
    crops = given["crops"]
    together = scored(model, given, crops=crops)
    assert together.shape == (2 * crops, t)
    for rows in (slice(0, crops), slice(crops, None)):
        assert torch.allclose(scored(model, given, rows, crops), together[rows], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("t", [1, 2, 5, LONG])
def test_any_batch_can_be_trained_on(structure: str, t: int) -> None:
    """One bag, one class, several crops: the losses and their gradients are finite."""
    model = adapt.model(structure).train()
    for labels, crops in BATCHES if t < LONG else BATCHES[-1:]:
        model.zero_grad()
        total = model.loss(adapt.batch(model, labels, t, crops))["total"]
        assert total.isfinite(), f"the loss of {labels} is {float(total)}"
        if total.requires_grad:
            total.backward()
        slopes = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
        wrong = [name for name, slope in slopes.items() if not slope.isfinite().all()]
        assert not wrong, f"gradients of {labels}: {wrong}"


def test_the_scores_are_exported_for_any_number_of_bags_and_snippets(structure: str) -> None:
    model = adapt.model(structure).eval()
    example, other = adapt.batch(model, [0, 1], 24), adapt.batch(model, [0, 1, 1], 48)
    bags, snippets = torch.export.Dim("bags", min=1, max=64), torch.export.Dim("snippets", min=SHORT, max=4096)
    arguments = tuple(adapt.streams(model, example).values())
    shapes = tuple({0: bags, 1: snippets} for _ in arguments)
    program = torch.export.export(model.inference, arguments, dynamic_shapes=(*shapes,), strict=False).module()
    with torch.no_grad():
        found = program(*adapt.streams(model, other).values())
    assert torch.allclose(found, scored(model, other), atol=1e-5, rtol=1e-4)
