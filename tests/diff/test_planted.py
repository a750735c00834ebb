"""Differences that were really planted: each is distinguished from the others, and none is called equal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import pictures, planted

from vadkit.diff.cause import Cause
from vadkit.diff.compare import compare
from vadkit.kinds import Backbone

Make = Callable[..., Path]
Build = Callable[..., Backbone]


@pytest.fixture(scope="module")
def base(make: Make, backbone: Build) -> Path:
    return make(rgb=backbone("probe_rgb", crops="five"), audio=backbone("logmel_stats"))


def causes(a: Path, b: Path, stream: str = "rgb") -> dict[str, Cause]:
    """Return the causes by name; the two must not be called equal."""
    comparison, _, _ = compare(a, b, [stream])
    assert not comparison.is_equal and comparison.streams[0].causes
    return {cause.name: cause for cause in comparison.streams[0].causes}


def rewritten(store: Path, out: Path, change: Callable[[np.ndarray], np.ndarray], stream: str = "rgb") -> Path:
    """Return a folder of a stream's arrays, changed: features without a recipe."""
    (out / stream).mkdir(parents=True)
    for path in (store / stream).glob("*.npy"):
        np.save(out / stream / path.name, change(np.load(path)))
    return out


# -- what features alone prove, without a recipe -----------------------------------------------------
PROVEN: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str, str]] = {
    "float16": (lambda x: x.astype(np.float16), "rounded", "float16"),
    "float16 and back": (lambda x: x.astype(np.float16).astype(np.float32), "rounded", "float16"),
    "bfloat16": (lambda x: torch.from_numpy(x).bfloat16().float().numpy(), "rounded", "bfloat16"),
    "decimals": (lambda x: np.round(x.astype(np.float64), 4).astype(np.float32), "rounded", "4 decimals"),
    "float64": (lambda x: x.astype(np.float64), "stored", "float64"),
    "scaled": (lambda x: x * np.float32(0.1), "scaled", "times 0.1"),
    "scaled and shifted": (lambda x: x * 3 - 1, "scaled", "plus -1"),
    "divided by length": (lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True), "unit", "L2"),
    "standardised": (lambda x: (x - np.arange(96) / 96) / (1 + np.arange(96) % 7), "scaled_each", "by itself"),
    "first snippet missing": (lambda x: x[:, 1:], "shift", "row 0 is A's row 1"),
    "first snippet twice": (lambda x: np.concatenate([x[:, :1], x], 1), "shift", "row 1 is A's row 0"),
    "every second snippet": (lambda x: x[:, ::2], "stride", "2 times"),
    "every snippet, from A's every second": (lambda x: np.repeat(x, 2, 1), "stride", "A has every 2nd row"),
    "backwards": (lambda x: x[:, ::-1], "backwards", "end"),
    "last snippet missing": (lambda x: x[:, :-1], "tail", "fewer"),
    "one snippet more": (lambda x: np.concatenate([x, x[:, -1:]], 1), "tail", "more"),
    "cut off": (lambda x: x[:, :-4], "cut", "4 rows"),
    "crops in another order": (lambda x: x[[0, 1, 4, 2, 3]], "crops", "'five' to 'five_ur_dmu'"),
    "the centre crop alone": (lambda x: x[4], "crops", "crop 4"),
    "the mean of crops": (lambda x: x.mean(0), "crops", "mean"),
    "a crop twice": (lambda x: x[[0, 1, 2, 3, 3]], "crops", "copies"),
    "axes swapped": (lambda x: x.swapaxes(0, 1), "axes", "crops and snippets"),
    "dimensions reversed": (lambda x: x[..., ::-1], "dims", "reverse"),
    "streams joined the other way round": (lambda x: np.roll(x, 48, -1), "dims", "halves"),
    "channels shuffled": (lambda x: x[..., np.random.default_rng(1).permutation(96)], "dims", "another order"),
    "half of the dimensions": (lambda x: x[..., :48], "width", "columns 0 to 48"),
    "not finite": (lambda x: np.where(x == x.max(), np.nan, x), "not_finite", "NaN"),
}


