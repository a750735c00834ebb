"""TV-L1 on a GPU: the kernels against the loops and plain torch, at odd sizes, in batches, and twice the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vadkit.backbones.flow import TvL1Settings, optical_flow
from vadkit.backbones.flow.on_device import tvl1_form, tvl1_on_device
from vadkit.backbones.flow.tvl1_numba import tvl1_numba
from vadkit.devices import choose_device

pytestmark = pytest.mark.cuda
CASES = Path(__file__).parent.parent / "reference" / "cases"
STANDARD = TvL1Settings()


def frames_of(case: str) -> np.ndarray:
    with np.load(CASES / f"tvl1-{case}.npz") as stored:
        frames: np.ndarray = stored["input/frames"]
    return frames


def on(device: str, frames: np.ndarray, settings: TvL1Settings = STANDARD, form: str | None = None) -> torch.Tensor:
    return tvl1_on_device(torch.from_numpy(frames).to(choose_device(device)), settings, form)  # type: ignore[arg-type]


def accept(found: np.ndarray, wanted: np.ndarray) -> None:
    """Hold a flow (n, h, w, 2) to the rule of the recorded flows."""
    distance = np.linalg.norm(found - wanted, axis=-1)
    levels = [np.rint((np.clip(x, -20, 20) + 20) * 255 / 40) for x in (found, wanted)]
    near = (np.abs(levels[0] - levels[1]) <= 1).mean()
    assert distance.mean() <= 0.05 and np.percentile(distance, 95) <= 0.2 and near >= 0.98


def test_the_kernels_run_on_cuda(device: str) -> None:
    assert tvl1_form(device) == ("triton" if device.startswith("cuda") else "loops")


@pytest.mark.parametrize("case", ("bunny-64x80", "vtest-64x80", "shift-96x128", "bunny-256x340"))
def test_the_flow_is_that_of_the_loops(device: str, case: str) -> None:
    frames = frames_of(case)
    wanted = tvl1_numba(frames, STANDARD, 1)
    accept(optical_flow(frames, device=device), wanted)
    accept(on(device, frames, form="torch").permute(0, 2, 3, 1).cpu().numpy(), wanted)


@pytest.mark.parametrize(
    "settings",
    (
        TvL1Settings(warps=2, outer=2, inner=5, epsilon=0),
        TvL1Settings(0.2, 0.1, 0.25, scales=2, warps=3, epsilon=0.02, inner=7, outer=3, step=0.7, median=3),
        TvL1Settings(scales=1, warps=1, outer=1, inner=3, median=1),
    ),
    ids=("fixed length", "all changed", "one level, no median"),
)
def test_settings_are_those_of_the_loops(device: str, settings: TvL1Settings) -> None:
    frames = frames_of("bunny-64x80")
    accept(optical_flow(frames, device=device, settings=settings), tvl1_numba(frames, settings, 1))


@pytest.mark.parametrize("size", ((1, 1), (2, 3), (1, 17), (19, 1), (15, 16), (33, 65), (101, 139)), ids=str)
def test_any_size_works(device: str, size: tuple[int, int]) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, *size), np.uint8)
    settings = TvL1Settings(warps=1, outer=1, inner=4)
    found = on(device, frames, settings).permute(0, 2, 3, 1).cpu().numpy()
    np.testing.assert_allclose(found, tvl1_numba(frames, settings, 1), atol=5e-3)


def test_equal_frames_do_not_move(device: str) -> None:
    assert not on(device, frames_of("bunny-64x80")[[0, 0, 0]]).any()


def test_the_same_bytes_again_and_in_any_batch(device: str) -> None:
    frames = frames_of("bunny-64x80")[[0, 0, 1, 2, 3]]
    together = on(device, frames)
    assert torch.equal(on(device, frames), together)
    for i in range(4):
        assert torch.equal(on(device, frames[i : i + 2])[0], together[i])


def test_frames_may_be_a_view(device: str) -> None:
    frames = torch.from_numpy(frames_of("bunny-64x80")).to(choose_device(device)).transpose(1, 2)[:, ::2]
    assert torch.equal(tvl1_on_device(frames), tvl1_on_device(frames.contiguous()))


def test_another_stream_may_be_current(device: str) -> None:
    frames = torch.from_numpy(frames_of("bunny-64x80")).to(choose_device(device))
    wanted = tvl1_on_device(frames)
    if frames.is_cuda:
        torch.cuda.synchronize()
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            found = tvl1_on_device(frames)
        stream.synchronize()
    else:
        found = tvl1_on_device(frames)
    assert torch.equal(found, wanted)
