"""Extraction on a GPU: what arrives there is what the CPU has, and stores say how they were extracted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import vadkit_c3d
import vadkit_clip_vit
import vadkit_i3d
import vadkit_i3d_resnet50
from clips import alarm, make_clip

from vadkit.backbones import FrameBatch, View, to_grey
from vadkit.backbones.frozen import arithmetic
from vadkit.cli import main
from vadkit.devices import choose_device
from vadkit.diff.compare import compare
from vadkit.extract.run import Clock, Resources, extract_store
from vadkit.store.manifest import read_manifest

pytestmark = pytest.mark.cuda
SIZES = [(360, 480), (97, 161), (33, 500), (7, 5), (1, 90), (1080, 1920), (223, 225), (256, 340)]
FP32 = {"random_weights": True, "crops": "five", "precision": "fp32"}
BACKBONES: dict[str, Any] = {
    "rgb": (vadkit_i3d.I3dRgb, {"short_side": 64}),
    "flow": (vadkit_i3d.I3dFlow, {"short_side": 64}),
    "resnet": (vadkit_i3d_resnet50.I3dResnet50, {"short_side": 64}),
    "c3d": (vadkit_c3d.C3d, {}),
    "clip": (vadkit_clip_vit.ClipVit, {"model": "b32"}),
}


def built(name: str, device: str, **more: Any) -> Any:
    cls, args = BACKBONES[name]
    return cls(**{**FP32, **args, "device": device, **more})


@pytest.fixture(scope="module")
def place(device: str) -> torch.device:
    return choose_device(device)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    folder = tmp_path_factory.mktemp("videos")
    seconds = (1, 5, 12)
    return [
        {"name": f"clip{n}", "file": str(make_clip(folder / f"clip{n}.mp4", n, colour=alarm(1, 3)))} for n in seconds
    ]


def extract(videos: Any, out: Path, names: tuple[str, ...], device: str, **more: Any) -> Path:
    backbones = {name: built(name, device, **more) for name in names}
    extract_store(videos, backbones, out, clock=Clock(fps=8), resources=Resources(workers=0))
    return out


def rows(root: Path, stream: str) -> np.ndarray:
    return np.concatenate(
        [np.load(path).reshape(-1, np.load(path).shape[-1]) for path in sorted((root / stream).glob("*.npy"))]
    )


# -- what arrives ------------------------------------------------------------------------------------
@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", SIZES)
def test_pictures_have_the_levels_of_the_cpu(place: torch.device, size: tuple[int, int], resize: Any) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    view = View(224, 196, "ten", resize)
    (there,) = view.pictures(FrameBatch(torch.from_numpy(frames).to(place), [(0, 3)]))
    here = view.resized(frames)
    assert there.device == place and torch.equal(there.cpu(), here)
    assert torch.equal(to_grey(there).cpu(), to_grey(here))


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "flow"])
def test_rows_are_those_of_the_cpu(place: torch.device, name: str) -> None:
    snippets = list(np.random.default_rng(1).integers(0, 256, (3, 16, 90, 120, 3), np.uint8))
    batch = FrameBatch(torch.from_numpy(np.concatenate(snippets)).to(place), [(i, i + 16) for i in (0, 16, 32)])
    there, here = built(name, str(place)).rows(batch).cpu().numpy(), built(name, "cpu").extract(snippets)
    assert there.shape == here.shape
    assert np.linalg.norm(there - here) <= 1e-4 * np.linalg.norm(here)


@pytest.mark.parametrize(("precision", "error"), [("tf32", 4e-3), ("bf16", 3e-2), ("auto", 3e-2)])
def test_other_precisions_are_as_near_as_store_diff_expects(place: torch.device, precision: str, error: float) -> None:
    snippets = list(np.random.default_rng(1).integers(0, 256, (3, 16, 90, 120, 3), np.uint8))
    exact, other = (built("rgb", str(place), precision=p).extract(snippets) for p in ("fp32", precision))
    assert np.linalg.norm(other - exact) <= error * np.linalg.norm(exact)


def test_switches_are_as_before_afterwards(place: torch.device) -> None:
    before = (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision())
    built("rgb", str(place), precision="tf32").extract([np.zeros((16, 64, 64, 3), np.uint8)])
    with arithmetic(tf32=True, timed=True):
        pass
    after = (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision())
    assert before == after


# -- stores ------------------------------------------------------------------------------------------
def test_a_store_is_the_same_each_time_and_near_that_of_the_cpu(
    videos: Any, tmp_path: Path, place: torch.device
) -> None:
    names = ("rgb", "clip")
    one, two = (extract(videos, tmp_path / n, names, str(place)) for n in ("one", "two"))
    cpu = extract(videos, tmp_path / "cpu", names, "cpu")
    for name in names:
        assert np.array_equal(rows(one, name), rows(two, name))
        assert np.linalg.norm(rows(one, name) - rows(cpu, name)) <= 1e-4 * np.linalg.norm(rows(cpu, name))
    manifests = [read_manifest(root)[0] for root in (one, cpu)]
    assert [line.snippets for line in manifests[0].values()] == [line.snippets for line in manifests[1].values()]


def test_a_run_that_is_continued_gives_the_same_bytes(videos: Any, tmp_path: Path, place: torch.device) -> None:
    whole = extract(videos, tmp_path / "whole", ("rgb",), str(place))
    extract(videos[:1], tmp_path / "parts", ("rgb",), str(place))
    parts = extract(videos, tmp_path / "parts", ("rgb",), str(place))
    assert np.array_equal(rows(whole, "rgb"), rows(parts, "rgb"))


def test_store_diff_names_the_device(videos: Any, tmp_path: Path, place: torch.device) -> None:
    there, here = (extract(videos, tmp_path / p, ("rgb",), p) for p in (str(place), "cpu"))
    recipe = json.loads((there / "store.json").read_text())["streams"]["rgb"]["recipe"]
    if place.type == "cpu":  # of a trial run without a GPU
        assert "device" not in recipe
        return
    assert recipe["device"] == "cuda"
    (stream,) = compare(here, there)[0].streams
    assert stream.causes[0].name == "computed" and stream.causes[0].certainty == "certain", stream.causes


def test_several_processes_and_the_command(videos: Any, tmp_path: Path, device: str) -> None:
    streams = ["--stream", "rgb=i3d_rgb,short_side=64", "--stream", "audio=vggish", "--random-weights"]
    files = [video["file"] for video in videos]
    for out, workers in (("one", "1"), ("two", "2")):
        how = ["--device", device, "--precision", "fp32", "--workers", workers, "--out", str(tmp_path / out)]
        assert main(["extract", *files, *streams, *how]) == 0
    for stream in ("rgb", "audio"):
        assert np.array_equal(rows(tmp_path / "one", stream), rows(tmp_path / "two", stream))
