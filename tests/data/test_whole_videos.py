"""Whole videos for scoring: cut, filled and repeated to the first stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_store import DIMS, LONGER_RGB, write_tiny_store
from vadkit_feature_store import FeatureStore
from vadkit_uniform_pad import UniformPad

from vadkit.data.whole_videos import cut_to_shortest, iterate
from vadkit.problems import VadkitError
from vadkit.store.array_file import as_float32


def test_streams_are_filled_to_the_first_one(dataset: FeatureStore, store: Path) -> None:
    video, streams = next(iterate(dataset, "test", list(DIMS), DIMS))
    assert video.name == LONGER_RGB
    assert {name: tuple(x.shape) for name, x in streams.items()} == {n: (1, 10, d) for n, d in DIMS.items()}
    assert not streams["flow"][0, 9].any()
    np.testing.assert_array_equal(streams["flow"][0, :9].numpy(), np.load(store / "flow" / f"{LONGER_RGB}.npy"))


def test_streams_are_cut_to_the_first_one(dataset: FeatureStore, store: Path) -> None:
    _, streams = next(iterate(dataset, "test", ["flow", "rgb"]))
    assert streams["rgb"].shape == (1, 9, 16)
    np.testing.assert_array_equal(streams["rgb"][0].numpy(), np.load(store / "rgb" / f"{LONGER_RGB}.npy")[:9])


def test_streams_are_cut_to_the_shortest(dataset: FeatureStore, store: Path) -> None:
    _, streams = next(iterate(dataset, "test", ["rgb", "flow"], align="shortest"))
    assert streams["rgb"].shape == (1, 9, 16) and streams["flow"].shape == (1, 9, 12)


@pytest.mark.parametrize(("length", "real"), [(200, 200), (300, 239)])
def test_a_row_is_the_same_snippet_in_streams_cut_to_the_shortest(length: int, real: int) -> None:
    cut = cut_to_shortest({"rgb": np.arange(240.0)[:, None], "flow": np.arange(239.0)[:, None]})
    taken, counted = UniformPad(length=length).sample(cut, np.random.default_rng(0))
    assert np.array_equal(taken["rgb"], taken["flow"]) and counted == real
    assert not taken["rgb"][239:].any()


def test_one_crop_stands_for_all(tmp_path: Path) -> None:
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, crops={"rgb": 5})))
    for _, streams in iterate(dataset, "test", ["clip", "rgb"]):
        assert streams["clip"].shape[0] == streams["rgb"].shape[0] == 5
        assert torch.equal(streams["clip"][0], streams["clip"][4])


def test_half_precision_becomes_float32(dataset: FeatureStore, store: Path) -> None:
    path = store / "rgb" / f"{LONGER_RGB}.npy"
    np.save(path, np.load(path).astype(np.float16))
    assert next(iterate(dataset, "test", ["rgb"]))[1]["rgb"].dtype == torch.float32


@pytest.mark.parametrize("value", [65504.0, 6e-8, -1.5, 0.333])
def test_half_precision_is_converted_exactly(value: float) -> None:
    x = np.full((3, 70), value, np.float16)
    x.setflags(write=False)
    assert np.array_equal(as_float32(x), x.astype(np.float32)) and as_float32(x).dtype == np.float32
    y = x.astype(np.float32)
    assert as_float32(y) is y and as_float32(x.astype(np.float64)).dtype == np.float32


def test_crops_of_different_lengths(dataset: FeatureStore, store: Path, edit: Callable[..., None]) -> None:
    """Published features have a file per crop."""
    x = np.ones((10, 16), np.float32)
    for crop, t in enumerate((10, 10, 9)):
        np.save(store / f"crop{crop}.npy", x[:t])

    def per_crop(videos: list[Any]) -> None:
        next(v for v in videos if v["name"] == LONGER_RGB)["files"] = {"rgb": [f"crop{k}.npy" for k in range(3)]}

    edit(per_crop)
    with pytest.raises(VadkitError, match=r"crop 2 has shape \(9, 16\), but crop 0 has \(10, 16\)"):
        next(iterate(FeatureStore(root=str(store)), "test", ["rgb"]))
    np.save(store / "crop2.npy", x * 3)
    streams = next(iterate(FeatureStore(root=str(store)), "test", ["rgb"]))[1]
    assert streams["rgb"].shape == (3, 10, 16) and streams["rgb"].amax((1, 2)).tolist() == [1, 1, 3]


def test_all_videos_in_order(dataset: FeatureStore) -> None:
    assert [v.name for v, _ in iterate(dataset, "test", ["rgb"])] == [v.name for v in dataset.videos("test")]


def test_an_empty_split(dataset: FeatureStore) -> None:
    with pytest.raises(VadkitError, match="the data set has no video in split 'val'"):
        next(iterate(dataset, "val", ["rgb"]))


def test_a_width_that_the_graph_does_not_take(dataset: FeatureStore) -> None:
    with pytest.raises(VadkitError, match="input 'rgb' of the graph is 2560 wide, but its features are 16 wide"):
        next(iterate(dataset, "test", ["rgb"], {"rgb": 2560}))


def test_infinity(dataset: FeatureStore, store: Path) -> None:
    path = store / "rgb" / f"{LONGER_RGB}.npy"
    features = np.load(path)
    features[7, 0] = np.inf
    np.save(path, features)
    with pytest.raises(VadkitError, match=f"stream 'rgb' of video '{LONGER_RGB}': infinity in snippet row 7"):
        next(iterate(dataset, "test", ["rgb"]))
