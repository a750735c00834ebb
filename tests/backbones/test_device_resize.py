"""Pictures that are resized on a device get the very levels of the CPU's resize: here on torch's CPU device.

Where the build of torch rounds otherwise, one grey level is allowed; these tests ask for none.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from vadkit.backbones import FrameBatch, View, resize_to
from vadkit.backbones.crops import LONGEST

RNG = np.random.default_rng(7)
KINDS = {
    "unusual": lambda: RNG.integers(17, 420, 2),
    "tiny": lambda: RNG.integers(1, 16, 2),
    "long": lambda: RNG.permutation([RNG.integers(1, 12), RNG.integers(200, 900)]),
    "huge": lambda: RNG.integers(1500, 2400, 2),
}
COUNTS = {"unusual": 40, "tiny": 40, "long": 12, "huge": 1}
RESIZES = ("bilinear", "bicubic")


def pictures(kind: str, height: int, width: int, count: int) -> np.ndarray:
    """Return noise, which has every level, or hard edges between black and white, beyond which bicubic overshoots."""
    x = RNG.integers(0, 256, (count, height, width, 3), np.uint8)
    return x if kind != "edges" else (x > 127).astype(np.uint8) * np.uint8(255)


def sizes(kind: str) -> Iterator[tuple[int, int]]:
    for _ in range(COUNTS[kind]):
        height, width = KINDS[kind]()
        yield int(height), int(width)


def batch_of(snippets: list[np.ndarray]) -> FrameBatch:
    frames, n = torch.from_numpy(np.concatenate(snippets)), len(snippets[0])
    return FrameBatch(frames, [(i * n, i * n + n) for i in range(len(snippets))])


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_level_is_that_of_the_cpu(kind: str, resize: str) -> None:
    for height, width in sizes(kind):
        view = View(int(RNG.integers(16, 257)), 16, "five", resize)  # type: ignore[arg-type]
        snippets = [pictures(look, height, width, 1 if kind == "huge" else 2) for look in ("noise", "edges")]
        on_host, on_device = list(view.pictures(snippets)), list(view.pictures(batch_of(snippets)))
        for one, two in zip(on_host, on_device, strict=True):
            assert two.dtype == torch.uint8 and one.shape == two.shape
            assert int((one.int() - two.int()).abs().max()) == 0, (height, width, view)
            for (crop, part), (same_crop, same_part) in zip(view.cut(one), view.cut(two), strict=True):
                assert crop == same_crop and torch.equal(part, same_part)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("resize", RESIZES)
def test_rotated_pictures(turns: int, resize: str) -> None:
    """Rotated pictures run backwards through memory on the host; a device has them in order."""
    snippet = np.rot90(pictures("noise", 97, 161, 3), turns, (1, 2))
    view = View(64, 56, "ten", resize)  # type: ignore[arg-type]
    (on_host,), (on_device,) = view.pictures([snippet]), view.pictures(batch_of([np.ascontiguousarray(snippet)]))
    assert torch.equal(on_host, on_device)


def test_pictures_of_the_right_size_and_of_extreme_shapes() -> None:
    same = pictures("noise", 56, 80, 2)
    assert np.array_equal(resize_to(torch.from_numpy(same), (56, 80)).permute(0, 2, 3, 1).numpy(), same)
    (thin,) = View(16, 16).pictures(batch_of([pictures("noise", 1, 3000, 1)]))
    assert thin.shape == (1, 3, 16, 16 * LONGEST)


def test_a_batch_is_resized_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, view, asked = batch_of([pictures("noise", 30, 40, 4)] * 3), View(20, 16), []
    resized = View.resized
    monkeypatch.setattr(View, "resized", lambda self, x: (asked.append(len(x)), resized(self, x))[1])
    shared = FrameBatch(batch.frames, [(0, 5), (4, 9), (8, 12)], batch.known)
    first, second = list(view.pictures(batch)), list(view.pictures(shared))
    assert asked == [12] and [len(x) for x in second] == [5, 5, 4]
    assert torch.equal(second[1][:4], first[1])
    list(View(20, 16, resize="bicubic").pictures(batch))
    assert asked == [12, 12]
