"""TV-L1 flow against a slow, obvious form of the same algorithm, and what must hold for any frames.

The flows that OpenCV computed are compared in tests/reference.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vadkit.backbones.flow import TvL1Settings, optical_flow, tvl1_loops, tvl1_torch
from vadkit.backbones.flow.on_device import tvl1_on_device
from vadkit.backbones.flow.settings import taps
from vadkit.backbones.flow.tvl1_numba import tvl1_numba

CASES = Path(__file__).parent.parent / "reference" / "cases"
STANDARD = TvL1Settings()
PATHS = {
    "numba": lambda frames, settings=STANDARD: tvl1_numba(frames, settings, 1),
    "torch": lambda frames, settings=STANDARD: plain_torch(frames, settings),
}


def plain_torch(frames: np.ndarray, settings: TvL1Settings) -> np.ndarray:
    flow = tvl1_on_device(torch.from_numpy(np.ascontiguousarray(frames)), settings, "torch")
    return flow.permute(0, 2, 3, 1).contiguous().numpy()


both = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())


def waves(h: int, w: int, count: int = 2) -> np.ndarray:
    """Return frames of a smooth pattern that wanders and bends."""
    y, x = np.mgrid[:h, :w].astype(float)
    frames = [
        np.sin((x + 0.7 * i) / 2.1) + np.cos((y - 0.4 * i) / 2.9 + 0.02 * i * x) + np.sin((x + y + i) / 5)
        for i in range(count)
    ]
    return np.rint(127.5 + 42 * np.stack(frames)).astype(np.uint8)


# -- the slow form ---------------------------------------------------------------------------------
def slow_tvl1(first: np.ndarray, second: np.ndarray, s: TvL1Settings) -> np.ndarray:
    """TV-L1 of one pair in double precision, operation by operation; resampled pixel by pixel."""
    pyramid = [(first.astype(float), second.astype(float))]
    for _ in s.sizes(*first.shape)[1:]:
        pyramid.append(tuple(cv2.resize(image, None, fx=s.step, fy=s.step) for image in pyramid[-1]))  # type: ignore[arg-type]
    u = np.zeros((2, *pyramid[-1][0].shape))
    for i0, i1 in reversed(pyramid):
        if u.shape[1:] != i0.shape:
            u = np.stack([cv2.resize(plane, i0.shape[::-1]) for plane in u]) / s.step
        u = slow_level(i0, i1, u, s)
    return u.transpose(1, 2, 0)


def slow_level(i0: np.ndarray, i1: np.ndarray, u: np.ndarray, s: TvL1Settings) -> np.ndarray:
    gradient = np.gradient(np.pad(i1, 1, mode="edge"))
    iy, ix = (g[1:-1, 1:-1] for g in gradient)
    p = np.zeros((2, 2, *i0.shape))  # component, direction
    for _ in range(s.warps):
        seen, gx, gy = (slow_sample(plane, u) for plane in (i1, ix, iy))
        g = np.stack([gx, gy])
        fixed = seen - (g * u).sum(0) - i0
        for _ in range(s.outer):
            u = np.stack([slow_median(plane, s.median) for plane in u])
            for _ in range(s.inner):
                rho = fixed + (g * u).sum(0)
                size = (g * g).sum(0)
                bound = s.weight * s.theta
                with np.errstate(divide="ignore", invalid="ignore"):
                    shift = np.where(size > 1e-7, -rho / size, 0)
                shift = np.where(rho < -bound * size, bound, np.where(rho > bound * size, -bound, shift))
                new = u + shift * g + s.theta * np.stack([slow_divergence(*field) for field in p])
                change = ((new - u) ** 2).sum()
                u = new
                for c in range(2):
                    x, y = np.diff(u[c], axis=1, append=u[c][:, -1:]), np.diff(u[c], axis=0, append=u[c][-1:])
                    slope = np.stack([x, y])
                    p[c] = (p[c] + s.tau / s.theta * slope) / (1 + s.tau / s.theta * np.hypot(*slope))
                if change <= s.epsilon**2 * i0.size:
                    break
            if change <= s.epsilon**2 * i0.size:
                break
    return u


def slow_divergence(px: np.ndarray, py: np.ndarray) -> np.ndarray:
    return np.diff(px, axis=1, prepend=0) + np.diff(py, axis=0, prepend=0)


def slow_median(plane: np.ndarray, side: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(plane, side // 2, mode="edge"), (side, side))
    return np.median(windows, axis=(2, 3))


def slow_sample(plane: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Bicubic with a = -0.75; pixels outside count as 0."""
    h, w = plane.shape
    out = np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            to_x, to_y = x + u[0, y, x], y + u[1, y, x]
            for j in range(int(np.floor(to_y)) - 1, int(np.floor(to_y)) + 3):
                for i in range(int(np.floor(to_x)) - 1, int(np.floor(to_x)) + 3):
                    if 0 <= i < w and 0 <= j < h:
                        out[y, x] += kernel(to_x - i) * kernel(to_y - j) * plane[j, i]
    return out


