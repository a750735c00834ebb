"""The toy plugin next to the real ones, and a small graph of toys."""

import copy
from pathlib import Path

import pytest

import vadkit.plugin_manager as plugin_manager

TOYS = Path(__file__).parent.parent / "support" / "toys"

GRAPH = {
    "about": "a small graph of toys",
    "inputs": {"rgb": "b t 8", "clip": "b t 4"},
    "nodes": {
        "context": {"use": "toy_linear", "in": "rgb", "args": {"dim": 6}},
        "gate": {"use": "toy_gate", "in": "clip"},
        "fused": {"use": "toy_concat", "in": ["context", "gate"]},
        "score": {"use": "toy_head", "in": "fused"},
    },
    "losses": {"mil": {"use": "toy_loss", "in": "score", "weight": 2}},
    "output": "score",
}


@pytest.fixture
def toys(monkeypatch):
    """Make the toy components known for one test."""
    monkeypatch.syspath_prepend(str(TOYS))
    monkeypatch.setenv("VADKIT_PLUGINS", "vadkit_toy")
    plugin_manager.reload_plugins()
    yield
    plugin_manager.reload_plugins()


@pytest.fixture
def graph(toys):
    """Return a fresh copy of the toy graph."""
    return copy.deepcopy(GRAPH)
