"""Damaged files that a training begins with: targets, rows of a source, and the weights of another model."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tiny_store import write_tiny_store
from torch import nn

import vadkit
from vadkit import Source
from vadkit.data.from_config import open_dataset
from vadkit.data.targets import read_targets, write_targets
from vadkit.engine.warm_start import start_from
from vadkit.video import VideoDataset

from . import mutations
from .arrays import array_bytes
from .harness import command

GRAPH: dict[str, Any] = {
    "inputs": {"rgb": "b t 16"},
    "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": [4]}}},
    "losses": {
        "mil": {"use": "topk_mil", "in": "score"},
        "known": {"use": "distillation", "in": {"scores": "score", "teacher": "targets"}},
    },
    "output": "score",
    "train": {"steps": 1, "epochs": None},
}
TYPES = (np.float32, np.float64, np.float16, np.int64, np.uint8, np.bool_)


class Beginnings:
    name = "beginnings"

    def prepare(self, folder: Path) -> None:
        store = write_tiny_store(folder / "store", train=1, test=1, dims={"rgb": 16})
        data = {"args": {"root": str(store)}, "batch": 1, "workers": 0, "sampler": {"args": {"length": 8}}}
        graph = {**GRAPH, "data": {**data, "targets": "targets.safetensors"}}
        (folder / "graph.json").write_text(json.dumps(graph))
        vadkit.build({**GRAPH, "data": data}, out=folder / "model.safetensors")
        np.save(folder / "rows.npy", np.ones((5, 16), np.float32))
        write_targets(folder / "targets.safetensors", _rows(_dataset(store)), {"passes": 1})

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        path = folder / rng.choice(("targets.safetensors", "targets.safetensors", "rows.npy", "model.safetensors"))
        kind = rng.randrange(20)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif path.suffix == ".npy":
            path.write_bytes(array_bytes(rng))
        elif kind < 8 or path.name == "model.safetensors":
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        else:
            _other_targets(path, rng)
        if path.name != "targets.safetensors":
            return [_started(folder, path, rng)]
        graph = json.loads((folder / "graph.json").read_text())
        graph["data"] |= {"targets": str(path), "args": {"root": str(folder / "store")}}
        (folder / "graph.yaml").write_text(json.dumps(graph))
        train = command("train", folder / "graph.yaml", "--out", folder / "run")
        return [_checked(folder / "store", path), *([train] if rng.random() < 0.1 else [])]


def _dataset(store: Path) -> VideoDataset:
    return open_dataset({"use": "feature_store", "args": {"root": str(store)}, "streams": {"rgb": "rgb"}})


def _rows(dataset: VideoDataset) -> dict[str, np.ndarray]:
    return {v.name: np.full((dataset.read(v, "rgb").shape[1], 2), 0.5) for v in dataset.videos("train")}


def _other_targets(path: Path, rng: random.Random) -> None:
    """Write sound tensors that are no sound targets."""
    rows: dict[str, Any] = dict(load_file(path))
    for _ in range(rng.choice((1, 2, 3))):
        name, kind = rng.choice(list(rows)), rng.randrange(6)
        if kind == 0:
            rows[rng.choice(("other", "", "a\nb", "\x1b[31m", "x" * 300))] = rows[name]
        elif kind == 1:
            rows[name] = np.zeros([rng.choice((0, 1, 2, 9)) for _ in range(rng.randrange(4))], np.float32)
        elif kind == 2:
            rows[name] = rows[name].astype(rng.choice(TYPES))
        else:
            value = rng.choice([n for n in mutations.NUMBERS if isinstance(n, float) or abs(n) < 2**63])
            rows[name] = np.full(rows[name].shape, value, rng.choice((np.float32, np.float64)))
    meta = {"vadkit_targets": rng.choice(mutations.TEXTS[:8]), "sha256": "0"}
    save_file(rows, path, rng.choice((None, None, None, meta)))


def _checked(store: Path, path: Path) -> Callable[[], Any]:
    def check() -> None:
        dataset = _dataset(store)
        found = read_targets(path)
        assert all(np.isfinite(rows).all() for rows in found.rows.values())
        found.check(dataset, dataset.videos("train"), ["rgb"])

    return check


class _Bank(Source):
    """Rows that a file may fill."""

    name = "bank"
    outputs = {"x": "rows dim"}

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 16))


def _started(folder: Path, path: Path, rng: random.Random) -> Callable[[], Any]:
    nodes = rng.choice((["bank"], ["bank", "score"], ["score"], ["scores"], [], None))

    def start() -> None:
        start_from(_model(), str(path), nodes)

    return start


@cache
def _model() -> nn.Module:
    model = vadkit.build(GRAPH)
    model.add_module("bank", _Bank())
    return model