def kernel(distance: float) -> float:
    a, d = -0.75, abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


@both
@pytest.mark.parametrize(
    "settings",
    [
        TvL1Settings(warps=2, outer=2, inner=5, epsilon=0),
        TvL1Settings(0.2, 0.1, 0.25, scales=2, warps=3, epsilon=0.02, inner=7, outer=3, step=0.7, median=3),
        TvL1Settings(scales=1, warps=1, outer=1, inner=3, median=1),
    ],
    ids=["fixed length", "all changed", "one level, no median"],
)
def test_it_is_what_the_slow_form_gives(path, settings: TvL1Settings) -> None:
    frames = waves(23, 34)
    wanted = slow_tvl1(*frames, settings)
    assert np.abs(wanted).max() > 0.2
    np.testing.assert_allclose(path(frames, settings)[0], wanted, atol=2e-3)


# -- parts -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("side", (3, 5))
@pytest.mark.parametrize("shape", ((1, 1), (2, 3), (1, 9), (40, 37)), ids=str)
@pytest.mark.parametrize("ties", (False, True))
def test_medians_are_exact(side: int, shape: tuple[int, int], ties: bool) -> None:
    draws = np.random.default_rng(side)
    u = (draws.integers(-5, 6, (2, *shape)) if ties else draws.normal(size=(2, *shape))).astype(np.float32)
    wanted = np.stack([slow_median(plane, side) for plane in u])
    out = np.empty_like(u)
    tvl1_loops.median(u, out, side)
    np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(tvl1_torch._median(torch.from_numpy(u)[None], side)[0], wanted)


def test_resampling_reads_zeros_outside() -> None:
    draws = np.random.default_rng(0)
    image = draws.uniform(0, 255, (9, 12)).astype(np.float32)
    u = draws.normal(0, 6, (2, 9, 12)).astype(np.float32)
    u[:, 0, 0], u[:, 0, 1], u[:, 0, 2] = 1e4, -1e4, 0
    wanted = slow_sample(image, u)
    places = *tvl1_torch._places(torch.from_numpy(u[None, 0]), 1), *tvl1_torch._places(torch.from_numpy(u[None, 1]), 0)
    padded = torch.nn.functional.pad(torch.from_numpy(image)[None, None], (tvl1_torch.EDGE,) * 4)
    np.testing.assert_allclose(tvl1_torch._sample(padded, *places)[0, 0], wanted, atol=2e-3)
    planes = np.pad(image, tvl1_loops.EDGE)[None] * np.array([1, 0, 0], np.float32)[:, None, None]
    gradient, inverse, rest = (np.empty(shape, np.float32) for shape in (u.shape, image.shape, image.shape))
    tvl1_loops.warp(planes, np.zeros_like(image), u, gradient, inverse, rest)
    np.testing.assert_allclose(rest, wanted, atol=2e-3)
    assert rest[0, 0] == rest[0, 1] == 0 and rest[0, 2] == image[0, 2]


