"""Model files whose scores can be computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import vadkit
from vadkit.graph.model_file import save

CUT = {"snippet_frames": 4, "stride": 4, "fps": None, "tail": "repeat"}  # 0.5 s at 8 frames a second
RECIPES = {
    "rgb": {"backbone": "mean_colour", **CUT, "decoder": "pyav", "crops": 1, "what": "mean colour"},
    "audio": {"backbone": "loudness", **CUT, "decoder": "pyav", "crops": 1, "sample_rate": 8000, "window": 2000},
}
RGB = {
    "about": "red is an alarm",
    "inputs": {"rgb": {"use": "mean_colour"}},
    "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": []}}},
    "output": "score",
    "eval": {"threshold": 0.5},
}
RGB_AUDIO = {
    **RGB,
    "about": "red and loud are an alarm",
    "inputs": {"rgb": {"use": "mean_colour"}, "audio": {"use": "loudness"}},
    "nodes": {
        "joined": {"use": "concat", "in": ["rgb", "audio"]},
        "score": {"use": "mlp_head", "in": "joined", "args": {"hidden": []}},
    },
}


def write_model(path: Path, audio: bool = False, extra: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a model that scores sigmoid(8 (red - green) - 3), with ``audio`` plus 8 (loudness - 1.3).

    Grey gives 0.05 and red 0.98.
    """
    model = vadkit.build({**(RGB_AUDIO if audio else RGB), **changes})
    layer = model.score.layers[0]
    weights = [8.0, -8.0, 0.0, *([8.0] if audio else [])]
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights]))
        layer.bias.fill_(-3.0 - (10.4 if audio else 0.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model, path, {"recipes": RECIPES} if extra is None else extra)
    return path
