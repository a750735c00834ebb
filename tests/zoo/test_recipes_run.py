"""Recipes, their graphs small, by ``vadkit train``: each round trains, and the last model evaluates as it did.

On made-up features or on those of a ``--store``. Of recipes that differ in numbers alone the first is trained, with
``--all-graphs`` each.
"""

from __future__ import annotations

import json
from pathlib import Path

import adapt
import pytest
import torch

import vadkit
from vadkit.cli import main
from vadkit.data.targets import read_targets
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.rounds import read_recipe

RECIPES = sorted(path.stem for path in (own_configs() / "recipes").glob("*.yaml"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        every = metafunc.config.getoption("--all-graphs")
        metafunc.parametrize("name", RECIPES if every else adapt.different(RECIPES, adapt.turns))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_recipe_trains_evaluates_and_is_saved(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    recipe, out = adapt.recipe(name, tmp_path, pytestconfig.getoption("--store")), tmp_path / "out"
    assert main(["train", str(recipe), "--out", str(out), "--device", "cpu"]) == 0
    rounds = read_recipe(recipe, (), load_plugins()).rounds
    assert {each.name.rpartition("_")[0] or each.name for each in rounds} == set(adapt.published(name)["rounds"])
    for each in rounds:
        result = json.loads((out / each.name / "result.json").read_text())
        assert result["steps"] >= 2
        if each.labels is not None:
            rows = read_targets(out / each.name / "targets.safetensors").rows
            assert rows and any(x[:, 1].any() for x in rows.values())
    found = vadkit.evaluate(out / rounds[-1].name / "model.safetensors", device="cpu")
    assert found.figures == result["figures"]
    assert all(value is None or value == value for value in found.figures.values())
