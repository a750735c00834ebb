"""Optical flow of pictures that are on a device, of many pairs at once."""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit.backbones.flow.on_device import form_on, tvl1_on_device


def device_flow(grey: Tensor) -> Tensor:
    """Return TV-L1 flow in pixels (f, 2, h, w) from each grey picture (f, h, w) to the next, on their device.

    The last has no next one: its flow is 0.
    """
    return tvl1_on_device(torch.cat([grey, grey[-1:]]))


def tvl1_form(device: str) -> str:
    """Return which form of TV-L1 runs on a device, for recipes: forms agree to a part of a pixel."""
    return form_on(device)
