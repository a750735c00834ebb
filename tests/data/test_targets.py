"""Files of targets: what is refused, and how they reach a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tiny_store import write_tiny_store

from vadkit.components import build_component, find_component
from vadkit.data.batches import TrainBatches
from vadkit.data.from_config import open_dataset
from vadkit.data.targets import read_targets, write_targets
from vadkit.problems import VadkitError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = write_tiny_store(tmp_path_factory.mktemp("targets") / "store")
    return open_dataset({"args": {"root": str(root)}})


def rows_of(dataset):
    """Return targets that tell the number of each snippet, and weights that tell the length."""
    lengths = {video.name: dataset.read(video, "rgb").shape[1] for video in dataset.videos("train")}
    return {n: np.stack([np.arange(t) / 100, np.full(t, 1 + t)], 1).astype(np.float32) for n, t in lengths.items()}


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda x: x[:, :1], "not \\(snippets, 2\\)"),
        (lambda x: x[:0], "not \\(snippets, 2\\)"),
        (lambda x: x.astype(np.int64), "int64, not floats"),
        (lambda x: x * np.float32(np.nan), "hold NaN"),
        (lambda x: x * np.float64(1e300), "beyond the largest float32"),
        (lambda x: x + np.float32([2, 0]), "go from 2 to .*; targets are from 0 to 1"),
        (lambda x: x - np.float32([0, 99]), "weights are 0 or more"),
    ],
)
def test_wrong_targets_are_refused(dataset, tmp_path, damage, says):
    rows = rows_of(dataset)
    name = next(iter(rows))
    save_file({**rows, name: np.ascontiguousarray(damage(rows[name]))}, tmp_path / "t.safetensors")
    with pytest.raises(VadkitError, match=says) as error:
        read_targets(tmp_path / "t.safetensors")
    assert f"'{name}'" in str(error.value)


def test_what_is_no_file_of_targets_is_refused(tmp_path):
    (tmp_path / "text.safetensors").write_text("not one")
    with pytest.raises(VadkitError, match="not a sound .safetensors file"):
        read_targets(tmp_path / "text.safetensors")
    with pytest.raises(VadkitError, match="there is no file of targets"):
        read_targets(tmp_path / "absent.safetensors")
    with pytest.raises(VadkitError, match="cannot be read"):
        read_targets(tmp_path)


def test_a_flipped_bit_is_noticed(dataset, tmp_path):
    path = tmp_path / "t.safetensors"
    write_targets(path, rows_of(dataset), {"use": "by_hand"})
    assert read_targets(path).made_by == {"use": "by_hand"}
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(VadkitError, match="damaged"):
        read_targets(path)


def test_the_same_targets_give_the_same_bytes(dataset, tmp_path):
    rows = rows_of(dataset)
    for name, order in (("a", list(rows)), ("b", list(reversed(rows)))):
        write_targets(tmp_path / name, {key: rows[key] for key in order}, {"use": "by_hand", "args": {}})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_targets_belong_to_the_videos(dataset, tmp_path):
    rows = rows_of(dataset)
    names = list(rows)
    rows[names[0]] = rows[names[0]][:3]
    del rows[names[1]]
    write_targets(tmp_path / "t", rows, {})
    with pytest.raises(VadkitError) as error:
        read_targets(tmp_path / "t").check(dataset, dataset.videos("train"), ["rgb"])
    assert f"for 3 snippets of video '{names[0]}', which has 9" in str(error.value)
    assert f"has no targets for the training video '{names[1]}'" in str(error.value)


@pytest.mark.parametrize(
    ("use", "args"),
    [
        ("uniform_pad", {"length": 20, "fill": "ramp"}),
        ("segment_mean", {"segments": 8}),
        ("consecutive_parts", {"parts": 4, "run": 3}),
    ],
)
def test_the_sampler_brings_them_to_length_with_the_features(dataset, tmp_path, use, args):
    """A stream that holds the targets themselves comes out equal; what fills its padding does not reach them."""
    rows = rows_of(dataset)
    write_targets(tmp_path / "t", rows, {})
    targets = read_targets(tmp_path / "t")
    if use == "segment_mean":
        args = {"length": 8}
    sampler = build_component(find_component(use, "sampler"), args, "data.sampler")

    class Twice:
        """The data set with the targets in place of the stream."""

        snippet_frames, classes, warnings = dataset.snippet_frames, dataset.classes, []
        videos, class_index = dataset.videos, dataset.class_index

        def read(self, video, stream):
            return rows[video.name][None]

    with TrainBatches(Twice(), sampler, ["rgb"], 8, 0, targets=targets.of, workers=0) as batches:
        for step in range(3):
            batch = batches.batch(step)
            mask = batch["mask"]
            assert batch["targets"].shape == batch["target_weight"].shape == mask.shape
            for port, column in (("targets", 0), ("target_weight", 1)):
                assert torch.equal(batch[port][mask], batch["rgb"][..., column][mask])
                assert (batch[port][~mask] == 0).all()
    if use == "uniform_pad":
        assert (batch["rgb"][~mask] != 0).any()
