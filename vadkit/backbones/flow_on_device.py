"""Optical flow of pictures that are on a device, of many pairs at once."""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit.backbones.flow.settings import TvL1Settings
from vadkit.backbones.flow.tvl1_torch import PIXELS, tvl1_pairs


def device_flow(grey: Tensor) -> Tensor:
    """Return TV-L1 flow in pixels (f, 2, h, w) from each grey picture (f, h, w) to the next, on their device.

    The last has no next one: its flow is 0.
    """
    still = torch.cat([grey, grey[-1:]])
    batch, settings = max(1, PIXELS // grey[0].numel()), TvL1Settings()
    return torch.cat([tvl1_pairs(still[i : i + batch + 1], settings) for i in range(0, len(grey), batch)])
