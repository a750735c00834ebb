"""Backbones that are quick and see everything: colours, places, movement. A plugin for tests of features."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vadkit import Backbone, hookimpl
from vadkit.backbones import flow as flows
from vadkit.backbones.crops import Order, cut_crops, num_crops, resize_short_side, to_grey
from vadkit.backbones.frozen import Frozen
from vadkit.backbones.weights import randomise


class _Network(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, 16, 5, 2), nn.Conv2d(16, 24, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return torch.cat([x.mean((2, 3)), x.amax((2, 3)) / 4], 1)


def load(weights: str | None, channels: int, seed: int) -> nn.Module:
    with torch.device("meta"):
        network = _Network(channels)
    network = randomise(network, seed)
    generator = torch.Generator().manual_seed(seed)
    for layer in (network.first, network.second):  # so that dimensions differ in their means, as trained ones do
        layer.bias.data.normal_(0, 0.3, generator=generator)
    return network


class ProbeRgb(Backbone):
    """96 numbers of three pictures of a snippet: what is in them, and how the last differs from the first."""

    name = "probe_rgb"
    modality = "rgb"
    dim = 96

    def __init__(self, *, short_side: int = 40, crops: Order = "centre", seed: int = 0) -> None:
        self.num_crops, self.short_side, self.crops, self.seed = num_crops(crops), short_side, crops, seed
        load_it = partial(load, channels=3, seed=seed)
        self.frozen = Frozen(self.name, load_it, None, True, layout=torch.channels_last, batch=64)

    def recipe(self) -> dict[str, Any]:
        return {
            **self.frozen.recipe(),
            "seed": self.seed,
            "resize": f"short side {self.short_side}, bilinear, antialiased",
            "crops": self.crops,
            "crop": self.short_side * 3 // 4,
            "normalise": "x / 127.5 - 1",
        }

    def normalised(self, x: Tensor) -> Tensor:
        return x.float() / 127.5 - 1

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        chosen = [resize_short_side(s[[0, len(s) // 2, len(s) - 1]], self.short_side) for s in snippets]
        crops = [cut_crops(pictures, self.short_side * 3 // 4, self.crops) for pictures in chosen]
        x = self.frozen.run(picture for views in crops for _, view in views for picture in self.normalised(view))
        x = x.reshape(len(snippets), self.num_crops, 3, 48)
        found = np.concatenate([x.mean(2), np.maximum(x[:, :, 2] - x[:, :, 0], 0)], -1)
        return found[:, 0] if self.num_crops == 1 else found


class ProbeFlow(Backbone):
    """48 numbers of the DIS flow of a snippet."""

    name = "probe_flow"
    modality = "flow"
    dim = 48

    def __init__(self) -> None:
        self.optical_flow = partial(flows.optical_flow, method="dis")
        load_it = partial(load, channels=2, seed=0)
        self.frozen = Frozen(self.name, load_it, None, True, layout=torch.channels_last, batch=64)

    def recipe(self) -> dict[str, Any]:
        return {**self.frozen.recipe(), "flow": "dis", "normalise": "clamp"}

    def flow(self, grey: np.ndarray) -> np.ndarray:
        return self.optical_flow(grey)

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        rows = []
        for snippet in snippets:
            grey = to_grey(torch.from_numpy(np.ascontiguousarray(snippet)).permute(0, 3, 1, 2)).numpy()
            v = torch.from_numpy(self.flow(grey[::3])).permute(0, 3, 1, 2)
            rows.append(self.frozen.run(iter(v.clamp(-20, 20) / 5)).mean(0))
        return np.stack(rows)


@hookimpl
def vadkit_components() -> list[type]:
    return [ProbeRgb, ProbeFlow]