@pytest.mark.parametrize("size", ((64, 80), (101, 139), (20, 24), (33, 47)), ids=str)
@pytest.mark.parametrize("step", (0.8, 0.5, 0.7))
def test_levels_are_those_of_opencv(size: tuple[int, int], step: float) -> None:
    image = np.random.default_rng(0).uniform(0, 255, size).astype(np.float32)
    smaller = cv2.resize(image, None, fx=step, fy=step)
    for source, wanted, scales in (
        (image, smaller, (1 / step, 1 / step)),
        (smaller, cv2.resize(smaller, size[::-1]), np.divide(smaller.shape, size)),
    ):
        y, x = (taps(old, new, scale) for old, new, scale in zip(source.shape, wanted.shape, scales))
        rows = source[:, x.low] * (1 - x.part) + source[:, x.high] * x.part
        found = rows[y.low] * (1 - y.part)[:, None] + rows[y.high] * y.part[:, None]
        np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_pyramid_ends_before_a_side_of_less_than_16() -> None:
    assert TvL1Settings().sizes(256, 340) == [(256, 340), (205, 272), (164, 218), (131, 174), (105, 139)]
    assert TvL1Settings().sizes(20, 24) == [(20, 24), (16, 19)]
    assert TvL1Settings().sizes(1, 500) == [(1, 500)]
    assert TvL1Settings(scales=2, step=0.5).sizes(64, 80) == [(64, 80), (32, 40)]


# -- what must hold --------------------------------------------------------------------------------
@both
def test_known_shifts_are_found(path) -> None:
    shift = json.loads((CASES / "tvl1-shift-96x128.json").read_text())["given"]["observed"]["true_flow"]
    with np.load(CASES / "tvl1-shift-96x128.npz") as stored:
        flow = path(stored["input/frames"])
    assert len(shift) == 3
    np.testing.assert_allclose(np.median(flow, axis=(1, 2)), shift, atol=0.002)


def accepted(found: np.ndarray, wanted: np.ndarray) -> bool:
    """The rule that recorded flows are held to: the early stop makes single pixels chaotic."""
    distance = np.linalg.norm(found - wanted, axis=-1)
    ours, theirs = (np.rint((np.clip(x, -20, 20) + 20) * 255 / 40) for x in (found, wanted))
    near = (np.abs(ours - theirs) <= 1).mean()
    return distance.mean() <= 0.05 and np.percentile(distance, 95) <= 0.2 and near >= 0.98


@pytest.mark.parametrize("size", ((61, 83), (96, 120)), ids=str)
def test_both_paths_agree(size: tuple[int, int]) -> None:
    frames = waves(*size, 3)
    flow = PATHS["numba"](frames)
    assert np.linalg.norm(flow, axis=-1).mean() > 0.4
    assert accepted(PATHS["torch"](frames), flow)
    assert not accepted(flow[::-1], flow)


@both
def test_equal_frames_do_not_move(path) -> None:
    frames = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 40, 50), np.uint8), 3, axis=0)
    assert not path(frames).any()
    assert not path(np.zeros_like(frames)).any()


@pytest.mark.parametrize("size", ((1, 1), (2, 3), (1, 17), (19, 1), (15, 16), (17, 33)), ids=str)
def test_any_size_works(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, *size), np.uint8)
    flows = [path(frames, TvL1Settings(warps=1, outer=1, inner=4)) for path in PATHS.values()]
    for flow in flows:
        assert flow.shape == (2, *size, 2) and flow.dtype == np.float32 and np.isfinite(flow).all()
    np.testing.assert_allclose(*flows, atol=1e-3)


def test_threads_and_other_pairs_change_no_byte() -> None:
    frames = waves(50, 61, 6)
    alone = optical_flow(frames, threads=1)
    for threads in (2, 3, 16, None):
        assert optical_flow(frames, threads=threads).tobytes() == alone.tobytes()
    assert optical_flow(frames[2:4]).tobytes() == alone[2].tobytes()


def test_a_pair_that_stops_early_waits_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    still, moving = waves(30, 36)[[0, 0]], waves(30, 36) // 2
    frames, quick = np.concatenate([still, moving]), TvL1Settings(scales=2, warps=2)
    together = PATHS["torch"](frames, quick)
    for i in range(3):
        np.testing.assert_allclose(together[i], PATHS["torch"](frames[i : i + 2], quick)[0], atol=1e-4)
    monkeypatch.setattr(tvl1_torch, "PIXELS", 2 * frames[0].size)  # two pairs, then the third
    np.testing.assert_allclose(PATHS["torch"](frames, quick), together, atol=1e-4)
    monkeypatch.setattr(tvl1_torch, "CHECK_EVERY", 1000)
    np.testing.assert_allclose(PATHS["torch"](frames, quick), together, atol=1e-4)


