"""A view resizes, cuts and puts the features of crops back together by snippet."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vadkit.backbones import Frozen, View

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def extract(view: View, snippets: list[np.ndarray]) -> np.ndarray:
    frozen = Frozen("mean", lambda _: Mean(), None, True, layout=torch.contiguous_format)
    return view.rows(frozen, (part[0].float() for x in view.pictures(snippets) for _, part in view.cut(x))).numpy()


@pytest.mark.parametrize(("crops", "shape"), [("centre", (2, 3)), ("five", (2, 5, 3)), ("whole", (2, 3))])
def test_crops_are_an_axis_only_if_there_are_several(crops: str, shape: tuple[int, ...]) -> None:
    assert extract(View(16, 14, crops), [FRAMES, FRAMES[::-1]]).shape == shape  # type: ignore[arg-type]


def test_features_are_of_their_own_snippet_and_crop() -> None:
    view = View(20, 16, "five")
    x = extract(view, [FRAMES, FRAMES[::-1]])
    for snippet, frames in enumerate((FRAMES, FRAMES[::-1])):
        for number, (top, left) in enumerate([(0, 0), (0, 14), (4, 0), (4, 14), (2, 7)]):
            expected = frames[0, top : top + 16, left : left + 16].mean((0, 1))
            np.testing.assert_allclose(x[snippet, number], expected, rtol=1e-6)


def test_everything_that_changes_the_crops_is_in_the_recipe() -> None:
    views = [View(256, 224), View(128, 224), View(256, 112), View(256, 224, "ten"), View(256, 224, resize="bicubic")]
    views.append(View(256, 224, size=(256, 340)))
    assert len({str(view.recipe()) for view in views}) == len(views)


def test_a_size_is_taken_whatever_the_aspect() -> None:
    view = View(16, 14, size=(16, 40))
    assert view.resized(FRAMES).shape == (2, 3, 16, 40) and view.resized(FRAMES[:, :, :9]).shape == (2, 3, 16, 40)


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'six'"):
        View(256, 224, "six")  # type: ignore[arg-type]


@pytest.mark.parametrize("toolbox", ["vadkit", "vadkit.layers", "vadkit.backbones", "vadkit.store", "vadkit.evaluate"])
def test_every_name_of_a_toolbox_can_be_imported(toolbox: str) -> None:
    module = importlib.import_module(toolbox)
    assert [name for name in getattr(module, "__all__", ()) if getattr(module, name, None) is None] == []
