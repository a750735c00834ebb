"""A small recipe of the sample package's components, for the tests of rounds."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
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


# Forks once for each place to be killed at: torch is imported once, and no thread runs yet.
KILLED = """
import json, os, signal, sys
import torch
from vadkit.engine.progress import Progress
from vadkit.rounds import train_recipe
torch.set_num_threads(1)

class Kill(Progress):
    def __init__(self, where):
        self.where, self.name = where, ""

    def round(self, name, number, count):
        self.name = name
        self.at("between")

    def labelling(self, done, videos):
        if done == videos // 2:
            self.at("labelling")

    def step(self, step):
        if step == 2:
            self.at("step")

    def at(self, what):
        if [self.name, what] == self.where:
            os.kill(os.getpid(), signal.SIGKILL)

for recipe, sets, out, where in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        seconds = 0 if where[1] == "step" else 60
        train_recipe(recipe, sets, out, resume=True, device="cpu", progress=Kill(where), checkpoint_seconds=seconds)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, where
"""


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


def begun(whole: Path, out: Path, place: list[str]) -> Path:
    """Copy the rounds of finished runs that come before a place into a folder, and return that."""
    names = list(yaml.safe_load((whole / "recipe.yaml").read_text())["rounds"])
    for name in names[: names.index(place[0])]:
        shutil.copytree(whole / name, out / name)
    return out


def kill(runs: list[tuple[Path | str, Sequence[str], Path, list[str]]]) -> None:
    """Train recipes (recipe, changes, folder, place) in other processes, each killed with -9 at its place.

    A place is a round and "step", "between" (before it begins) or "labelling". What is in a folder is continued.
    """
    plain = [[str(recipe), list(sets), str(out), where] for recipe, sets, out, where in runs]
    done = subprocess.run([sys.executable, "-c", KILLED, json.dumps(plain)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