def test_one_frame_has_no_flow() -> None:
    assert optical_flow(np.zeros((1, 20, 30), np.uint8)).shape == (0, 20, 30, 2)
    assert optical_flow(np.zeros((1, 20, 30), np.uint8), "dis").shape == (0, 20, 30, 2)


def test_frames_may_be_a_view() -> None:
    frames = waves(30, 40, 4)
    turned = frames[::-1, :, ::2]
    for view in (turned, frames.transpose(0, 2, 1)):
        for path in PATHS.values():
            assert path(view).tobytes() == path(np.ascontiguousarray(view)).tobytes()
    # One form of each loop, whatever the layout: two at once in the cache would get into each other's way.
    for loop in (tvl1_loops.resize, tvl1_loops.warp, tvl1_loops.median, tvl1_loops.inner_loop):
        assert len(loop.signatures) == 1


def test_a_cpu_by_any_name_takes_the_loops() -> None:
    frames = waves(20, 24)
    for device in ("cpu", "cpu:0", torch.device("cpu")):
        np.testing.assert_array_equal(optical_flow(frames, device=device), PATHS["numba"](frames))


@pytest.mark.parametrize("device", ("meta", "nonsense", "cuda:99"))
def test_a_device_that_cannot_be_used_is_told(device: str) -> None:
    with pytest.raises(ValueError, match=f"^optical flow cannot be computed on '{device}': .+; 'cpu' always works$"):
        optical_flow(waves(20, 24), device=device)


@pytest.mark.parametrize("size", ((1, 1), (2, 3), (11, 40), (12, 500), (500, 9), (30, 41)), ids=str)
def test_dis_takes_any_size(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, *size), np.uint8)
    flow = optical_flow(frames, "dis", threads=1)
    assert flow.shape == (2, *size, 2) and flow.dtype == np.float32 and np.isfinite(flow).all()
    assert optical_flow(frames, "dis", threads=3).tobytes() == flow.tobytes()


def test_dis_points_the_same_way() -> None:
    with np.load(CASES / "tvl1-bunny-256x340.npz") as stored:
        frames, tvl1 = stored["input/frames"], stored["flow"].astype(float)
    assert np.linalg.norm(optical_flow(frames, "dis") - tvl1, axis=-1).mean() < 1
    with np.load(CASES / "tvl1-shift-96x128.npz") as stored:
        flow = optical_flow(stored["input/frames"][:2], "dis")
    np.testing.assert_allclose(np.median(flow, axis=(1, 2)), [[1.5, -0.75]], atol=0.1)


# -- what is refused -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "frames, more, message",
    [
        (np.zeros((2, 8, 8), np.float32), {}, "float32"),
        (np.zeros((2, 8, 8, 3), np.uint8), {}, r"\(2, 8, 8, 3\)"),
        ([1, 2], {}, "list"),
        (np.zeros((2, 0, 8), np.uint8), {}, "one pixel"),
        (np.zeros((0, 8, 8), np.uint8), {}, "at least one frame"),
        (np.zeros((2, 8, 8), np.uint8), {"threads": 0}, "threads is 0"),
        (np.zeros((2, 8, 8), np.uint8), {"method": "farneback"}, "must be tvl1 or dis"),
    ],
)
def test_wrong_calls_are_refused(frames, more, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        optical_flow(frames, **more)


@pytest.mark.parametrize(
    "name, value",
    [
        ("tau", 0),
        ("weight", -1),
        ("theta", float("nan")),
        ("scales", 0),
        ("warps", 0),
        ("epsilon", -0.1),
        ("inner", 0),
        ("outer", 0),
        ("step", 1.0),
        ("step", 0.0),
        ("median", 4),
        ("tau", float("inf")),
    ],
)
def test_settings_have_ranges(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} is"):
        TvL1Settings(**{name: value})
