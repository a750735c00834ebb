"""The real networks, with random weights where theirs are not at hand: on few rows, for they are slow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planted import pictures, planted

from vadkit.diff import hypotheses, trial
from vadkit.diff.replay import Replay
from vadkit.extract.one_pass import extract_video, recipe
from vadkit.extract.snippets import Clock
from vadkit.kinds import Backbone

Build = Callable[..., Backbone]
MEAN, DEVIATION = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
SMALL = {"random_weights": True, "short_side": 64}


def imagenet(true: Any, images: torch.Tensor) -> torch.Tensor:
    """Feed EfficientNet what ImageNet's mean and deviation make of uint8 images, by way of its own [-1, 1]."""
    grey = (images.float() - MEAN.view(3, 1, 1)) / DEVIATION.view(3, 1, 1)
    return true((grey + 1) * 127.5)


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "efficientnet_lite0, ImageNet": ("efficientnet_lite0", {"short_side": 64}, {"_maps": imagenet}, "normalise"),
    "efficientnet_lite0, BGR": (
        "efficientnet_lite0",
        {"short_side": 64},
        pictures(lambda x: x[..., ::-1]),
        "colour",
    ),
    "i3d_rgb, BGR": ("i3d_rgb", SMALL, pictures(lambda x: x[..., ::-1]), "colour"),
    "i3d_flow, sign": (
        "i3d_flow",
        {**SMALL, "flow": "dis"},
        {"_flows": lambda flows, x: (-flow for flow in flows(x))},
        "flow_sign",
    ),
    "clip_vit, mirrored": (
        "clip_vit",
        {"random_weights": True, "model": "b32"},
        pictures(lambda x: x[:, :, ::-1]),
        "mirrored",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_done_is_named(
    case: str, backbone: Build, videos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, args, methods, field = CASES[case]
    monkeypatch.setattr(trial, "ROWS", 2)
    monkeypatch.setattr(trial, "hypotheses", lambda *given: few(*given, field))
    both = {"a": backbone(name, **args), "b": planted(backbone(name, **args), {"planted": True}, **methods)}
    rows = [np.atleast_3d(x.T).T for x in extract_video(videos["fair"], both, limit=4).streams.values()]
    found = trial.try_all("fair", videos["fair"], *rows, recipe(name, both["a"], Clock()))
    assert found.again < 1e-5 < found.again_b
    assert found.outcomes[0].exact and found.outcomes[0].field == field, found.outcomes
    assert np.isfinite([outcome.explained for outcome in found.outcomes if outcome.explained is not None]).all()


def few(replay: Replay, args: dict[str, Any], field: str) -> list[hypotheses.Hypothesis]:
    """Return what is to be found, and two others."""
    listed = list(hypotheses.hypotheses(replay, args))
    return [h for h in listed if h.field == field] + [h for h in listed if h.field != field][:2]
