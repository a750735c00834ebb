"""A graph of three streams that takes ``presence``, for the tiny store."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def robust_config(store: Path, **args: Any) -> dict[str, Any]:
    """Return a graph on rgb, flow and audio of a tiny store; ``args`` are those of its modality dropout."""
    return {
        "inputs": {"rgb": "b t 16", "flow": "b t 12", "audio": "b t 4"},
        "nodes": {
            "kept": {"use": "modality_dropout", "in": "presence", "args": args},
            "sound": {"use": "gap_token", "in": {"x": "audio", "presence": "kept"}, "args": {"stream": "audio"}},
            "fused": {
                "use": "present_sum",
                "in": {"x": ["rgb", "flow", "sound"], "presence": "kept"},
                "args": {"of": ["rgb", "flow", "audio"], "dim": 8},
            },
            "score": {"use": "causal_conv", "in": "fused", "args": {"kernel": 1}},
        },
        "losses": {"mil": {"use": "topk_mil", "in": "score"}},
        "output": "score",
        "data": {"args": {"root": str(store)}, "batch": 4, "sampler": {"use": "uniform_pad", "args": {"length": 16}}},
        "train": {"steps": 6, "epochs": None, "optimizer": {"lr": 0.05}},
    }


def plain_config(store: Path) -> dict[str, Any]:
    """Return the same streams in a graph that needs all of them."""
    config = robust_config(store)
    config["nodes"] = {
        "fused": {"use": "concat", "in": ["rgb", "flow", "audio"]},
        "score": {"use": "causal_conv", "in": "fused", "args": {"kernel": 1}},
    }
    return config
