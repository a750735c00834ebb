"""One thread, and a small system on a small feature store."""

from __future__ import annotations

import copy

import pytest
import torch
from engine_stub import GRAPH
from tiny_store import write_tiny_store


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
