"""One thread, and a small system on a small feature store."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch
from tiny_store import write_tiny_store

sys.path.insert(0, str(Path(__file__).parent))

# Dropout of two sorts and a loss that is a mean over bags.
GRAPH = {
    "about": "a small system for the tests of the engine",
    "inputs": {"rgb": "b t 16", "flow": "b t 12"},
    "nodes": {
        "context": {"use": "tca", "in": "rgb", "args": {"hidden": 8, "window": 3}},
        "cnn": {"use": "mlp", "in": "context", "args": {"dim": 12, "dropout": 0.3}},
        "fusion": {"use": "gated_attention", "in": ["cnn", "flow"]},
        "h": {"use": "progressive_dropout", "in": "fusion"},
        "score": {"use": "causal_conv", "in": "h"},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "data": {"sampler": {"args": {"length": 16}}, "batch": 4},
    "train": {"steps": 12, "epochs": None, "optimizer": {"lr": 0.003}},
}


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are slower on several threads, and other work shares the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Return the folder of a feature store with all three splits."""
    return write_tiny_store(tmp_path_factory.mktemp("engine") / "store", val=2)


@pytest.fixture
def graph(store):
    """Return a fresh config of a small system on that store."""
    graph = copy.deepcopy(GRAPH)
    graph["data"]["args"] = {"root": str(store)}
    return graph
