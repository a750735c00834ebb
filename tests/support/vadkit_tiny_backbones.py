"""Backbones (and a head) whose features are simple, so that scores and events can be predicted.

A plugin for the tests of ``vadkit predict``, loaded through VADKIT_PLUGINS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, sigmoid

from vadkit import Backbone, Head, hookimpl


class MeanColour(Backbone):
    """Mean red, green and blue of a snippet, 0..1."""

    name = "mean_colour"
    modality = "rgb"
    dim = 3

    def recipe(self) -> dict[str, Any]:
        return {"what": "mean colour"}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.stack([s.mean((0, 1, 2)) / 255 for s in snippets]).astype(np.float32)


class Loudness(Backbone):
    """Root mean square of a snippet's sound, plus 1 so that zeros are not silence."""

    name = "loudness"
    modality = "audio"
    dim = 1

    def recipe(self) -> dict[str, Any]:
        return {"sample_rate": 8000, "window": 2000}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.array([[1 + np.sqrt(np.mean(s**2))] for s in snippets], np.float32)


class Clumsy(MeanColour):
    """Fails with an error that is not meant for users."""

    name = "clumsy"

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        raise RuntimeError("something gave way")


class OwnSigmoid(Head):
    """Score red minus green, as a probability that is 1 or 0 to the last digit nearly everywhere."""

    name = "own_sigmoid"
    range = "probability"
    inputs = {"x": "b t in_dim"}

    def __init__(self, *, in_dim: int) -> None:
        super().__init__()
        self.in_dim = in_dim

    def forward(self, x: Tensor) -> Tensor:
        return sigmoid(40 * (x[..., 0] - x[..., 1]) - 12)


@hookimpl
def vadkit_components() -> list[type]:
    return [MeanColour, Loudness, Clumsy, OwnSigmoid]
