"""Resizing against Pillow, crops against their definition, grey against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from vadkit.backbones.crops import LONGEST, crop_places, cut_crops, num_crops, resize_short_side, resized_size, to_grey

RNG = np.random.default_rng(0)


def picture(height: int, width: int) -> np.ndarray:
    """A smooth picture with noise on it, (1, h, w, 3)."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 13)], -1) * 90 + 128
    return np.clip(waves + RNG.normal(0, 12, waves.shape), 0, 255).astype(np.uint8)[None]


@pytest.mark.parametrize("size", [(120, 160), (161, 119), (64, 64), (40, 300)])
@pytest.mark.parametrize(("resize", "filter"), [("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)])
def test_resizing_is_pillows_to_one_grey_level(size, resize, filter):
    frames = picture(*size)
    found = resize_short_side(frames, 56, resize)[0].permute(1, 2, 0).numpy()
    wanted = np.asarray(Image.fromarray(frames[0]).resize(found.shape[1::-1], filter))
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_the_short_side_is_exact_and_the_long_one_is_rounded_down():
    assert resized_size(240, 320, 256) == (256, 341)
    assert resized_size(320, 240, 256) == (341, 256)
    assert resized_size(256, 256, 256) == (256, 256)
    assert resized_size(1, 5000, 64) == (64, 64 * LONGEST)
    assert resized_size(1, 1, 8) == (8, 8)


def test_a_picture_of_the_right_size_comes_back_as_it_is():
    frames = picture(56, 80)
    assert np.array_equal(resize_short_side(frames, 56).permute(0, 2, 3, 1).numpy(), frames)


def test_the_centre_of_256_x_340_is_where_the_field_has_it():
    (crop,) = crop_places(256, 340, 224, "centre")
    assert (crop.top, crop.top + 223, crop.left, crop.left + 223) == (16, 239, 58, 281)


def test_orders():
    def corners(order):
        return [(c.top, c.left, c.mirrored) for c in crop_places(256, 340, 224, order)]

    five = [(0, 0, False), (0, 116, False), (32, 0, False), (32, 116, False), (16, 58, False)]
    ur_dmu = [five[i] for i in (0, 1, 4, 2, 3)]
    assert corners("five") == five
    assert corners("five_ur_dmu") == ur_dmu
    assert corners("ten") == five + [(top, left, True) for top, left, _ in five]
    assert corners("ten_ur_dmu") == ur_dmu + [(top, left, True) for top, left, _ in ur_dmu]


@pytest.mark.parametrize("order", ["five", "ten", "five_ur_dmu", "ten_ur_dmu"])
def test_torchvision_cuts_the_same(order):
    from torchvision.transforms.functional import five_crop, ten_crop

    x = torch.from_numpy(RNG.integers(0, 256, (2, 3, 37, 50), dtype=np.uint8))
    wanted = list(five_crop(x, [28, 28]) if num_crops(order) == 5 else ten_crop(x, [28, 28]))
    if order.endswith("ur_dmu"):
        wanted = [wanted[5 * half + i] for half in range(len(wanted) // 5) for i in (0, 1, 4, 2, 3)]
    found = [part for _, part in cut_crops(x, 28, order)]
    assert len(found) == len(wanted) == num_crops(order)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted))


def test_a_mirrored_upper_left_crop_is_the_mirrored_upper_right_one():
    x = torch.arange(40).view(5, 8)
    parts = [part for _, part in cut_crops(x, 4, "ten")]
    assert torch.equal(parts[5], parts[1].flip(-1))


def test_the_whole_picture():
    x = torch.zeros(5, 7)
    ((crop, part),) = cut_crops(x, 224, "whole")
    assert part is not None and part.shape == x.shape and not crop.mirrored


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="224 pixels does not fit into a picture of 100 x 300"):
        crop_places(100, 300, 224, "centre")
    with pytest.raises(ValueError, match="not 'seven'"):
        num_crops("seven")


def test_grey_is_opencvs():
    frames = RNG.integers(0, 256, (3, 21, 33, 3), dtype=np.uint8)
    wanted = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    found = to_grey(torch.from_numpy(frames).permute(0, 3, 1, 2)).numpy()
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= 1  # OpenCV's vector code rounds in other places
    assert (found != wanted).mean() < 0.02
