"""Crops of resized frames through a frozen network, in the order of the snippets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vadkit.backbones import FrozenPictures
from vadkit.backbones.frozen import Frozen

FRAMES = np.random.default_rng(0).integers(0, 255, (2, 3, 30, 40, 3), dtype=np.uint8)  # two snippets


class Mean(nn.Module):
    """The mean of each colour."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3, 4))


def pictures(crops: str, resize: str = "bilinear") -> FrozenPictures:
    frozen = Frozen("toy", lambda weights: Mean(), None, True)
    return FrozenPictures(frozen, 20, 16, crops, resize)  # type: ignore[arg-type]


def by_hand(subject: FrozenPictures, frames: np.ndarray) -> list[Tensor]:
    return [part.float().mean((0, 2, 3)) for _, part in subject.cut(subject.resized(frames))]


@pytest.mark.parametrize(("crops", "count"), [("centre", 1), ("five", 5), ("ten", 10)])
def test_features_are_in_the_order_of_snippets_and_crops(crops: str, count: int) -> None:
    subject = pictures(crops)

    def inputs(frames: np.ndarray) -> Iterator[Tensor]:
        for _, part in subject.cut(subject.resized(frames)):
            yield part.float().transpose(0, 1)

    x = subject.extract(list(FRAMES), inputs)
    wanted = np.stack([torch.stack(by_hand(subject, frames)).numpy() for frames in FRAMES])
    assert subject.num_crops == count
    np.testing.assert_allclose(x, wanted[:, 0] if count == 1 else wanted, rtol=1e-5)


def test_the_recipe_determines_the_crops() -> None:
    assert pictures("five", "bicubic").recipe() == {
        "resize": "short side 20, bicubic, antialiased",
        "crops": "five",
        "crop": 16,
    }
    assert tuple(pictures("five").resized(FRAMES[0]).shape) == (3, 3, 20, 26)  # rounded down