@pytest.mark.parametrize("case", PROVEN)
def test_what_features_prove_is_certain(case: str, base: Path, tmp_path: Path) -> None:
    change, name, word = PROVEN[case]
    found = causes(base, rewritten(base, tmp_path / "b", change))
    assert name in found, found
    assert found[name].certainty == "certain" and word in found[name].text
    assert not [cause for cause in found.values() if cause.certainty != "certain"], "nothing is left to guess"


def test_two_things_at_once_are_both_named(base: Path, tmp_path: Path) -> None:
    found = causes(base, rewritten(base, tmp_path / "b", lambda x: 10 * x[[4, 0, 1, 2, 3], 1:]))
    assert found.keys() == {"shift", "crops", "scaled"}


def test_a_few_rows_changed_by_hand(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "b")
    path = tmp_path / "b" / "rgb" / "market.npy"
    array = np.load(path)
    array[2, 3:5] += 1
    np.save(path, array)
    comparison, _, _ = compare(base, tmp_path / "b", ["rgb"])
    (stream,) = comparison.streams
    assert stream.differ == ["market"] and stream.equal == 2
    assert "2 of 10 rows of 'market' (3, 4)" in stream.causes[0].text


def test_features_of_other_videos_under_the_same_names(base: Path, tmp_path: Path) -> None:
    b = rewritten(base, tmp_path / "b", lambda x: x) / "rgb"
    (b / "fair.npy").rename(b / "x.npy")
    (b / "market.npy").rename(b / "fair.npy")
    (b / "x.npy").rename(b / "market.npy")
    found = causes(base, tmp_path / "b")
    assert found.keys() == {"names"} and "'fair' has those of A's 'market'" in found["names"].text


def test_ten_crops_without_the_mirrored_ones(make: Make, backbone: Build, tmp_path: Path) -> None:
    ten = make(rgb=backbone("probe_rgb", crops="ten"))
    five = rewritten(ten, tmp_path / "five", lambda x: x[:5])
    copied = rewritten(ten, tmp_path / "copied", lambda x: x[[0, 1, 2, 3, 4] * 2])
    assert "missing" in causes(ten, five)["mirrored"].text
    assert "not mirrored" in causes(ten, copied)["mirrored"].text
    assert (
        "'ten' to 'ten_ur_dmu'"
        in causes(ten, rewritten(ten, tmp_path / "other", lambda x: x[[0, 1, 4, 2, 3, 5, 6, 9, 7, 8]]))["crops"].text
    )


# -- what recipes say, and the numbers bear out -----------------------------------------------------
def test_the_field_to_blame(base: Path, make: Make, backbone: Build) -> None:
    def probe(**args: object) -> Backbone:
        return backbone("probe_rgb", **{"crops": "five", **args})

    imagenet = planted(probe(), {"normalise": "ImageNet"}, normalised=lambda _, x: _imagenet(x))
    bgr = planted(probe(), {"colour": "BGR"}, **pictures(lambda x: x[..., ::-1]))
    stores = {
        "normalise": make(rgb=imagenet),
        "colour": make(rgb=bgr),
        "crops": make(rgb=probe(crops="five_ur_dmu")),
        "fps": make(rgb=probe(), fps=30.0),
        "tail": make(rgb=probe(), tail="drop"),
        "seed": make(rgb=probe(seed=1)),
        "snippet_frames": make(rgb=probe(), snippet_frames=8),
    }
    for field, store in stores.items():
        comparison, _, _ = compare(base, store, ["rgb"])
        (stream,) = comparison.streams
        first = stream.causes[0]
        assert not comparison.is_equal and first.field == field, (field, stream.causes)
        assert first.certainty == "certain" or field == "snippet_frames"  # the stride differs with it


