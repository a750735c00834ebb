"""Finished runs on the tiny store: a graph of two nodes, trained for a few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_store import write_tiny_store

from vadkit.engine.train import train


def tiny_config(store: Path) -> dict[str, Any]:
    """Return a graph on the rgb stream of a tiny store, trained within a second."""
    return {
        "inputs": {"rgb": "b t 16"},
        "nodes": {
            "context": {"use": "identity", "in": "rgb"},
            "score": {"use": "causal_conv", "in": "context", "args": {"kernel": 1}},
        },
        "losses": {"mil": {"use": "topk_mil", "in": "score"}},
        "output": "score",
        "data": {"args": {"root": str(store)}, "batch": 4, "sampler": {"use": "uniform_pad", "args": {"length": 16}}},
        "train": {"steps": 4, "epochs": None, "optimizer": {"lr": 0.05}},
    }


def tiny_run(out: Path, store: Path, *sets: str, seed: int = 0) -> Path:
    """Train on the tiny store in ``store``, which is written if it is absent, and return the folder of the run."""
    if not store.exists():
        write_tiny_store(store)
    train(tiny_config(store), [*sets, f"train.seed={seed}"], out=out, device="cpu")
    return out
