"""The kernels of TV-L1 in Triton's interpreter, on the CPU: each against plain torch, whole pairs against the loops.

Not collected by itself: the interpreter must be chosen before Triton is imported, so ``test_tvl1_triton.py`` runs
this file in a process of its own.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from vadkit.backbones.flow import TvL1Settings, tvl1_torch, tvl1_triton
from vadkit.backbones.flow.on_device import tvl1_on_device
from vadkit.backbones.flow.tvl1_numba import tvl1_numba

CASES = Path(__file__).parent.parent / "reference" / "cases"
SIZES = ((1, 40), (33, 1), (19, 45))
sizes = pytest.mark.parametrize("size", SIZES, ids=str)
QUICK = TvL1Settings(scales=1, warps=1, outer=1, inner=2, epsilon=0)


@pytest.fixture
def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def large_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use one tile per picture: the interpreter takes as long for a large tile as for a small one."""
    monkeypatch.setattr(tvl1_triton, "ROWS", 64)
    monkeypatch.setattr(tvl1_triton, "COLUMNS", 64)


def film(count: int, height: int, width: int) -> np.ndarray:
    """Return a moving part of real frames."""
    with np.load(CASES / "tvl1-bunny-64x80.npz") as stored:
        return np.ascontiguousarray(stored["input/frames"][:count, 16 : 16 + height, 20 : 20 + width])


def normal(draws: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=draws)


def started(draws: torch.Generator, size: tuple[int, int], settings: TvL1Settings = QUICK) -> tvl1_triton.Level:
    """Return a level of two pairs in the middle of a warp."""
    level = tvl1_triton.Level(normal(draws, 2, 2, *size), settings)
    level.p[:] = normal(draws, 2, 4, *size).clamp(-0.7, 0.7)
    level.p[:, 0::2, :, -1] = 0  # the last column has no right neighbour, the last row none below
    level.p[:, 1::2, -1] = 0
    level.fixed[:] = normal(draws, 2, 3, *size) * 5
    level.change.fill_(tvl1_triton.GOING)
    return level


def plain(level: tvl1_triton.Level) -> tuple[Tensor, tvl1_torch.Duals, tvl1_torch.Fixed]:
    """Return the same state as plain torch keeps it."""
    duals = tvl1_torch.Duals.zeros(level.u)
    duals.x[..., 1:], duals.y[..., 1:, :] = level.p[:, 0::2], level.p[:, 1::2]
    gradient, rest = level.fixed[:, :2], level.fixed[:, 2:]
    inverse = (gradient * gradient).sum(1, keepdim=True).clamp(min=tvl1_torch.TINY).reciprocal()
    return level.u.clone(), duals, tvl1_torch.Fixed(gradient, inverse, rest)