def _imagenet(x: torch.Tensor) -> torch.Tensor:
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x / 255 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)


def test_a_field_without_effect_is_not_blamed(make: Make, backbone: Build, base: Path) -> None:
    relabelled = planted(backbone("probe_rgb", crops="five"), {"colour": "BGR"})
    comparison, _, _ = compare(base, make(rgb=relabelled), ["rgb"])
    (stream,) = comparison.streams
    assert not comparison.is_equal and stream.equal == stream.videos
    assert not stream.causes and stream.other_fields == ["colour"]


def test_equal_stores_are_equal(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "b")
    comparison, _, _ = compare(base, tmp_path / "b")
    assert comparison.is_equal and [stream.title for stream in comparison.streams] == ["rgb", "audio"]


# -- what features alone leave open ------------------------------------------------------------------
def test_pictures_changed_leave_candidates(base: Path, make: Make, backbone: Build, tmp_path: Path) -> None:
    bgr = planted(backbone("probe_rgb", crops="five"), **pictures(lambda x: x[..., ::-1]))
    found = causes(base, rewritten(make(rgb=bgr), tmp_path / "b", lambda x: x))
    assert {"normalise", "colour", "resize", "start"} <= found.keys()
    assert all(cause.certainty == "possible" for cause in found.values())


def test_other_weights_are_seen_without_a_recipe(base: Path, make: Make, backbone: Build, tmp_path: Path) -> None:
    other = make(rgb=backbone("probe_rgb", crops="five", seed=3))
    found = causes(base, rewritten(other, tmp_path / "b", lambda x: x))
    assert next(iter(found)) == "weights" and found["weights"].certainty == "likely"


def test_a_frame_rate_shows_in_the_number_of_rows(base: Path, make: Make, backbone: Build, tmp_path: Path) -> None:
    faster = make(rgb=backbone("probe_rgb", crops="five"), fps=30.0)
    found = causes(base, rewritten(faster, tmp_path / "b", lambda x: x))
    assert "rate" in found and "30 to 24" in found["rate"].text


def test_half_a_snippet_later_shows_in_the_numbers(base: Path, tmp_path: Path) -> None:
    found = causes(base, rewritten(base, tmp_path / "b", lambda x: (x[:, :-1] + x[:, 1:]) / 2))
    assert found["start"].certainty == "likely" and "later" in found["start"].text


def test_the_side_with_fewer_crops_may_be_either(base: Path, tmp_path: Path) -> None:
    centre = rewritten(base, tmp_path / "centre", lambda x: x[4])
    mean = rewritten(base, tmp_path / "mean", lambda x: x.mean(0))
    assert "A is crop 4 of B's 5" in causes(centre, base)["crops"].text
    assert "A is the mean of B's 5 crops" in causes(mean, base)["crops"].text


def test_infinities_are_reported_and_the_rest_compared(base: Path, tmp_path: Path) -> None:
    found = causes(base, rewritten(base, tmp_path / "b", lambda x: np.where(x == x.max(), np.inf, 2 * x)))
    assert "not_finite" in found


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_shapes_something_is_said(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    for number in range(12):
        a, b = tmp_path / f"a{number}.npy", tmp_path / f"b{number}.npy"
        for path in (a, b):
            shape = [int(rng.choice(sizes)) for sizes in ((1, 2, 5, 10), (1, 2, 3, 9), (4, 16))]
            kind = rng.choice(["f2", "f4", "f8"])
            np.save(path, rng.choice([0, 1, 1]) * rng.normal(size=shape).astype(kind))
        comparison, _, _ = compare(a, b)
        (stream,) = comparison.streams
        assert comparison.is_equal == (np.load(a).tobytes() == np.load(b).tobytes())
        assert comparison.is_equal or stream.causes
        json.dumps(comparison.as_json(), allow_nan=False)
