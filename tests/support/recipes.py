"""A small recipe of the sample package's components, for the tests of rounds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from vadkit import plugin_manager

SAMPLE = Path(__file__).parent / "sample_plugin"
GRAPH = {
    "about": "a small system that takes targets",
    "inputs": {"rgb": "b t 16"},
    "nodes": {
        "context": {"use": "sample_average", "in": "rgb"},
        "hidden": {"use": "dense", "in": "context.x", "args": {"dim": 12, "dropout": 0.3}},
        "score": {"use": "sample_score", "in": "hidden"},
    },
    "losses": {"pull": {"use": "sample_pull", "in": {"scores": "score", "energy": "context.energy"}}},
    "output": "score",
    "data": {"sampler": {"args": {"length": 16}}, "batch": 4},
    "train": {"steps": 6, "epochs": None, "optimizer": {"lr": 0.003}},
}
RECIPE = {
    "about": "three rounds",
    "rounds": {
        "first": {"train": "small"},
        "second": {
            "train": "small",
            "targets": {"from": "first", "use": "sample_labels", "passes": 3},
        },
        "third": {
            "train": "small",
            "start": "second",
            "targets": {"from": "second", "use": "scaled_labels", "args": {"momentum": 0.5}},
        },
    },
}


@contextmanager
def sample_package() -> Iterator[None]:
    """Let this process, and those that it starts, see the sample package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SAMPLE))
        patch.setenv("VADKIT_PLUGINS", "vadkit_sample")
        patch.setenv("PYTHONPATH", str(SAMPLE))
        plugin_manager.reload_plugins()
        yield
    plugin_manager.reload_plugins()


def write_recipe(folder: Path, store: Path) -> Path:
    """Write the recipe and its graph; return the file of the recipe."""
    graph = copy.deepcopy(GRAPH)
    graph["data"]["args"] = {"root": str(store)}
    (folder / "small.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    (folder / "rounds.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))
    return folder / "rounds.yaml"


def changed(path: Path, **rounds: dict | None) -> Path:
    """Write a recipe again with other values: ``third={"start": None}``; None for a round removes it."""
    data = yaml.safe_load(path.read_text())
    for name, values in rounds.items():
        if values is None:
            del data["rounds"][name]
        else:
            data["rounds"][name] = {**data["rounds"].get(name, {}), **values}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path