# -- each kernel -----------------------------------------------------------------------------------
@sizes
def test_a_warp_is_that_of_plain_torch(draws: torch.Generator, size: tuple[int, int]) -> None:
    level = started(draws, size)
    level.u *= 4  # many places are outside
    level.u[0, :, 0, 0], level.u[1, :, 0, 0] = 1e6, -1e6
    images = torch.rand((3, 1, *size), generator=draws) * 255
    planes = torch.cat([images[1:], tvl1_torch.gradient(images[1:])], 1)
    level.warp(planes, images[:2])
    wanted = tvl1_torch._warp(planes, images[:2], level.u)
    torch.testing.assert_close(level.fixed[:, :2], wanted.gradient, atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(level.fixed[:, 2:], wanted.rest, atol=2e-2, rtol=1e-4)
    assert torch.isinf(level.change).all()


@pytest.mark.parametrize("side", (3, 5))
@sizes
def test_medians_are_exact(draws: torch.Generator, size: tuple[int, int], side: int) -> None:
    level = started(draws, size, TvL1Settings(median=side))
    wanted = tvl1_torch._median(level.u, side)
    level.median()
    assert torch.equal(level.u, wanted)


@sizes
def test_an_iteration_is_that_of_plain_torch(draws: torch.Generator, size: tuple[int, int]) -> None:
    once = TvL1Settings(inner=1, epsilon=0)
    level = started(draws, size, once)
    u, duals, fixed = plain(level)
    going = torch.ones((2, 1, 1, 1), dtype=torch.bool)
    for _ in range(2):
        before = u
        u, going = tvl1_torch._inner_loop(u, duals, fixed, going, once)
        level.iterate()
        torch.testing.assert_close(level.u, u, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(level.p[:, 0::2], duals.x[..., 1:], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(level.p[:, 1::2], duals.y[..., 1:, :], atol=1e-5, rtol=1e-5)
        change = (u - before).square().sum((1, 2, 3))
        torch.testing.assert_close(level.change.sum(1), change, atol=1e-6, rtol=1e-4)


def test_a_pair_that_has_stopped_stays_as_it_is(draws: torch.Generator) -> None:
    level = started(draws, (9, 45), TvL1Settings(epsilon=0.01, median=3))
    assert level.change.shape == (2, 2)
    level.change[1] = level.limit / 2  # its sum is at the limit
    u, p = level.u[1].clone(), level.p[1].clone()
    for launch in (level.median, level.iterate, level.iterate, level.median):
        moving = level.u[0].clone()
        launch()
        assert torch.equal(level.u[1], u) and torch.equal(level.p[1], p)
        assert not torch.equal(level.u[0], moving)
    assert torch.equal(level.new_u[1], u) and torch.equal(level.new_p[1], p)
    assert (level.change[1] == tvl1_triton.STOPPED).all() and (level.change[0] > 0).all() and level.going()
    level.change[0] = tvl1_triton.STOPPED
    assert not level.going()


def test_more_shares_than_are_added_at_a_time(draws: torch.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tvl1_triton, "PARTS", 4)
    level = started(draws, (40, 40), TvL1Settings(epsilon=0.01))
    level.change[:] = 0
    level.change[0, -1] = 2 * level.limit  # the last share decides
    u = level.u.clone()
    level.iterate()
    assert not torch.equal(level.u[0], u[0]) and torch.equal(level.u[1], u[1])


# -- whole pairs -----------------------------------------------------------------------------------
def flow(frames: np.ndarray, settings: TvL1Settings) -> np.ndarray:
    return tvl1_on_device(torch.from_numpy(frames), settings, "triton").permute(0, 2, 3, 1).numpy()


@pytest.mark.usefixtures("large_tiles")
def test_a_pair_of_real_frames_is_that_of_the_loops() -> None:
    frames, settings = film(2, 34, 43), TvL1Settings(scales=2, warps=1, outer=2)
    wanted, found = tvl1_numba(frames, settings, 1), flow(frames, settings)
    distance = np.linalg.norm(found - wanted, axis=-1)
    levels = [np.rint((np.clip(x, -20, 20) + 20) * 255 / 40) for x in (found, wanted)]
    assert np.linalg.norm(wanted, axis=-1).mean() > 0.03
    assert distance.mean() <= 0.05 and np.percentile(distance, 95) <= 0.2
    assert (np.abs(levels[0] - levels[1]) <= 1).mean() >= 0.98


@pytest.mark.usefixtures("large_tiles")
@pytest.mark.parametrize(
    "settings",
    (
        TvL1Settings(0.2, 0.1, 0.25, 2, 1, 0.02, 3, 2, 0.7, 3),
        TvL1Settings(scales=1, warps=1, outer=1, inner=3, median=1),
    ),
    ids=("all changed", "one level, no median"),
)
def test_settings_are_those_of_the_loops(settings: TvL1Settings) -> None:
    frames = film(2, 23, 34)
    np.testing.assert_allclose(flow(frames, settings), tvl1_numba(frames, settings, 1), atol=1e-3)


@pytest.mark.usefixtures("large_tiles")
@pytest.mark.parametrize("size", ((1, 1), (2, 3), (1, 17), (19, 1)), ids=str)
def test_any_size_works(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (2, *size), np.uint8)
    np.testing.assert_allclose(flow(frames, QUICK), tvl1_numba(frames, QUICK, 1), atol=1e-3)


@pytest.mark.usefixtures("large_tiles")
def test_a_pair_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, settings = film(3, 20, 24)[[0, 0, 1]], TvL1Settings(scales=1, warps=1, outer=1, inner=3)
    together = flow(frames, settings)
    assert not together[0].any() and together[1].any()
    assert flow(frames[1:], settings).tobytes() == together[1].tobytes()
    monkeypatch.setattr(tvl1_triton, "PIXELS", 1)
    assert flow(frames, settings).tobytes() == together.tobytes()


@pytest.mark.usefixtures("large_tiles")
def test_frames_may_be_a_view() -> None:
    frames = torch.from_numpy(film(2, 20, 40)).transpose(1, 2)[:, ::2].flip(0)
    assert not frames.is_contiguous()
    found = tvl1_on_device(frames, QUICK, "triton")
    assert torch.equal(found, tvl1_on_device(frames.contiguous(), QUICK, "triton"))


def test_the_answer_comes_one_question_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for CUDA's events: an answer is there only once its event has been waited for."""
    waited: list[int] = []
    copies: list[Tensor] = []

    def empty(*_: object, pin_memory: bool, **__: object) -> SimpleNamespace:
        assert pin_memory  # a copy to other memory makes the host wait
        return SimpleNamespace(copy_=lambda going, non_blocking: copies.append(going) or going)

    class Event:
        def record(self) -> None:
            self.number = len(copies)

        def synchronize(self) -> None:
            waited.append(self.number)

    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    question = tvl1_triton.Question(torch.device("cuda", 0))
    answers = [question.ask(torch.tensor(going)) for going in (True, True, False, False)]
    assert answers == [True, True, True, False]
    assert waited == [1, 2, 3]
